# SPDX-License-Identifier: EUPL-1.2
"""Sample runs come from the C++ writer itself: write-sample-run in ROCM_TEST_BIN_DIR."""

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
