# SPDX-License-Identifier: EUPL-1.2
"""Files in and out of the report programs."""

import os
import pathlib


def write_whole(path, content):
    """The old file or the new one, never half of one."""
    temporary = path.with_name(path.name + f".{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def run_files(paths):
    """Folders become the run files in them, sorted; each file once."""
    out = []
    for path in map(pathlib.Path, paths):
        out += sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    return list(dict.fromkeys(out))
