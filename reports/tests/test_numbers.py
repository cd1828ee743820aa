# SPDX-License-Identifier: EUPL-1.2
"""Recomputes with numpy what rocm-bench wrote into the summary lines, from the request lines."""

import json
import math

import numpy as np
import pytest

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
# (1 - q)^n + n q (1 - q)^(n - 1) <= 1 %, solved by hand for q = 0.5, 0.1, 0.05, 0.01.
MINIMUM = {"p50": 11, "p90": 64, "p95": 130, "p99": 662}
# Two-sided 95 % of Student's t for 4 degrees of freedom, from a printed table.
T_975_4 = 2.7764451051977987
T_975_8, T_80_8 = 2.3060041350333704, 0.8888895162323398


@pytest.fixture(scope="module")
def lines(sample):
    return [json.loads(line) for line in sample.read_text().splitlines()]


def where(line):
    return line["scenario"], line["variant"], line["stage"]


def requests_of(lines, summary):
    return [r for r in lines if r["type"] == "request" and where(r) == where(summary)
            and summary["round"] in (-1, r["round"])]


def samples_of(requests):
    ok = [r for r in requests if r["outcome"] == "ok"]
    ms = 1e-6
    span = {id(r): (r["last_token_ns"] - r["first_token_ns"]) * ms for r in ok}
    return {
        "ttft_ms": [(r["first_token_ns"] - r["scheduled_ns"]) * ms for r in ok],
        "ttft_sent_ms": [(r["first_token_ns"] - r["sent_ns"]) * ms for r in ok],
        "ttft_answer_ms": [(r["first_answer_ns"] - r["scheduled_ns"]) * ms for r in ok],
        "ttfb_ms": [(r["first_byte_ns"] - r["sent_ns"]) * ms for r in ok],
        "connect_ms": [(r["sent_ns"] - r["connect_ns"]) * ms for r in ok],
        "tpot_ms": [span[id(r)] / (r["tokens"] - 1) for r in ok],
        "decode_tokens_per_s": [(r["tokens"] - 1) * 1e3 / span[id(r)] for r in ok],
        "prefill_tokens_per_s": [r["timings"]["prompt_n"] * 1e3 / r["timings"]["prompt_ms"]
                                 for r in ok],
        "prefill_client_tokens_per_s": [
            r["prompt_tokens"] * 1e9 / (r["first_token_ns"] - r["sent_ns"]) for r in ok],
        "e2e_ms": [(r["finished_ns"] - r["scheduled_ns"]) * ms for r in ok],
        "e2e_sent_ms": [(r["finished_ns"] - r["sent_ns"]) * ms for r in ok],
        "schedule_lag_ms": [(r["sent_ns"] - r["scheduled_ns"]) * ms for r in requests],
        "icl_ms": [(b[0] - a[0]) * ms for r in ok for a, b in zip(r["chunks"], r["chunks"][1:])],
        "output_tokens": [r["tokens"] for r in ok],
        "prompt_tokens": [r["prompt_tokens"] for r in ok],
    }


def binomial_cdf(k, n, p):
    """Summed from logarithms, term by term: slow, and independent of the code under test."""
    terms = [math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1)
             + i * math.log(p) + (n - i) * math.log1p(-p) for i in range(k + 1)]
    return math.fsum(math.exp(t) for t in terms)


def interval_ranks(n, p):
    low = next((k for k in range(n + 1) if binomial_cdf(k, n, p) >= 0.025), n)
    high = next((k for k in range(n + 1) if binomial_cdf(k, n, p) >= 0.975), n) + 1
    return low, high


def test_every_distribution(lines):
    compared = 0
    for summary in (x for x in lines if x["type"] == "summary"):
        expected = samples_of(requests_of(lines, summary))
        assert set(summary["metrics"]) == set(expected)
        for name, samples in expected.items():
            seen = summary["metrics"][name]
            assert seen["n"] == len(samples), name
            assert seen["mean"] == pytest.approx(np.mean(samples), rel=1e-12), name
            assert seen["sd"] == pytest.approx(np.std(samples, ddof=1), rel=1e-9, abs=1e-9), name
            assert seen["min"] == pytest.approx(min(samples), rel=1e-12), name
            assert seen["max"] == pytest.approx(max(samples), rel=1e-12), name
            for quantile, p in QUANTILES.items():
                value = np.quantile(samples, p, method="inverted_cdf")
                assert seen[quantile]["value"] == pytest.approx(value, rel=1e-12), (name, quantile)
                assert seen[quantile]["supported"] == (len(samples) >= MINIMUM[quantile])
                compared += 1
    assert compared > 3000


