# SPDX-License-Identifier: EUPL-1.2
"""A cumulative log: one dated section a night, appended. What stands in it is never rewritten, and
`QUESTION:` lines stay open until somebody turns them into `ANSWERED:`."""

import re

from . import findings as document
from .statistics import group_summaries
from .scenario_section import comparison_table, scenario_section
from .text import clean, md
from . import judgement
from .validity_section import surprises, validity_section, verdict_rows

SECTION = re.compile(r"^## (\d{4}-\d{2}-\d{2}): ", re.MULTILINE)
QUESTION = re.compile(r"^(?:[-*] )?QUESTION: *(.+)$")
TITLE = "# Findings\n\nOne section a night, the newest last. A question is open while it says " \
        "QUESTION; write ANSWERED instead when it is not.\n"


def open_questions(log):
    """[(date of the section, question)…], in order."""
    out, date = [], ""
    fenced = False
    for line in log.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        if fenced:
            continue
        head = SECTION.match(line)
        if head:
            date = head.group(1)
        found = QUESTION.match(line)
        if found:
            out.append((date, found.group(1).strip()))
    return out


def has_runs(log, runs):
    """Whether the newest section of these very runs is in the log already."""
    return sources_line(runs) in log


def sources_line(runs):
    return "Runs: " + "; ".join(f"{md(r.run_id)}, {md(r.path.name)}, SHA-256 `{r.sha256}`"
                                for r in runs)



def _run(run, plots, previous, baseline):
    parts = [f"### {md(run.run_id)}", "", document.verdict_line(run), ""]
    worst = document.worst_lines(run)
    parts += [*worst, ""] if worst else []
    parts += ["#### What changed", "", *document.changes_section(run, previous), "", "#### Setup", "",
              *document.setup_section(run), "", "#### Results", ""]
    for name, summaries in group_summaries(run):
        section = scenario_section(run, name, summaries, plots.get((run.run_id, name), ()),
                                   document.predecessor.beside(baseline, run, name, summaries))
        parts += [re.sub(r"^### ", "##### ", section, count=1), ""]
    for alt, plot in plots.get((run.run_id, ""), ()):
        parts += [f"![{alt}]({plot})", ""]
    verdicts = [v for v in sorted(run.verdicts, key=judgement.severity) if v.get("kind") == "comparison"]
    if verdicts:
        parts += ["#### Comparisons", "", comparison_table(verdicts), ""]
    rows = verdict_rows(run, ("expectation",), ("fail", "warning", "invalid"))
    if rows:
        parts += ["#### Expectations not met", "",
                  document.table(["", "where", "metric", "observed", "expected", "reason"], rows, (3, 4)),
                  ""]
    odd = surprises(run)
    parts += ["#### Validity", "", validity_section(run), ""]
    if odd:
        parts += ["#### Surprises", "", *odd, ""]
    return parts


def title_of(runs):
    """"regression: nightly.txt on llama-server", of the run with the worst verdict."""
    order = ["regression", "failed", "invalid", "partial", "nothing judged", "passed"]
    word, run = min(((judgement.judge(r)[0], r) for r in runs), key=lambda x: order.index(x[0]))
    what = run.header.get("suite") or ", ".join(dict.fromkeys(
        str(s.get("scenario", "")) for s in run.summaries)) or run.run_id
    return f"{word}: {clean(what, 60)} on {clean(run.header.get('target', '?'), 30)}"


def section(log, runs, plots, title="", previous=None, baseline=None):
    """The section to append to `log`."""
    date = clean(max(str(r.header.get("started_at", "")) for r in runs), 30)[:10]
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date):
        date = "0000-00-00"  # of a run that has lost its header
    parts = [f"## {date}: {md(title or title_of(runs))}", ""]
    for run in runs:
        parts += _run(run, plots, (previous or {}).get(run.run_id), baseline)
    questions = open_questions(log)
    if questions:
        parts += ["### Open questions", "",
                  *(f"- of {date or 'the beginning'}: {md(text, 300)}" for date, text in questions), ""]
    return "\n".join([*parts, sources_line(runs), ""])


def appended(log, new):
    """The whole log with the new section at its end; the old text stays as it is, byte by byte."""
    log = log or TITLE
    return log + ("" if log.endswith("\n") else "\n") + ("" if log.endswith("\n\n") else "\n") + new
