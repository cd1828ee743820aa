#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""Which scenarios of this night ask for a confirming A/B, as files to run.

    nightly_confirm.py HISTORY.jsonl DIRECTORY RUN.jsonl…
    nightly_confirm.py --regressed RUN.jsonl…
    nightly_confirm.py --cleared RUN.jsonl…

Reads what `rocm-bench history` judged, takes the warnings and regressions whose newest value is of
a RUN, writes one ab scenario for each scenario concerned into DIRECTORY (its variants are bound by
--variant baseline=… and candidate=…), and prints `FILE<TAB>reason` for each warning; `-` instead of
FILE where no A/B can settle it. Judges nothing itself. With --regressed: exit 0 when an A/B among
the runs found a regression, else 1. With --cleared: exit 0 when every time that they compared is
unchanged or better, else 1: an A/B that could not tell has cleared nothing."""

import json
import pathlib
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def is_timing(metric):
    """As IsTiming() of harness/measure/metric_check.h."""
    name = metric.partition(".")[0]
    return not metric.endswith(".n") and (
        name.endswith(("_ms", "_per_s", "_s")) or
        name in ("goodput_ratio", "bandwidth_utilisation_ratio", "good_requests", "fairness_jain",
                 "concurrency_mean"))


def can_be_confirmed(scenario, metric):
    """An A/B compares the times of a load: faults have none, and memory is no time."""
    return scenario.get("kind", "load") == "load" and is_timing(metric)


def to_compare(axis, variants):
    """The axis of a sweep without its search; of a search only the points in doubt."""
    if not axis.get("until_saturation"):
        return axis
    asked = {part for variant in variants for part in variant.split(",")}
    values = [v for v in axis["values"] if f"{axis['parameter']}={v:g}" in asked]
    return {**axis, "until_saturation": False, "values": values or axis["values"]}


def comparison(scenario, metrics, variants):
    """The scenario's load on two binaries. Of a sweep every point is compared."""
    ab = {key: value for key, value in scenario.items() if key not in ("rounds", "restart_server",
                                                                       "expect")}
    if sweep := ab.get("sweep"):
        ab["sweep"] = [to_compare(axis, variants)
                       for axis in (sweep if isinstance(sweep, list) else [sweep])]
    return {**ab, "kind": "ab", "why": "Is the candidate slower than the last good binary?",
            "ab": {"variants": [{"name": "baseline", "binding": "baseline"},
                                {"name": "candidate", "binding": "candidate"}],
                   "metrics": sorted(metrics)}}


def suspects(history, ids):
    """The verdicts that concern a run of these ids."""
    tonight, series = set(), {}
    for line in read(history):
        if line["type"] == "run" and pathlib.Path(line["file"]).stem in ids:
            tonight.add(line["run"])
        elif line["type"] == "series":
            series = line
        elif line["type"] == "verdict" and line["finding"] in ("warning", "regression"):
            # A regression bears the night when its level began: tonight's is one while the series
            # is in that state.
            goes_on = (line["finding"] == "regression" and series["state"] == "regression" and
                       series["runs"][-1] in tonight and
                       line["point"] == series["changes"][-1]["point"])
            if line.get("run") in tonight or goes_on:
                yield line


def write_comparisons(history, directory, *runs):
    scenarios = {}
    for run in runs:
        scenarios.update({s["name"]: s for s in next(read(run)).get("scenarios", [])})
    asked = {}
    for line in suspects(history, {pathlib.Path(run).stem for run in runs}):
        if line["scenario"] in scenarios:
            asked.setdefault(line["scenario"], []).append(line)
    for name, lines in asked.items():
        path = pathlib.Path(directory) / f"{''.join(c if c.isalnum() else '_' for c in name)}.json"
        confirmable = [v for v in lines if can_be_confirmed(scenarios[name], v["metric"])]
        if confirmable:
            path.write_text(json.dumps(comparison(
                scenarios[name], {v["metric"] for v in confirmable},
                {v["variant"] for v in confirmable}), indent=2))
        for line in lines:
            where = " ".join(filter(None, (name, line["variant"], line["metric"])))
            reason = " ".join(f"{where}: {line['reason']}".split())
            print(f"{path if line in confirmable else '-'}\t{reason}")
    return 0


def comparisons(*runs):
    return [line for run in runs for line in read(run)
            if line["type"] == "verdict" and line["kind"] == "comparison"]


def regressed(*runs):
    return 0 if any(v["finding"] == "regression" for v in comparisons(*runs)) else 1


def cleared(*runs):
    times = [v["finding"] for v in comparisons(*runs) if is_timing(v["metric"])]
    return 0 if times and set(times) <= {"no_change", "improvement"} else 1


if __name__ == "__main__":
    if sys.argv[1] == "--regressed":
        sys.exit(regressed(*sys.argv[2:]))
    if sys.argv[1] == "--cleared":
        sys.exit(cleared(*sys.argv[2:]))
    sys.exit(write_comparisons(*sys.argv[1:]))