def test_intervals_are_order_statistics(lines):
    checked = set()
    for summary in (x for x in lines if x["type"] == "summary"):
        samples = np.sort(samples_of(requests_of(lines, summary))["ttft_ms"])
        n = len(samples)
        if n in checked:
            continue
        checked.add(n)
        for quantile, p in QUANTILES.items():
            seen = summary["metrics"]["ttft_ms"][quantile]
            low, high = interval_ranks(n, p)
            assert seen["low"] == (pytest.approx(samples[low - 1]) if low >= 1 else None)
            assert seen["high"] == (pytest.approx(samples[high - 1]) if high <= n else None)
    assert len(checked) >= 4


def steady_window(requests, concurrency):
    if concurrency == 0:
        due = sorted(r["scheduled_ns"] for r in requests)
        return due[0], due[-1]
    sent = sorted(r["sent_ns"] for r in requests)
    start = sent[min(concurrency, len(sent)) - 1]
    return start, min(r["finished_ns"] for r in requests if r["finished_ns"] > sent[-1])


def concurrency_of(summary):
    if summary["scenario"].startswith("ab/"):
        return 1
    if summary["scenario"].startswith("load/"):
        return 0
    variant = summary["variant"]
    return int(variant.split("=")[1]) if variant.startswith("concurrency=") else 1


def test_rates_in_the_steady_window(lines):
    rounds = [x for x in lines if x["type"] == "summary" and x["round"] >= 0]
    assert rounds
    for summary in rounds:
        requests = requests_of(lines, summary)
        start, end = steady_window(requests, concurrency_of(summary))
        assert (summary["window"]["start_ns"], summary["window"]["end_ns"]) == (start, end)
        seconds = (end - start) * 1e-9
        tokens = sum(t for r in requests if r["outcome"] == "ok" for at, t in r["chunks"]
                     if start < at <= end)
        busy = sum(max(0, min(r["finished_ns"], end) - max(r["sent_ns"], start))
                   for r in requests) * 1e-9
        values = summary["values"]
        assert values["throughput_tokens_per_s"] == pytest.approx(tokens / seconds, rel=1e-9)
        assert values["concurrency_mean"] == pytest.approx(busy / seconds, rel=1e-9)
        assert values["offered_requests_per_s"] == pytest.approx(
            sum(start <= r["scheduled_ns"] < end for r in requests) / seconds)
        assert values["completed_requests_per_s"] == pytest.approx(
            sum(r["outcome"] == "ok" and start < r["finished_ns"] <= end
                for r in requests) / seconds)


def test_goodput_counts_failures_as_missed(lines):
    for summary in (x for x in lines if x["type"] == "summary" and x["round"] >= 0):
        if not summary["scenario"].startswith("load/"):
            assert "goodput_ratio" not in summary["values"]
            continue
        requests = requests_of(lines, summary)
        samples = samples_of(requests)
        good = sum(t <= 120 and p <= 14 for t, p in zip(samples["ttft_ms"], samples["tpot_ms"]))
        assert summary["values"]["goodput_ratio"] == pytest.approx(good / len(requests))
        assert len(samples["ttft_ms"]) < len(requests), "the sample has failures"


def test_counts_and_fairness(lines):
    for summary in (x for x in lines if x["type"] == "summary"):
        requests = requests_of(lines, summary)
        ok = [r for r in requests if r["outcome"] == "ok"]
        assert summary["requests"] == len(requests)
        assert summary["requests_ok"] == len(ok)
        assert summary["counts"]["output_tokens_total"] == sum(r["tokens"] for r in ok)
        assert summary["counts"]["prompt_tokens_total"] == sum(r["prompt_tokens"] for r in ok)
        assert sum(summary["outcomes"].values()) == len(requests)
        if summary["round"] >= 0:
            rates = np.array(samples_of(requests)["decode_tokens_per_s"])
            jain = rates.sum() ** 2 / (len(rates) * (rates**2).sum())
            assert summary["values"]["fairness_jain"] == pytest.approx(jain)


