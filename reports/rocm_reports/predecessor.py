# SPDX-License-Identifier: EUPL-1.2
"""What others published for the same card and model, beside ours. Shown, never judged by."""

import json

from .statistics import KNOWN, as_dict, is_number
from .tables import row_name, statistic_cell, table
from .text import md, number


def read_baseline(path):
    """The published numbers. ValueError when it is no such file, OSError when it is not there."""
    with open(path, encoding="utf-8") as file:
        value = json.load(file)
    if as_dict(value).get("type") != "baseline" or not isinstance(value.get("series"), list):
        raise ValueError("it is no baseline")
    return value


def _same_card(baseline, run):
    card = str(as_dict(baseline.get("source")).get("gpu") or "").lower()
    gpus = run.identity.get("gpus")
    names = [str(as_dict(g).get("model") or "").lower() for g in gpus] if isinstance(gpus, list) else []
    return bool(card) and any(card in name for name in names)


def _same_model(match, run):
    model = as_dict(run.identity.get("model"))
    size = model.get("bytes")
    return (is_number(size) and match.get("min_bytes", 0) <= size <= match.get("max_bytes", 1 << 62)
            and all(model.get(k) == match[k] for k in ("architecture", "quantisation") if k in match))


def beside(baseline, run, name, summaries):
    """A table of theirs and ours for one scenario; "" where hardware or model differ."""
    if baseline is None or not _same_card(baseline, run):
        return ""
    rows = []
    for theirs in baseline["series"]:
        theirs = as_dict(theirs)
        if theirs.get("scenario") != name or not _same_model(as_dict(theirs.get("match")), run):
            continue
        for ours in summaries:
            if any(theirs.get(k) and theirs[k] != ours.get(k) for k in ("variant", "stage")):
                continue
            for path, value in as_dict(theirs.get("metrics")).items():
                label = KNOWN.get(path, (path, ""))
                value = as_dict(value)
                rows.append([md(row_name(ours)), f"{md(label[0])} {label[1]}".strip(),
                             number(value.get("value")), statistic_cell(ours, path),
                             md(value.get("note", ""), 200) or "–"])
    if not rows:
        return ""
    tool = md(as_dict(baseline.get("tool")).get("name", "predecessor"))
    caveats = as_dict(baseline.get("source")).get("caveats")
    said = " ".join(md(c, 200) for c in caveats) if isinstance(caveats, list) else ""
    return (table(["", "", f"published ({tool})", "here", "how theirs was measured"], rows, (2, 3))
            + (f"\n\nNot the same measurement: {said}" if said else ""))
