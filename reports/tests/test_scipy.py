# SPDX-License-Identifier: EUPL-1.2
"""The statistics that rocm-bench wrote, against SciPy's."""

import json
import math

import conftest
import numpy as np
import pytest
import test_numbers

conftest.find_scipy()
from scipy import stats  # noqa: E402


@pytest.fixture(scope="module")
def lines(sample):
    return [json.loads(line) for line in sample.read_text().splitlines()]


def summaries(lines):
    return [x for x in lines if x["type"] == "summary"]


def test_supported_percentiles():
    for name, n in test_numbers.MINIMUM.items():
        q = 1 - test_numbers.QUANTILES[name]
        assert stats.binom.cdf(1, n, q) <= 0.01 < stats.binom.cdf(1, n - 1, q)


def test_intervals_of_percentiles(lines):
    compared = 0
    for summary in summaries(lines):
        samples = {k: np.sort(v) for k, v in
                   test_numbers.samples_of(test_numbers.requests_of(lines, summary)).items()}
        for metric in ("ttft_ms", "tpot_ms", "e2e_ms", "icl_ms"):
            x = samples[metric]
            for name, p in test_numbers.QUANTILES.items():
                low = int(stats.binom.ppf(0.025, len(x), p))
                high = int(stats.binom.ppf(0.975, len(x), p)) + 1
                seen = summary["metrics"][metric][name]
                assert seen["low"] == (pytest.approx(x[low - 1]) if low >= 1 else None)
                assert seen["high"] == (pytest.approx(x[high - 1]) if high <= len(x) else None)
                compared += 1
    assert compared > 500


def test_intervals_over_rounds(lines):
    compared = 0
    for total in (s for s in summaries(lines) if s["round"] == -1):
        for seen in total["rounds"].values():
            n, mean, sd = seen["n"], seen["mean"], seen["sd"]
            if sd == 0:
                continue
            low, high = stats.t.interval(0.95, n - 1, mean, sd / math.sqrt(n))
            assert (seen["low"], seen["high"]) == pytest.approx((low, high), rel=1e-9)
            t = stats.t.ppf(0.975, 2 * n - 2) + stats.t.ppf(0.8, 2 * n - 2)
            assert seen["smallest_effect"] == pytest.approx(
                t * sd * math.sqrt(2 / n) / abs(mean), rel=1e-9)
            compared += 1
    assert compared > 100


def test_the_bootstrap_agrees_with_a_t_test(lines):
    rounds = [s for s in summaries(lines) if s["scenario"].startswith("ab/") and s["round"] >= 0]
    raw = []
    for metric in ("tpot_ms", "ttft_ms"):
        value = {(s["variant"], s["round"]): s["metrics"][metric]["p50"]["value"] for s in rounds}
        logs = [math.log(value["on", r] / value["off", r]) for v, r in value if v == "on"]
        test = stats.ttest_1samp(logs, 0)
        raw.append(test.pvalue)
        verdict = next(x for x in lines if x.get("kind") == "comparison"
                       and x["metric"] == f"{metric}.p50")
        interval = test.confidence_interval(0.95)
        # Twenty rounds of nearly normal noise: the two ways agree within a fifth of the width.
        width = math.exp(interval.high) - math.exp(interval.low)
        assert verdict["low"] == pytest.approx(math.exp(interval.low), abs=width / 5)
        assert verdict["high"] == pytest.approx(math.exp(interval.high), abs=width / 5)
    adjusted = test_numbers.holm(np.array(raw))
    seen = [x["p_value"] for x in lines if x.get("kind") == "comparison"]
    assert seen == pytest.approx(adjusted, abs=0.05)
