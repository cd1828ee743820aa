# SPDX-License-Identifier: EUPL-1.2
"""The C++ sources of the tree and what they include; shared by the checks beside this file."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("backend", "harness", "mock_server")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.M)


@dataclass(frozen=True)
class Source:
    path: str  # relative to the root, with forward slashes
    text: str

    @property
    def is_test(self):
        return bool(re.search(r"(_test|_bench|_fuzz|_testing|_for_tests|test_support|test_helper|scripted_server)\.(cc|h)$", self.path)) or (
            "/testing/" in self.path or "/testdata/" in self.path
        )

    def includes(self):
        """(line number, path) of each include directive."""
        for match in INCLUDE.finditer(self.text):
            line = self.text.count("\n", 0, match.start(2)) + 1
            yield line, match.group(2)


def sources(root=ROOT):
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".h", ".cc") and "node_modules" not in path.parts:
                yield Source(path.relative_to(root).as_posix(), path.read_text("utf-8"))


def without_comments(text):
    """The text with comments and string literals blanked, line numbers kept."""

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))

    pattern = r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
    return re.sub(pattern, blank, text, flags=re.S)
