# SPDX-License-Identifier: EUPL-1.2
"""ECDF of TTFT and ITL, and ITL against the place in the answer."""

import matplotlib
import numpy as np

from ..statistics import ALL_ROUNDS, point
from ..text import plot_label
from .style import MAX_SERIES, bottom_legend, grid, heading, line_look, plt, save, styled


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


def _ecdf(axes, series, samples, metric, unit, title):
    values = []
    for i, (label, _, summary) in enumerate(series):
        seen = samples[i]
        if len(seen) == 0:
            continue
        colour = line_look(i)["color"]
        share = np.arange(1, len(seen) + 1) / len(seen)
        axes.step(np.concatenate([seen[:1], seen]), np.concatenate([[0], share]),
                  where="post", **line_look(i), linewidth=1.6, zorder=3, label=label)
        values.append(seen)
        median, low, high, _ = point(summary, f"{metric}.p50") or (None, None, None, False)
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
    grid(axes)
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
    with styled():
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, height), sharey=True)
        figure.subplots_adjust(left=0.085, right=0.985, top=1 - 0.66 / height,
                               bottom=(0.62 + 0.19 * rows) / height, wspace=0.07)
        _ecdf(left, series, ttft, "ttft_ms", "ms from when the request was due",
              "Time to first token")
        _ecdf(right, series, itl, "icl_ms", "ms between tokens", "Inter-token latency")
        left.set_ylabel("share of samples at or below")
        bottom_legend(figure, left, columns)
        note = "dot: median, bar: its 95 % interval"
        if left_out > 0:
            note += f"; {left_out} more series not drawn"
        heading(figure, run, scenario, note, height, 0.085)
        save(figure, path)
    return True


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
    with styled():
        figure, axes = plt.subplots(figsize=(9.2, height))
        figure.subplots_adjust(left=0.085, right=0.985, top=1 - 0.5 / height,
                               bottom=(0.62 + 0.19 * rows) / height)
        for i, (label, (positions, median, upper), n) in enumerate(series):
            axes.fill_between(positions, median, upper, color=line_look(i)["color"], alpha=0.15,
                              linewidth=0)
            axes.plot(positions, median, **line_look(i), linewidth=1.4,
                      label=f"{plot_label(label)}  ({n} requests)")
        axes.set_xlabel("token in the answer")
        axes.set_ylabel("ms between tokens")
        axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
        axes.margins(x=0.01)
        grid(axes)
        bottom_legend(figure, axes, 3)
        heading(figure, run, scenario, "line: median, band: up to p90", height, 0.085)
        save(figure, path)
    return True
