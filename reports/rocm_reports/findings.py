# SPDX-License-Identifier: EUPL-1.2
"""FINDINGS.md from run files: the verdict first, what changed, how it was measured, the numbers."""

from . import fingerprint, judgement, predecessor, text
from .scenario_section import comparison_table, scenario_section
from .statistics import as_dict, group_summaries
from .tables import table
from .text import md
from .validity_section import limits, surprises, validity_section, verdict_rows

MAX_DIFFERENCES = 30


def verdict_line(run):
    word, facts = judgement.judge(run)
    line = f"**{word.upper()}**: {', '.join(facts)}"
    reasons = "; ".join(md(r, 300) for r in run.reasons)
    return f"{line}. The run is {run.status}{': ' + reasons if reasons else ''}."


def worst_lines(run):
    """What the verdict rests on, in the words of rocm-bench."""
    bad = [v for v in sorted(run.verdicts, key=judgement.severity)
           if v.get("finding") in ("regression", "fail", "invalid")]
    lines = []
    for v in bad[:8]:
        place = " · ".join(text.clean(v[k], 40) for k in ("scenario", "variant", "stage") if v.get(k))
        lines.append(f"- {md(v.get('finding', ''))}: {md(place, 100)}, {md(v.get('metric', ''))}: "
                     f"{md(v.get('reason', ''), 200)}")
    if len(bad) > len(lines):
        lines.append(f"- and {len(bad) - len(lines)} more, below.")
    return lines


def changes_section(run, previous):
    """Fingerprint and settings against the run before: the first suspects."""
    if previous is None:
        return ["No earlier run of this suite on this target was given or found."]
    found = fingerprint.changes(previous, run)
    if not found:
        return [f"Nothing recorded changed since {md(previous.run_id)}: same identity, same "
                "environment, same settings."]
    rows = [[kind, md(name, 80), md("–" if old is None else old, 60), md("–" if new is None else new, 60)]
            for kind, items in found.items() for name, old, new in items]
    lines = [f"Against {md(previous.run_id)} ({md(previous.header.get('started_at', '–'))}):", "",
             table(["", "what", "before", "now"], rows[:MAX_DIFFERENCES])]
    if len(rows) > MAX_DIFFERENCES:
        lines += ["", f"and {len(rows) - MAX_DIFFERENCES} more."]
    if "identity" in found:
        lines += ["", "Another identity: numbers of the two runs are not one trend."]
    return lines


def setup_rows(run):
    identity, covariates = run.identity, run.covariates
    model = as_dict(identity.get("model"))
    cpu = as_dict(identity.get("cpu"))
    gpus = identity.get("gpus") if isinstance(identity.get("gpus"), list) else []
    listed = covariates.get("gpus") if isinstance(covariates.get("gpus"), list) else []
    rows = [
        ("Target", md(run.header.get("target", "–"))),
        ("Backend", md(identity.get("backend", "–"))),
        ("Model", " ".join(md(model[k]) for k in ("name", "quantisation") if model.get(k)) or "–"),
        ("Model hash", md(str(model.get("sha256", "–"))[:16])),
        ("Server", ", ".join(md(b) for b in fingerprint.builds(run)) or "–"),
        ("CPU", f"{md(cpu.get('model', '–'))}, {md(cpu.get('threads', '?'))} threads"),
    ]
    for i, gpu in enumerate(gpus):
        facts = as_dict(listed[i]) if i < len(listed) else {}
        more = [md(facts[k]) for k in ("driver", "runtime", "performance_level") if facts.get(k)]
        rows.append(("GPU", ", ".join([md(as_dict(gpu).get("model", "–")), *more])))
    rows.append(("Kernel, OS", f"{md(covariates.get('kernel', '–'))}, {md(covariates.get('os', '–'))}"))
    if covariates.get("cpu_governor"):
        rows.append(("CPU governor", md(covariates["cpu_governor"])))
    for name, value in as_dict(covariates.get("environment")).items():
        rows.append((md(name), md(value)))
    return rows


def setup_section(run):
    parts = [table(["", ""], setup_rows(run)), "", "Repeat it with:", "",
             text.fenced(text.shell(run.header.get("command")) or "(not recorded)", "sh")]
    starts = run.servers_started()
    argv = run.server.get("argv") or (as_dict(starts[0].get("detail")).get("argv") if starts else None)
    if argv:
        parts += ["", "The server was started as:", "", text.fenced(text.shell(argv), "sh")]
    return parts


def results_section(run, plots, baseline):
    parts = []
    grouped = group_summaries(run)
    if not grouped:
        parts += ["No stage was completed.", ""]
    for name, summaries in grouped:
        beside = predecessor.beside(baseline, run, name, summaries)
        parts += [scenario_section(run, name, summaries, plots.get((run.run_id, name), ()), beside), ""]
    for alt, plot in plots.get((run.run_id, ""), ()):
        parts += [f"![{alt}]({plot})", ""]
    if not any(r.get("outcome") != "ok" for r in run.requests) and grouped:
        parts += ["No request failed.", ""]
    return parts


def run_section(run, plots, previous=None, baseline=None):
    parts = [f"## Run {md(run.run_id)}", "", verdict_line(run), ""]
    worst = worst_lines(run)
    if worst:
        parts += [*worst, ""]
    parts += ["### What changed", "", *changes_section(run, previous), "", "### Setup", "",
              *setup_section(run), "", "## Results", "", *results_section(run, plots, baseline)]
    verdicts = [v for v in sorted(run.verdicts, key=judgement.severity) if v.get("kind") == "comparison"]
    if verdicts:
        parts += ["## Comparisons", "", comparison_table(verdicts), ""]
    rows = verdict_rows(run, ("change_point", "fence"))
    if rows:
        parts += ["## History", "", table(["", "where", "metric", "ratio or value", "", "reason"],
                                          rows, (3,)), ""]
    expectations = verdict_rows(run, ("expectation",))
    if expectations:
        parts += ["## Expectations", "", table(["", "where", "metric", "observed", "expected",
                                                "reason"], expectations, (3, 4)), ""]
    parts += ["## Validity", "", validity_section(run), "", "## Surprises", "",
              "\n".join(surprises(run)) or "None: no throttling, no note of the harness, no death that was not "
              "asked for.", ""]
    return "\n".join(parts)


def sources(runs):
    rows = [[md(r.run_id), md(r.header.get("started_at", "–")), r.status, md(r.path.name),
             f"`{r.sha256}`"] for r in runs]
    return table(["run", "started", "status", "file", "SHA-256"], rows)


def findings(runs, plots, title="FINDINGS", previous=None, baseline=None):
    """The whole document. `plots`: (run id, scenario) → [(alt text, path relative to it)];
    `previous`: run id → the run before it."""
    parts = [f"# {md(title)}", ""]
    if len(runs) > 1:
        rows = [[md(r.run_id), md(r.header.get("target", "–")), verdict_line(r)] for r in runs]
        parts += [table(["run", "target", "verdict"], rows), ""]
    parts += [run_section(run, plots, (previous or {}).get(run.run_id), baseline) for run in runs]
    parts += ["## Limits", "", *limits(runs), "", "## Sources", "", sources(runs), ""]
    return "\n".join(parts)
