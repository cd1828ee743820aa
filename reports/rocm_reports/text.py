# SPDX-License-Identifier: EUPL-1.2
"""Names come from files that anybody may have written: here they become safe text."""

import hashlib
import math
import re
import shlex
import unicodedata

# Cc controls, Cf formats (bidi overrides among them), Cs surrogates, Co private, Cn unassigned.
_UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn"}
_SPECIAL = {c: f"&#{ord(c)};" for c in "\\`*[]#!|~$@"}
_SPECIAL.update({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
# What renderers turn into links by themselves: "://", "www." and a bare "//".
_AUTOLINK = re.compile(r"(?i)://|www\.")


def clean(value, limit=80):
    """One line of printable text, at most `limit` characters."""
    text = str(value)[: 4 * limit + 64]
    text = "".join(
        " " if c.isspace() else c if unicodedata.category(c) not in _UNPRINTABLE else "\ufffd"
        for c in text
    )
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def md(value, limit=80):
    """`clean`, and nothing in it means anything to Markdown or HTML. Entities and no backslashes:
    some renderers keep those inside tables."""
    text = clean(value, limit)
    out = "".join(_SPECIAL.get(c, c) for c in text)
    out = _AUTOLINK.sub(lambda m: m.group().replace(":", "&#58;").replace(".", "&#46;"), out)
    # An underscore inside a word means nothing; at its edge it is emphasis.
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", "&#95;", out)


def plot_label(value, limit=44):
    """For matplotlib: a leading underscore would hide the line from the legend; marks stacked on one
    letter overflow its rasteriser, and fonts lack most of them. Texts are drawn with
    parse_math=False."""
    text = "".join(c for c in unicodedata.normalize("NFC", clean(value, limit))
                   if not unicodedata.category(c).startswith("M"))
    return "\u200a" + text if text.startswith("_") else text or "(no name)"


def slug(value):
    """A file name that is safe anywhere and still different for different names."""
    text = str(value)
    base = re.sub(r"[^a-z0-9]+", "-", text.lower()[:200]).strip("-")[:48].strip("-")
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:6]
    return base if base and base == text else f"{base}-{digest}".lstrip("-")


def shell(argv):
    """A command line to copy, on one line."""
    return shlex.join([clean(a, 2000) for a in argv]) if isinstance(argv, list) else ""


def fenced(text, language=""):
    """A code block that its own content cannot close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def number(value, digits=4):
    """At least `digits` significant digits; no exponent in what people read."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    if isinstance(value, int) or float(value).is_integer() and abs(value) < 1e15:
        return str(int(value))
    magnitude = math.floor(math.log10(abs(value)))
    if not -6 <= magnitude < 15:
        return f"{value:.{digits}g}"
    return f"{value:.{max(0, digits - 1 - magnitude)}f}"
