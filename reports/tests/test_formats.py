# SPDX-License-Identifier: EUPL-1.2
"""Rows for other tools: llama-bench's names, readable by its scripts, numbers of the run file."""

import csv
import io
import json

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
    assert len(formats.FIELDS) == len(set(formats.FIELDS)) == 35
    assert rows[0]["build_commit"] == "b11669" and rows[0]["build_number"] == 11669
    assert rows[0]["model_filename"] == "model.gguf"
    integers = {"build_number", "model_size", "n_batch", "n_ubatch", "n_threads", "n_gpu_layers",
                "flash_attn", "n_prompt", "n_gen", "n_depth", "avg_ns", "stddev_ns", "use_mmap"}
    assert all(isinstance(r[k], int) for r in rows for k in integers)


def test_the_table_reads_like_llama_benchs(sample, capsys):
    assert report.main([str(sample), "--format", "llama-bench-md"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| model | size | backend | ngl | fa | test | t/s |"
    rate = summary_of(sample, "seed/decode")["metrics"]["decode_tokens_per_s"]
    wanted = (f"| gemma3 Gemma 3 4B Q4_K_M | 2.66 GiB | mock | 99 | 0 | tg128 "
              f"| {rate['mean']:.2f} ± {rate['sd']:.2f} |")
    assert wanted in lines


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
        assert report.main([str(path), "--format", name]) == 0
    out = capsys.readouterr().out
    assert "\n=cmd" not in out and ",=cmd" not in out and "\u202e" not in out


@pytest.mark.parametrize("name", formats.FORMATS)
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
