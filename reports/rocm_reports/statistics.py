# SPDX-License-Identifier: EUPL-1.2
"""Where a summary keeps a statistic, and what people call it. Nothing is computed here."""

import math

ALL_ROUNDS = -1

# path → (label, unit, which way is better: −1 lower, 1 higher, 0 neither)
KNOWN = {
    "ttft_ms.p50": ("TTFT, median", "ms", -1),
    "ttft_ms.p90": ("TTFT, p90", "ms", -1),
    "ttft_ms.p99": ("TTFT, p99", "ms", -1),
    "tpot_ms.p50": ("ITL, median", "ms", -1),
    "tpot_ms.p90": ("ITL, p90", "ms", -1),
    "tpot_ms.p99": ("ITL, p99", "ms", -1),
    "decode_tokens_per_s.p50": ("Decode", "tok/s", 1),
    "prefill_tokens_per_s.p50": ("Prefill", "tok/s", 1),
    "throughput_tokens_per_s": ("Throughput", "tok/s", 1),
    "e2e_ms.p50": ("End to end, median", "ms", -1),
    "goodput_ratio": ("Goodput", "", 1),
    "bandwidth_utilisation_ratio": ("MBU", "", 1),
    "energy_j_per_token": ("Energy", "J/token", -1),
    "load_ms": ("Load time", "ms", -1),
    "recovery_ms.p50": ("Recovery, median", "ms", -1),
    "detection_ms.p50": ("Detection, median", "ms", -1),
}
RATIOS = {"goodput_ratio", "bandwidth_utilisation_ratio"}


def as_dict(value):
    return value if isinstance(value, dict) else {}


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_ratio(verdict):
    """Whether a comparison's `observed` is a ratio b/a; else it counts requests or answers."""
    return not str(verdict.get("metric", "")).startswith(("requests_", "answers_"))


def point(summary, path):
    """(value, low, high, supported) or None. The interval over rounds where there is one, else the
    one within the run; low and high may be None."""
    name, _, part = path.partition(".")
    over = as_dict(as_dict(summary.get("rounds")).get(path))
    if part:
        quantile = as_dict(as_dict(as_dict(summary.get("metrics")).get(name)).get(part))
        value, supported = quantile.get("value"), bool(quantile.get("supported"))
        source = over if over.get("low") is not None else quantile
    else:
        value, supported = as_dict(summary.get("values")).get(name), True
        source = over
    if not is_number(value):
        return None
    low, high = (x if is_number(x) else None for x in (source.get("low"), source.get("high")))
    return value, low, high, supported


def group_summaries(run):
    """[(scenario, [summary…])] in file order; the one over all rounds replaces its rounds."""
    total = {}
    single = {}
    order = {}
    for summary in run.summaries:
        key = tuple(str(summary.get(k, "")) for k in ("scenario", "variant", "stage"))
        order.setdefault(key)
        target = total if summary.get("round") == ALL_ROUNDS else single
        target.setdefault(key, []).append(summary)
    scenarios = {}
    for key in order:
        rows = total.get(key, [])[-1:] or single.get(key, [])
        scenarios.setdefault(key[0], []).extend(rows)
    return list(scenarios.items())


def paired_rounds(run, verdict):
    """[(round, value of a, value of b)…] of a comparison, from the summaries of its rounds."""
    b, against, a = str(verdict.get("variant", "")).partition(" against ")
    if verdict.get("kind") != "comparison" or not against:
        return []
    path = str(verdict.get("metric", ""))
    stages = {str(verdict.get("stage") or ""), ""}
    values = {a: {}, b: {}}
    for s in run.summaries:
        found = point(s, path)
        variant, number = str(s.get("variant", "")), s.get("round")
        if (s.get("scenario") != verdict.get("scenario") or variant not in values
                or not isinstance(number, int) or number < 0 or not found or found[0] <= 0):
            continue
        if len(stages) > 1 and str(s.get("stage") or "") not in stages:
            continue
        values[variant][number] = found[0]
    return [(r, values[a][r], values[b][r]) for r in sorted(values[a]) if r in values[b]]
