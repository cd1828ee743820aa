# SPDX-License-Identifier: EUPL-1.2
"""The dashboard's data are those of the run files and of the history; nothing in it can run."""

import base64
import hashlib
import json
import re
import subprocess
import sys

import conftest
import dashboard
import pytest
import test_findings
from rocm_reports import dashboard_data, dashboard_page, run_file, statistics

CHANGE_NIGHT = 12


def slower(night, lines):
    """From a night on a quarter slower; the driver changed that night, the machine before."""
    header = lines[0]
    header["fingerprint"]["covariates"]["gpus"] = [{"driver": "6.8" if night >= CHANGE_NIGHT else "6.7"}]
    for x in lines:
        if x["type"] != "summary":
            continue
        if night < 3:
            header["fingerprint"]["identity"]["cpu"]["model"] = "another"
            x["series"] = "0" * 8 + x["series"][8:]
        rate = x["metrics"]["decode_tokens_per_s"]["p50"]
        rate["value"] *= (0.75 if night >= CHANGE_NIGHT else 1) * (1 + (night * 7 % 5) / 500)
        if x["round"] == -1:
            x["rounds"].pop("decode_tokens_per_s.p50")


def history_of(paths, target):
    """Lines as `rocm-bench history` writes them: one change point, one fence."""
    runs = [conftest.lines_of(p)[0]["run_id"] for p in paths]
    total = next(x for x in conftest.lines_of(paths[-1])
                 if x["type"] == "summary" and x["round"] == -1)
    names = {k: total[k] for k in ("series", "scenario", "variant", "stage")}
    common = {**names, "metric": "decode_tokens_per_s.p50"}
    ttft = {**names, "metric": "ttft_ms.p50"}
    change = {"run": CHANGE_NIGHT, "finding": "regression", "ratio": 0.75, "before": 100.5,
              "after": 75.25, "p_value": 1e-5, "suspects": ["gpus.0.driver", "server_build"],
              "nearby": []}
    lines = [{"type": "history", "schema": 1},
             *({"type": "run", "run": i, "run_id": r} for i, r in enumerate(runs)),
             {"type": "series", **common, "changes": [change], "state": "regression", "fence": None},
             {"type": "verdict", "kind": "change_point", **common, "run_id": runs[CHANGE_NIGHT],
              "finding": "regression", "observed": 0.75, "n": len(runs), "reason": "-25 % from run X"},
             {"type": "series", **ttft, "changes": [], "state": "warning", "fence": {"low": 1, "high": 2}},
             {"type": "verdict", "kind": "fence", **ttft, "run_id": runs[-1], "finding": "warning",
              "observed": 30.5, "low": 1, "high": 2, "n": 8, "reason": "30.5 is outside [1, 2]"}]
    return conftest.write_lines(target, lines)


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """(folder, history file): 16 nights."""
    folder = tmp_path_factory.mktemp("nights")
    paths = conftest.make_nights(folder, 16, slower)
    return folder, history_of(paths, tmp_path_factory.mktemp("history") / "history.jsonl")


def build(tmp_path, *arguments):
    out = tmp_path / "dashboard.html"
    assert dashboard.main([*map(str, arguments), "--out", str(out)]) == 0
    return out.read_text(encoding="utf-8")


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page,
                                re.S).group(1))


def unpacked(cells):
    return {cells[i]: cells[i + 1] for i in range(0, len(cells), 2)}


def test_values_and_intervals_are_those_of_the_files(nights, tmp_path):
    folder, _ = nights
    data = data_of(build(tmp_path, folder))
    assert len(data["runs"]) == 16
    compared = 0
    for shown in data["runs"]:
        run = run_file.read_run(folder / f"{shown['id']}.jsonl")
        totals = [s for s in run.summaries if s["round"] == -1]
        assert len(shown["rows"]) == len(totals)
        for row, total in zip(shown["rows"], totals):
            assert data["series"][row[0]][:3] == [total["scenario"], total["variant"], total["stage"]]
            assert row[2:4] == [total["requests_ok"], total["requests_failed"]]
            cells = unpacked(row[5])
            for i, (path, *_) in enumerate(data["metrics"]):
                expected = statistics.point(total, path)
                if expected is None:
                    assert i not in cells
                    continue
                value, low, high, supported = expected
                cell = cells[i] if isinstance(cells[i], list) else [cells[i], None, None]
                assert cell[0] == pytest.approx(value, rel=1e-4)
                for seen, bound in zip(cell[1:3], (low, high)):
                    assert seen == (pytest.approx(bound, rel=1e-4) if bound is not None else None)
                assert (cell[3:] == [0]) == (not supported)
                compared += 1
    assert compared > 1000


