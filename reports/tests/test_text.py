# SPDX-License-Identifier: EUPL-1.2
import re

import pytest
from rocm_reports import text

HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</td></table>", "&lt;b&gt;",
    "[x](javascript:alert(1))", "![x](http://example.org/a.png)", "http://example.org",
    "www.example.org", "<http://example.org>", "a|b|c", "`code`", "``", "```\nfence", "$\\frac{$",
    "**bold**", "_em_", "~~gone~~", "# heading", "- item", "1. item", "> quote", "---", "\\|",
    "a\nb\r\nc", "\0", "\x1b[31mred", "\u202eevil\u2066", "\ufeffbom", "\ud800", "\U000e0041",
    "e\u0301" * 5, "\u200b" * 50, "x" * 100_000, "", " ", "@everyone", "#123", "[^1]",
    "<!-- c -->", "{{ 7*7 }}", "{% raw %}", "=cmd()", "\u2028line", "😀" * 300, "_hidden", "__init__",
    "'; DROP TABLE runs;--", "../../etc/passwd", "C:\\x", "%s%n", "a" + "\u0300" * 1000,
    "\x85next", "\x7f", "\ue000private", "<svg/onload=alert(1)>", "&#x3C;script&#x3E;",
    "\u2029", "\t", "<a href='//x'>", "||||", "\\", "NaN", "null", "$(rm -rf /)", "`rm -rf /`",
]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_names_are_one_short_printable_line(name):
    out = text.clean(name)
    assert len(out) <= 80
    assert out.isprintable()
    assert not re.search("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", out)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_markdown_means_nothing(name):
    out = text.md(name)
    assert not set("<>|`*[]\\$~@!#\n") & set(re.sub(r"&#\d+;", "", out))
    assert "://" not in out and "www." not in out.lower()
    assert not re.search(r"(^|[^A-Za-z0-9])_|_($|[^A-Za-z0-9])", out)
    out.encode("utf-8")


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_file_names_are_plain(name):
    out = text.slug(name)
    assert re.fullmatch(r"[a-z0-9-]{1,60}", out)


def test_different_names_have_different_files():
    names = ["a b", "a-b", "A-B", "a_b", "a.b", "x" * 300, "x" * 301]
    assert len({text.slug(n) for n in names}) == len(names)


def test_what_is_harmless_stays_readable():
    assert text.md("Q4_K_M") == "Q4_K_M"
    assert text.md("ttft/by_prompt_length") == "ttft/by_prompt_length"
    assert text.md("2026-11-20T10:15:30Z") == "2026-11-20T10:15:30Z"


def test_a_fence_cannot_be_closed_from_inside():
    block = text.fenced("a\n````\nb", "sh")
    lines = block.split("\n")
    assert lines[0] == "`````sh" and lines[-1] == "`````"


def test_commands_can_be_copied():
    assert text.shell(["a b", "$x", "ok"]) == "'a b' '$x' ok"
    assert text.shell(None) == ""


@pytest.mark.parametrize("value, expected", [
    (0, "0"), (3, "3"), (1512.4893, "1512"), (23.6544, "23.65"), (0.00026, "0.0002600"),
    (102.35, "102.3"), (9.59, "9.590"), (128.0, "128"), (float("nan"), "–"), (None, "–"), (True, "–"),
    ("7", "–"), (float("inf"), "–"), (-2.5, "-2.500"), (1e-9, "1e-09"), (123456, "123456"),
])
def test_numbers(value, expected):
    assert text.number(value) == expected
