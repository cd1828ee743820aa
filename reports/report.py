#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""FINDINGS.md and its plots from run files, or rows for other tools.

    report.py RUN.jsonl|DIRECTORY… --out DIRECTORY [--title TITLE] [--previous RUN] [--no-plots]
    report.py RUN.jsonl… --append LOG.md [--out DIRECTORY_FOR_PLOTS] [--title TITLE]
    report.py RUN.jsonl… --format llama-bench-md|llama-bench-jsonl|csv
    report.py BEFORE.jsonl AFTER.jsonl --format llama-cpp-pr

What changed is told against --previous, else against the newest earlier run of the same suite and
target beside the run file. Exit codes: 0 written, 2 bad input."""

import argparse
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

from rocm_reports import (cumulative_log, findings, formats, output, predecessor,  # noqa: E402
                          run_file, text)

BASELINE = pathlib.Path("results/baselines/predecessor-rx7800xt.json")


class BadInput(Exception):
    pass


def parse(argv):
    parser = argparse.ArgumentParser(description="Writes FINDINGS.md and plots from run files.")
    parser.add_argument("runs", nargs="+", metavar="RUN.jsonl", type=pathlib.Path,
                        help="run files, or folders of them")
    parser.add_argument("--out", type=pathlib.Path, metavar="DIRECTORY", help="for FINDINGS.md")
    parser.add_argument("--append", type=pathlib.Path, metavar="LOG.md",
                        help="append a dated section instead of writing FINDINGS.md")
    parser.add_argument("--previous", type=pathlib.Path, metavar="RUN.jsonl",
                        help="to tell what changed; found by itself beside the run")
    parser.add_argument("--baseline", type=pathlib.Path, metavar="FILE",
                        help="published numbers to put beside where the hardware matches")
    parser.add_argument("--format", choices=["findings", *formats.FORMATS], default="findings",
                        help="other than findings: printed")
    parser.add_argument("--title", default="")
    parser.add_argument("--no-plots", action="store_true")
    arguments = parser.parse_args(argv)
    if arguments.format == "findings" and arguments.out is None and arguments.append is None:
        parser.error("--out DIRECTORY or --append LOG.md is needed")
    return arguments


def read(path):
    try:
        return run_file.read_run(path)
    except OSError as error:
        raise BadInput(f"cannot read {text.clean(path, 300)}: {error.strerror}") from None


def previous_runs(runs, given):
    """run id → the run before it: the one given, else the newest earlier one of the same suite and
    target, among the runs themselves and beside their files."""
    if given is not None:
        return {runs[0].run_id: read(given)}
    out = {}
    for i, run in enumerate(runs):
        wanted = (run.header.get("suite"), run.header.get("target"))
        earlier = [r for r in runs[:i] if (r.header.get("suite"), r.header.get("target")) == wanted]
        found = earlier[-1] if earlier else run_file.run_before(run)
        if found is not None:
            out[run.run_id] = found
    return out


def draw(runs, directory, base):
    """(run id, scenario) → [(alt text, path of the picture relative to `base`)…]."""
    from rocm_reports import plots

    directory.mkdir(parents=True, exist_ok=True)
    drawn = plots.plot_all(runs, directory, text.slug)
    prefix = pathlib.PurePath(os.path.relpath(directory, base))
    return {key: [(alt, str(prefix / name)) for alt, name in pictures]
            for key, pictures in drawn.items()}


def append(arguments, runs, previous, baseline):
    log = arguments.append
    old = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    if cumulative_log.has_runs(old, runs):
        print(f"report: {text.clean(log, 300)} has these runs already: nothing appended",
              file=sys.stderr)
        return log
    plots = {}
    if arguments.out is not None and not arguments.no_plots:
        plots = draw(runs, arguments.out, log.parent)
    new = cumulative_log.section(old, runs, plots, arguments.title, previous, baseline)
    log.parent.mkdir(parents=True, exist_ok=True)
    output.write_whole(log, cumulative_log.appended(old, new))
    return log


def write(arguments, runs, previous, baseline):
    arguments.out.mkdir(parents=True, exist_ok=True)
    plots = {} if arguments.no_plots else draw(runs, arguments.out, arguments.out)
    target = arguments.out / "FINDINGS.md"
    output.write_whole(target, findings.findings(runs, plots, arguments.title or "FINDINGS", previous,
                                                 baseline))
    return target


def run(arguments):
    runs = sorted((read(path) for path in output.run_files(arguments.runs)), key=lambda r: r.run_id)
    if not runs:
        raise BadInput("there is no run file in what was given; a folder of runs is results/runs")
    if arguments.format != "findings":
        if arguments.format == "llama-cpp-pr":  # before and after in the order given
            runs = [read(path) for path in output.run_files(arguments.runs)]
        try:
            sys.stdout.write(formats.FORMATS[arguments.format](runs))
        except ValueError as error:
            raise BadInput(str(error)) from None
        return
    baseline = arguments.baseline or pathlib.Path(__file__).resolve().parent.parent / BASELINE
    try:
        known = predecessor.read_baseline(baseline)
    except (OSError, ValueError) as error:
        if arguments.baseline is not None:
            raise BadInput(f"cannot read {text.clean(baseline, 300)}: {error}") from None
        known = None
    previous = previous_runs(runs, arguments.previous)
    try:
        writer = append if arguments.append is not None else write
        print(writer(arguments, runs, previous, known))
    except OSError as error:
        where = arguments.append or arguments.out
        raise BadInput(f"cannot write to {text.clean(where, 300)}: {error.strerror}") from None


def main(argv=None):
    arguments = parse(argv)
    try:
        run(arguments)
    except BadInput as error:
        print(f"report: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
