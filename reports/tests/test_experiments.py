# SPDX-License-Identifier: EUPL-1.2
"""Plots and tables of what experiments leave in a run: deaths, memory, saturation, contexts."""

import conftest
import matplotlib.pyplot as plt
import pytest
import test_plots
from rocm_reports import run_file, scenario_section, validity_section
from rocm_reports.plots import memory, ratios, sweep, timeline
from test_plots import figures  # noqa: F401

MS = 1_000_000


def event(name, at_ms, scenario="crash", **detail):
    return {"type": "event", "event": name, "at_ns": 10**9 + at_ms * MS, "scenario": scenario,
            "variant": "", "round": 0, "stage": "", "detail": detail}


def request(sent_ms, finished_ms, outcome="ok"):
    return {"type": "request", "scenario": "crash", "outcome": outcome,
            "sent_ns": 10**9 + sent_ms * MS, "finished_ns": 10**9 + finished_ms * MS}


def run_of(tmp_path, *lines):
    return run_file.read_run(conftest.write_lines(tmp_path / "run.jsonl", list(lines)))


@pytest.fixture()
def crashed(tmp_path):
    return run_of(tmp_path, event("server_ready", 0), event("fault_injected", 1000, action="SIGKILL"),
                  event("server_exited", 1004), event("server_recovered", 1400),
                  request(900, 1003, "connection_reset"), request(950, 990), request(1450, 1600),
                  event("fault_injected", 5000, action="SIGSEGV"), event("server_exited", 5002),
                  event("server_recovered", 5600))


def test_the_timeline_shows_when_the_server_was_down(crashed, tmp_path, figures):  # noqa: F811
    events, start, end, shown, faults = timeline.window(crashed, "crash")
    assert (len(shown), len(faults)) == (2, 2)
    seen = [((a - 10**9) / MS, (b - 10**9) / MS, up) for a, b, up in timeline.states(events, start, end)]
    assert [(a, b) for a, b, up in seen if not up] == [(1000, 1400), (5000, 5600)]
    assert seen[0][2] and seen[-1][2]
    assert timeline.plot_timeline(crashed, "crash", [], tmp_path / "p.png")
    assert test_plots.overlaps(figures[0]) == []
    labels = [t.get_text() for t in figures[0].legends[0].get_texts()]
    assert labels == ["up, request ok (2)", "down, request failed (1)"]
    assert figures[0].axes[0].get_xlabel() == "ms from the first fault"


def test_no_death_no_timeline(sample, tmp_path):
    run = run_file.read_run(sample)
    assert not timeline.plot_timeline(run, "seed/decode", [], tmp_path / "p.png")


def test_a_server_that_stays_down_is_down_to_the_end(tmp_path):
    run = run_of(tmp_path, event("server_ready", 0), event("fault_injected", 1000),
                 event("load_failed", 1500), event("note", 2000))
    events, start, end, *_ = timeline.window(run, "crash")
    assert timeline.states(events, start, end)[-1][2] is False


def test_faults_are_named_before_what_is_too_close_to_them():
    ready, kill, ended = ({"event": name, "at_ns": at, "detail": {"action": "kill"}} for name, at in
                          (("server_ready", 930), ("fault_injected", 1000), ("server_exited", 1001)))
    assert timeline.labels([ready, kill, ended], 10_000) == [(1000, "kill")]
    assert timeline.labels([ready, kill, ended], 1_000) == [(930, "ready"), (1000, "kill")]


def test_requests_in_flight_at_once_have_lanes_of_their_own():
    placed = timeline.lanes([request(0, 10), request(5, 20), request(12, 30)])
    assert [lane for lane, _ in placed] == [0, 1, 0]


def test_memory_is_held_against_its_estimate(tmp_path, figures):  # noqa: F811
    mib = 1 << 20
    run = run_of(tmp_path, event("server_ready", 0, vram_of_load_bytes=3000 * mib,
                                 server_rss_bytes=500 * mib, estimate_device_bytes=3200 * mib,
                                 estimate_host_bytes=400 * mib))
    assert memory.plot_memory(run, tmp_path / "p.png")
    axes = figures[0].axes[0]
    assert [round(bar.get_width()) for bar in axes.patches] == [3000, 500]
    assert [line.get_xdata()[0] for line in axes.lines] == [3200, 400]
    assert test_plots.overlaps(figures[0]) == []
    plt.close("all")
    assert not memory.plot_memory(run_of(tmp_path, event("server_ready", 0, load_ms=5)), tmp_path / "q.png")


def test_saturation_is_where_the_harness_found_it(sample):
    run = run_file.read_run(sample)
    points = [(float(s["variant"].partition("=")[2]), s) for s in run.summaries
              if s["scenario"] == "concurrency/sweep" and s["round"] == -1]
    assert sweep.saturated_from(run, points) is None
    run.events.append({"event": "stage_finished", "scenario": "concurrency/sweep", "stage": "steady",
                       "variant": "concurrency=8", "detail": {"saturated": True}})
    assert sweep.saturated_from(run, points) == 8


