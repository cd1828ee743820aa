#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""Which scenarios of this night ask for a confirming A/B, as files to run.

    nightly_confirm.py HISTORY.jsonl DIRECTORY RUN.jsonl…

Reads what `rocm-bench history` judged, takes the warnings and regressions whose newest value is of
a RUN, writes one ab scenario for each scenario concerned into DIRECTORY (its variants are bound by
--variant baseline=… and candidate=…), and prints `FILE<TAB>reason` for each warning. Judges nothing
itself."""

import json
import pathlib
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def comparison(scenario, metrics):
    """The scenario's load on two binaries. Of a sweep every point is compared."""
    ab = {key: value for key, value in scenario.items() if key not in ("rounds", "restart_server",
                                                                       "expect")}
    return {**ab, "kind": "ab", "why": "Is the candidate slower than the last good binary?",
            "ab": {"variants": [{"name": "baseline", "binding": "baseline"},
                                {"name": "candidate", "binding": "candidate"}],
                   "metrics": sorted(metrics)}}


def main(history, directory, *runs):
    ids = {pathlib.Path(run).stem for run in runs}
    scenarios = {}
    for run in runs:
        header = next(read(run))
        scenarios.update({s["name"]: s for s in header.get("scenarios", [])})
    wanted, reasons = {}, []
    tonight = set()
    for line in read(history):
        if line["type"] == "run" and pathlib.Path(line["file"]).stem in ids:
            tonight.add(line["run"])
        elif line["type"] == "verdict" and line.get("run") in tonight:
            if line["finding"] in ("warning", "regression") and line["scenario"] in scenarios:
                wanted.setdefault(line["scenario"], set()).add(line["metric"])
                where = " ".join(filter(None, (line["scenario"], line["variant"], line["metric"])))
                reasons.append((line["scenario"], f"{where}: {line['reason']}"))
    for name, metrics in wanted.items():
        path = pathlib.Path(directory) / f"{''.join(c if c.isalnum() else '_' for c in name)}.json"
        path.write_text(json.dumps(comparison(scenarios[name], metrics), indent=2))
        for scenario, reason in reasons:
            if scenario == name:
                print(f"{path}\t{' '.join(reason.split())}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
