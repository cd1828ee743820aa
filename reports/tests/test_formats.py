# SPDX-License-Identifier: EUPL-1.2
"""Rows for other tools: llama-bench's names, readable by its scripts, numbers of the run file."""

import csv
import io
import json
import os
import pathlib
import shutil
import subprocess

import conftest
import pytest
import report
from rocm_reports import formats, run_file


def rows_of(path):
    return formats.llama_bench_rows(run_file.read_run(path))


def summary_of(path, scenario):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return next(x for x in lines if x["type"] == "summary" and x["scenario"] == scenario
                and x["round"] == -1)


def test_one_stream_gives_a_pp_and_a_tg_row(sample):
    names = [formats.test_name(r) for r in rows_of(sample)]
    assert {"pp10", "tg128", "pp512", "pp2048", "tg16", "pp64", "tg64"} <= set(names)
    # Stages with several streams are nothing that llama-bench measures.
    assert names.count("tg64") == 1


def test_means_and_deviations_are_those_of_the_summary(sample):
    row = next(r for r in rows_of(sample) if formats.test_name(r) == "tg128")
    rate = summary_of(sample, "seed/decode")["metrics"]["decode_tokens_per_s"]
    assert (row["avg_ts"], row["stddev_ts"]) == (rate["mean"], rate["sd"])
    assert row["avg_ns"] == pytest.approx(128e9 / rate["mean"])