def with_contexts(source, target):
    """The A/B of the sample, as if measured at three contexts."""
    lines = conftest.lines_of(source)
    kept = [x for x in lines if x.get("scenario") != "ab/flash_attention"]
    for depth, factor in ((2048, 1.0), (8192, 0.95), (32768, 0.82)):
        for x in lines:
            if x.get("scenario") != "ab/flash_attention" or x["type"] not in ("summary", "verdict"):
                continue
            x = {**x, "variant": " against ".join(f"context_per_slot={depth},{v}"
                                                  for v in x["variant"].split(" against "))}
            if x["type"] == "verdict":
                x.update({k: x[k] * factor for k in ("observed", "low", "high")})
            elif x["variant"].endswith(",on"):
                tpot = x["metrics"]["tpot_ms"]["p50"]
                x["metrics"] = {**x["metrics"], "tpot_ms": {**x["metrics"]["tpot_ms"], "p50":
                                                            {**tpot, "value": tpot["value"] * factor}}}
            kept.insert(-1, x)
    return conftest.write_lines(target, kept)


def test_ratios_against_the_context(sample, tmp_path, figures):  # noqa: F811
    run = run_file.read_run(with_contexts(sample, tmp_path / "run.jsonl"))
    assert ratios.plot_ratio_contexts(run, "ab/flash_attention", [], tmp_path / "p.png")
    assert not ratios.plot_ratios(run, "ab/flash_attention", [], tmp_path / "q.png")
    axes = figures[0].axes[0]
    dots = [line for line in axes.lines if line.get_linestyle() == "None" and line.get_marker() == "o"]
    assert [set(d.get_xdata()) for d in dots] == [{2048}, {8192}, {32768}]
    assert all(len(d.get_xdata()) == 20 for d in dots)
    pooled = next(line for line in axes.lines if line.get_marker() == "D")
    seen = [v["observed"] for v in run.verdicts if v["kind"] == "comparison"
            and v["metric"] == "tpot_ms.p50"]
    assert list(pooled.get_ydata()) == pytest.approx([100 * (x - 1) for x in seen])
    assert "20 rounds each" in axes.get_xlabel() and axes.get_ylabel() == "on against off, %"
    assert test_plots.overlaps(figures[0]) == []


def test_loads_efficiency_and_energy_have_columns():
    mib = 1 << 20
    summary = {"values": {"load_ms": 6012.5, "vram_after_load_bytes": 3400 * mib,
                          "bandwidth_utilisation_ratio": 0.684, "energy_j_per_token": 1.25}}
    assert "| load ms | VRAM after load MiB |" in scenario_section.life_table(None, [summary])
    assert "| 6012 | 3400 |" in scenario_section.life_table(None, [summary]).replace("6012.", "6012")
    rates = scenario_section.rate_table([summary])
    assert "| MBU | J/token |" in rates and "| 68.4 % | 1.250 |" in rates
    assert scenario_section.life_table(None, [{"values": {}}]) == ""


def test_warm_up_and_invalid_requests_are_counted(tmp_path):
    summary = {"type": "summary", "round": 0, "counts": {"cached_requests": 2, "usage_missing": 0}}
    run = run_of(tmp_path, event("stage_started", 1, record=False), event("stage_finished", 2, started=4),
                 event("stage_started", 3, record=True), event("stage_finished", 4, started=100),
                 summary, {**summary, "round": -1})
    assert validity_section.warm_up(run) == (1, 4)
    assert validity_section.invalid_requests(run) == {"cached_requests": 2}
    text = validity_section.validity_section(run)
    assert "4 requests in 1 stages" in text and "2 requests that took tokens from the cache" in text


def test_a_death_that_nobody_asked_for_is_a_surprise(tmp_path, crashed):
    assert not [x for x in validity_section.surprises(crashed) if "died" in x]
    run = run_of(tmp_path, event("server_exited", 5), event("throttled", 6), event("throttled", 7))
    assert validity_section.surprises(run) == ["- 2 samples with the GPU throttled.",
                                               "- The server died 1 times, 0 of them on purpose."]


def test_recoveries_have_a_table_of_their_own():
    def spread(value):
        return {"n": 3, "p50": {"value": value, "low": value - 1, "high": value + 1, "supported": True},
                "p90": {"value": value * 2, "low": None, "high": None, "supported": False}}

    summary = {"stage": "recovery", "requests": 20, "requests_ok": 19, "counts": {"not_recovered": 1},
               "metrics": {"recovery_ms": spread(410.5), "detection_ms": spread(3.25)}}
    out = scenario_section.scenario_section(run_file.Run("x.jsonl"), "crash", [summary], [])
    assert "| injections | recovered | detection ms p50 | recovery ms p50 | p90 | not as it should be |" in out
    assert "| 20 | 19 | 3.250 [2.250, 4.250] | 410.5 [409.5, 411.5] | 821 † | not recovered 1 |" in out
    assert "TTFT" not in out
