# SPDX-License-Identifier: EUPL-1.2
"""What happened to the server and to the requests in flight, over time."""

from ..statistics import as_dict
from ..text import plot_label
from .style import COLOURS, INK, MUTED, grid, heading, plt, save, styled

DOWN, UP = COLOURS[1], COLOURS[0]
MAX_FAULTS = 3
MAX_REQUESTS = 400
BEGINS = {"server_ready", "server_recovered"}
ENDS = {"server_exited", "server_stopped", "fault_injected"}
CHARACTER = 0.0065  # of a label, as a share of the plot's width
SHOWN = {"fault_injected": "fault", "server_exited": "exited", "server_hung": "hang found",
         "server_ready": "ready", "server_recovered": "first token", "load_failed": "load failed",
         "not_recovered": "not recovered", "crash_loop_ended": "given up"}


def window(run, scenario):
    """(events of the scenario in order, start, end, faults shown, faults in all) in ns; None when
    nothing happened to the server."""
    events = sorted((e for e in run.events if e.get("scenario") == scenario
                     and isinstance(e.get("at_ns"), int) and e["at_ns"] > 0),
                    key=lambda e: e["at_ns"])
    faults = [e["at_ns"] for e in events if e.get("event") == "fault_injected"]
    faults = faults or [e["at_ns"] for e in events if e.get("event") in ("server_exited", "load_failed")]
    if not faults:
        return None
    shown = faults[:MAX_FAULTS]
    after = {e["event"]: e["at_ns"] for e in reversed(events)
             if e["at_ns"] >= shown[-1] and e.get("event") in BEGINS}
    recovered = after.get("server_recovered", after.get("server_ready", events[-1]["at_ns"]))
    span = max(recovered - shown[0], 50_000_000)
    start, end = shown[0] - span // 5, recovered + span // 5
    if len(faults) > len(shown):
        end = min(end, max(recovered, faults[len(shown)] - span // 20))
    return events, start, end, shown, faults


def states(events, start, end):
    """[(from, to, up)…] of the server within the window. It is up from ready to its end."""
    out, since, up = [], start, None
    for e in events:
        name = e.get("event")
        if name not in BEGINS | ENDS:
            continue
        now = name in BEGINS
        if up is None:
            up = not now if e["at_ns"] > start else now
        if e["at_ns"] <= start:
            up = now
            continue
        if now != up:
            out.append((since, min(e["at_ns"], end), up))
            since, up = e["at_ns"], now
        if since >= end:
            break
    if since < end:
        out.append((since, end, bool(up)))
    return [s for s in out if s[1] > s[0]]


def lanes(requests):
    """Each request on the first lane that is free: [(lane, request)…]."""
    free, out = [], []
    for r in sorted(requests, key=lambda r: r["sent_ns"]):
        lane = next((i for i, at in enumerate(free) if at <= r["sent_ns"]), len(free))
        free[lane:lane + 1] = [r["finished_ns"]]
        out.append((lane, r))
    return out


def labels(events, span):
    """[(at_ns, text)…] of those that do not run into each other; the faults come first."""
    placed = []
    for e in sorted(events, key=lambda e: (e["event"] != "fault_injected", e["at_ns"])):
        text = SHOWN[e["event"]]
        if e["event"] == "fault_injected":
            text = plot_label(as_dict(e.get("detail")).get("action", ""), 12) or text
        begin = e["at_ns"] / span
        width = CHARACTER * len(text) + 0.01
        if all(begin + width <= other or other + taken <= begin for other, taken, *_ in placed):
            placed.append((begin, width, e["at_ns"], text))
    return [(ns, text) for _, _, ns, text in sorted(placed)]


def _requests(run, scenario, start, end):
    found = [r for r in run.requests if r.get("scenario") == scenario
             and isinstance(r.get("sent_ns"), int) and isinstance(r.get("finished_ns"), int)
             and 0 < r["sent_ns"] < end and r["finished_ns"] > start]
    return found[:MAX_REQUESTS]


def plot_timeline(run, scenario, _summaries, path):
    """False when nothing happened to the server."""
    found = window(run, scenario)
    if not found:
        return False
    events, start, end, shown, faults = found
    placed = lanes(_requests(run, scenario, start, end))
    count = max((lane for lane, _ in placed), default=-1) + 1
    zero, scale = shown[0], 1e6 if end - start < 20e9 else 1e9
    at = lambda ns: (ns - zero) / scale  # noqa: E731
    height = 2.3 + 0.12 * min(count, 24)
    with styled():
        figure, axes = plt.subplots(figsize=(9.2, height))
        figure.subplots_adjust(left=0.085, right=0.97, top=1 - 0.72 / height, bottom=0.75 / height)
        for since, until, up in states(events, start, end):
            axes.barh(-1.2, at(until) - at(since), left=at(since), height=1.3, color=UP if up else DOWN,
                      hatch=None if up else "////", edgecolor="white", linewidth=0, zorder=3)
        for lane, r in placed:
            good = r.get("outcome") == "ok"
            axes.plot([at(max(r["sent_ns"], start)), at(min(r["finished_ns"], end))], [lane + 0.6] * 2,
                      color=UP if good else DOWN, linewidth=1.6 if good else 2.2,
                      linestyle="-" if good else (0, (3, 1)), solid_capstyle="butt", zorder=3)
        shown_events = [e for e in events if e.get("event") in SHOWN and start <= e["at_ns"] <= end]
        for e in shown_events:
            axes.axvline(at(e["at_ns"]), color=INK, linewidth=0.7, linestyle=(0, (2, 2)), zorder=2)
        for ns, text in labels(shown_events, end - start):
            axes.annotate(text, (at(ns), 1), xycoords=("data", "axes fraction"), xytext=(2, 3),
                          textcoords="offset points", fontsize=7.5, color=MUTED, annotation_clip=False)
        axes.set_xlim(at(start), at(end))
        axes.set_ylim(-2.1, max(count, 1) + 0.2)
        axes.set_yticks([-1.2, max(count, 1) / 2], ["server", "requests"])
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"{'ms' if scale == 1e6 else 's'} from the first fault")
        grid(axes, "x")
        failed = sum(r.get("outcome") != "ok" for _, r in placed)
        axes.plot([], [], color=UP, linewidth=2, label=f"up, request ok ({len(placed) - failed})")
        axes.plot([], [], color=DOWN, linewidth=2, linestyle=(0, (3, 1)),
                  label=f"down, request failed ({failed})")
        figure.legend(*axes.get_legend_handles_labels(), loc="lower right", ncol=2, frameon=False,
                      fontsize=8, bbox_to_anchor=(0.985, 0), borderaxespad=0.3)
        heading(figure, run, scenario, f"fault 1 to {len(shown)} of {len(faults)}", height, 0.085)
        save(figure, path)
    return True
