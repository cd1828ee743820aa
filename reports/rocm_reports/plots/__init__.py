# SPDX-License-Identifier: EUPL-1.2
"""Plots of run files. Samples come from request lines, medians, intervals and verdicts from
rocm-bench."""

from ..statistics import group_summaries
from .latency import plot_latency, plot_positions
from .memory import plot_memory
from .ratios import plot_ratio_contexts, plot_ratios
from .sweep import plot_sweep
from .timeline import plot_timeline

# name of the file, what draws it, what it shows
KINDS = [
    ("ratio", plot_ratios, "Ratio of the variants in each round"),
    ("context", plot_ratio_contexts, "Ratio of the variants in each round against the context"),
    ("sweep", plot_sweep, "Throughput and latency against what was swept"),
    ("timeline", plot_timeline, "The server's deaths and recoveries over time"),
    ("latency", plot_latency, "Distribution of TTFT and ITL"),
    ("position", plot_positions, "ITL against the place in the answer"),
]


def plot_all(runs, directory, slug):
    """Writes the pictures of each run and scenario; (run id, scenario) → [(alt text, file name)…].
    Scenario "" holds those of the whole run."""
    out = {}
    for run in runs:
        for scenario, summaries in group_summaries(run):
            for kind, draw, alt in KINDS:
                name = f"{kind}-{slug(run.run_id)}-{slug(scenario)}.png"
                if draw(run, scenario, summaries, directory / name):
                    out.setdefault((run.run_id, scenario), []).append((alt, name))
        name = f"memory-{slug(run.run_id)}.png"
        if plot_memory(run, directory / name):
            out.setdefault((run.run_id, ""), []).append(
                ("Memory of the server: estimate against measured", name))
    return out
