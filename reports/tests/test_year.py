# SPDX-License-Identifier: EUPL-1.2
"""A simulated year of nights: the report and the dashboard stay quick and small."""

import os
import pathlib
import subprocess
import time

import pytest
import test_dashboard

BIN = pathlib.Path(os.environ["ROCM_TEST_BIN_DIR"])
NIGHTS = 365
MAX_SECONDS = 10
MAX_BYTES = 5_000_000


def run(*arguments):
    return subprocess.run(list(map(str, arguments)), check=True, capture_output=True, text=True,
                          timeout=240).stdout


@pytest.fixture(scope="module")
def year(tmp_path_factory):
    folder = tmp_path_factory.mktemp("year")
    run(BIN / "write-simulated-year", folder, "--nights", NIGHTS)
    # The index and the change points are the history's work, not the report's.
    run(BIN / "rocm-bench", "history", "--results", folder, "--out", folder / "history.out")
    return folder


def test_the_dashboard_of_a_year(year, tmp_path):
    page = tmp_path / "dashboard.html"
    begin = time.monotonic()
    run("/usr/bin/python3", "-B", test_dashboard.conftest.REPORTS / "dashboard.py", year, "--history",
        year / "history.out", "--out", page)
    assert time.monotonic() - begin < MAX_SECONDS
    assert page.stat().st_size < MAX_BYTES
    data = test_dashboard.data_of(page.read_text())
    assert len(data["runs"]) == NIGHTS
    assert any(change[2][:2] == ["change_point", "regression"] for change in data["changes"])
    assert {word for _, _, word, *_ in data["states"]} <= {"short", "steady", "warning", "regression",
                                                         "improvement"}


def test_the_command_makes_the_history_itself(year, tmp_path):
    page = tmp_path / "dashboard.html"
    assert run(BIN / "rocm-bench", "dashboard", year, "--out", page).strip() == str(page)
    data = test_dashboard.data_of(page.read_text())
    assert data["changes"] and data["states"]


def test_the_report_of_its_newest_night(year, tmp_path):
    newest = sorted(year.glob("*.jsonl"))[-1]
    begin = time.monotonic()
    run("/usr/bin/python3", "-B", test_dashboard.conftest.REPORTS / "report.py", newest, "--out", tmp_path)
    assert time.monotonic() - begin < MAX_SECONDS
    assert "Against " in (tmp_path / "FINDINGS.md").read_text()
