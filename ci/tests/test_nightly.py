# SPDX-License-Identifier: EUPL-1.2
"""ci/nightly.sh and ci/build_llama_server.sh as a machine runs them, against the mock and a cmake
that only pretends. Needs ROCM_TEST_BIN_DIR."""

import fcntl
import json
import os
import pathlib
import re
import signal
import subprocess

import pytest
from services import Listening, eventually, get, interruptible, processes_with, tool

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ["ROCM_TEST_BIN_DIR"])
MOCK = BIN / "mock-llama-server"


def script(name, *arguments, code=0, **environment):
    done = subprocess.run(
        [ROOT / "ci" / name, *map(str, arguments)], capture_output=True, text=True, timeout=240,
        env={**os.environ, "ROCM_BENCH_PROGRAM": str(BIN / "rocm-bench"), **environment})
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture
def suite(tmp_path):
    """Two scenarios that take a second; the first is the more important one."""
    folder = tmp_path / "suite"
    folder.mkdir()
    for name, tokens in (("first", 24), ("second", 8)):
        (folder / f"{name}.json").write_text(json.dumps({
            "schema": 1, "name": name, "why": "A night in a second.", "kind": "load",
            "server": {"slots": 1, "context_per_slot": 512},
            "workload": {"api": "native", "prompt": {"text": "hello"},
                         "output_tokens": {"fixed": tokens}},
            "stages": [{"name": "steady", "closed_loop": {"concurrency": 1}, "requests": 6}],
            "expect": [{"metric": "requests_failed", "op": "==", "value": 0}]}))
    path = folder / "suite.txt"
    path.write_text("first.json  # the speed\nsecond.json\n")
    return path


def wrapper(path, *arguments):
    """A llama-server of its own: the mock with a speed of its own."""
    path.write_text(f'#!/bin/sh\nexec {MOCK} {" ".join(arguments)} "$@"\n')
    path.chmod(0o755)
    return path


def night(suite, state, *arguments, code=0, **environment):
    return script("nightly.sh", "--state", state, "--suite", suite, "--budget", "60s", *arguments,
                  code=code, **environment)


def nights(state):
    return [json.loads(line) for line in (state / "nights.jsonl").read_text().splitlines()]


def test_a_green_night(suite, tmp_path):
    state = tmp_path / "state"
    done = night(suite, state, "--target", "mock")
    assert re.search(r"Night \S+: green \(exit 0, \d+ s of 60\)", done.stdout)
    report = next((state / "reports").iterdir())
    assert (report / "FINDINGS.md").read_text().count("first") > 0
    assert (report / "verdict.txt").read_text().endswith("verdict: green\n")
    assert os.path.realpath(state / "good") == str(MOCK)
    assert nights(state)[0]["verdict"] == "green"
    assert int((state / "decode").read_text()) > 0
    runs = list((state / "runs").glob("*.jsonl"))
    assert len(runs) == 1
    assert json.loads(runs[0].read_text().splitlines()[-1])["status"] == "valid"


def test_a_model_share_that_is_not_mounted_is_skipped_and_not_green(suite, tmp_path):
    state = tmp_path / "state"
    done = night(suite, state, "--target", "llama-server", "--model", "/nowhere/model.gguf", code=77)
    assert "SKIPPED, not green: the model /nowhere/model.gguf is not there" in done.stdout
    assert nights(state)[0] == {**nights(state)[0], "verdict": "skipped", "exit": 77}
    assert not (state / "good").exists() and not list((state / "runs").glob("*"))


