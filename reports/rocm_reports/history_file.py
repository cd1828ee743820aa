# SPDX-License-Identifier: EUPL-1.2
"""Reads what `rocm-bench history --out FILE` wrote (docs/results-format.md, "History")."""

import json

from .statistics import as_dict


class History:
    """Its lines by type."""

    def __init__(self):
        self.runs = {}  # number → run id
        self.series = []
        self.verdicts = []


def read_history(path):
    """ValueError when it is no such file."""
    history = History()
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            try:
                value = as_dict(json.loads(line))
            except (ValueError, RecursionError):
                raise ValueError(f"line {number} is not JSON") from None
            kind = value.get("type")
            if number == 1 and kind != "history":
                raise ValueError("not written by rocm-bench history --out")
            if kind == "run":
                history.runs[value.get("run")] = str(value.get("run_id", ""))
            elif kind == "series":
                history.series.append(value)
            elif kind == "verdict":
                history.verdicts.append(value)
    return history
