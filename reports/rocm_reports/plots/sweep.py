# SPDX-License-Identifier: EUPL-1.2
"""Throughput and latency against what was swept, with the place where the server was saturated."""

import matplotlib

from ..statistics import as_dict, is_number, point
from ..text import plot_label
from .style import COLOURS, INK, MUTED, STYLES, grid, heading, plt, save, styled

SWEPT = {"concurrency": "streams", "rate": "requests/s offered", "prompt_tokens": "prompt tokens",
         "depth": "tokens of context", "slots": "slots", "output_tokens": "output tokens",
         "context_per_slot": "context per slot", "batch_size": "batch size"}


def swept_axis(summaries):
    """(parameter, [(value, summary)…]) when variants are one number of one parameter: "depth=512"."""
    points = []
    parameters = set()
    for s in summaries:
        name, equals, value = str(s.get("variant", "")).partition("=")
        try:
            points.append((float(value), s))
        except ValueError:
            return None
        parameters.add(name if equals else "")
    stages = {s.get("stage") for s in summaries}
    if len(parameters) != 1 or len(points) < 3 or len(stages) != 1:
        return None
    return parameters.pop(), sorted(points, key=lambda p: p[0])


def swept_ticks(axes, values):
    if min(values) > 0 and max(values) / min(values) >= 8:
        axes.set_xscale("log", base=2)
    axes.set_xticks(values, [f"{v:g}" for v in values])
    axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())


def saturated_from(run, points):
    """The first swept value at which the harness found the server saturated, or None."""
    found = {(e.get("scenario"), e.get("variant"), e.get("stage")) for e in run.events
             if e.get("event") == "stage_finished" and as_dict(e.get("detail")).get("saturated") is True}
    return next((x for x, s in points
                 if (s.get("scenario"), s.get("variant"), s.get("stage")) in found), None)


def _panel(axes, points, paths, title, unit):
    for i, (path, label) in enumerate(paths):
        known = [(x, *(point(s, path) or (None, None, None, False))) for x, s in points]
        known = [k for k in known if is_number(k[1])]
        if not known:
            continue
        colour = COLOURS[i]
        xs, ys = [k[0] for k in known], [k[1] for k in known]
        axes.plot(xs, ys, color=colour, linestyle=STYLES[i], marker="o", markersize=4.5,
                  linewidth=1.6, markeredgecolor="white", markeredgewidth=0.8, label=label, zorder=4)
        for x, y, low, high, _ in known:
            if low is not None and high is not None:
                axes.plot([x, x], [low, high], color=colour, linewidth=1.4, marker="_",
                          markersize=5.5, zorder=3)
    axes.set_title(title)
    axes.set_ylabel(unit)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.08)
    grid(axes)
    if len(paths) > 1:
        axes.legend(frameon=False, fontsize=8, loc="best")


def _mark_saturation(axes, at):
    axes.axvline(at, color=INK, linewidth=0.9, linestyle=(0, (2, 2)), zorder=2)
    axes.annotate("saturated", (at, 0), xycoords=("data", "axes fraction"), xytext=(-3, 4),
                  textcoords="offset points", rotation=90, ha="right", va="bottom", fontsize=7.5,
                  color=MUTED)


def plot_sweep(run, scenario, summaries, path):
    """Throughput, TTFT and ITL against the swept parameter. False when nothing was swept."""
    axis = swept_axis(summaries)
    if axis is None:
        return False
    parameter, points = axis
    height = 3.5
    saturated = saturated_from(run, points)
    with styled():
        figure, panels = plt.subplots(1, 3, figsize=(9.2, height))
        figure.subplots_adjust(left=0.07, right=0.985, top=1 - 0.66 / height, bottom=0.52 / height,
                               wspace=0.3)
        _panel(panels[0], points, [("throughput_tokens_per_s", "")], "Throughput, all streams",
               "tok/s")
        _panel(panels[1], points, [("ttft_ms.p50", "median"), ("ttft_ms.p90", "p90")],
               "Time to first token", "ms")
        _panel(panels[2], points, [("tpot_ms.p50", "median"), ("tpot_ms.p90", "p90")],
               "Inter-token latency", "ms")
        for panel in panels:
            panel.set_xlabel(SWEPT.get(parameter, plot_label(parameter, 30)))
            swept_ticks(panel, [x for x, _ in points])
        if saturated is not None:
            _mark_saturation(panels[0], saturated)
        counts = sorted(s.get("requests_ok") or 0 for _, s in points)
        n = f"n = {counts[0]}" + (f" … {counts[-1]}" if counts[-1] != counts[0] else "")
        heading(figure, run, scenario, f"bars: 95 % intervals, {n} requests a point", height, 0.07)
        save(figure, path)
    return True
