# SPDX-License-Identifier: EUPL-1.2
"""What the writer writes is what the schema says, and the schema refuses what is wrong."""

import json

import jsonschema
import pytest
import validate_run

LINES = ("header", "request", "event", "summary", "verdict", "end")


@pytest.fixture(scope="module")
def schema():
    return json.loads(validate_run.SCHEMA.read_text())


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_schema_is_a_schema(schema):
    jsonschema.Draft7Validator.check_schema(schema)


def test_real_output_is_valid(sample, hostile, capsys):
    assert validate_run.main([str(sample), str(hostile)]) == 0, capsys.readouterr().out


def test_real_output_is_valid_under_the_whole_schema(small, schema):
    validator = jsonschema.Draft7Validator(schema)
    by_type = {line["type"]: line for line in lines_of(small)}
    assert sorted(by_type) == sorted(LINES)
    for line in by_type.values():
        validator.validate(line)


def test_partial_runs_are_told_apart(partial, capsys):
    assert validate_run.main([str(partial)]) == 1
    assert "no end line" in capsys.readouterr().out
    assert validate_run.main(["--allow-partial", str(partial)]) == 0


def test_a_cut_line_is_only_allowed_in_a_partial_run(small, tmp_path, capsys):
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(small.read_bytes()[:-20])
    assert validate_run.main([str(cut)]) == 1
    assert "cut off" in capsys.readouterr().out
    assert validate_run.main(["--allow-partial", str(cut)]) == 0


@pytest.mark.parametrize("kind", LINES)
def test_a_missing_or_unknown_name_is_refused(small, schema, kind):
    checker = validate_run.Checker(schema)
    line = next(x for x in lines_of(small) if x["type"] == kind)
    assert checker.line_problems(line) == []
    for name in line:
        if name in ("chunks", "ids"):
            continue  # optional
        assert checker.line_problems({k: v for k, v in line.items() if k != name}), name
    assert checker.line_problems({**line, "surprise": 1})


@pytest.mark.parametrize("change", [
    {"outcome": "Not Snake"}, {"tokens": -1}, {"tokens": 1.5}, {"token_source": "guess"},
    {"sent_ns": -5}, {"chunks": [[1]]}, {"chunks": [[1, 2, 3]]}, {"text_sha256": "abc"},
    {"timings": {"prompt_n": 1}}, {"error": "two\nlines"}, {"round": -1},
])
def test_wrong_requests_are_refused(small, schema, change):
    line = next(x for x in lines_of(small) if x["type"] == "request")
    assert validate_run.Checker(schema).line_problems({**line, **change})


@pytest.mark.parametrize("damage, message", [
    (lambda lines: lines[1:], "only header"),
    (lambda lines: lines + [lines[-1]], "end line"),
    (lambda lines: [x for x in lines if x.get("index") != 0], "the file has"),
    (lambda lines: lines[:3] + lines[2:], "two records"),
])
def test_damage_between_lines_is_found(small, tmp_path, capsys, damage, message):
    path = tmp_path / "run.jsonl"
    path.write_text("".join(json.dumps(x) + "\n" for x in damage(lines_of(small))))
    assert validate_run.main([str(path)]) == 1
    assert message in capsys.readouterr().out


def test_nan_is_not_json(small, tmp_path, capsys):
    path = tmp_path / "run.jsonl"
    path.write_text(small.read_text().replace('"mean":', '"mean":NaN,"x":', 1))
    assert validate_run.main([str(path)]) == 1
    assert "NaN" in capsys.readouterr().out
