# SPDX-License-Identifier: EUPL-1.2
"""One scenario of a run: what it is for, its numbers, its failures, its plots."""

from .statistics import as_dict, is_number, is_ratio
from .tables import (finding, percent_cell, row_name, smallest_effect_cell, statistic_cell, table,
                     where, without_empty)
from .text import md, number

# (title, path)
LATENCY = [("TTFT ms p50", "ttft_ms.p50"), ("p90", "ttft_ms.p90"), ("p99", "ttft_ms.p99"),
           ("ITL ms p50", "tpot_ms.p50"), ("p90", "tpot_ms.p90"), ("p99", "tpot_ms.p99")]
RATES = [("decode tok/s", "decode_tokens_per_s.p50"), ("prefill tok/s", "prefill_tokens_per_s.p50"),
         ("throughput tok/s", "throughput_tokens_per_s"),
         ("MBU", "bandwidth_utilisation_ratio"), ("J/token", "energy_j_per_token"),
         ("CPU J/token", "cpu_energy_j_per_token"), ("goodput", "goodput_ratio")]
# Of loads and recoveries; those that a run does not have make no column.
LIFE = [("load ms", "load_ms"), ("VRAM after load MiB", "vram_after_load_bytes"),
        ("VRAM of the load MiB", "vram_of_load_bytes"), ("server VRAM MiB", "server_vram_bytes"),
        ("server RSS MiB", "server_rss_bytes")]
MIB = 1 << 20
# Of fault scenarios: one "request" of the stage `recovery` is one injection.
RECOVERY = [("detection ms p50", "detection_ms.p50"), ("told ms p50", "told_ms.p50"),
            ("healthy ms p50", "healthy_ms.p50"), ("recovery ms p50", "recovery_ms.p50"),
            ("p90", "recovery_ms.p90"), ("steady ms p50", "steady_ms.p50"),
            ("VRAM released ms p50", "vram_released_ms.p50"),
            ("tokens lost p50", "tokens_lost.p50")]
BAD_ENDS = ["not_recovered", "policy_refused", "survived", "moment_missed", "processes_left"]


def intro(run, name):
    """What the scenario is for and what it asked of the server, in its own words."""
    listed = run.header.get("scenarios")
    for scenario in listed if isinstance(listed, list) else []:
        if as_dict(scenario).get("name") != name:
            continue
        parts = [md(scenario["why"], 400)] if scenario.get("why") else []
        settings = ", ".join(f"{md(k, 40)} {md(v, 60)}"
                             for k, v in as_dict(scenario.get("server")).items()
                             if not isinstance(v, (dict, list)))
        if settings:
            parts.append(f"Server: {settings}.")
        return " ".join(parts)
    return ""


def _counts(summary):
    counts = as_dict(summary.get("counts"))
    tokens = " + ".join(number(counts[k]) for k in ("prompt_tokens_total", "output_tokens_total")
                        if is_number(counts.get(k)))
    return [md(row_name(summary)), number(summary.get("requests")),
            number(summary.get("requests_failed")), tokens or "–"]


def latency_table(summaries):
    header = ["", "n", "failed", "tokens in + out", *(title for title, _ in LATENCY)]
    rows = [[*_counts(s), *(statistic_cell(s, path) for _, path in LATENCY)] for s in summaries]
    header, rows = without_empty(header, rows)
    return table(header, rows, range(1, len(header)))


def rate_table(summaries):
    header = ["", *(title for title, _ in RATES), "smallest effect"]
    rows = [[md(row_name(s)), *(statistic_cell(s, path) for _, path in RATES),
             smallest_effect_cell(s, "decode_tokens_per_s.p50", "ttft_ms.p50")] for s in summaries]
    header, rows = without_empty(header, rows, keep=1)
    return table(header, rows, range(1, len(header))) if len(header) > 1 else ""


def _life_cell(run, summary, path):
    """The value, and for bytes in MiB."""
    value = as_dict(summary.get("values")).get(path)
    if not is_number(value):
        return "–"
    return number(value / MIB) if path.endswith("_bytes") else statistic_cell(summary, path)