def test_a_second_start_refuses_or_waits(suite, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    (state / "night").write_text("the night of X, process 1,")
    with open(state / "lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = night(suite, state, "--target", "mock", code=75)
        assert "the night of X, process 1, is running" in done.stderr and "--wait" in done.stderr
        waiting = subprocess.Popen(
            [ROOT / "ci/nightly.sh", "--state", state, "--suite", suite, "--target", "mock",
             "--wait", "--budget", "60s"], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "ROCM_BENCH_PROGRAM": str(BIN / "rocm-bench")})
        assert "waiting: the night of X, process 1, is running" in waiting.stdout.readline()
    out, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0 and "green" in out


def test_the_budget_drops_the_least_important_and_says_so(suite, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    (state / "decode").write_text("20\n")  # the first takes about 13 s, the second 8 s
    done = script("nightly.sh", "--state", state, "--suite", suite, "--budget", "24s", "--target",
                  "mock")
    assert re.search(r"DROPPED for the budget of 24 s: second \(about \d+ s\)", done.stdout)
    names = {json.loads(line)["scenario"]
             for line in next((state / "runs").glob("*.jsonl")).read_text().splitlines()
             if '"type":"request"' in line}
    assert names == {"first"}
    done = script("nightly.sh", "--state", state, "--suite", suite, "--budget", "5s", "--target",
                  "mock", code=4)
    assert "nothing fits the budget of 5 s" in done.stdout


def test_bad_input_is_one_line(suite, tmp_path):
    for arguments, line in (
            (["--budget", "soon"], "--budget is a number with s, m or h, not 'soon'"),
            (["--suite", "/none.txt"], "no such suite: /none.txt"),
            (["--frobnicate"], "unknown option --frobnicate"),
            (["--model"], "--model needs a value")):
        done = script("nightly.sh", "--state", tmp_path / "s", *arguments, code=2)
        assert line in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_a_failed_check_is_red_and_no_good_binary(suite, tmp_path):
    state = tmp_path / "state"
    faults = tmp_path / "faults.json"
    faults.write_text('{"rules": [{"when": {"endpoint": "/completion"}, "times": 1,'
                      '"fault": {"type": "end", "token": 1, "how": "reset"}}]}')
    done = night(suite, state, "--target", "mock", "--", f"--server-arg=--mock-faults",
                 f"--server-arg={faults}", code=1)
    assert "Night" in done.stdout and "a check failed (exit 1" in done.stdout
    assert not (state / "good").exists()


def test_a_night_on_a_cards_preset_reports_and_pushes(tmp_path):
    state = tmp_path / "state"
    smoke = ROOT / "scenarios/suites/smoke.txt"
    gateway = Listening(tool("prometheus-pushgateway"), "--web.listen-address=127.0.0.1:0")
    try:
        script("nightly.sh", "--state", state, "--suite", smoke, "--budget", "200s", "--target",
               "mock", "--pushgateway", gateway.url, "--instance", "card", "--",
               "--server-arg=--mock-preset", "--server-arg=rx7800xt-gemma3-4b",
               "--server-arg=--mock-load-ms", "--server-arg=100")
        groups = json.loads(get(gateway.url + "/api/v1/metrics"))["data"]
    finally:
        gateway.stop()
    by_scenario = {g["labels"]["scenario"]: g for g in groups}
    assert set(by_scenario) == {"decode", "ttft", "concurrent", "concurrent_4x2048"}
    assert all(g["labels"]["instance"] == "card" for g in groups)
    rate = by_scenario["decode"]["rocm_bench_decode_tokens_per_second"]["metrics"][0]["value"]
    assert 100 < float(rate) < 115  # the preset's 109
    report = next((state / "reports").iterdir())
    assert "concurrent_4x2048" in (report / "FINDINGS.md").read_text()
    assert f"pushed to {gateway.url}" in (report / "verdict.txt").read_text()


def test_a_gateway_that_is_not_there_is_no_green_night(suite, tmp_path):
    done = night(suite, tmp_path / "state", "--target", "mock", "--pushgateway",
                 "http://127.0.0.1:1", code=3)
    assert "NOT pushed to http://127.0.0.1:1" in done.stdout
    assert "measured, but not pushed (exit 3" in done.stdout


def has_ab():
    """Comparisons can be run by this build."""
    path = ROOT / "scenarios"
    text = subprocess.run([BIN / "rocm-bench", "run", "--help"], capture_output=True, text=True)
    return path.exists() and "--variant" in text.stdout


@pytest.mark.skipif(not has_ab(), reason="this build runs no comparisons")
def test_a_slower_binary_is_warned_of_confirmed_and_red(suite, tmp_path):
    """Nine nights on one binary, then one on a slower one; then that one is not taken for good."""
    state = tmp_path / "state"
    fast = wrapper(tmp_path / "fast", "--mock-ttft-ms 6 --mock-token-ms 4")
    slow = wrapper(tmp_path / "slow", "--mock-ttft-ms 6 --mock-token-ms 6")
    (suite.parent / "suite.txt").write_text("first.json\n")
    model = tmp_path / "chain.gguf"
    subprocess.run([BIN / "rocm-bench", "synth", "--chain", model], check=True, capture_output=True)
    common = ["--target", "llama-server", "--model", model, "--backend", "cpu"]
    for _ in range(9):
        night(suite, state, *common, ROCM_LLAMA_SERVER_PATH=str(fast))
    assert os.path.realpath(state / "good") == str(fast)
    done = night(suite, state, *common, "--budget", "900s", code=1,
                 ROCM_LLAMA_SERVER_PATH=str(slow))
    assert "early warning: first" in done.stdout
    assert "regression confirmed (exit 1" in done.stdout
    assert os.path.realpath(state / "good") == str(fast)
    confirmed = [json.loads(line) for path in (state / "confirm").glob("*.jsonl")
                 for line in path.read_text().splitlines()]
    assert any(line["type"] == "verdict" and line["finding"] == "regression" for line in confirmed)


# --- what asks for an A/B, and what it says ------------------------------------------------------

def history_of(path, scenario, metric, state="regression", point=1, finding="regression",
               files=("a.jsonl", "b.jsonl", "c.jsonl"), variant=""):
    """One series over these runs, whose level changed at `point`."""
    lines = [{"type": "run", "run": i, "file": f} for i, f in enumerate(files)]
    lines += [{"type": "series", "state": state, "runs": list(range(len(files))),
               "changes": [{"point": point}]},
              {"type": "verdict", "finding": finding, "scenario": scenario, "variant": variant,
               "metric": metric, "point": point, "run": point, "reason": "slower"}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def suspects(tmp_path, scenario, *history):
    """What nightly_confirm.py prints for the newest of three nights."""
    run = tmp_path / "c.jsonl"
    run.write_text(json.dumps({"type": "header", "scenarios": [scenario]}) + "\n")
    done = subprocess.run(
        ["/usr/bin/python3", ROOT / "ci/nightly_confirm.py",
         history_of(tmp_path / "history.jsonl", scenario["name"], *history), tmp_path, run],
        capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def load(suite, **more):
    return {**json.loads((suite.parent / "first.json").read_text()), **more}


def test_a_regression_is_suspect_while_it_lasts_and_not_in_its_first_night_only(suite, tmp_path):
    first = load(suite)
    for point, state, count in ((2, "regression", 1), (1, "regression", 1), (1, "steady", 0)):
        found = suspects(tmp_path, first, "decode_tokens_per_s.p50", state, point)
        assert len(found) == count, (point, state)
    assert not suspects(tmp_path, first, "decode_tokens_per_s.p50", "improvement", 1, "improvement")


def test_only_the_times_of_loads_are_confirmed(suite, tmp_path):
    assert suspects(tmp_path, load(suite), "ttft_ms.p50")[0][0] == str(tmp_path / "first.json")
    assert suspects(tmp_path, load(suite), "vram_of_load_bytes")[0] == [
        "-", "first vram_of_load_bytes: slower"]
    fault = load(suite, kind="fault", fault={"action": "kill"})
    assert suspects(tmp_path, fault, "ttft_ms.p50")[0][0] == "-"


def test_what_comes_from_a_clock_is_told_as_the_harness_tells_it():
    def names(path, function):
        text = (ROOT / path).read_text()
        body = text[text.index(function):]
        return set(re.findall(r'"([a-z_.]+)"', body[:body.index("\n\n\n" if path.endswith("py") else "\n}")]))

    harness = names("harness/measure/metric_check.cc", "bool IsTiming")
    assert len(harness) > 7 and harness <= names("ci/nightly_confirm.py", "def is_timing")


def test_a_search_for_saturation_becomes_a_comparison_that_can_run(tmp_path):
    name = "rate_to_saturation"
    scenario = json.loads((ROOT / f"scenarios/concurrency/{name}.json").read_text())
    path, _ = suspects(tmp_path, scenario, "ttft_ms.p50")[0]
    subprocess.run([BIN / "rocm-bench", "run", path, "--target", "mock", "--dry-run"], check=True)
    assert "true" not in json.dumps(json.loads(pathlib.Path(path).read_text())["sweep"])


def pretender(tmp_path):
    """rocm-bench, but each night's history ends in a regression, and A/Bs end as FAKE_AB says."""
    (tmp_path / "regress.py").write_text(
        "import json, sys\n"
        "lines = [json.loads(line) for line in open(sys.argv[1])]\n"
        "run = [line['run'] for line in lines if line['type'] == 'run'][-1]\n"
        "place = {'scenario': 'first', 'variant': '', 'metric': 'ttft_ms.p50', 'point': 0}\n"
        "with open(sys.argv[1], 'a') as file:\n"
        "    for line in ({'type': 'series', 'state': 'regression', 'runs': [run],\n"
        "                  'changes': [{'point': 0}]},\n"
        "                 {'type': 'verdict', 'finding': 'regression', 'run': -1,\n"
        "                  'reason': 'slower', **place}):\n"
        "        file.write(json.dumps(line) + '\\n')\n")
    path = tmp_path / "rocm-bench"
    path.write_text(
        '#!/bin/bash\ncase " $* " in\n'
        f'*" history "*) {BIN}/rocm-bench "$@" && exec /usr/bin/python3 {tmp_path}/regress.py "${{@: -1}}" ;;\n'
        '*rocm-nightly*" --dry-run "*) [ "$FAKE_AB" != unplanned ] || exit 2 ;;\n'
        '*" --variant "*) [ -z "$FAKE_FOUND" ] || { while [ "$1" != --out ]; do shift; done\n'
        '  printf \'{"type":"verdict","kind":"%s","metric":"ttft_ms.p50","finding":"%s"}\\n\' $FAKE_FOUND >"$2/ab.jsonl"; }\n'
        '  exit "$FAKE_AB" ;;\nesac\n'
        f'exec {BIN}/rocm-bench "$@"\n')
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("ab, found, code, promoted, says", [
    ("0", "comparison no_change", 0, True, "green, with early warnings"),
    ("0", "comparison insufficient_data", 0, False, "not settled: the A/B of first could not tell"),
    ("0", "", 0, False, "not settled: the A/B of first could not tell, see above"),
    ("1", "comparison regression", 1, False, "regression confirmed"),
    ("1", "", 0, False, "the A/B of first failed without a regression, see above"),
    ("1", "expectation regression", 0, False, "the A/B of first failed without a regression, see "),
    ("2", "", 0, False, "not confirmed: the A/B of first did not end well, see above"),
    ("unplanned", "", 0, False, "not confirmed: an A/B of first cannot be planned"),
])
def test_only_an_ab_that_clears_a_warning_makes_a_binary_good(
        suite, tmp_path, ab, found, code, promoted, says):
    state = tmp_path / "state"
    old, new = wrapper(tmp_path / "old"), wrapper(tmp_path / "new", "--mock-ttft-ms 6")
    (suite.parent / "suite.txt").write_text("first.json\n")
    model = tmp_path / "chain.gguf"
    subprocess.run([BIN / "rocm-bench", "synth", "--chain", model], check=True, capture_output=True)
    state.mkdir()
    (state / "good").symlink_to(old)
    done = night(suite, state, "--target", "llama-server", "--model", model, "--backend", "cpu",
                 "--budget", "300s", code=code, ROCM_LLAMA_SERVER_PATH=str(new),
                 ROCM_BENCH_PROGRAM=str(pretender(tmp_path)), FAKE_AB=ab, FAKE_FOUND=found)
    assert says in done.stdout
    assert os.path.realpath(state / "good") == str(new if promoted else old)
    kept = f"the last good binary stays {old}: a warning is not settled" in done.stdout
    assert kept == (code == 0 and not promoted)


def test_a_warning_without_another_binary_to_compare_with(suite, tmp_path):
    state = tmp_path / "state"
    (suite.parent / "suite.txt").write_text("first.json\n")
    warned = {"ROCM_BENCH_PROGRAM": str(pretender(tmp_path))}
    (tmp_path / "mock-llama-server").symlink_to(MOCK)
    done = night(suite, state, "--target", "mock", **warned)
    assert "not confirmed: there is no last good binary yet" in done.stdout
    assert not (state / "good").exists()
    night(suite, state, "--target", "mock")
    assert os.path.realpath(state / "good") == str(MOCK)
    done = night(suite, state, "--target", "mock", **warned)
    assert "this is the last good binary itself" in done.stdout
    assert "green, with early warnings" in done.stdout
    assert os.path.realpath(state / "good") == str(MOCK)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_ends_the_run_and_then_the_night(suite, tmp_path, how):
    """As `systemctl stop` does it: the signal reaches the shell alone."""
    state = tmp_path / "state"
    running = subprocess.Popen(
        [ROOT / "ci/nightly.sh", "--state", state, "--suite", suite, "--budget", "300s", "--target",
         "mock", "--", "--server-arg=--mock-token-ms", "--server-arg=500"], stdout=subprocess.PIPE,
        text=True, preexec_fn=interruptible,
        env={**os.environ, "ROCM_BENCH_PROGRAM": str(BIN / "rocm-bench")})
    runs = state / "runs"
    assert eventually(lambda: any("server_ready" in p.read_text() for p in runs.glob("*.jsonl")))
    running.send_signal(how)
    out, _ = running.communicate(timeout=30)
    assert running.returncode == 4 and "STOPPED by a signal; measured: " in out, out
    assert nights(state)[0] == {**nights(state)[0], "verdict": "partial", "exit": 4}
    assert json.loads(next(runs.glob("*.jsonl")).read_text().splitlines()[-1])["status"] == "partial"
    assert not (state / "good").exists()
    assert eventually(lambda: not processes_with(str(tmp_path)), 5)


# --- building llama-server ------------------------------------------------------------------------

@pytest.fixture
def checkout(tmp_path):
    """What looks like llama.cpp, and a cmake that records its arguments and "builds" the mock."""
    source = tmp_path / "llama.cpp"
    (source / "tools").mkdir(parents=True)
    (source / "CMakeLists.txt").write_text("project(llama)\n")
    git = ["git", "-C", str(source), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "init", "-q", source], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "cmake").write_text(
        f'#!/bin/bash\nprintf "%s\\n" "$*" >>{tmp_path}/cmake.log\n'
        'if [ "$1" = --build ]; then mkdir -p "$2/bin"\n'
        f'[ -n "$FAKE_BROKEN" ] && {{ echo "x.cpp:3: error: no such thing"; exit 1; }}\n'
        f'cp {MOCK} "$2/bin/llama-server"; fi\n')
    (tools / "cmake").chmod(0o755)
    return source, {"PATH": f"{tools}:{os.environ['PATH']}"}, tmp_path / "cmake.log"


def test_variants_have_the_flags_that_the_card_was_measured_with():
    def flags(variant, **environment):
        return script("build_llama_server.sh", "--variant", variant, "--print-flags",
                      **environment).stdout.split()

    rocm = flags("rocm")
    assert {"-DGGML_HIP=ON", "-DAMDGPU_TARGETS=gfx1100", "-DGGML_HIP_ROCWMMA_FATTN=ON",
            "-DCMAKE_BUILD_TYPE=Release"} <= set(rocm)
    assert "-DGGML_HIP_ROCWMMA_FATTN=OFF" in flags("rocm-nofa")
    assert "-DAMDGPU_TARGETS=gfx1201" in flags("rocm", AMDGPU_TARGETS="gfx1201")
    for variant, flag in (("cuda", "-DGGML_CUDA=ON"), ("vulkan", "-DGGML_VULKAN=ON"),
                          ("sycl", "-DGGML_SYCL=ON"), ("cpu", "-DGGML_NATIVE=ON")):
        assert flag in flags(variant)
    done = script("build_llama_server.sh", "--variant", "abacus", code=2)
    assert "--variant is rocm, rocm-nofa, cuda, vulkan, sycl or cpu, not 'abacus'" in done.stderr


def test_a_binary_is_built_once_for_each_commit_and_flags(checkout, tmp_path):
    source, environment, log = checkout
    keep = tmp_path / "keep"

    def build(variant, *more):
        return pathlib.Path(script("build_llama_server.sh", source, "--variant", variant, "--keep",
                                   keep, *more, **environment).stdout.strip())

    first = build("cpu")
    assert first.parent.parent == keep and os.access(first, os.X_OK)
    assert "-DGGML_NATIVE=ON" in (first.parent / "build.txt").read_text()
    calls = len(log.read_text().splitlines())
    assert build("cpu") == first and len(log.read_text().splitlines()) == calls
    assert build("vulkan") != first
    assert build("cpu", "--cmake", "-DGGML_AVX512=OFF") != first
    (source / "CMakeLists.txt").write_text("project(changed)\n")
    assert "-dirty-" in str(build("cpu"))


def test_the_last_binaries_are_kept_and_the_good_one(checkout, tmp_path):
    source, environment, _ = checkout
    keep = tmp_path / "state/binaries"
    for index in range(5):
        (keep / f"old{index}").mkdir(parents=True)
        (keep / f"old{index}/llama-server").write_text("")
        os.utime(keep / f"old{index}", (1000 + index, 1000 + index))
    (tmp_path / "state/good").symlink_to(keep / "old0/llama-server")  # as nightly.sh does
    script("build_llama_server.sh", source, "--variant", "cpu", "--keep", keep, ROCM_BENCH_KEEP="3",
           **environment)
    left = sorted(path.name for path in keep.iterdir() if path.name.startswith("old"))
    assert left == ["old0", "old3", "old4"]


def test_a_build_that_fails_ends_the_night_with_its_line(checkout, suite, tmp_path):
    source, environment, _ = checkout
    state = tmp_path / "state"
    done = night(suite, state, "--source", source, "--variant", "cpu", "--target", "llama-server",
                 code=3, FAKE_BROKEN="1", **environment)
    assert "error: no such thing" in done.stderr and "failed; the whole log: " in done.stderr
    assert nights(state)[0]["verdict"] == "build failed"
    done = script("build_llama_server.sh", tmp_path, "--variant", "cpu", code=2)
    assert "is no checkout of llama.cpp" in done.stderr


def test_a_night_from_source(checkout, suite, tmp_path):
    source, environment, _ = checkout
    state = tmp_path / "state"
    model = tmp_path / "chain.gguf"
    subprocess.run([BIN / "rocm-bench", "synth", "--chain", model], check=True, capture_output=True)
    night(suite, state, "--source", source, "--variant", "cpu", "--model", model, "--backend", "cpu",
          **environment)
    assert os.path.realpath(state / "good").startswith(str(state / "binaries"))
