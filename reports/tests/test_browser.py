# SPDX-License-Identifier: EUPL-1.2
"""The dashboard in Chromium: no script but its own, no request, no exception; keys and clicks."""

import json

import conftest
import dashboard
import pytest
import test_dashboard
import test_text
from test_dashboard import nights  # noqa: F401

QUIET = {"dialogs": [], "requests": [], "exceptions": [], "violations": []}
GO = """(async () => {
  const frames = () => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)));
  const out = [];
  for (const hash of %s) {
    location.hash = hash;
    await frames();
    out.push([hash, document.querySelector("main").childElementCount,
              document.querySelectorAll("main script, main iframe, main img, main object").length,
              document.documentElement.scrollWidth <= innerWidth]);
  }
  return out;
})()"""


def quiet(result):
    return {k: result[k] for k in QUIET}


def page_of(path, *steps, **more):
    return {"url": path.as_uri(), "steps": list(steps), **more}


def hostile_history(run, target):
    header, *rest = conftest.lines_of_bytes(run)
    lines = [{"type": "history"}, {"type": "run", "run": 0, "run_id": header["run_id"]}]
    for x in rest:
        if x["type"] == "summary":
            change = {"run": 0, "finding": x["scenario"], "ratio": 1.5, "before": 1, "after": 2,
                      "suspects": [x["scenario"]], "nearby": [x["scenario"]]}
            lines.append({"type": "series", **{k: x[k] for k in ("series", "scenario", "variant", "stage")},
                          "metric": "ttft_ms.p50", "changes": [change], "state": x["scenario"]})
    return conftest.write_lines(target, lines)


def test_the_hooks_see_what_is_forbidden(tmp_path):
    """A page that does all of it: without this, the tests below could not fail."""
    bad = tmp_path / "bad.html"
    bad.write_text('<img src="http://127.0.0.1:9/x.png"><script>alert("seen"); '
                   'setTimeout(() => { throw new Error("thrown"); }, 0);</script>')
    policy = tmp_path / "policy.html"
    policy.write_text('<meta http-equiv="Content-Security-Policy" content="default-src \'none\'">'
                      "<script>alert(1)</script>")
    first, second = conftest.browse([page_of(bad, {"eval": "1"}), page_of(policy, {"eval": "1"})])
    assert first["dialogs"] == ["seen"] and first["requests"] == ["http://127.0.0.1:9/x.png"]
    assert "thrown" in first["exceptions"][0]
    assert second["dialogs"] == [] and "Content Security Policy" in second["violations"][0]


def test_hostile_names_stay_text(small, tmp_path):
    run = conftest.hostile_run(small, tmp_path / "hostile.jsonl", test_text.HOSTILE)
    page = tmp_path / "d.html"
    assert dashboard.main([str(run), str(small), "--history", str(hostile_history(run, tmp_path / "h")),
                           "--title", "<script>alert(1)</script>", "--out", str(page)]) == 0
    data = test_dashboard.data_of(page.read_text())
    assert len(data["series"]) >= 60 and len(data["changes"]) >= 60
    hashes = ["#/", "#/runs", "#/ab", *(f"#/run/{r['id']}" for r in data["runs"]),
              *(f"#/series/{i}" for i in range(len(data["series"]))),
              *(f"#/trends?s={i}" for i in range(len(data["series"]))),
              "#/run/<script>alert(1)</script>", "#/run/%", "#/series/__proto__", "#/constructor",
              "#/trends?s=__proto__&m=<img src=x onerror=alert(1)>", "#javascript:alert(1)"]
    every, narrow = conftest.browse([
        page_of(page, {"eval": GO % json.dumps(hashes)}),
        page_of(page, {"eval": GO % json.dumps(hashes[:len(data["runs"]) + 12])}, width=400)])
    for result in (every, narrow):
        assert quiet(result) == QUIET
        for place, children, executable, fits in result["values"][0]:
            assert children > 0 and executable == 0 and fits, place
    assert len(every["values"][0]) == len(hashes) > 120


def test_a_click_on_a_red_tile_leads_to_the_run_that_caused_it(nights, tmp_path):
    folder, history = nights
    page = tmp_path / "d.html"
    assert dashboard.main([str(folder), "--history", str(history), "--out", str(page)]) == 0
    caused = f"{test_dashboard.CHANGE_NIGHT:08x}"
    where = {"eval": "[location.hash, document.querySelector('main h2').textContent,"
                     " document.querySelector('main').textContent.includes('gpus.0.driver')]"}
    tile = ".tile.bad a[aria-label*='seed/decode']"
    result = conftest.browse([
        page_of(page, {"click": tile}, where),
        # The same by keyboard alone.
        page_of(page, {"eval": f"document.querySelector({tile!r}).focus()"}, {"key": "Enter"}, where),
    ])
    for r in result:
        assert quiet(r) == QUIET
        place, title, suspect = r["values"][-1]
        assert place.startswith("#/run/") and place.endswith(caused)
        assert title.endswith(caused) and suspect


def test_a_trend_is_walked_by_keys(nights, tmp_path):
    folder, history = nights
    page = tmp_path / "d.html"
    assert dashboard.main([str(folder), "--history", str(history), "--out", str(page)]) == 0
    data = test_dashboard.data_of(page.read_text())
    series = data["changes"][0][0]
    read = {"eval": "document.querySelector('.readout').textContent"}
    r = conftest.browse([page_of(
        page, {"eval": f"location.hash = '#/series/{series}'"},
        {"eval": "document.querySelector('svg.trend').focus()"}, read, {"key": "ArrowLeft"}, read,
        {"key": "Home"}, read, {"key": "Enter"}, {"eval": "location.hash"},
        {"eval": "getComputedStyle(document.body).backgroundColor"}, scheme="dark")])[0]
    assert quiet(r) == QUIET
    newest, before, first, opened, colour = r["values"][2:]
    assert newest.startswith("2026-01-16") and before.startswith("2026-01-15")
    assert first.startswith("2026-01-01") and "on another identity" in first
    assert opened.startswith("#/run/20260101T")
    assert colour == "rgb(14, 18, 23)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_can_be_turned(nights, tmp_path, scheme):
    page = tmp_path / "d.html"
    assert dashboard.main([str(nights[0]), "--out", str(page)]) == 0
    colour = {"eval": "getComputedStyle(document.body).backgroundColor"}
    r = conftest.browse([page_of(page, colour, {"click": "#theme"}, colour, {"click": "#theme"}, colour,
                                 scheme=scheme)])[0]
    first, second, third = (v for v in r["values"])
    assert first == third != second
