# SPDX-License-Identifier: EUPL-1.2
"""FINDINGS.md from run files: verdict first, then how it was measured, then the numbers."""

from . import text
from .text import md, number

ALL_ROUNDS = -1
UNSUPPORTED = " †"
# (title, metric, digits): distributions; one column each for p50, p90, p99.
LATENCIES = [("TTFT ms", "ttft_ms"), ("ITL ms", "tpot_ms")]


def group_summaries(run):
    """[(scenario, [summary…])] in file order; the one over all rounds replaces its rounds."""
    total = {}
    single = {}
    order = []
    for summary in run.summaries:
        key = tuple(str(summary.get(k, "")) for k in ("scenario", "variant", "stage"))
        if key not in order:
            order.append(key)
        target = total if summary.get("round") == ALL_ROUNDS else single
        target.setdefault(key, []).append(summary)
    scenarios = {}
    for key in order:
        rows = total.get(key, [])[-1:] or single.get(key, [])
        scenarios.setdefault(key[0], []).extend(rows)
    return list(scenarios.items())


def _dict(value):
    return value if isinstance(value, dict) else {}


def _interval(low, high):
    if low is None and high is None:
        return ""
    return f" [{number(low)}, {number(high)}]"


def quantile_cell(summary, metric, name):
    """"38.2 [37.9, 38.6] †": the interval over rounds where there is one, else within the run."""
    distribution = _dict(_dict(summary.get("metrics")).get(metric))
    quantile = _dict(distribution.get(name))
    if "value" not in quantile:
        return "–"
    cell = number(quantile["value"])
    over = _dict(_dict(summary.get("rounds")).get(f"{metric}.{name}"))
    if over.get("low") is not None:
        cell += _interval(over["low"], over.get("high"))
    else:
        cell += _interval(quantile.get("low"), quantile.get("high"))
    return cell + ("" if quantile.get("supported") else UNSUPPORTED)


def value_cell(summary, name):
    value = _dict(summary.get("values")).get(name)
    over = _dict(_dict(summary.get("rounds")).get(name))
    return number(value) + (_interval(over["low"], over.get("high")) if over.get("low") is not None
                            else "")


def row_name(summary):
    parts = [summary.get("variant"), summary.get("stage")]
    name = " · ".join(text.clean(p, 40) for p in parts if p)
    if summary.get("round", 0) not in (0, ALL_ROUNDS):
        name += f" · round {summary.get('round')}"
    return name or "–"


def table(header, rows, right=()):
    """A Markdown table; `right` are the indices of right-aligned columns."""
    rule = ["---:" if i in right else "---" for i in range(len(header))]
    lines = [header, rule, *rows]
    return "\n".join("| " + " | ".join(str(c) for c in line) + " |" for line in lines)


def _count(run, kind, finding):
    return sum(v.get("kind") == kind and v.get("finding") == finding for v in run.verdicts)


def verdict_line(run):
    failed = _count(run, "expectation", "fail")
    passed = _count(run, "expectation", "pass")
    invalid = sum(v.get("finding") == "invalid" for v in run.verdicts)
    regressions = _count(run, "comparison", "regression")
    improvements = _count(run, "comparison", "improvement")
    # A regression or a failed check says more than the state of the file, so it comes first.
    if run.status == "invalid":
        verdict = "**INVALID**"
    elif regressions:
        verdict = "**REGRESSION**"
    elif failed:
        verdict = "**FAILED**"
    elif run.status == "partial":
        verdict = "**PARTIAL**"
    else:
        verdict = "**PASSED**"
    facts = [f"{passed} expectations met", f"{failed} not met"]
    if regressions or improvements:
        facts.append(f"{regressions} regressions, {improvements} improvements")
    if invalid:
        facts.append(f"{invalid} measurements invalid")
    line = f"{verdict}: {', '.join(facts)}"
    reasons = "; ".join(md(r, 300) for r in run.reasons)
    return f"{line}. The run is {run.status}{': ' + reasons if reasons else ''}."


def server_builds(run):
    builds = [run.covariates.get("server_build"), run.server.get("build")]
    builds += [_dict(e.get("detail")).get("build") for e in run.servers_started()]
    return list(dict.fromkeys(md(b) for b in builds if b))


