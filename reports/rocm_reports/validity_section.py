# SPDX-License-Identifier: EUPL-1.2
"""Can the numbers be trusted, and what was odd: gates, calibration, warm-up, surprises, limits."""

from . import judgement
from .statistics import as_dict, is_number
from .tables import finding, table, where
from .text import clean, md, number

INVALID_COUNTS = {
    "length_mismatches": "answers without the length that was asked for",
    "prompt_length_mismatches": "prompts of another length than asked for",
    "cached_requests": "requests that took tokens from the cache where none should",
    "usage_missing": "answers without the prompt's length",
    "answers_degenerate": "answers that are garbage on their face",
}
ODD_EVENTS = {"throttled": "samples with the GPU throttled", "load_failed": "loads that failed",
              "interrupted": "interruptions",
              "round_set_aside": "rounds of comparisons spoilt by the machine and measured again"}


def verdict_rows(run, kinds, findings=None):
    """The worst first, else in the order of the file."""
    rows = []
    for v in sorted(run.verdicts, key=judgement.severity):
        if v.get("kind") not in kinds or (findings and v.get("finding") not in findings):
            continue
        rows.append([finding(v), where(v), md(v.get("metric", "–")), number(v.get("observed")),
                     f"{md(v.get('op', ''))} {number(v.get('limit'))}".strip(),
                     md(v.get("reason", ""), 200)])
    return rows


def warm_up(run):
    """(stages, requests) that ran before the window and are in no number."""
    stages = requests = 0
    open_stage = None
    for e in run.events:
        detail = as_dict(e.get("detail"))
        if e.get("event") == "stage_started":
            open_stage = detail.get("record")
        elif e.get("event") == "stage_finished" and open_stage is False:
            stages += 1
            requests += detail["started"] if isinstance(detail.get("started"), int) else 0
            open_stage = None
    return stages, requests


def invalid_requests(run):
    totals = dict.fromkeys(INVALID_COUNTS, 0)
    for s in run.summaries:
        if isinstance(s.get("round"), int) and s["round"] >= 0:
            for name in totals:
                n = as_dict(s.get("counts")).get(name)
                totals[name] += n if is_number(n) else 0
    return {name: n for name, n in totals.items() if n}


def validity_section(run):
    gates = [v for v in run.verdicts if v.get("kind") == "gate"]
    passed = sum(v.get("finding") == "pass" for v in gates)
    parts = [f"{passed} of {len(gates)} checks of the instrument passed."]
    rows = verdict_rows(run, ("gate",), ("invalid", "warning"))
    if rows:
        parts += ["", table(["", "where", "check", "observed", "limit", "reason"], rows, (3, 4))]
    when = as_dict(run.header.get("calibration")).get("made_at")
    facts = [f"Calibration: {md(when) if when else 'none in force'}."]
    stages, requests = warm_up(run)
    if stages:
        facts.append(f"Warm-up: {requests} requests in {stages} stages, in no number.")
    odd = invalid_requests(run)
    facts += [f"{number(n)} {INVALID_COUNTS[name]}." for name, n in odd.items()]
    if not odd:
        facts.append("No request had another length, cache use or token count than it should.")
    parts += ["", " ".join(facts)]
    if run.problems:
        parts += ["", "The run file is damaged: " + "; ".join(md(p) for p in run.problems[:10]) + "."]
    return "\n".join(parts)


def surprises(run):
    """What nobody asked for and somebody should know. Lines."""
    counts, notes = {}, []
    for e in run.events:
        name = e.get("event")
        if name in ODD_EVENTS:
            counts[name] = counts.get(name, 0) + 1
        elif name == "note":
            notes.append(clean(as_dict(e.get("detail")).get("text", ""), 200))
    lines = [f"- {n} {ODD_EVENTS[name]}." for name, n in sorted(counts.items())]
    lines += [f"- {md(note, 200)}" for note in dict.fromkeys(n for n in notes if n)][:10]
    for v in run.verdicts:
        if v.get("finding") == "warning" and v.get("kind") != "gate":
            lines.append(f"- {where(v)}: {md(v.get('reason') or v.get('metric', ''), 200)}.")
    deaths = sum(e.get("event") == "server_exited" for e in run.events)
    faults = sum(e.get("event") == "fault_injected" for e in run.events)
    if deaths > faults:
        lines.append(f"- The server died {deaths} times, {faults} of them on purpose.")
    return lines[:20]


def limits(runs):
    lines = [
        "- † marks a percentile that n is too small to carry: it is the sample's, not a claim "
        "about the server.",
        "- Intervals are 95 %. Over rounds, where a scenario has several: of the mean of the rounds' "
        "values, by Student's t. Else from order statistics within the run, which takes its "
        "requests as independent.",
        "- Smallest effect: the change of the median decode rate (else TTFT) that a second run of as "
        "many rounds would show with 80 % power. Smaller differences between two runs mean nothing.",
        "- TTFT and end-to-end times run from when a request was due, not from when it left.",
    ]
    if any(run.header.get("target") == "mock" for run in runs):
        lines.append("- Numbers from the mock server say how good the instrument is. They say "
                     "nothing about any hardware.")
    return lines
