# SPDX-License-Identifier: EUPL-1.2
"""FINDINGS.md: the verdict first, every number from a run file, nothing executable in it."""

import hashlib
import json
import re
import subprocess
import sys

import conftest
import pytest
import report
import test_text
from rocm_reports import findings, output, run_file, tables, text

EDITS = {
    "no end": lambda lines: lines[:-1],
    "no header": lambda lines: lines[1:],
    "only header": lambda lines: lines[:1],
    "no summaries": lambda lines: [x for x in lines if x["type"] != "summary"],
    "no requests": lambda lines: [x for x in lines if x["type"] != "request"],
    "empty objects": lambda lines: [{"type": x["type"]} for x in lines],
    "empty": lambda lines: [],
    "nulls": lambda lines: [{k: (v if k == "type" else None) for k, v in x.items()} for x in lines],
    "no chunks": lambda lines: [{k: v for k, v in x.items() if k != "chunks"} for x in lines],
    "only rounds": lambda lines: [x for x in lines if x.get("round") != -1],
}


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path, lines):
    path.write_text("".join(json.dumps(x) + "\n" for x in lines))
    return path


def render(*paths):
    return findings.findings([run_file.read_run(p) for p in paths], {})


def test_it_says_what_and_how(sample):
    out = render(sample)
    run_id = sample.stem
    assert out.index("**REGRESSION**") < out.index("### Setup") < out.index("## Results")
    assert "21 of 22 expectations met" in out and "A/B: 1 regression" in out
    assert "rocm-bench run scenarios/suites/nightly.txt --target mock" in out
    assert hashlib.sha256(sample.read_bytes()).hexdigest() in out
    assert run_id in out
    assert "connection_reset" in out
    assert "They say nothing about any hardware" in out


def numbers_allowed(path):
    """Every number of the run file, as the report would print it."""
    allowed = set()

    def walk(value):
        if isinstance(value, dict):
            for child in value.values():
                walk(child)
        elif isinstance(value, list):
            for child in value:
                walk(child)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            allowed.add(text.number(value))
            allowed.add(text.number(value, 2))
            allowed.update(text.number(value * 100, digits) for digits in (2, 3))
            allowed.add(text.number(value / 2**20))

    for line in lines_of(path):
        if line["type"] in ("summary", "verdict"):
            walk(line)
    return allowed


def test_every_number_of_the_tables_is_in_the_run_file(sample):
    allowed = numbers_allowed(sample)
    checked = 0
    for line in render(sample).split("## Results")[1].split("## Validity")[0].splitlines():
        if not line.startswith("| ") or line.startswith("| ---"):
            continue
        cells = line.split(" | ")[1:]
        # Reasons of verdicts are sentences that rocm-bench wrote.
        for cell in cells[:-1] if "expected" in line or " rounds" in cells[-1] else cells:
            for found in re.findall(r"(?<![\w.=])\d+(?:\.\d+)?(?![\w=])", re.sub(r"&#\d+;|p\d+", "", cell)):
                assert found in allowed, (found, line)
                checked += 1
    assert checked > 150


def test_percentiles_that_n_does_not_carry_are_marked(sample):
    rows = [x for x in render(sample).splitlines() if x.startswith("| concurrency=1 ")]
    assert rows and " †" in rows[0].split(" | ")[5]  # p99 of 60 requests
    poisson = [s for s in lines_of(sample) if s.get("scenario") == "load/chat_poisson_slo"
               and s["type"] == "summary" and s["round"] == -1][0]
    assert poisson["metrics"]["ttft_ms"]["n"] >= 662
    assert "†" not in tables.statistic_cell(poisson, "ttft_ms.p99")


def test_partial_and_invalid_runs_say_so(partial, tmp_path):
    assert "**PARTIAL**" in render(partial) or "The run is partial" in render(partial)
    invalid = conftest.write_sample(tmp_path, "--invalid", "--rounds", "1", "--requests", "3")
    out = render(invalid)
    assert out.index("**INVALID**") < out.index("### Setup")
    assert "the busiest load thread used 97 %" in out


def comparison(finding, metric, ratio):
    return {"type": "verdict", "kind": "comparison", "finding": finding, "scenario": "fa", "variant":
            "on against off", "stage": "decode", "metric": metric, "op": "", "limit": 0.03,
            "observed": ratio, "low": ratio - 0.02, "high": ratio + 0.02, "error_bound": None,
            "smallest_effect": 0.0212, "p_value": 0.004, "n": 20, "reason": ""}


def test_comparisons_and_history_lead_the_verdict(sample, tmp_path):
    lines = lines_of(sample)
    lines[-1:-1] = [comparison("no_change", "ttft_ms.p50", 1.004),
                    comparison("regression", "decode_tokens_per_s.p50", 0.875),
                    {**comparison("warning", "tpot_ms.p50", 12.5), "kind": "fence",
                     "reason": "outside the fence"}]
    out = render(write(tmp_path / "run.jsonl", lines))
    assert "**REGRESSION**" in out.split("### Setup")[0]
    assert "- regression: fa · on against off · decode" in out.split("### What changed")[0]
    rows = [x for x in out.splitlines() if x.startswith("| ") and "fa · on against off" in x]
    assert rows[0].startswith("| regression |") and "0.8750" in rows[0] and "2.1 %" in rows[0]
    assert "[0.8550, 0.8950]" in rows[0] and "| 20 |" in rows[0]
    assert rows[1].startswith("| no change |")
    assert "outside the fence" in out.split("## History")[1]


