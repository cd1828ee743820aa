# SPDX-License-Identifier: EUPL-1.2
"""Plots of run files. Samples come from request lines, medians and intervals from summaries."""

import matplotlib
import matplotlib.ticker

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402

from .findings import ALL_ROUNDS, group_summaries  # noqa: E402
from .text import clean, plot_label  # noqa: E402

# Okabe and Ito: told apart with any colour vision; line styles tell them apart in print.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
STYLES = ["-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5))]
INK = "#24292f"
GRID = "#d7dbe0"
MAX_SERIES = 12

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": "#8b929b",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "text.parse_math": False,
}


def _ns(request, name):
    value = request.get(name)
    return value if isinstance(value, int) and value > 0 else None


def ttft_samples(requests):
    """First token - scheduled, in ms, of the requests that were ok."""
    out = []
    for r in requests:
        due, first = _ns(r, "scheduled_ns"), _ns(r, "first_token_ns")
        if r.get("outcome") == "ok" and due and first:
            out.append((first - due) / 1e6)
    return np.sort(np.array(out, dtype=float))


def itl_samples(requests):
    """Gaps between chunks, per token of the later chunk where the server says how many."""
    out = []
    for r in requests:
        chunks = r.get("chunks")
        if r.get("outcome") != "ok" or not isinstance(chunks, list):
            continue
        for (before, _), (at, tokens) in zip(chunks, chunks[1:]):
            out.append((at - before) / 1e6 / max(tokens, 1))
    return np.sort(np.array(out, dtype=float))


def _series(run, scenario, summaries):
    """[(label, requests, summary)] by variant and stage, in the order of the summaries."""
    out = []
    for s in summaries:
        variant, stage = s.get("variant", ""), s.get("stage", "")
        rounds = None if s.get("round") == ALL_ROUNDS else s.get("round", 0)
        requests = [r for r in run.requests
                    if r.get("scenario") == scenario and r.get("variant") == variant
                    and r.get("stage") == stage and (rounds is None or r.get("round") == rounds)]
        distinct_stages = len({x.get("stage") for x in summaries}) > 1
        parts = [variant, stage if distinct_stages or not variant else ""]
        label = " · ".join(str(p) for p in parts if p)
        if rounds:
            label += f" · round {rounds}"
        out.append((label, requests, s))
    return out


def _median_interval(summary, metric):
    """(value, low, high) of the median as computed by rocm-bench; the interval may be None."""
    quantile = ((summary.get("metrics") or {}).get(metric) or {}).get("p50") or {}
    over = (summary.get("rounds") or {}).get(f"{metric}.p50") or {}
    source = over if over.get("low") is not None else quantile
    return quantile.get("value"), source.get("low"), source.get("high")


def _ecdf(axes, series, samples, metric, unit, title):
    values = []
    for i, (label, _, summary) in enumerate(series):
        seen = samples[i]
        if len(seen) == 0:
            continue
        colour, style = COLOURS[i % len(COLOURS)], STYLES[(i // len(COLOURS)) % len(STYLES)]
        share = np.arange(1, len(seen) + 1) / len(seen)
        axes.step(np.concatenate([seen[:1], seen]), np.concatenate([[0], share]),
                  where="post", color=colour, linestyle=style, linewidth=1.6, zorder=3, label=label)
        values.append(seen)
        median, low, high = _median_interval(summary, metric)
        # Intervals of neighbouring series would hide one another on one line.
        level = 0.5 + ((len(series) - 1) / 2 - i) * min(0.035, 0.3 / len(series))
        if None not in (low, high):
            axes.plot([low, high], [level, level], color=colour, linewidth=1.4, zorder=4,
                      marker="|", markersize=5.5, markeredgewidth=1.4)
        if median is not None:
            axes.plot([median], [level], marker="o", markersize=4.6, color=colour,
                      markeredgecolor="white", markeredgewidth=0.9, zorder=5)
    axes.set_title(title)
    axes.set_xlabel(unit)
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 0.9, 1.0], ["0", "25 %", "50 %", "75 %", "90 %", "100 %"])
    axes.grid(True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    if not values:
        axes.text(0.5, 0.5, "no samples", transform=axes.transAxes, ha="center", color="#6e7781")
        axes.set_xticks([])
        return
    _scale(axes, np.concatenate(values))


def _scale(axes, values):
    """Logarithmic where the bulk spans more than a factor of 20, else from zero-free limits."""
    positive = values[values > 0]
    if len(positive) == 0:
        return
    low, high = np.quantile(positive, [0.001, 0.999])
    if high / low > 20:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.15, high * 1.15)
        steps = (1, 2, 5) if high / low < 5000 else (1,)
        axes.xaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=steps, numticks=12))
        axes.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda v, _: f"{v:g}"))
        axes.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    else:
        pad = max((high - low) * 0.06, high * 0.01)
        axes.set_xlim(max(0, low - pad), high + pad)


def plot_latency(run, scenario, summaries, path):
    """ECDF of TTFT and of ITL, one line per variant and stage. False when there is nothing."""
    series = _series(run, scenario, summaries)
    left_out = len(series) - MAX_SERIES
    series = series[:MAX_SERIES]
    ttft = [ttft_samples(requests) for _, requests, _ in series]
    itl = [itl_samples(requests) for _, requests, _ in series]
    if not any(len(samples) for samples in ttft):
        return False
    labels = [f"{plot_label(label)}  ({len(t)} requests, {len(g)} gaps)"
              for (label, _, _), t, g in zip(series, ttft, itl)]
    series = [(label, requests, summary)
              for label, (_, requests, summary) in zip(labels, series)]
    columns = 3 if max(len(label) for label in labels) <= 38 else 2
    rows = -(-len(series) // columns)
    height = 3.55 + 0.19 * rows
    with plt.rc_context({k: v for k, v in STYLE.items() if k in matplotlib.rcParams}):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, height), sharey=True)
        figure.subplots_adjust(left=0.075, right=0.985, top=1 - 0.66 / height,
                               bottom=(0.62 + 0.19 * rows) / height, wspace=0.07)
        _ecdf(left, series, ttft, "ttft_ms", "ms from when the request was due",
              "Time to first token")
        _ecdf(right, series, itl, "icl_ms", "ms between tokens", "Inter-token latency")
        left.set_ylabel("share of samples at or below")
        handles, texts = left.get_legend_handles_labels()
        figure.legend(handles, texts, loc="lower left", bbox_to_anchor=(0.068, 0.0),
                      ncol=columns, frameon=False, fontsize=8, handlelength=2.6,
                      columnspacing=2.0, borderaxespad=0.4)
        figure.text(0.075, 1 - 0.08 / height, plot_label(scenario, 60), ha="left", va="top",
                    fontsize=12, fontweight="bold")
        note = "dot: median, bar: its 95 % interval"
        if left_out > 0:
            note += f"; {left_out} more series not drawn"
        note += f"   ·   {clean(run.header.get('target', ''), 30)}   ·   {clean(run.run_id, 30)}"
        figure.text(0.985, 1 - 0.12 / height, note, ha="right", va="top", fontsize=7.5,
                    color="#57606a")
        figure.savefig(path, dpi=150, metadata={"Software": None})
        plt.close(figure)
    return True


def plot_all(runs, directory, slug):
    """Writes one picture per run and scenario; (run id, scenario) → file name."""
    out = {}
    for run in runs:
        for scenario, summaries in group_summaries(run):
            name = f"latency-{slug(run.run_id)}-{slug(scenario)}.png"
            if plot_latency(run, scenario, summaries, directory / name):
                out[(run.run_id, scenario)] = name
    return out
