#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""Words that stay in their homes, and what every source starts with. Exit 1 with a line each."""

import re
import sys

from sources import sources, without_comments

# pattern → (why, paths or folders where it may stand)
BANS = {
    r"\b(steady_clock|high_resolution_clock)::now\b": (
        "read the clock through backend/base/clock.h", ("backend/base/clock.h", "mock_server/clock")),
    r"\bsystem_clock::now\b": (
        "wall time only labels a run: harness/base", ("harness/base/", "mock_server/clock")),
    r"\bclock_gettime\s*\(\s*CLOCK_(MONOTONIC|REALTIME|BOOTTIME)": (
        "read the clock through backend/base/clock.h", ("mock_server/clock",)),
    r"\bsleep_(for|until)\b|\b(u|nano)?sleep\s*\(": (
        "wait on a condition with a deadline", ()),
    r"\brandom_device\b|\bs?rand\s*\(": (
        "randomness is seeded; keys come from getrandom(2)", ("harness/base/",)),
    r"\bstd::(cout|cerr)\b": (
        "libraries do not print", ("harness/cli/", "mock_server/")),
    r"\busing\s+namespace\s+std\s*;": ("spell std::", ()),
    r"\b(fork|system|popen)\s*\(": (
        "processes start in backend/process", ("backend/process/", "mock_server/")),
    r"\bwaitpid\s*\(\s*-1": ("a library reaps only its own child", ()),
    r"\bsigaction\s*\(\s*SIGCHLD|\bsignal\s*\(\s*SIGCHLD": ("SIGCHLD belongs to the program", ()),
    r"\btl::expected\s*<": ("write Result<T>", ("backend/error.h", "mock_server/")),
}
SPDX = "// SPDX-License-Identifier: EUPL-1.2"


def violations(files):
    for source in files:
        if not source.text.startswith(SPDX):
            yield f"{source.path}:1: must start with '{SPDX}'"
        if source.path.endswith(".h") and "#pragma once" not in source.text:
            yield f"{source.path}:1: a header needs #pragma once"
        code = without_comments(source.text)
        for pattern, (why, homes) in BANS.items():
            if source.path.startswith(homes) if homes else False:
                continue
            for match in re.finditer(pattern, code):
                if source.is_test and why.startswith("processes"):
                    continue  # tests fork to be killed, and call other programs
                line = code.count("\n", 0, match.start()) + 1
                yield f"{source.path}:{line}: {match.group(0).strip()}: {why}"


if __name__ == "__main__":
    found = list(violations(list(sources())))
    print("\n".join(found) or "bans: clean")
    sys.exit(1 if found else 0)
