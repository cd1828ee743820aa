# SPDX-License-Identifier: EUPL-1.2
"""Comparisons: the ratio of two variants, round by round, and against what was swept."""

import re

import matplotlib

from ..statistics import is_number, is_ratio, paired_rounds
from ..text import plot_label
from .style import COLOURS, grid, heading, plt, save, styled
from .sweep import SWEPT, swept_ticks

NUMBER = re.compile(r"(\w+)=(\d+(?:\.\d+)?)")
MAX_PANELS = 3


def compared(run, scenario):
    """[(verdict, [(round, ratio)…])…] of the comparisons of a scenario that have rounds."""
    out = []
    for v in run.verdicts:
        if v.get("kind") == "comparison" and v.get("scenario") == scenario and is_ratio(v):
            rounds = paired_rounds(run, v)
            if rounds:
                out.append((v, [(r, b / a) for r, a, b in rounds]))
    return out


def _margin(axes, verdict):
    margin = verdict.get("limit") if is_number(verdict.get("limit")) else 0
    axes.axhspan(-100 * margin, 100 * margin, color="#eceff2", zorder=0, linewidth=0)
    axes.axhline(0, color="#8b929b", linewidth=0.8, zorder=1)


def _dots(axes, xs, ratios):
    axes.plot(xs, [100 * (x - 1) for x in ratios], "o", color=COLOURS[0], markersize=4.5,
              markeredgecolor="white", markeredgewidth=0.8, zorder=4)


def _pair(verdict):
    """The names of both sides without what was swept."""
    b, _, a = str(verdict.get("variant", "")).partition(" against ")
    return tuple(plot_label(NUMBER.sub("", name).strip(" ,·") or name, 16) for name in (b, a))


def _finding(verdict):
    return str(verdict.get("finding", "")).replace("_", " ")


def _round_panel(axes, verdict, rounds):
    _margin(axes, verdict)
    low, high, observed = (verdict.get(k) for k in ("low", "high", "observed"))
    if all(is_number(x) for x in (low, high, observed)):
        axes.axhspan(100 * (low - 1), 100 * (high - 1), color=COLOURS[1], alpha=0.25, linewidth=0,
                     zorder=2)
        axes.axhline(100 * (observed - 1), color=COLOURS[1], linewidth=1.6, zorder=3)
    _dots(axes, [r + 1 for r, _ in rounds], [x for _, x in rounds])
    b, a = _pair(verdict)
    axes.set_title(f"{plot_label(verdict.get('metric', ''), 26)}: {plot_label(_finding(verdict), 20)}")
    axes.set_xlabel(f"round (n = {len(rounds)})")
    axes.set_ylabel(f"{b} against {a}, %")
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
    grid(axes, "y")


def plot_ratios(run, scenario, _summaries, path):
    """A comparison round by round: the ratio, its pooled estimate and the margin."""
    drawn = compared(run, scenario)
    if not drawn or by_context(drawn):
        return False
    drawn = drawn[:MAX_PANELS]
    height = 3.4
    with styled():
        figure, panels = plt.subplots(1, len(drawn), figsize=(9.2, height), squeeze=False)
        figure.subplots_adjust(left=0.085, right=0.985, top=1 - 0.66 / height, bottom=0.52 / height,
                               wspace=0.26)
        for axes, (verdict, rounds) in zip(panels[0], drawn):
            _round_panel(axes, verdict, rounds)
        heading(figure, run, scenario,
                "dot: one round, line: pooled with its 95 % interval, grey: the margin", height,
                0.085)
        save(figure, path)
    return True


def by_context(drawn):
    """(parameter, {metric: [(value, verdict, rounds)…]}) where the comparison was swept over one
    number ("context_per_slot=8192"), else None."""
    metrics, parameters = {}, set()
    for verdict, rounds in drawn:
        found = set(NUMBER.findall(str(verdict.get("variant", ""))))
        if len(found) != 1:
            return None
        name, value = found.pop()
        parameters.add(name)
        metrics.setdefault(str(verdict.get("metric", "")), []).append((float(value), verdict, rounds))
    if len(parameters) != 1 or max(len({v for v, *_ in m}) for m in metrics.values()) < 2:
        return None
    return parameters.pop(), {k: sorted(m, key=lambda x: x[0]) for k, m in metrics.items()}


def _context_panel(axes, points, parameter, metric):
    _margin(axes, points[0][1])
    xs = [x for x, *_ in points]
    for x, verdict, rounds in points:
        _dots(axes, [x] * len(rounds), [ratio for _, ratio in rounds])
        low, high = verdict.get("low"), verdict.get("high")
        if is_number(low) and is_number(high):
            axes.plot([x, x], [100 * (low - 1), 100 * (high - 1)], color=COLOURS[1], linewidth=3.2,
                      solid_capstyle="butt", zorder=5)
    axes.plot(xs, [100 * (v["observed"] - 1) if is_number(v.get("observed")) else float("nan")
                   for _, v, _ in points], color=COLOURS[1], linewidth=1.4, marker="D", markersize=5,
              markeredgecolor="white", markeredgewidth=0.8, zorder=6)
    counts = sorted(len(rounds) for *_, rounds in points)
    n = f"{counts[0]}" + (f" … {counts[-1]}" if counts[-1] != counts[0] else "")
    b, a = _pair(points[0][1])
    axes.set_title(plot_label(metric, 26))
    axes.set_xlabel(f"{SWEPT.get(parameter, plot_label(parameter, 30))} (n = {n} rounds each)")
    axes.set_ylabel(f"{b} against {a}, %")
    swept_ticks(axes, xs)
    grid(axes, "y")


def plot_ratio_contexts(run, scenario, _summaries, path):
    """The ratio of each round against the context that it was measured at."""
    found = by_context(compared(run, scenario))
    if not found:
        return False
    parameter, metrics = found
    metrics = dict(list(metrics.items())[:MAX_PANELS])
    height = 3.6
    with styled():
        figure, panels = plt.subplots(1, len(metrics), figsize=(9.2, height), squeeze=False)
        figure.subplots_adjust(left=0.085, right=0.985, top=1 - 0.66 / height, bottom=0.52 / height,
                               wspace=0.26)
        for axes, (metric, points) in zip(panels[0], metrics.items()):
            _context_panel(axes, points, parameter, metric)
        heading(figure, run, scenario, "dot: one round, diamond: pooled, bar: 95 % interval, "
                "grey: the margin", height, 0.085)
        save(figure, path)
    return True