def test_the_interval_over_rounds_wins(sample):
    run = run_file.read_run(sample)
    total = next(s for s in run.summaries if s["round"] == -1)
    over = total["rounds"]["ttft_ms.p50"]
    assert statistics.point(total, "ttft_ms.p50")[1:3] == (over["low"], over["high"])
    single = next(s for s in run.summaries if s["round"] == 0)
    inside = single["metrics"]["ttft_ms"]["p50"]
    assert statistics.point(single, "ttft_ms.p50")[1:3] == (inside["low"], inside["high"])


def test_history_becomes_changes_and_states(nights, tmp_path):
    folder, history = nights
    data = data_of(build(tmp_path, folder, "--history", history))
    change, fence = data["changes"]
    series, run, verdict, before, after, suspects, nearby = change
    assert data["runs"][run]["id"].endswith(f"-{CHANGE_NIGHT:08x}")
    assert verdict[:2] == ["change_point", "regression"]
    assert (before, after, suspects, nearby) == (100.5, 75.25, ["gpus.0.driver", "server_build"], [])
    assert fence[1] == 15 and fence[2][:2] == ["fence", "warning"]
    words = {(s, data["metrics"][m][0]): w for s, m, w, *_ in data["states"]}
    assert words[series, "decode_tokens_per_s.p50"] == "regression"
    # The series of the other machine is not this one.
    assert data["series"][series][3] != data["series"][data["runs"][0]["rows"][0][0]][3]


def test_the_verdict_line_stands_in_the_page_itself(nights, tmp_path):
    folder, history = nights
    def line(page):
        return re.search(r'<p class="line">(.*?)</p>', page).group(1)

    judged = line(build(tmp_path, folder, "--history", history))
    assert ": 1 series worse, 1 series outside the fence, " in judged
    # Without a history it is the verdict of the newest run alone.
    alone = line(build(tmp_path, folder))
    assert "expectations met" in alone and "series" not in alone


def test_comparisons_keep_their_rounds(sample, tmp_path):
    data = data_of(build(tmp_path, sample))
    _, verdict, rounds, ratio = data["comparisons"][0]
    assert verdict[:2] == ["comparison", "regression"] and len(rounds) == 20 and ratio
    medians = {(s["variant"], s["round"]): s["metrics"]["tpot_ms"]["p50"]["value"]
               for s in run_file.read_run(sample).summaries if s["scenario"].startswith("ab/")}
    for number, a, b in rounds:
        assert a == pytest.approx(medians["off", number], rel=1e-4)
        assert b == pytest.approx(medians["on", number], rel=1e-4)


def test_the_policy_names_what_is_inside(nights, tmp_path):
    page = build(tmp_path, nights[0])
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1)
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy and "*" not in policy
    for kind, text in (("style", re.search(r"<style>(.*?)</style>", page, re.S).group(1)),
                       ("script", re.search(r"<script>(.*?)</script>", page, re.S).group(1))):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    markup = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.S)
    assert not re.search(r"""(?i)\bsrc=|href=(?!"#)|\son\w+=|style=|url\(|@import""", markup)
    assert "://" not in page.replace('"http://www.w3.org/2000/svg"', "")


def test_data_cannot_leave_their_element():
    text = dashboard_page.embedded({"a": "</script><!--<script>&\u2028\ud800"})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text)["a"].startswith("</script><!--<script>&\u2028")


def test_small_scripts_in_strict_mode():
    for name in dashboard_page.SCRIPTS:
        source = (dashboard_page.PAGE / name).read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|Function\(",
                             source), name


@pytest.mark.parametrize("edit", test_findings.EDITS.values(), ids=test_findings.EDITS.keys())
def test_missing_parts_never_stop_it(small, tmp_path, edit):
    path = test_findings.write(tmp_path / "run.jsonl", edit(test_findings.lines_of(small)))
    done = dashboard.main([str(path), str(small), "--out", str(tmp_path / "d.html")])
    assert done == 0 and (tmp_path / "d.html").exists()


def test_bad_input_is_one_line(small, tmp_path):
    program = [sys.executable, str(conftest.REPORTS / "dashboard.py")]
    (tmp_path / "empty").mkdir()
    for arguments in ([tmp_path / "none.jsonl"], [tmp_path / "empty"], [small, "--history", small],
                      [small, "--history", tmp_path / "none"]):
        done = subprocess.run([*program, *arguments, "--out", tmp_path / "d.html"], text=True,
                              capture_output=True, timeout=60)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
        assert not (tmp_path / "d.html").exists()


def test_request_lines_are_not_needed(sample):
    whole, quick = run_file.read_run(sample), run_file.read_run(sample, requests=False)
    assert quick.requests == [] and quick.requests_skipped == len(whole.requests)
    assert quick.summaries == whole.summaries and quick.verdicts == whole.verdicts
    assert dashboard_data._short(1234.5678) == 1234.6
