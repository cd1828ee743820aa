# SPDX-License-Identifier: EUPL-1.2
"""ci/hardware.sh and ci/bench.sh's helpers where there is no card. Needs ROCM_TEST_BIN_DIR."""

import os
import pathlib
import re
import signal
import subprocess
import time

import pytest
from services import eventually, interruptible, processes_with

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ["ROCM_TEST_BIN_DIR"])
STEPS = ["exact", "decode", "ttft", "concurrency", "flash-attention", "crash", "prefill", "depth",
         "slots"]


@pytest.fixture
def chain(tmp_path):
    path = tmp_path / "chain.gguf"
    subprocess.run([BIN / "rocm-bench", "synth", "--chain", path], check=True, capture_output=True)
    return path


def bare_machine(tmp_path, *mock_arguments):
    """Nothing but the mock to choose from: no pack, no cache, nothing to fetch."""
    server = tmp_path / "llama-server"
    server.write_text(f'#!/bin/sh\nexec {BIN}/mock-llama-server {" ".join(mock_arguments)} "$@"\n')
    server.chmod(0o755)
    return {**os.environ, "ROCM_BENCH_PROGRAM": str(BIN / "rocm-bench"),
            "OUT": str(tmp_path / "out"), "ROCM_BENCH_CACHE": str(tmp_path / "cache"),
            "ROCM_LLAMA_SERVER_PATH": str(server)}


def hardware(tmp_path, *arguments, code=0):
    done = subprocess.run(
        [ROOT / "ci/hardware.sh", *map(str, arguments)], capture_output=True, text=True, timeout=200,
        env=bare_machine(tmp_path))
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def steps_of(text):
    summary = text[text.index("== summary"):]
    return dict(re.findall(r"^(\S+) +(.*)$", summary, re.M))


def test_the_plan_names_every_step_and_runs_nothing(tmp_path, chain):
    text = hardware(tmp_path, "--plan", "--model", chain)
    steps = steps_of(text)
    assert [s for s in STEPS if s in steps] == STEPS
    assert "backend cpu" in text
    assert not list((tmp_path / "out/runs").glob("*"))


def test_a_pass_ends_within_its_budget_and_says_what_it_dropped(tmp_path, chain):
    started = time.monotonic()
    text = hardware(tmp_path, "--budget", 62, "--model", chain)
    assert time.monotonic() - started < 75
    steps = steps_of(text)
    for name in ("exact", "decode", "ttft", "concurrency"):
        assert steps[name].startswith("done"), text
    assert any(state.startswith("DROPPED") for state in steps.values()), text
    out = tmp_path / "out"
    assert (out / "report/FINDINGS.md").exists() and (out / "hardware.log").exists()
    assert (out / "calibration.json").exists()
    assert len(list((out / "runs").glob("*.jsonl"))) >= 4


def test_a_stop_ends_the_step_and_then_the_pass(tmp_path, chain):
    """As `systemctl stop` does it: the signal reaches the shell alone."""
    running = subprocess.Popen(
        [ROOT / "ci/hardware.sh", "--budget", "300", "--model", chain], stdout=subprocess.PIPE,
        text=True, preexec_fn=interruptible, env=bare_machine(tmp_path, "--mock-token-ms", "200"))
    runs = tmp_path / "out/runs"
    assert eventually(lambda: any("server_ready" in p.read_text() for p in runs.glob("*.jsonl")), 60)
    running.send_signal(signal.SIGINT)
    text, _ = running.communicate(timeout=30)
    assert running.returncode == 130, text
    assert steps_of(text)["exact"] == "STOPPED by a signal; its run file is partial"
    assert steps_of(text)["slots"] == "not run: stopped"
    assert '"status":"partial"' in next(runs.glob("*.jsonl")).read_text()
    assert eventually(lambda: not processes_with(str(tmp_path)), 5)


def test_no_room_is_said_before_anything_is_written(tmp_path):
    """The shell's own check, of what llama-quantize would need on top."""
    script = f'. {ROOT}/ci/lib.sh; . {ROOT}/ci/lib_models.sh; need_disk {tmp_path} $((1 << 60)) "a model"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert done.returncode == 2
    assert re.search(r"a model needs \d+ MB, but \S+ has \d+ MB free$", done.stderr.strip())
