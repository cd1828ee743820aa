# SPDX-License-Identifier: EUPL-1.2
"""Workflow files and systemd units: what they name exists, what they run is sound."""

import configparser
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WORKFLOWS = sorted((ROOT / "ci/workflows").glob("*/*.yml"))


def load(path):
    document = yaml.safe_load(path.read_text())
    # YAML 1.1 reads the key `on` as a truth value.
    document["on"] = document.pop(True)
    return document


def steps_of(document):
    return [step for job in document["jobs"].values() for step in job["steps"]]


def test_both_forges_have_both():
    assert [str(p.relative_to(ROOT / "ci/workflows")) for p in WORKFLOWS] == [
        "forgejo/nightly.yml", "forgejo/pull-request.yml",
        "github/nightly.yml", "github/pull-request.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_workflow(path):
    document = load(path)
    assert document["permissions"] == {"contents": "read"}
    assert all(j["timeout-minutes"] and j["runs-on"] for j in document["jobs"].values())
    steps = steps_of(document)
    assert all(("run" in step) != ("uses" in step) for step in steps)
    for step in steps:
        uses = step.get("uses", "")
        assert not uses or re.fullmatch(
            r"actions/[a-z-]+@v\d+" if path.parent.name == "github"
            else r"https://code\.forgejo\.org/(actions|forgejo)/[a-z-]+@v\d+", uses)
        script = re.sub(r"\$\{\{.*?\}\}", "x", step.get("run", ""))
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        # What a stranger's pull request says is never pasted into a shell.
        assert "${{" not in step.get("run", "")
        for program in re.findall(r"\bci/[a-z_/]+\.sh", script):
            assert (ROOT / program).stat().st_mode & 0o100, program
    scripts = "\n".join(step.get("run", "") for step in steps)
    artefacts = [step for step in steps if "upload-artifact" in step.get("uses", "")]
    assert "GITHUB_STEP_SUMMARY" in scripts and artefacts
    assert all(step["if"] == "always()" for step in artefacts)
    if path.stem == "nightly":
        assert document["on"]["schedule"][0]["cron"] and "ci/nightly.sh" in scripts
        assert "gpu" in document["jobs"]["gpu"]["runs-on"]
    else:
        assert "pull_request" in document["on"]
        assert "ci/test.sh" in scripts and "ci/bench.sh" in scripts


def test_units():
    folder = ROOT / "ci/systemd"
    units = {}
    for name in ("service", "timer"):
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        parser.optionxform = str
        parser.read(folder / f"rocm-bench-nightly.{name}")
        units[name] = parser
    service = units["service"]["Service"]
    program = pathlib.Path(service["ExecStart"].split()[0])
    assert (ROOT / program.relative_to(service["WorkingDirectory"])).exists()
    assert "SuccessExitStatus" not in service
    assert units["timer"]["Timer"]["Persistent"] == "true"
    if shutil.which("systemd-analyze"):
        calendar = subprocess.run(
            ["systemd-analyze", "calendar", units["timer"]["Timer"]["OnCalendar"]],
            capture_output=True, text=True)
        assert calendar.returncode == 0, calendar.stderr


def test_summary_says_what_is_missing_and_stays_below_the_limit(tmp_path):
    def summary(*arguments):
        done = subprocess.run([ROOT / "ci/summary.sh", *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "No report" in summary(tmp_path)
    (tmp_path / "FINDINGS.md").write_text(
        "# FINDINGS\n\n![plot](x.png)\n\n" + "| a row of a table | 1 |\n" * 5000)
    (tmp_path / "verdict.txt").write_text("binary: /x\nrun: /y (exit 0)\nverdict: green\n")
    (tmp_path / "junit").mkdir()
    (tmp_path / "junit/release.xml").write_text(
        '<?xml version="1.0"?>\n<testsuite name="Linux"\n\ttests="900"\n\tfailures="2"\n'
        '\tdisabled="0"\n\tskipped="7"\n\thostname=""/>')
    text = summary(tmp_path, tmp_path / "junit")
    assert text.startswith("### Night: green\n\n- binary: /x\n")
    assert "**release**: 900 tests, 2 failed, 7 skipped" in text
    assert "![" not in text and "cut here" in text and len(text) < 65_536
