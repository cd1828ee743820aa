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
        note = "dot: median, bar: its 95 % interval"
        if left_out > 0:
            note += f"; {left_out} more series not drawn"
        _heading(figure, run, scenario, note, height, 0.075)
        figure.savefig(path, dpi=150, metadata={"Software": None})
        plt.close(figure)
    return True


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


def _point(summary, path):
    """(value, low, high) of a statistic, its interval over rounds or else within the run."""
    name, _, part = path.partition(".")
    over = (summary.get("rounds") or {}).get(path) or {}
    if part:
        quantile = ((summary.get("metrics") or {}).get(name) or {}).get(part) or {}
        value = quantile.get("value")
        source = over if over.get("low") is not None else quantile
    else:
        value = (summary.get("values") or {}).get(name)
        source = over
    return value, source.get("low"), source.get("high")


def _sweep_panel(axes, points, paths, title, unit):
    for i, (path, label) in enumerate(paths):
        known = [(x, *_point(s, path)) for x, s in points]
        known = [k for k in known if isinstance(k[1], (int, float))]
        if not known:
            continue
        colour = COLOURS[i]
        xs, ys = [k[0] for k in known], [k[1] for k in known]
        axes.plot(xs, ys, color=colour, linestyle=STYLES[i], marker="o", markersize=4.5,
                  linewidth=1.6, markeredgecolor="white", markeredgewidth=0.8, label=label, zorder=4)
        for x, y, low, high in known:
            if low is not None and high is not None:
                axes.plot([x, x], [low, high], color=colour, linewidth=1.4, marker="_",
                          markersize=5.5, zorder=3)
    axes.set_title(title)
    axes.set_ylabel(unit)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.08)
    axes.grid(True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    if len(paths) > 1:
        axes.legend(frameon=False, fontsize=8, loc="best")


def plot_sweep(run, scenario, summaries, path):
    """Throughput, TTFT and ITL against the swept parameter. False when nothing was swept."""
    axis = swept_axis(summaries)
    if axis is None:
        return False
    parameter, points = axis
    height = 3.5
    with plt.rc_context({k: v for k, v in STYLE.items() if k in matplotlib.rcParams}):
        figure, panels = plt.subplots(1, 3, figsize=(9.2, height))
        figure.subplots_adjust(left=0.07, right=0.985, top=1 - 0.66 / height, bottom=0.52 / height,
                               wspace=0.3)
        _sweep_panel(panels[0], points, [("throughput_tokens_per_s", "")],
                     "Throughput, all streams", "tok/s")
        _sweep_panel(panels[1], points, [("ttft_ms.p50", "median"), ("ttft_ms.p90", "p90")],
                     "Time to first token", "ms")
        _sweep_panel(panels[2], points, [("tpot_ms.p50", "median"), ("tpot_ms.p90", "p90")],
                     "Inter-token latency", "ms")
        values = [x for x, _ in points]
        for panel in panels:
            panel.set_xlabel(SWEPT.get(parameter, plot_label(parameter, 30)))
            if min(values) > 0 and max(values) / min(values) >= 8:
                panel.set_xscale("log", base=2)
            panel.set_xticks(values, [f"{v:g}" for v in values])
            panel.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
        counts = sorted(s.get("requests_ok") or 0 for _, s in points)
        n = f"n = {counts[0]}" + (f" … {counts[-1]}" if counts[-1] != counts[0] else "")
        _heading(figure, run, scenario, f"bars: 95 % intervals, {n} requests a point", height, 0.07)
        figure.savefig(path, dpi=150, metadata={"Software": None})
        plt.close(figure)
    return True


def _heading(figure, run, scenario, note, height, left):
    figure.text(left, 1 - 0.08 / height, plot_label(scenario, 60), ha="left", va="top",
                fontsize=12, fontweight="bold")
    note += f"   ·   {clean(run.header.get('target', ''), 30)}   ·   {clean(run.run_id, 30)}"
    figure.text(0.985, 1 - 0.12 / height, note, ha="right", va="top", fontsize=7.5,
                color="#57606a")


def itl_by_position(requests, longest=4096):
    """(positions, median, p90) of the time per token against the token's place in the answer."""
    columns = {}
    for r in requests:
        chunks = r.get("chunks")
        if r.get("outcome") != "ok" or not isinstance(chunks, list):
            continue
        place = 0
        for i, (at, tokens) in enumerate(chunks[:longest]):
            if i:
                columns.setdefault(place, []).append((at - chunks[i - 1][0]) / 1e6 / max(tokens, 1))
            place += max(tokens, 1)
    positions = sorted(p for p, gaps in columns.items() if len(gaps) >= 5)
    median = [float(np.median(columns[p])) for p in positions]
    upper = [float(np.quantile(columns[p], 0.9, method="inverted_cdf")) for p in positions]
    return np.array(positions), np.array(median), np.array(upper)


def plot_positions(run, scenario, summaries, path):
    """ITL against the place in the answer: does it slow down as the context grows?"""
    series = [(label, itl_by_position(requests), len(requests))
              for label, requests, _ in _series(run, scenario, summaries)[:MAX_SERIES]]
    series = [(label, data, n) for label, data, n in series if len(data[0]) >= 16]
    if not series:
        return False
    rows = -(-len(series) // 3)
    height = 3.1 + 0.19 * rows
    with plt.rc_context({k: v for k, v in STYLE.items() if k in matplotlib.rcParams}):
        figure, axes = plt.subplots(figsize=(9.2, height))
        figure.subplots_adjust(left=0.075, right=0.985, top=1 - 0.5 / height,
                               bottom=(0.62 + 0.19 * rows) / height)
        for i, (label, (positions, median, upper), n) in enumerate(series):
            colour, style = COLOURS[i % len(COLOURS)], STYLES[(i // len(COLOURS)) % len(STYLES)]
            axes.fill_between(positions, median, upper, color=colour, alpha=0.15, linewidth=0)
            axes.plot(positions, median, color=colour, linestyle=style, linewidth=1.4,
                      label=f"{plot_label(label)}  ({n} requests)")
        axes.set_xlabel("token in the answer")
        axes.set_ylabel("ms between tokens")
        axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
        axes.margins(x=0.01)
        axes.grid(True, color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        figure.legend(*axes.get_legend_handles_labels(), loc="lower left", ncol=3, frameon=False,
                      bbox_to_anchor=(0.068, 0.0), fontsize=8, handlelength=2.6, borderaxespad=0.4)
        _heading(figure, run, scenario, "line: median, band: up to p90", height, 0.075)
        figure.savefig(path, dpi=150, metadata={"Software": None})
        plt.close(figure)
    return True


def paired_rounds(run, scenario, metric):
    """{(baseline, candidate): [(round, ratio)…]} from the medians of each round of a comparison."""
    name, _, part = metric.partition(".")
    medians = {}
    for s in run.summaries:
        value, _, _ = _point(s, metric)
        if s.get("scenario") == scenario and s.get("round", -1) >= 0 and value:
            medians.setdefault(str(s.get("variant", "")), {})[s["round"]] = value
    out = {}
    for verdict in run.verdicts:
        pair = str(verdict.get("variant", "")).split(" against ")
        if (verdict.get("kind"), verdict.get("scenario"), verdict.get("metric")) != (
                "comparison", scenario, metric) or len(pair) != 2:
            continue
        b, a = (medians.get(v, {}) for v in pair)
        out[pair[1], pair[0]] = [(r, b[r] / a[r]) for r in sorted(a) if r in b]
    return out


def plot_ratios(run, scenario, _summaries, path):
    """A comparison round by round: the ratio, its pooled estimate and the margin."""
    verdicts = [v for v in run.verdicts
                if v.get("kind") == "comparison" and v.get("scenario") == scenario]
    drawn = []
    for v in verdicts[:3]:
        for pair, ratios in paired_rounds(run, scenario, str(v.get("metric", ""))).items():
            if ratios and pair == tuple(reversed(str(v.get("variant")).split(" against "))):
                drawn.append((v, pair, ratios))
    if not drawn:
        return False
    height = 3.4
    with plt.rc_context({k: v for k, v in STYLE.items() if k in matplotlib.rcParams}):
        figure, panels = plt.subplots(1, len(drawn), figsize=(9.2, height), squeeze=False)
        figure.subplots_adjust(left=0.085, right=0.985, top=1 - 0.66 / height, bottom=0.52 / height,
                               wspace=0.26)
        for axes, (v, (a, b), ratios) in zip(panels[0], drawn):
            margin = v.get("limit") or 0
            axes.axhspan(-100 * margin, 100 * margin, color="#eceff2", zorder=0, linewidth=0)
            axes.axhline(0, color="#8b929b", linewidth=0.8, zorder=1)
            low, high, observed = v.get("low"), v.get("high"), v.get("observed")
            if None not in (low, high, observed):
                axes.axhspan(100 * (low - 1), 100 * (high - 1), color=COLOURS[1], alpha=0.25,
                             linewidth=0, zorder=2)
                axes.axhline(100 * (observed - 1), color=COLOURS[1], linewidth=1.6, zorder=3)
            axes.plot([r + 1 for r, _ in ratios], [100 * (x - 1) for _, x in ratios], "o",
                      color=COLOURS[0], markersize=4.5, markeredgecolor="white",
                      markeredgewidth=0.8, zorder=4)
            finding = str(v.get("finding", "")).replace("_", " ")
            axes.set_title(f"{plot_label(v.get('metric', ''), 26)}: {plot_label(finding, 20)}")
            axes.set_xlabel(f"round (n = {len(ratios)})")
            axes.set_ylabel(f"{plot_label(b, 16)} against {plot_label(a, 16)}, %")
            axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
            axes.grid(True, axis="y", color=GRID, linewidth=0.6)
            axes.set_axisbelow(True)
        _heading(figure, run, scenario,
                 "dot: one round, line: pooled with its 95 % interval, grey: the margin", height,
                 0.085)
        figure.savefig(path, dpi=150, metadata={"Software": None})
        plt.close(figure)
    return True


KINDS = [
    ("ratio", plot_ratios, "Ratio of the variants in each round"),
    ("sweep", plot_sweep, "Throughput and latency against what was swept"),
    ("latency", plot_latency, "Distribution of TTFT and ITL"),
    ("position", plot_positions, "ITL against the place in the answer"),
]


def plot_all(runs, directory, slug):
    """Writes the pictures of each run and scenario; (run id, scenario) → [(alt text, file name)]."""
    out = {}
    for run in runs:
        for scenario, summaries in group_summaries(run):
            for kind, draw, alt in KINDS:
                name = f"{kind}-{slug(run.run_id)}-{slug(scenario)}.png"
                if draw(run, scenario, summaries, directory / name):
                    out.setdefault((run.run_id, scenario), []).append((alt, name))
    return out
