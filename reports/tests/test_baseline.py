# SPDX-License-Identifier: EUPL-1.2
"""Baseline files: those that are kept, and one as `rocm-bench baseline accept` writes it."""

import copy
import json
import os
import pathlib
import subprocess

import jsonschema
import pytest

SOURCE = pathlib.Path(os.environ["ROCM_TEST_SOURCE_DIR"])
BIN = pathlib.Path(os.environ["ROCM_TEST_BIN_DIR"])


@pytest.fixture(scope="module")
def validator():
    schema = json.loads((SOURCE / "results/schema/baseline.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


@pytest.fixture(scope="module")
def accepted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nights")
    subprocess.run([BIN / "write-simulated-year", folder, "--nights", "10", "--changes", "0"],
                   check=True, timeout=60)
    run = sorted(folder.glob("*.jsonl"))[0]
    subprocess.run([BIN / "rocm-bench", "baseline", "accept", run, "--baselines", folder / "b",
                    "--note", "first"], check=True, capture_output=True, timeout=60)
    files = list((folder / "b").glob("*.json"))
    assert len(files) == 1
    return json.loads(files[0].read_text())


def test_kept_files_are_valid(validator):
    files = list((SOURCE / "results/baselines").glob("*.json"))
    assert files
    for path in files:
        assert not list(validator.iter_errors(json.loads(path.read_text()))), path


def test_accepted_file_is_valid(validator, accepted):
    assert not list(validator.iter_errors(accepted))
    assert accepted["series"][0]["metrics"]["ttft_ms.p50"]["starts"]


def test_the_predecessor_is_read_only_and_says_what_is_wrong_with_it():
    value = json.loads((SOURCE / "results/baselines/predecessor-rx7800xt.json").read_text())
    assert value["read_only"] and value["kind"] == "published" and value["source"]["caveats"]


@pytest.mark.parametrize("damage", [
    lambda v: v.pop("fingerprint"),
    lambda v: v.update(schema=2),
    lambda v: v.update(unknown=1),
    lambda v: v["runs"][0].update(file_sha256="x"),
    lambda v: v["runs"][0].update(status="partial"),
    lambda v: v.update(runs=[]),
    lambda v: v["series"][0].pop("run_ids"),
    lambda v: v["series"][0]["metrics"]["ttft_ms.p50"].update(value=0),
    lambda v: v["series"][0]["metrics"]["ttft_ms.p50"].update(starts=[-1]),
    lambda v: v["series"][0].update(answers={"one": "0123456789abcdef"}),
    lambda v: v.update(kind="published"),
])
def test_damage_is_refused(validator, accepted, damage):
    value = copy.deepcopy(accepted)
    damage(value)
    assert list(validator.iter_errors(value))