def test_what_the_answers_say_stands_below_the_ratios(sample, tmp_path):
    lines = lines_of(sample)
    lines[-1:-1] = [
        {**comparison("fail", "decode_tokens_per_s.p50", 1.4), "reason": "faster, with garbage"},
        {**comparison("regression", "answers_degenerate", 3), "low": None, "high": None, "n": 20,
         "reason": "3 of 20 answers are garbage", "observed": 3}]
    out = render(write(tmp_path / "run.jsonl", lines))
    assert "A/B: 1 failed" in out.split("### Setup")[0]
    ratios, counts = out.split("## Comparisons")[1].split("## Expectations")[0].strip().split("\n\n")
    assert "| 1.400 | [1.380, 1.420] |" in ratios and "faster, with garbage" in ratios
    assert counts.splitlines()[0] == "|  | variants | of the answers | count | of | why |"
    assert "| 3 | 20 | 3 of 20 answers are garbage |" in counts


def test_the_scenario_says_why_and_the_event_says_which_build(small, tmp_path):
    lines = lines_of(small)
    lines[0]["scenarios"] = [{"name": "seed/decode", "why": "How fast is <one> stream?",
                              "server": {"slots": 4, "args": []}}]
    lines[0]["fingerprint"]["covariates"].pop("server_build")
    lines[0]["server"]["build"] = ""
    lines[1]["detail"]["build"] = "b4242"
    out = render(write(tmp_path / "run.jsonl", lines))
    assert "How fast is &lt;one&gt; stream? Server: slots 4." in out
    assert "| Server | b4242 |" in out


def test_several_runs_in_one_report(sample, partial):
    out = render(sample, partial)
    assert out.count("### Setup") == 2
    assert sample.stem in out and partial.stem in out


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_missing_parts_never_stop_a_report(small, tmp_path, edit):
    path = write(tmp_path / "run.jsonl", edit(lines_of(small)))
    assert report.main([str(path), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out/FINDINGS.md").read_text().startswith("# FINDINGS")


def test_a_torn_line_is_reported(sample, tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_bytes(sample.read_bytes()[:-30])
    out = render(path)
    assert "is cut off" in out and "The run is partial" in out


def test_garbage_is_reported(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"\xff\xfe\x00garbage\n[1,2]\n" + b"[" * 100_000 + b"\n{}\n")
    out = render(path)
    assert "line 1 is not JSON" in out and "line 3 is not JSON" in out


def test_hostile_names_stay_text(hostile):
    out = render(hostile)
    assert "<script" not in out.lower()
    assert "](javascript" not in out
    assert "\u202e" not in out and "\x07" not in out
    assert "w" * 200 not in out
    # A heading can only come from us.
    assert not [x for x in out.splitlines() if x.startswith("#") and "evil" in x and "### " not in x]
    # Every row has as many cells as its table.
    blocks = re.findall(r"(?:^\|.*\n)+", out, re.M)
    assert len(blocks) > 10 and "hidden" in "".join(blocks)
    for block in blocks:
        assert len({row.count("|") for row in block.splitlines()}) == 1, block


def test_sixty_hostile_names_everywhere(small, tmp_path):
    run = conftest.hostile_run(small, tmp_path / "run.jsonl", test_text.HOSTILE)
    for arguments in (["--out", str(tmp_path / "out")], ["--append", str(tmp_path / "LOG.md")]):
        assert report.main([str(run), "--no-plots", "--title", test_text.HOSTILE[0], *arguments]) == 0
    for path in (tmp_path / "out/FINDINGS.md", tmp_path / "LOG.md"):
        out = path.read_text(encoding="utf-8")
        for name in ("a&#124;b&#124;c", "&lt;script&gt;", "&#91;x&#93;(javascript:alert(1))"):
            assert name in out
        # Code is shown as it is; nothing else may mean anything.
        prose = re.sub(r"(?ms)^(`{3,}).*?^\1$", "", out)
        assert not re.search(r"<[a-zA-Z/!?]|\]\(|://|www\.", prose)
        for block in re.findall(r"(?:^\|.*\n)+", prose, re.M):
            assert len({row.count("|") for row in block.splitlines()}) == 1, block[:300]
        headings = [x for x in prose.splitlines() if x.startswith("#")]
        assert not [x for x in headings if not re.match(r"#{1,6} \S", x)]


def test_the_program(small, tmp_path):
    command = [sys.executable, str(conftest.REPORTS / "report.py")]
    done = subprocess.run([*command, small, "--out", tmp_path / "out", "--no-plots"],
                          capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == str(tmp_path / "out/FINDINGS.md")
    missing = subprocess.run([*command, tmp_path / "none.jsonl", "--out", tmp_path / "out"],
                             capture_output=True, text=True, timeout=60)
    assert missing.returncode == 2
    assert len(missing.stderr.splitlines()) == 1
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out/FINDINGS.md"]


def test_the_old_report_survives_a_full_disk(small, tmp_path, monkeypatch):
    target = tmp_path / "FINDINGS.md"
    target.write_text("old")

    def no_space(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output.os, "fsync", no_space)
    assert report.main([str(small), "--out", str(tmp_path), "--no-plots"]) == 2
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
