#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""Includes may only follow the arrows of docs/architecture.md; third-party headers have homes.

Exit 1 with one line per violation. Tests, benchmarks and fuzz targets may include any room of the
product, but the mock shares nothing with it in either direction.
"""

import sys

from sources import sources

CONTRACT = {"backend", "backend/base"}
ALLOWED = {
    "backend": {"backend"},
    "backend/base": set(),
    "backend/process": CONTRACT,
    "backend/wire": CONTRACT,
    "backend/gguf": CONTRACT,
    "backend/gpu": CONTRACT,
    "backend/http": CONTRACT | {"backend/wire"},
    "backend/llama_server": CONTRACT
    | {"backend/process", "backend/gpu", "backend/gguf", "backend/http"},
    "backend/rocm": CONTRACT
    | {"backend/llama_server", "backend/http", "backend/wire", "backend/gguf", "backend/gpu"},
    "harness/base": CONTRACT,
    "harness/measure": CONTRACT | {"harness/base"},
    "harness/scenario": CONTRACT | {"harness/base"},
    "harness/record": CONTRACT | {"harness/base", "harness/measure", "harness/scenario"},
    "harness/telemetry": CONTRACT | {"backend/gpu", "harness/base"},
    "harness/target": CONTRACT
    | {"backend/rocm", "backend/llama_server", "backend/http", "backend/wire", "backend/gguf",
       "backend/gpu", "harness/measure", "harness/scenario", "harness/base"},
    "harness/load": CONTRACT
    | {"backend/http", "backend/wire", "backend/gguf", "harness/target", "harness/scenario", "harness/measure",
       "harness/base"},
    "harness/cli": None,  # wires everything
    "mock_server": set(),
}
HOMES = {
    "boost/": {"backend/http", "harness/load", "mock_server"},
    "httplib.h": {"backend/http"},
    "simdjson.h": {"backend/wire"},
    "prometheus/": {"harness/record"},
    "nlohmann/": {"backend/wire", "harness/base", "harness/scenario", "harness/record", "harness/cli",
                  "mock_server"},
    "CLI/": {"harness/cli", "mock_server"},
}


def room_of(path):
    """The longest known room that holds this path."""
    folder = path.rsplit("/", 1)[0]
    while folder and folder not in ALLOWED:
        folder = folder.rsplit("/", 1)[0] if "/" in folder else ""
    return folder


def violations(files):
    for source in files:
        room = room_of(source.path)
        if not room:
            yield f"{source.path}: in no known room; add it to ci/lint/layers.py"
            continue
        for line, include in source.includes():
            problem = check_include(source, room, include)
            if problem:
                yield f"{source.path}:{line}: {problem}"
    installed = {"backend/error.h", "backend/config.h", "backend/model.h", "backend/backend.h"}
    for source in files:
        if source.path in installed:
            for line, include in source.includes():
                if "/" in include and include not in installed | {"tl/expected.hpp"}:
                    yield f"{source.path}:{line}: an installed header includes {include}"


def check_include(source, room, include):
    other = room_of(include) if include.startswith(("backend/", "harness/", "mock_server/")) else ""
    if other:
        if ("mock_server" in (room, other)) and room != other:
            return f"the mock shares no code with the product, but this includes {include}"
        allowed = ALLOWED[room]
        if other != room and allowed is not None and other not in allowed and not source.is_test:
            return f"{room} may not include {other} ({include})"
    for prefix, homes in HOMES.items():
        if include.startswith(prefix) and room not in homes and not source.is_test:
            return f"{include} lives in {', '.join(sorted(homes))}, not in {room}"
    return None


if __name__ == "__main__":
    found = list(violations(list(sources())))
    print("\n".join(found) or "layers: clean")
    sys.exit(1 if found else 0)
