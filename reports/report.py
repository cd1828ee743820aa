#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""FINDINGS.md and its plots from run files, or rows for other tools.

    report.py RUN.jsonl… --out DIRECTORY [--title TITLE] [--no-plots]
    report.py RUN.jsonl… --format llama-bench-md|llama-bench-jsonl|csv

Exit codes: 0 written, 2 bad input."""

import argparse
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

from rocm_reports import findings, formats, run_file, text  # noqa: E402


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


def main(argv=None):
    parser = argparse.ArgumentParser(description="Writes FINDINGS.md and plots from run files.")
    parser.add_argument("runs", nargs="+", metavar="RUN.jsonl", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, metavar="DIRECTORY", help="for FINDINGS.md")
    parser.add_argument("--format", choices=["findings", *formats.FORMATS], default="findings",
                        help="other than findings: printed")
    parser.add_argument("--title", default="FINDINGS")
    parser.add_argument("--no-plots", action="store_true")
    arguments = parser.parse_args(argv)
    if arguments.format == "findings" and arguments.out is None:
        parser.error("--out DIRECTORY is needed")
    runs = []
    for path in arguments.runs:
        try:
            runs.append(run_file.read_run(path))
        except OSError as error:
            print(f"report: cannot read {text.clean(path, 300)}: {error.strerror}", file=sys.stderr)
            return 2
    runs.sort(key=lambda run: run.run_id)
    if arguments.format != "findings":
        sys.stdout.write(formats.FORMATS[arguments.format](runs))
        return 0
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
        plots = {}
        if not arguments.no_plots:
            from rocm_reports import plots as drawing

            plots = drawing.plot_all(runs, arguments.out, text.slug)
        target = arguments.out / "FINDINGS.md"
        write_whole(target, findings.findings(runs, plots, arguments.title))
    except OSError as error:
        print(f"report: cannot write to {text.clean(arguments.out, 300)}: {error.strerror}",
              file=sys.stderr)
        return 2
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