def test_intervals_over_rounds(lines):
    totals = [x for x in lines if x["type"] == "summary" and x["round"] == -1
              and not x["scenario"].startswith("ab/")]
    assert totals
    for total in totals:
        rounds = [x for x in lines if x["type"] == "summary" and x["round"] >= 0
                  and where(x) == where(total)]
        assert len(rounds) == 5
        for path, seen in total["rounds"].items():
            name, _, part = path.partition(".")
            values = [r["metrics"][name][part]["value"] if part else r["values"][name]
                      for r in rounds]
            half = T_975_4 * np.std(values, ddof=1) / math.sqrt(5)
            assert seen["n"] == 5
            assert seen["mean"] == pytest.approx(np.mean(values))
            assert seen["low"] == pytest.approx(np.mean(values) - half)
            assert seen["high"] == pytest.approx(np.mean(values) + half)
            if np.mean(values) == 0:
                assert seen["smallest_effect"] is None
                continue
            effect = (T_975_8 + T_80_8) * np.std(values, ddof=1) * math.sqrt(2 / 5)
            assert seen["smallest_effect"] == pytest.approx(effect / abs(np.mean(values)))
        for name, value in total["values"].items():
            assert value == pytest.approx(np.mean([r["values"][name] for r in rounds]))


# Comparisons: the bootstrap is repeated with a model of the generator, draw by draw.

MASK = 2**64 - 1


class Xoshiro:
    def __init__(self, seed):
        self.state = []
        for _ in range(4):
            seed = (seed + 0x9E3779B97F4A7C15) & MASK
            z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
            self.state.append(z ^ (z >> 31))

    def next(self):
        s = self.state
        x = s[1] * 5 & MASK
        result = ((x << 7 | x >> 57) & MASK) * 9 & MASK
        t = s[1] << 17 & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = (s[3] << 45 | s[3] >> 19) & MASK
        return result

    def below(self, count):
        limit = MASK - (MASK % count + 1) % count
        draw = self.next()
        while draw > limit:
            draw = self.next()
        return draw % count


def bootstrap_t(logs, seed=2026, resamples=10_000):
    random = Xoshiro(seed)
    n = len(logs)
    out = []
    while len(out) < resamples:
        sample = np.array([logs[random.below(n)] for _ in range(n)])
        deviation = np.std(sample, ddof=1)
        if deviation > 0:
            out.append((np.mean(sample) - np.mean(logs)) / (deviation / math.sqrt(n)))
    return np.array(out)


def holm(p_values):
    order = np.argsort(p_values, kind="stable")
    adjusted, largest = np.empty(len(p_values)), 0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def test_comparisons(lines):
    verdicts = [x for x in lines if x["type"] == "verdict" and x["kind"] == "comparison"]
    medians = {}
    for x in lines:
        if x["type"] == "summary" and x["scenario"].startswith("ab/") and x["round"] >= 0:
            for metric in ("tpot_ms", "ttft_ms"):
                medians[metric, x["variant"], x["round"]] = x["metrics"][metric]["p50"]["value"]
    assert [v["metric"] for v in verdicts] == ["tpot_ms.p50", "ttft_ms.p50"]
    p_values = []
    for verdict in verdicts:
        metric = verdict["metric"].split(".")[0]
        rounds = sorted(r for m, v, r in medians if m == metric and v == "on")
        logs = np.array([math.log(medians[metric, "on", r] / medians[metric, "off", r])
                         for r in rounds])
        error = np.std(logs, ddof=1) / math.sqrt(len(logs))
        t = bootstrap_t(list(logs))
        low, high = (np.quantile(t, q, method="inverted_cdf") for q in (0.025, 0.975))
        assert verdict["n"] == len(rounds)
        assert verdict["observed"] == pytest.approx(math.exp(np.mean(logs)))
        assert verdict["low"] == pytest.approx(math.exp(np.mean(logs) - high * error))
        assert verdict["high"] == pytest.approx(math.exp(np.mean(logs) - low * error))
        beyond = np.sum(np.abs(t) >= abs(np.mean(logs) / error))
        p_values.append((beyond + 1) / (len(t) + 1))
    assert [v["p_value"] for v in verdicts] == pytest.approx(holm(np.array(p_values)))
    # ITL was planted 8 % slower, TTFT was not touched.
    assert verdicts[0]["finding"] == "regression"
    assert verdicts[1]["finding"] in ("no_change", "insufficient_data")