def setup_rows(run):
    identity, covariates = run.identity, run.covariates
    model = _dict(identity.get("model"))
    cpu = _dict(identity.get("cpu"))
    gpus = identity.get("gpus") if isinstance(identity.get("gpus"), list) else []
    rows = [
        ("Target", md(run.header.get("target", "–"))),
        ("Backend", md(identity.get("backend", "–"))),
        ("Model", " ".join(md(model[k]) for k in ("name", "quantisation") if model.get(k)) or "–"),
        ("Model hash", md(str(model.get("sha256", "–"))[:16])),
        ("Server", ", ".join(server_builds(run)) or "–"),
        ("CPU", f"{md(cpu.get('model', '–'))}, {md(cpu.get('threads', '?'))} threads"),
    ]
    for i, gpu in enumerate(gpus):
        facts = _dict((covariates.get("gpus") or [{}] * (i + 1))[i])
        more = [md(facts[k]) for k in ("driver", "runtime", "performance_level") if facts.get(k)]
        rows.append(("GPU", ", ".join([md(_dict(gpu).get("model", "–")), *more])))
    rows.append(("Kernel, OS", f"{md(covariates.get('kernel', '–'))}, {md(covariates.get('os', '–'))}"))
    if covariates.get("cpu_governor"):
        rows.append(("CPU governor", md(covariates["cpu_governor"])))
    for name, value in _dict(covariates.get("environment")).items():
        rows.append((md(name), md(value)))
    return rows


def smallest_effect_cell(summary, *paths):
    """The smallest change between two such runs that could be seen, of the first path known."""
    for path in paths:
        effect = _dict(_dict(summary.get("rounds")).get(path)).get("smallest_effect")
        if isinstance(effect, (int, float)):
            return f"{number(effect * 100, 2)} %"
    return "–"


def scenario_intro(run, name):
    """What the scenario is for and what it asked of the server, in its own words."""
    listed = run.header.get("scenarios")
    for scenario in listed if isinstance(listed, list) else []:
        if _dict(scenario).get("name") != name:
            continue
        parts = [md(scenario["why"], 400)] if scenario.get("why") else []
        settings = ", ".join(f"{md(k, 40)} {md(v, 60)}"
                             for k, v in _dict(scenario.get("server")).items()
                             if not isinstance(v, (dict, list)))
        if settings:
            parts.append(f"Server: {settings}.")
        return " ".join(parts)
    return ""


def scenario_section(run, name, summaries, plots):
    header = ["", "n", "failed", "TTFT ms p50", "p90", "p99", "ITL ms p50", "p99", "decode tok/s",
              "throughput tok/s", "goodput", "smallest effect"]
    rows = []
    for s in summaries:
        goodput = _dict(s.get("values")).get("goodput_ratio")
        rows.append([
            md(row_name(s)), number(s.get("requests")), number(s.get("requests_failed")),
            quantile_cell(s, "ttft_ms", "p50"), quantile_cell(s, "ttft_ms", "p90"),
            quantile_cell(s, "ttft_ms", "p99"), quantile_cell(s, "tpot_ms", "p50"),
            quantile_cell(s, "tpot_ms", "p99"), quantile_cell(s, "decode_tokens_per_s", "p50"),
            value_cell(s, "throughput_tokens_per_s"),
            f"{goodput * 100:.1f} %" if isinstance(goodput, (int, float)) else "–",
            smallest_effect_cell(s, "decode_tokens_per_s.p50", "ttft_ms.p50"),
        ])
    # A column that nobody fills says nothing.
    for column in (len(header) - 1, len(header) - 2):
        if all(row[column] == "–" for row in rows):
            header.pop(column)
            for row in rows:
                row.pop(column)
    intro = scenario_intro(run, name)
    parts = [f"### {md(name)}", "", *([intro, ""] if intro else []),
             table(header, rows, range(1, len(header)))]
    bounds = bound_line(summaries)
    if bounds:
        parts += ["", bounds]
    for alt, plot in plots:
        parts += ["", f"![{alt}]({plot})"]
    return "\n".join(parts)


def bound_line(summaries):
    names = {"ttft_ms.p50": "TTFT", "tpot_ms.p50": "ITL", "decode_tokens_per_s.p50": "decode"}
    units = {"ttft_ms.p50": "ms", "tpot_ms.p50": "ms", "decode_tokens_per_s.p50": "tok/s"}
    worst = {}
    for s in summaries:
        for path, bound in _dict(s.get("error_bounds")).items():
            if path in names and isinstance(bound, (int, float)):
                worst[path] = max(bound, worst.get(path, 0))
    if not worst:
        return "Not calibrated: the instrument's own error is unknown here."
    facts = [f"{names[p]} ± {number(worst[p], 2)} {units[p]}" for p in names if p in worst]
    return f"The instrument's own error here is at most {', '.join(facts)}."


def failures_section(run):
    classes = {}
    for request in run.requests:
        outcome = request.get("outcome")
        if outcome == "ok":
            continue
        key = (str(request.get("scenario", "")), str(outcome))
        entry = classes.setdefault(key, [0, ""])
        entry[0] += 1
        entry[1] = entry[1] or str(request.get("error", ""))
    if not classes:
        return "No request failed."
    rows = [[md(scenario), md(outcome), number(n), md(example, 120)]
            for (scenario, outcome), (n, example) in sorted(classes.items())]
    return table(["scenario", "class", "n", "first message"], rows, (2,))


SEVERITY = ["regression", "fail", "invalid", "warning", "insufficient_data", "improvement",
            "no_change", "pass", "not_judged"]


