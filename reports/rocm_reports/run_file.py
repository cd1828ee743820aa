# SPDX-License-Identifier: EUPL-1.2
"""Reads run files (docs/results-format.md), whole or cut off, without ever refusing one."""

import hashlib
import json
import pathlib

MAX_LINE_BYTES = 64 << 20
REQUEST = b'{"type":"request",'  # as rocm-bench writes it; a line in another form is parsed


def _as_dict(value):
    return value if isinstance(value, dict) else {}


class Run:
    """The lines of one run file by type; `problems` says what could not be read."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.header = {}
        self.requests = []
        self.events = []
        self.summaries = []
        self.verdicts = []
        self.end = None
        self.problems = []
        self.sha256 = ""
        self.requests_skipped = 0

    @property
    def run_id(self):
        return str(self.header.get("run_id") or self.path.stem)

    @property
    def status(self):
        """valid, partial or invalid; a run without an end line is partial."""
        if self.end is None:
            return "partial"
        status = self.end.get("status")
        return status if status in ("valid", "partial", "invalid") else "partial"

    @property
    def reasons(self):
        if self.end is None:
            return ["the run has no end line: it was cut off"]
        reasons = self.end.get("reasons")
        return [str(r) for r in reasons] if isinstance(reasons, list) else []

    @property
    def identity(self):
        return _as_dict(_as_dict(self.header.get("fingerprint")).get("identity"))

    @property
    def covariates(self):
        return _as_dict(_as_dict(self.header.get("fingerprint")).get("covariates"))

    @property
    def server(self):
        return _as_dict(self.header.get("server"))

    def servers_started(self):
        return [e for e in self.events if e.get("event") == "server_started"]


def _add(run, number, raw):
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError):
        run.problems.append(f"line {number} is not JSON")
        return
    kind = line.get("type") if isinstance(line, dict) else None
    lists = {
        "request": run.requests,
        "event": run.events,
        "summary": run.summaries,
        "verdict": run.verdicts,
    }
    if kind == "header":
        run.header = line
    elif kind == "end":
        run.end = line
    elif kind in lists:
        lists[kind].append(line)
    else:
        run.problems.append(f"line {number} has no known type")


def read_run(path, requests=True):
    """The run in `path`. OSError when it cannot be opened; damage inside becomes `problems`.
    Without `requests` their lines, most of a file, are counted and not parsed."""
    run = Run(path)
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        number = 0
        while True:
            raw = file.readline(MAX_LINE_BYTES)
            if not raw:
                break
            if requests:
                digest.update(raw)
            number += 1
            if not requests and raw.startswith(REQUEST):
                run.requests_skipped += 1
                continue
            if not raw.endswith(b"\n"):
                run.problems.append(f"line {number} is cut off")
                continue
            _add(run, number, raw.decode("utf-8", "replace"))
    run.sha256 = digest.hexdigest() if requests else ""
    if not run.header:
        run.problems.append("no header line")
    return run


def _header(path):
    try:
        with open(path, "rb") as file:
            line = json.loads(file.readline(MAX_LINE_BYTES).decode("utf-8", "replace"))
    except (OSError, ValueError, RecursionError):
        return {}
    return line if isinstance(line, dict) and line.get("type") == "header" else {}


def run_before(run):
    """The newest whole run of the same suite and target that started before this one, from the
    folder of its file; None without one. Headers of the others are read, nothing else."""
    def key(header):
        return str(header.get("started_at", "")), str(header.get("run_id", ""))

    def same(header):
        return all(header.get(k) == run.header.get(k) for k in ("suite", "target"))

    found = [(key(h), p) for p in run.path.parent.glob("*.jsonl")
             for h in [_header(p)] if h and same(h) and key(h) < key(run.header)]
    for _, path in sorted(found, reverse=True):
        try:
            earlier = read_run(path, requests=False)
        except OSError:
            continue
        if earlier.end is not None:
            return earlier
    return None
