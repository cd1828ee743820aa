#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""Checks run files: every line against results/schema/run.schema.json, and what a schema of single
lines cannot say (order, counts, one record per request).

    validate_run.py [--allow-partial] [--schema FILE] RUN.jsonl…

Exit codes: 0 all valid, 1 something is wrong (each problem is one line), 2 bad input."""

import argparse
import json
import pathlib
import sys

import jsonschema

SCHEMA = pathlib.Path(__file__).resolve().parent.parent / "results/schema/run.schema.json"
MAX_PROBLEMS = 20


def _refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


def _is_chunk(chunk):
    return (type(chunk) is list and len(chunk) == 2 and type(chunk[0]) is int
            and type(chunk[1]) is int and chunk[0] >= 0 and chunk[1] >= -1)


class Checker:
    """Problems of one file, in order."""

    def __init__(self, schema):
        # One validator per type: "is not valid under any of the given schemas" helps nobody.
        self._validators = {
            kind: jsonschema.Draft7Validator(
                {**schema["definitions"][kind], "definitions": schema["definitions"]})
            for kind in ("header", "request", "event", "summary", "verdict", "end")
        }

    def line_problems(self, line):
        kind = line.get("type") if isinstance(line, dict) else None
        validator = self._validators.get(kind)
        if validator is None:
            return [f"type is {kind!r}"]
        # Thousands of pairs cost the validator seconds: pairs that are plainly right are left out.
        chunks = line.get("chunks")
        if isinstance(chunks, list):
            line = {**line, "chunks": [c for c in chunks if not _is_chunk(c)][:MAX_PROBLEMS]}
        return [f"{'/'.join(map(str, e.absolute_path)) or kind}: {e.message[:200]}"
                for e in validator.iter_errors(line)]

    def file_problems(self, path, allow_partial):
        problems = []
        lines = []
        raw_lines = path.read_bytes().split(b"\n")
        if raw_lines[-1] != b"":
            problems += [] if allow_partial else ["the last line is cut off"]
        for number, raw in enumerate(raw_lines[:-1], 1):
            try:
                line = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
            except ValueError as error:
                problems.append(f"line {number}: {error}")
                continue
            lines.append(line)
            problems += [f"line {number}: {p}" for p in self.line_problems(line)]
        if not problems:
            problems += _order_problems(lines, allow_partial) + _count_problems(lines)
        return problems


def _order_problems(lines, allow_partial):
    kinds = [line["type"] for line in lines]
    problems = []
    if kinds[:1] != ["header"] or kinds.count("header") != 1:
        problems.append("a run file starts with its only header")
    if kinds.count("end") > 1 or "end" in kinds[:-1]:
        problems.append("the end line is not the last one")
    elif kinds[-1:] != ["end"] and not allow_partial:
        problems.append("no end line: the run is partial")
    return problems


def _count_problems(lines):
    problems = []
    seen = {}
    for line in lines:
        if line["type"] != "request":
            continue
        where = tuple(line[k] for k in ("scenario", "variant", "round", "stage"))
        indices = seen.setdefault(where, set())
        if line["index"] in indices:
            problems.append(f"two records of request {where} {line['index']}")
        indices.add(line["index"])
    requests = sum(len(indices) for indices in seen.values())
    for line in lines:
        if line["type"] == "end" and line["requests"] != requests:
            problems.append(f"end says {line['requests']} requests, the file has {requests}")
        if line["type"] != "summary":
            continue
        where = tuple(line[k] for k in ("scenario", "variant", "round", "stage"))
        if line["round"] >= 0 and line["requests"] != len(seen.get(where, ())):
            problems.append(f"summary of {where} says {line['requests']} requests, the file has "
                            f"{len(seen.get(where, ()))}")
        if line["requests"] != line["requests_ok"] + line["requests_failed"]:
            problems.append(f"summary of {where}: ok and failed do not add up")
    return problems


def main(argv=None):
    parser = argparse.ArgumentParser(description="Checks run files against the schema.")
    parser.add_argument("runs", nargs="+", type=pathlib.Path, metavar="RUN.jsonl")
    parser.add_argument("--allow-partial", action="store_true")
    parser.add_argument("--schema", type=pathlib.Path, default=SCHEMA)
    arguments = parser.parse_args(argv)
    failed = False
    try:
        checker = Checker(json.loads(arguments.schema.read_text(encoding="utf-8")))
        for path in arguments.runs:
            problems = checker.file_problems(path, arguments.allow_partial)
            failed = failed or bool(problems)
            for problem in problems[:MAX_PROBLEMS]:
                print(f"{path}: {problem}")
            if len(problems) > MAX_PROBLEMS:
                print(f"{path}: and {len(problems) - MAX_PROBLEMS} more")
    except (OSError, ValueError) as error:
        print(f"validate_run: {error}", file=sys.stderr)
        return 2
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