def _severity(verdict):
    finding = verdict.get("finding")
    return SEVERITY.index(finding) if finding in SEVERITY else 0


def verdict_rows(run, kinds, findings=None):
    """The worst first, else in the order of the file."""
    rows = []
    for v in sorted(run.verdicts, key=_severity):
        if v.get("kind") not in kinds or (findings and v.get("finding") not in findings):
            continue
        where = " · ".join(text.clean(v[k], 40) for k in ("scenario", "variant", "stage") if v.get(k))
        rows.append([md(v.get("finding", "–")).replace("_", " "), md(where, 100),
                     md(v.get("metric", "–")), number(v.get("observed")),
                     f"{md(v.get('op', ''))} {number(v.get('limit'))}".strip(),
                     md(v.get("reason", ""), 200)])
    return rows


def validity_section(run):
    gates = [v for v in run.verdicts if v.get("kind") == "gate"]
    passed = sum(v.get("finding") == "pass" for v in gates)
    parts = [f"{passed} of {len(gates)} checks of the instrument passed."]
    rows = verdict_rows(run, ("gate",), ("invalid", "warning"))
    if rows:
        parts += ["", table(["", "where", "check", "observed", "limit", "reason"], rows, (3, 4))]
    calibration = run.header.get("calibration")
    when = _dict(calibration).get("made_at")
    parts += ["", f"Calibration: {md(when) if when else 'none in force'}."]
    if run.problems:
        parts += ["", "The run file is damaged: " + "; ".join(md(p) for p in run.problems[:10]) + "."]
    return "\n".join(parts)


def limits_section(runs):
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
    return "\n".join(lines)


def comparison_section(run):
    """A/B: the ratio, its interval, and what could have been seen."""
    verdicts = [v for v in run.verdicts if v.get("kind") == "comparison"]
    if not verdicts:
        return []
    rows = []
    for v in sorted(verdicts, key=_severity):
        effect = v.get("smallest_effect")
        where = " · ".join(text.clean(v[k], 40) for k in ("scenario", "variant", "stage") if v.get(k))
        rows.append([md(v.get("finding", "–")).replace("_", " "), md(where, 100),
                     md(v.get("metric", "–")), number(v.get("observed")),
                     f"[{number(v.get('low'))}, {number(v.get('high'))}]", number(v.get("n")),
                     f"{number(effect * 100, 2)} %" if isinstance(effect, (int, float)) else "–",
                     number(v.get("p_value"), 2)])
    return ["## Comparisons", "", table(["", "variants", "metric", "ratio", "95 %", "rounds",
                                         "smallest effect", "p (Holm)"], rows, range(3, 8)), ""]


def history_section(run):
    rows = verdict_rows(run, ("change_point", "fence"))
    if not rows:
        return []
    return ["## History", "", table(["", "where", "metric", "ratio or value", "", "reason"],
                                    rows, (3,)), ""]


def run_section(run, plots):
    parts = [f"## Run {md(run.run_id)}", "", verdict_line(run), "", "### Setup", "",
             table(["", ""], setup_rows(run)), "", "Repeat it with:", "",
             text.fenced(text.shell(run.header.get("command")) or "(not recorded)", "sh"), ""]
    starts = run.servers_started()
    argv = run.server.get("argv") or (_dict(starts[0].get("detail")).get("argv") if starts else None)
    if argv:
        parts += ["The server was started as:", "", text.fenced(text.shell(argv), "sh"), ""]
    parts += ["## Results", ""]
    grouped = group_summaries(run)
    if not grouped:
        parts += ["No stage was completed.", ""]
    for name, summaries in grouped:
        parts += [scenario_section(run, name, summaries, plots.get((run.run_id, name), ())), ""]
    parts += comparison_section(run)
    parts += history_section(run)
    expectations = verdict_rows(run, ("expectation",))
    if expectations:
        parts += ["## Expectations", "", table(["", "where", "metric", "observed", "expected",
                                                "reason"], expectations, (3, 4)), ""]
    parts += ["## Failures", "", failures_section(run), "", "## Validity", "",
              validity_section(run), ""]
    return "\n".join(parts)


def findings(runs, plots, title="FINDINGS"):
    """The whole document. `plots`: (run id, scenario) → [(alt text, path relative to it)]."""
    parts = [f"# {md(title)}", ""]
    if len(runs) > 1:
        rows = [[md(r.run_id), md(r.header.get("target", "–")), verdict_line(r)] for r in runs]
        parts += [table(["run", "target", "verdict"], rows), ""]
    parts += [run_section(run, plots) for run in runs]
    rows = [[md(r.run_id), md(r.header.get("started_at", "–")), r.status, md(r.path.name),
             f"`{r.sha256}`"] for r in runs]
    parts += ["## Limits", "", limits_section(runs), "", "## Sources", "",
              table(["run", "started", "status", "file", "SHA-256"], rows), ""]
    return "\n".join(parts)