def life_table(run, summaries):
    known = [(t, p) for t, p in LIFE if any(is_number(as_dict(s.get("values")).get(p))
                                            for s in summaries)]
    if not known:
        return ""
    rows = [[md(row_name(s)), *(_life_cell(run, s, p) for _, p in known)] for s in summaries]
    return table(["", *(t for t, _ in known)], rows, range(1, len(known) + 1))


def recovery_table(summaries):
    header = ["", "injections", "recovered", *(title for title, _ in RECOVERY), "not as it should be"]
    rows = []
    for s in summaries:
        counts = as_dict(s.get("counts"))
        bad = [f"{k.replace('_', ' ')} {number(counts[k])}" for k in BAD_ENDS if counts.get(k)]
        rows.append([md(row_name(s)), number(s.get("requests")), number(s.get("requests_ok")),
                     *(statistic_cell(s, path) for _, path in RECOVERY), md(", ".join(bad)) or "–"])
    header, rows = without_empty(header, rows)
    return table(header, rows, range(1, len(header)))


def is_recovery(summary):
    return summary.get("stage") == "recovery" and "recovery_ms" in as_dict(summary.get("metrics"))


def failure_table(run, scenario):
    classes = {}
    for request in run.requests:
        if request.get("scenario") != scenario or request.get("outcome") == "ok":
            continue
        entry = classes.setdefault(str(request.get("outcome")), [0, ""])
        entry[0] += 1
        entry[1] = entry[1] or str(request.get("error", ""))
    if not classes:
        return ""
    rows = [[md(outcome), number(n), md(example, 120) or "–"]
            for outcome, (n, example) in sorted(classes.items())]
    return table(["failures by class", "n", "first message"], rows, (1,))


def bound_line(summaries):
    names = {"ttft_ms.p50": ("TTFT", "ms"), "tpot_ms.p50": ("ITL", "ms"),
             "decode_tokens_per_s.p50": ("decode", "tok/s")}
    worst = {}
    for s in summaries:
        for path, bound in as_dict(s.get("error_bounds")).items():
            if path in names and is_number(bound):
                worst[path] = max(bound, worst.get(path, 0))
    if not summaries:
        return ""
    if not worst:
        return "Not calibrated: the instrument's own error is unknown here."
    facts = [f"{name} ± {number(worst[p], 2)} {unit}" for p, (name, unit) in names.items()
             if p in worst]
    unjudged = any(s.get("timing_judged") is False for s in summaries)
    return (f"The instrument's own error here is at most {', '.join(facts)}."
            + (" The scenario says that its times are not judged." if unjudged else ""))


def comparison_table(verdicts):
    """Ratios with their intervals; below, what the answers themselves say."""
    ratios = [[finding(v), where(v), md(v.get("metric", "–")), number(v.get("observed")),
               f"[{number(v.get('low'))}, {number(v.get('high'))}]", number(v.get("n")),
               percent_cell(v.get("smallest_effect")), number(v.get("p_value"), 2),
               md(v.get("reason", ""), 200) or "–"] for v in verdicts if is_ratio(v)]
    counts = [[finding(v), where(v), md(v.get("metric", "–")), number(v.get("observed")),
               number(v.get("n")), md(v.get("reason", ""), 200) or "–"]
              for v in verdicts if not is_ratio(v)]
    parts = []
    if ratios:
        parts.append(table(["", "variants", "metric", "ratio", "95 %", "rounds", "smallest effect",
                            "p (Holm)", "why"], ratios, range(3, 8)))
    if counts:
        parts.append(table(["", "variants", "of the answers", "count", "of", "why"], counts, (3, 4)))
    return "\n\n".join(parts)


def scenario_section(run, name, summaries, plots, predecessor=""):
    said = intro(run, name)
    parts = [f"### {md(name) or '(no name)'}", "", *([said, ""] if said else [])]
    deaths = [s for s in summaries if is_recovery(s)]
    summaries = [s for s in summaries if not is_recovery(s)]
    if deaths:
        parts += [recovery_table(deaths), ""]
    if summaries:
        parts.append(latency_table(summaries))
    for more in (rate_table(summaries), life_table(run, summaries), failure_table(run, name),
                 bound_line(summaries), predecessor):
        if more:
            parts += ["", more]
    for alt, plot in plots:
        parts += ["", f"![{alt}]({plot})"]
    return "\n".join(parts)
