# SPDX-License-Identifier: EUPL-1.2
"""Markdown tables and the cells in them."""

from . import text
from .statistics import ALL_ROUNDS, RATIOS, as_dict, is_number, point
from .text import md, number

UNSUPPORTED = " †"


def table(header, rows, right=()):
    """A Markdown table; `right` are the indices of right-aligned columns."""
    rule = ["---:" if i in right else "---" for i in range(len(header))]
    lines = [header, rule, *rows]
    return "\n".join("| " + " | ".join(str(c) for c in line) + " |" for line in lines)


def without_empty(header, rows, keep=3):
    """A column that nobody fills says nothing; the first `keep` stay."""
    wanted = [i for i in range(len(header)) if i < keep or any(r[i] != "–" for r in rows)]
    return [header[i] for i in wanted], [[r[i] for i in wanted] for r in rows]


def interval(low, high, digits=4):
    if low is None and high is None:
        return ""
    return f" [{number(low, digits)}, {number(high, digits)}]"


def statistic_cell(summary, path):
    """"38.2 [37.9, 38.6] †": the interval over rounds where there is one, else within the run."""
    found = point(summary, path)
    if found is None:
        return "–"
    value, low, high, supported = found
    if path in RATIOS:
        value, low, high = (None if x is None else x * 100 for x in (value, low, high))
        return f"{number(value, 3)}{interval(low, high, 3)} %"
    return number(value) + interval(low, high) + ("" if supported else UNSUPPORTED)


def percent_cell(value):
    return f"{number(value * 100, 2)} %" if is_number(value) else "–"


def row_name(summary):
    parts = [summary.get("variant"), summary.get("stage")]
    name = " · ".join(text.clean(p, 40) for p in parts if p)
    if summary.get("round", 0) not in (0, ALL_ROUNDS):
        name += f" · round {summary.get('round')}"
    return name or "–"


def where(verdict):
    return md(" · ".join(text.clean(verdict[k], 40) for k in ("scenario", "variant", "stage")
                         if verdict.get(k)), 100)


def finding(verdict):
    return md(verdict.get("finding", "–")).replace("_", " ")


def smallest_effect_cell(summary, *paths):
    """The smallest change between two such runs that could be seen, of the first path known."""
    for path in paths:
        effect = as_dict(as_dict(summary.get("rounds")).get(path)).get("smallest_effect")
        if is_number(effect):
            return percent_cell(effect)
    return "–"
