# SPDX-License-Identifier: EUPL-1.2
"""The verdict on a run in a word, from the verdict lines that rocm-bench wrote."""

# The worst first. What is unknown is taken for bad.
SEVERITY = ["regression", "fail", "invalid", "warning", "insufficient_data", "improvement",
            "no_change", "pass", "not_judged"]


def severity(verdict):
    finding = verdict.get("finding")
    return SEVERITY.index(finding) if isinstance(finding, str) and finding in SEVERITY else 0


def count(run, kind, finding):
    return sum(v.get("kind") == kind and v.get("finding") == finding for v in run.verdicts)


def judge(run):
    """(word, facts): invalid, regression, failed, partial, passed or nothing judged."""
    failed, passed = (count(run, "expectation", f) for f in ("fail", "pass"))
    regressions, improvements = (count(run, "comparison", f) for f in ("regression", "improvement"))
    invalid = sum(v.get("finding") == "invalid" for v in run.verdicts)
    garbage = count(run, "comparison", "fail")  # faster, and the answers are worse
    exit_code = (run.end or {}).get("exit_code")
    # A regression or a failed check says more than the state of the file, so it comes first.
    if run.status == "invalid":
        word = "invalid"
    elif regressions:
        word = "regression"
    elif failed or garbage:
        word = "failed"
    elif run.status == "partial":
        word = "partial"
    elif exit_code not in (0, None):
        word = "failed"  # for instance: not one request was answered
    elif not run.verdicts:
        word = "nothing judged"
    else:
        word = "passed"
    facts = [f"{passed} of {passed + failed} expectations met"] if passed + failed else []
    facts += [text for n, text in ((regressions, "A/B: " + plural(regressions, "regression")),
                                   (garbage, f"A/B: {garbage} failed"),
                                   (improvements, "A/B: " + plural(improvements, "improvement")),
                                   (invalid, plural(invalid, "measurement") + " invalid")) if n]
    return word, facts or ["nothing was expected"]


def plural(n, noun):
    return f"{n} {noun}{'' if n == 1 else 's'}"