def test_every_field_that_the_script_asks_for(sample, capsys):
    assert report.main([str(sample), "--format", "llama-bench-jsonl"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows and all(list(r) == formats.FIELDS for r in rows)
    assert len(formats.FIELDS) == len(set(formats.FIELDS)) == 38
    assert rows[0]["build_commit"] == "b11669" and rows[0]["build_number"] == 11669
    assert rows[0]["model_filename"] == "model.gguf"
    integers = {"build_number", "model_size", "n_batch", "n_ubatch", "n_threads", "n_gpu_layers",
                "flash_attn", "n_prompt", "n_gen", "n_depth", "avg_ns", "stddev_ns", "use_mmap"}
    assert all(isinstance(r[k], int) for r in rows for k in integers)


def test_the_table_reads_like_llama_benchs(sample, capsys):
    assert report.main([str(sample), "--format", "llama-bench-md"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "| model                          |       size | backend    |            test |                  t/s |",
        "| ------------------------------ | ---------: | ---------- | --------------: | -------------------: |"]
    rate = summary_of(sample, "seed/decode")["metrics"]["decode_tokens_per_s"]
    speed = f"{rate['mean']:.2f} ± {rate['sd']:.2f}"
    assert (f"| gemma3 4B Q4_K - Medium        |   2.66 GiB | mock       |           tg128 "
            f"| {speed:>20} |") in lines
    assert lines[-2:] == ["", "build: b11669 (11669)"]


@pytest.mark.parametrize("model, name", [
    ({"architecture": "llama", "name": "x", "quantisation": "F32"}, "llama ?B all F32"),
    ({"architecture": "qwen2", "name": "Qwen2.5 7B Instruct", "quantisation": "Q5_K_S"},
     "qwen2 7B Q5_K - Small"),
    ({"architecture": "gemma3", "name": "Gemma 3 0.5B", "quantisation": "Q8_0"}, "gemma3 0.5B Q8_0"),
    ({}, "? ?B"),
])
def test_models_are_called_as_llama_bench_calls_them(model, name):
    assert formats.model_type(model) == name


@pytest.mark.parametrize("build, commit, number", [
    ("b11669-Debian", "Debian", 11669), ("b4242", "b4242", 4242), ("4242 (abc1234)", "abc1234", 4242),
    ("", "unknown", 0), ("whatever", "whatever", 0),
])
def test_builds(small, tmp_path, build, commit, number):
    lines = conftest.lines_of(small)
    lines[0]["server"]["build"] = lines[0]["fingerprint"]["covariates"]["server_build"] = build
    row = rows_of(conftest.write_lines(tmp_path / "run.jsonl", lines))[0]
    assert (row["build_commit"], row["build_number"]) == (commit, number)


def llama_bench(tmp_path, *arguments):
    """What the real one prints, with the chain model."""
    program = pathlib.Path(os.environ["ROCM_TEST_LLAMA_SERVER"]).with_name("llama-bench")
    model = tmp_path / "chain.gguf"
    rocm = pathlib.Path(os.environ["ROCM_TEST_BIN_DIR"]) / "rocm-bench"
    subprocess.run([rocm, "synth", "--chain", model], check=True, capture_output=True, timeout=60)
    out = subprocess.run([program, "-m", model, "-p", "16", "-n", "8", "-r", "2", *arguments], check=True,
                         capture_output=True, text=True, timeout=60)
    return out.stdout


@pytest.mark.skipif(not os.environ.get("ROCM_TEST_LLAMA_SERVER"), reason="no llama-bench here")
def test_rows_are_those_of_the_real_llama_bench(sample, tmp_path):
    real = [json.loads(x) for x in llama_bench(tmp_path, "-o", "jsonl").splitlines()]
    ours = rows_of(sample)[1]
    theirs = next(r for r in real if r["n_gen"] == 8)
    # A build older than the field, or newer: both are read by compare-llama-bench.py.
    assert set(formats.FIELDS) - set(theirs) <= {"use_mmap"}
    for name in set(formats.FIELDS) & set(theirs):
        kinds = [float if isinstance(x, float) else type(x) for x in (ours[name], theirs[name])]
        assert kinds[0] == kinds[1] or set(kinds) == {int, bool}, name
    assert ours["n_prompt"] == theirs["n_prompt"] == 0
    table = llama_bench(tmp_path, "-o", "md", "-fa", "1", "-ub", "256").splitlines()
    columns = [[c.strip() for c in line.strip("|").split("|")] for line in table[:2]]
    mine = {title: (width, right) for title, width, right, _ in formats.MD_COLUMNS}
    for title, rule in zip(*columns):
        if title != "params":  # a run file does not hold them
            assert mine[title][1] == rule.endswith(":"), title
    assert [t for t, *_ in formats.MD_COLUMNS if t in columns[0]] == [
        t for t in columns[0] if t != "params"]
    assert table[-1].startswith("build: ")


def two_builds(tmp_path, speed):
    out = []
    for build, factor in (("b100-aaa", 1), ("b200-bbb", speed)):
        path = conftest.write_sample(tmp_path / build, "--seed", "4", "--rounds", "4", "--requests", "4",
                                     "--speed", str(factor))
        lines = conftest.lines_of(path)
        lines[0]["server"]["build"] = lines[0]["fingerprint"]["covariates"]["server_build"] = build
        out.append(conftest.write_lines(path, lines))
    return out


def test_before_and_after_as_pull_requests_show_them(tmp_path, capsys):
    before, after = two_builds(tmp_path, 1.2)
    assert report.main([str(before), str(after), "--format", "llama-cpp-pr"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "| t/s aaa (100) | t/s bbb (200) | Speedup | Smallest effect |" in lines[0]
    a, b = (summary_of(p, "seed/decode") for p in (before, after))
    row = next(x for x in lines if "| seed/decode | tg128 |" in x).split(" | ")
    means = [s["metrics"]["decode_tokens_per_s"]["mean"] for s in (a, b)]
    assert row[4:7] == [f"{means[0]:.2f}", f"{means[1]:.2f}", f"{means[1] / means[0]:.2f}"]
    effect = max(s["rounds"]["decode_tokens_per_s.p50"]["smallest_effect"] for s in (a, b))
    assert row[7] == f"{effect * 100:.1f} % |"
    assert "not interleaved" in lines[-1]


def test_a_difference_that_nobody_could_see_is_marked(tmp_path, capsys):
    before, after = two_builds(tmp_path, 1.0001)
    assert report.main([str(before), str(after), "--format", "llama-cpp-pr"]) == 0
    out = capsys.readouterr().out
    assert " ≈ |" in out and "no difference was shown" in out


@pytest.mark.parametrize("count", [1, 3])
def test_before_and_after_are_two_runs(sample, capsys, count, tmp_path):
    paths = [shutil.copy(sample, tmp_path / f"{i}.jsonl") for i in range(count)]
    assert report.main([*map(str, paths), "--format", "llama-cpp-pr"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_depth_and_command_line_are_used(small, tmp_path):
    lines = [json.loads(line) for line in small.read_text().splitlines()]
    for x in lines:
        if x.get("scenario") == "seed/decode":
            x["variant"] = "depth=4"
            if x["type"] == "event":
                x["detail"]["argv"] = ["s", "-fa", "on", "-ub", "256", "--cache-type-k", "q8_0"]
    path = tmp_path / "run.jsonl"
    path.write_text("".join(json.dumps(x) + "\n" for x in lines))
    row = rows_of(path)[0]
    assert formats.test_name(row) == "pp6 @ d4"
    assert (row["flash_attn"], row["n_ubatch"], row["type_k"]) == (1, 256, "q8_0")


def test_csv_has_one_row_a_stage(sample, capsys):
    assert report.main([str(sample), "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 13
    ttft = summary_of(sample, "seed/decode")["metrics"]["ttft_ms"]
    assert float(rows[0]["ttft_ms.p50"]) == ttft["p50"]["value"]
    assert rows[0]["ttft_ms.p99.supported"] == "False"
    assert {len(r) for r in rows} == {len(rows[0])}


def test_hostile_names_are_no_formulas(hostile, tmp_path, capsys):
    lines = [json.loads(line) for line in hostile.read_text().splitlines()]
    for x in lines:
        if x.get("scenario") == "seed/decode":
            x["scenario"] = "=cmd|'/c calc'!A1"
    path = tmp_path / "run.jsonl"
    path.write_text("".join(json.dumps(x) + "\n" for x in lines))
    for name in formats.FORMATS:
        paths = [str(path)] * 1 if name != "llama-cpp-pr" else [str(path), str(hostile)]
        assert report.main([*paths, "--format", name]) == 0
    out = capsys.readouterr().out
    assert "\n=cmd" not in out and ",=cmd" not in out and "\u202e" not in out


@pytest.mark.parametrize("name", [n for n in formats.FORMATS if n != "llama-cpp-pr"])
def test_damaged_runs_give_no_rows_and_no_exception(tmp_path, capsys, name):
    path = tmp_path / "run.jsonl"
    path.write_text('{"type":"header"}\n{"type":"summary","counts":{"concurrency_max":1},'
                    '"metrics":{"decode_tokens_per_s":{"n":3}}}\n{"type":"summary"}\ngarbage\n')
    assert report.main([str(path), "--format", name]) == 0
    assert "Traceback" not in capsys.readouterr().out


def test_findings_need_a_directory(sample):
    with pytest.raises(SystemExit) as stopped:
        report.main([str(sample)])
    assert stopped.value.code == 2
