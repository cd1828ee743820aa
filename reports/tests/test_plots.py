# SPDX-License-Identifier: EUPL-1.2
"""Plots draw the samples of the run file; how they look was judged by eye."""

import json

import conftest
import matplotlib.pyplot as plt
import numpy as np
import pytest
import report
import test_text
from rocm_reports import plots, run_file, statistics
from rocm_reports.plots import latency, style, sweep


@pytest.fixture()
def figures(monkeypatch):
    """Keeps the figures that are saved, so that a test can read them back."""
    kept = []
    monkeypatch.setattr(style.plt, "close", kept.append)
    yield kept
    monkeypatch.undo()
    plt.close("all")


def draw(path, scenario, out, plot=plots.plot_latency):
    run = run_file.read_run(path)
    summaries = dict(statistics.group_summaries(run))[scenario]
    assert plot(run, scenario, summaries, out)
    return run, summaries


def test_curves_are_the_samples(sample, tmp_path, figures):
    run, summaries = draw(sample, "concurrency/sweep", tmp_path / "p.png")
    left, right = figures[0].axes
    curves = [line for line in left.lines if line.get_drawstyle() == "steps-post"]
    assert len(curves) == len(summaries) == 5
    requests = [r for r in run.requests if r["variant"] == "concurrency=4"]
    expected = np.sort([(r["first_token_ns"] - r["scheduled_ns"]) / 1e6 for r in requests])
    assert np.allclose(curves[2].get_xdata()[1:], expected)
    assert curves[2].get_ydata()[-1] == 1.0
    gaps = [line for line in right.lines if line.get_drawstyle() == "steps-post"][2]
    assert len(gaps.get_xdata()) - 1 == sum(len(r["chunks"]) - 1 for r in requests)


def test_units_counts_and_legend(sample, tmp_path, figures):
    draw(sample, "concurrency/sweep", tmp_path / "p.png")
    left, right = figures[0].axes
    assert "ms" in left.get_xlabel() and "ms" in right.get_xlabel() and left.get_ylabel()
    labels = [t.get_text() for t in figures[0].legends[0].get_texts()]
    assert labels[4] == "concurrency=16  (480 requests, 30240 gaps)"


def test_medians_and_intervals_are_those_of_the_summary(sample, tmp_path, figures):
    _, summaries = draw(sample, "seed/decode", tmp_path / "p.png")
    left, _ = figures[0].axes
    interval, dot = left.lines[1], left.lines[2]
    assert dot.get_xdata()[0] == summaries[0]["metrics"]["ttft_ms"]["p50"]["value"]
    over = summaries[0]["rounds"]["ttft_ms.p50"]
    assert list(interval.get_xdata()) == [over["low"], over["high"]]


def undrawn_ticks(figure):
    """Tick labels beyond the limits of their axis exist but are not drawn."""
    out = set()
    for axes in figure.axes:
        for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            ticks = axis.get_major_ticks() + axis.get_minor_ticks()
            out |= {t.label1 for t in ticks if not low <= t.get_loc() <= high}
    return out


