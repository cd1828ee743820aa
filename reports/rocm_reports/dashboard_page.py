# SPDX-License-Identifier: EUPL-1.2
"""The dashboard as one HTML file: style, script and data inside, and a policy that lets nothing
else in."""

import base64
import hashlib
import html
import json
import pathlib

from .text import clean

PAGE = pathlib.Path(__file__).resolve().parent / "page"
SCRIPTS = ["dom.js", "model.js", "charts.js", "views.js", "main.js"]
# The same shapes as in dom.js.
LOOK = {"passed": ("good", "✓"), "partial": ("warn", "◐"), "invalid": ("warn", "!"),
        "regression": ("bad", "▼"), "failed": ("bad", "✕")}


def embedded(value):
    """JSON that cannot leave its script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode("utf-8", "replace").decode("utf-8")


def _hash(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def verdict_line(value):
    """(tone, sign, sentence): the newest run, and the series whose level is a worse one."""
    if not value["runs"]:
        return "quiet", "·", "No run yet"
    run = value["runs"][-1]
    states = [word for _, _, word, _, _ in value["states"]]
    facts = [run["facts"]]
    for word, what in (("warning", "outside the fence"), ("regression", "worse")):
        series = {s for s, _, w, _, _ in value["states"] if w == word}
        if series:
            facts.insert(0, f"{len(series)} series {what}")
    word = run["word"]
    if "regression" in states and word in ("passed", "nothing judged"):
        word = "regression"
    tone, sign = LOOK.get(word, ("quiet", "·"))
    return tone, sign, f"{word.capitalize()}: {', '.join(facts)}"


def page(value):
    script = '"use strict";\n(() => {\n' + "\n".join(
        (PAGE / name).read_text(encoding="utf-8") for name in SCRIPTS) + "\n})();\n"
    style = (PAGE / "style.css").read_text(encoding="utf-8")
    policy = (f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
              "base-uri 'none'; form-action 'none'")
    tone, sign, sentence = verdict_line(value)
    title = html.escape(clean(value["title"]))
    return f"""<!DOCTYPE html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="rocm-bench">
<title>{title}: {html.escape(sentence)}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#main">To the content</a>
<header><div class="wrap">
<div class="bar"><h1>{title}</h1><nav aria-label="Pages"></nav>
<button id="theme" type="button" hidden>Dark</button></div>
<div class="verdict {tone}"><span class="sign" aria-hidden="true">{sign}</span><div>
<p class="line">{html.escape(sentence)}</p>
<p class="under"><span id="freshness"></span><span id="newest"></span></p></div></div>
</div></header>
<main id="main" class="wrap" tabindex="-1"><noscript>The charts and tables need JavaScript; the same
numbers stand in FINDINGS.md and in the run files.</noscript></main>
<script type="application/json" id="data">{embedded(value)}</script>
<script>{script}</script>
</body>
</html>
"""
