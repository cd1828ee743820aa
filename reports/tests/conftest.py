# SPDX-License-Identifier: EUPL-1.2
"""Sample runs come from the C++ writer itself: write-sample-run in ROCM_TEST_BIN_DIR."""

import datetime
import json
import os
import pathlib
import subprocess
import sys

import pytest

REPORTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPORTS))


def find_scipy():
    """SciPy's package cannot be installed beside our Boost: ci/packages.sh unpacks it."""
    try:
        import scipy  # noqa: F401
    except ImportError:
        cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
        sys.path.append(str(cache / "rocm-bench/scipy/root/usr/lib/python3/dist-packages"))


def write_sample(directory, *arguments):
    program = pathlib.Path(os.environ["ROCM_TEST_BIN_DIR"]) / "write-sample-run"
    out = subprocess.run([program, directory, *arguments], check=True, capture_output=True,
                         text=True, timeout=60)
    return pathlib.Path(out.stdout.strip())


@pytest.fixture(scope="session")
def sample(tmp_path_factory):
    """A whole run: four scenarios, five rounds, some failures."""
    return write_sample(tmp_path_factory.mktemp("runs"), "--seed", "3")


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """Every kind of line, few of each."""
    return write_sample(tmp_path_factory.mktemp("runs"), "--rounds", "2", "--requests", "2")


@pytest.fixture(scope="session")
def hostile(tmp_path_factory):
    return write_sample(tmp_path_factory.mktemp("runs"), "--hostile", "--rounds", "1",
                        "--requests", "3")


@pytest.fixture(scope="session")
def partial(tmp_path_factory):
    return write_sample(tmp_path_factory.mktemp("runs"), "--partial", "--rounds", "2",
                        "--requests", "3")


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def lines_of_bytes(path):
    """Of a file that may not be UTF-8."""
    return [json.loads(x) for x in path.read_bytes().decode("utf-8", "replace").splitlines()]


def write_lines(path, lines):
    path.write_text("".join(json.dumps(x, separators=(",", ":")) + "\n" for x in lines))
    return path


def make_nights(directory, count, edit=lambda night, lines: None):
    """`count` runs of one suite, a day apart, from one sample run; a build that is new every
    night."""
    one = write_sample(directory / "one", "--rounds", "2", "--requests", "2")
    source = lines_of(one)
    paths = []
    for night in range(count):
        lines = json.loads(json.dumps(source))
        at = datetime.datetime(2026, 1, 1, 2, 0) + datetime.timedelta(days=night)
        header = lines[0]
        header["run_id"] = f"{at:%Y%m%dT%H%M%SZ}-{night:08x}"
        header["started_at"] = f"{at:%Y-%m-%dT%H:%M:%S}.000Z"
        build = f"b{1000 + night}"
        header["fingerprint"]["covariates"]["server_build"] = header["server"]["build"] = build
        edit(night, lines)
        paths.append(write_lines(directory / f"{header['run_id']}.jsonl", lines))
    return paths


def hostile_run(source, target, names):
    """Every name wherever a file has one."""
    lines = lines_of(source)
    header, end = lines[0], lines[-1]
    summary = next(x for x in lines if x["type"] == "summary" and x["round"] == -1)
    verdict = next(x for x in lines if x["type"] == "verdict")
    header.update(suite=names[0], target=names[1], command=names,
                  scenarios=[{"name": n, "why": n, "server": {n: n}} for n in names])
    header["fingerprint"] = {"identity": {n: n for n in names}, "covariates": {n: n for n in names}}
    header["server"]["build"] = names[2]
    out = [header]
    for n in names:
        out.append({**summary, "scenario": n, "variant": n, "stage": n, "outcomes": {"ok": 1, n: 2}})
        for kind, finding in (("expectation", "fail"), ("comparison", "regression"),
                              ("fence", n), (n, "warning")):
            out.append({**verdict, "kind": kind, "finding": finding, "scenario": n, "stage": n,
                        "variant": f"{n} against {n}" if kind == "comparison" else n, "metric":
                        n if kind == "fence" else "ttft_ms.p50", "reason": n, "observed": 1.2})
        out.append({"type": "event", "event": n, "at_ns": 1, "scenario": n, "detail": {"text": n}})
        out.append({"type": "event", "event": "note", "at_ns": 2, "scenario": n, "detail": {"text": n}})
    out.append({**end, "status": "invalid", "reasons": names})
    write_lines(target, out)
    # Not even UTF-8.
    target.write_bytes(target.read_bytes().replace(b'"suite":"', b'"suite":"\xff\xc3(\x80'))
    return target


def browse(pages):
    """What Chromium saw of pages, see browser.mjs."""
    done = subprocess.run(["node", pathlib.Path(__file__).parent / "browser.mjs"], text=True,
                          input=json.dumps({"pages": pages}), capture_output=True, timeout=90)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