def overlaps(figure):
    """Pairs of texts whose boxes intersect, and texts that leave the picture."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    hidden = undrawn_ticks(figure)
    texts = [t for t in figure.findobj(plt.Text)
             if t.get_visible() and t.get_text().strip() and t not in hidden]
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in texts]
    width, height = figure.canvas.get_width_height()
    bad = [name for name, b in boxes if b.x0 < -1 or b.y0 < -1 or b.x1 > width + 1 or b.y1 > height + 1]
    for i, (a, box) in enumerate(boxes):
        bad += [(a, b) for b, other in boxes[i + 1:] if box.shrunk(0.98, 0.98).overlaps(other)]
    return bad


SHOWN = {plots.plot_ratios: ["ab/flash_attention"],
         plots.plot_latency: ["concurrency/sweep", "ttft/by_prompt_length", "seed/decode",
                              "load/chat_poisson_slo"],
         plots.plot_sweep: ["concurrency/sweep", "ttft/by_prompt_length"],
         plots.plot_positions: ["concurrency/sweep", "seed/decode", "load/chat_poisson_slo"]}


@pytest.mark.parametrize("plot, scenario", [(p, s) for p, names in SHOWN.items() for s in names])
def test_no_text_overlaps_or_leaves_the_picture(sample, tmp_path, figures, plot, scenario):
    draw(sample, scenario, tmp_path / "p.png", plot)
    assert overlaps(figures[0]) == []


def test_sweeps_draw_the_summaries(sample, tmp_path, figures):
    _, summaries = draw(sample, "concurrency/sweep", tmp_path / "p.png", plots.plot_sweep)
    throughput, ttft, itl = figures[0].axes
    assert list(throughput.lines[0].get_xdata()) == [1, 2, 4, 8, 16]
    assert list(throughput.lines[0].get_ydata()) == [
        s["values"]["throughput_tokens_per_s"] for s in summaries]
    interval = throughput.lines[1].get_ydata()
    over = summaries[0]["rounds"]["throughput_tokens_per_s"]
    assert list(interval) == [over["low"], over["high"]]
    assert list(ttft.lines[0].get_ydata()) == [
        s["metrics"]["ttft_ms"]["p50"]["value"] for s in summaries]
    assert [a.get_xlabel() for a in (throughput, ttft, itl)] == ["streams"] * 3


def test_ratios_are_those_of_the_rounds(sample, tmp_path, figures):
    run, _ = draw(sample, "ab/flash_attention", tmp_path / "p.png", plots.plot_ratios)
    axes = figures[0].axes[0]
    dots = [line for line in axes.lines if line.get_linestyle() == "None"][0]
    assert len(dots.get_xdata()) == 20
    third = {s["variant"]: s["metrics"]["tpot_ms"]["p50"]["value"] for s in run.summaries
             if s["scenario"] == "ab/flash_attention" and s["round"] == 2}
    assert dots.get_ydata()[2] == pytest.approx(100 * (third["on"] / third["off"] - 1))
    assert "regression" in axes.get_title(loc="left") and "n = 20" in axes.get_xlabel()


@pytest.mark.parametrize("variants", [["a", "b", "c"], ["x=1", "y=2", "x=3"], ["x=1", "x=2"],
                                      ["x=1", "x=two", "x=3"], ["", "", ""]])
def test_what_is_no_sweep_is_not_drawn_as_one(variants):
    assert sweep.swept_axis([{"variant": v, "stage": "s"} for v in variants]) is None


def test_positions_are_medians_of_the_gaps(sample, tmp_path, figures):
    run, _ = draw(sample, "seed/decode", tmp_path / "p.png", plots.plot_positions)
    requests = [r for r in run.requests if r["scenario"] == "seed/decode"]
    line = figures[0].axes[0].lines[0]
    assert line.get_xdata()[0] == 1 and len(line.get_xdata()) == 127
    third = [(r["chunks"][3][0] - r["chunks"][2][0]) / 1e6 for r in requests]
    assert line.get_ydata()[2] == pytest.approx(np.median(third))


def test_hostile_names_are_drawn(hostile, tmp_path):
    assert report.main([str(hostile), "--out", str(tmp_path)]) == 0
    pictures = list(tmp_path.glob("*.png"))
    assert len([p for p in pictures if p.name.startswith("latency-")]) == 12
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in pictures)
    text = (tmp_path / "FINDINGS.md").read_text()
    assert all(p.name in text for p in pictures)


def test_sixty_hostile_names_are_drawn(small, tmp_path):
    """Each as a scenario's heading, a label of a line and a comparison's name."""
    lines = conftest.lines_of(small)
    summary = next(x for x in lines if x["type"] == "summary" and x["round"] == 0)
    key = {k: summary[k] for k in ("scenario", "variant", "stage", "round")}
    requests = [x for x in lines if x["type"] == "request" and all(x[k] == v for k, v in key.items())]
    names = test_text.HOSTILE
    assert len(names) >= 60
    for start in range(0, len(names), 12):
        some, out = names[start:start + 12], []
        for n in some:
            out += [{**x, "scenario": some[0], "variant": n} for x in (summary, *requests)]
        run = run_file.read_run(conftest.write_lines(tmp_path / "run.jsonl", [lines[0], *out]))
        run.header.update(target=some[-1], run_id=some[-1])
        summaries = statistics.group_summaries(run)[0][1]
        assert latency.plot_latency(run, some[0], summaries, tmp_path / f"{start}.png")
        assert (tmp_path / f"{start}.png").read_bytes().startswith(b"\x89PNG")
    with style.styled():
        figure = style.plt.figure()
        for n in names:
            style.heading(figure, run, n, "note", 3.0, 0.1)
        style.save(figure, tmp_path / "headings.png")


def test_an_underscore_does_not_hide_a_line(hostile, tmp_path, figures):
    draw(hostile, "_hidden|`x`", tmp_path / "p.png")
    assert len(figures[0].legends[0].get_texts()) == 1


def test_the_same_run_gives_the_same_picture(small, tmp_path):
    pictures = []
    for name in ("a", "b"):
        report.main([str(small), "--out", str(tmp_path / name)])
        pictures.append(sorted(p.read_bytes() for p in (tmp_path / name).glob("*.png")))
    assert pictures[0] == pictures[1]


def test_tokens_per_chunk_divide_the_gap():
    request = {"outcome": "ok", "chunks": [[0, 1], [8_000_000, 4], [9_000_000, -1]]}
    assert list(latency.itl_samples([request])) == [1.0, 2.0]


def test_failed_requests_are_not_drawn():
    request = json.loads('{"outcome": "stalled", "scheduled_ns": 1, "first_token_ns": 5}')
    assert len(latency.ttft_samples([request])) == 0
