# SPDX-License-Identifier: EUPL-1.2
"""Published numbers stand beside ours only where card and model are the same."""

import json

import conftest
import pytest
import report
from rocm_reports import predecessor

PUBLISHED = {
    "type": "baseline", "tool": {"name": "go-<x>"},
    "source": {"gpu": "RX 7800 XT", "caveats": ["Tokens were counted as SSE chunks."]},
    "series": [
        {"scenario": "seed/decode", "variant": "", "stage": "steady",
         "match": {"architecture": "gemma3", "quantisation": "Q4_K_M", "min_bytes": 2_300_000_000,
                   "max_bytes": 3_100_000_000},
         "metrics": {"decode_tokens_per_s.p50": {"value": 102.5, "note": "prefill included"}}},
        {"scenario": "seed/decode", "stage": "steady",
         "match": {"architecture": "llama", "min_bytes": 1, "max_bytes": 9e9},
         "metrics": {"decode_tokens_per_s.p50": {"value": 77.1}}}],
}


@pytest.fixture()
def beside(small, tmp_path):
    """FINDINGS.md of the sample on a card, held against what was published."""
    def render(card, **model):
        lines = conftest.lines_of(small)
        identity = lines[0]["fingerprint"]["identity"]
        identity["gpus"] = [{"model": card}] if card else []
        identity["model"].update(model)
        run = conftest.write_lines(tmp_path / "run.jsonl", lines)
        (tmp_path / "published.json").write_text(json.dumps(PUBLISHED))
        assert report.main([str(run), "--out", str(tmp_path), "--no-plots", "--baseline",
                            str(tmp_path / "published.json")]) == 0
        return (tmp_path / "FINDINGS.md").read_text()

    return render


def test_the_same_card_and_model(beside, small):
    out = beside("AMD Radeon RX 7800 XT")
    total = next(x for x in conftest.lines_of(small) if x["type"] == "summary"
                 and x["scenario"] == "seed/decode" and x["round"] == -1)
    ours = total["metrics"]["decode_tokens_per_s"]["p50"]["value"]
    row = next(x for x in out.splitlines() if "102.5" in x)
    assert f"| 102.5 | {ours:.4g}"[:16] in row and "prefill included" in row
    assert "published (go-&lt;x&gt;)" in out and "counted as SSE chunks" in out and "77.1" not in out


@pytest.mark.parametrize("card, model", [
    ("AMD Radeon RX 7900 XTX", {}), ("", {}), ("RX 7800 XT", {"quantisation": "Q8_0"}),
    ("RX 7800 XT", {"bytes": 8_000_000_000}), ("RX 7800 XT", {"architecture": "qwen2"})])
def test_others_are_not_compared(beside, card, model):
    assert "published" not in beside(card, **model)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"type":"run"}', "nonsense"])
def test_what_is_no_baseline_is_refused(small, tmp_path, capsys, text):
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(ValueError):
        predecessor.read_baseline(tmp_path / "b.json")
    assert report.main([str(small), "--out", str(tmp_path), "--baseline", str(tmp_path / "b.json")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
