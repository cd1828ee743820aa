#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""One static HTML page over all runs: verdict, tiles, trends, runs, A/B. It needs no network.

    dashboard.py RUN.jsonl|DIRECTORY… --out FILE.html [--history FILE] [--title TITLE]

`--history` is what `rocm-bench history --out FILE` wrote: the change points. Exit codes: 0 written,
2 bad input."""

import argparse
import datetime
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

from rocm_reports import dashboard_data, dashboard_page, history_file, output, run_file, text  # noqa: E402


def main(argv=None):
    parser = argparse.ArgumentParser(description="Writes the dashboard, one HTML file.")
    parser.add_argument("runs", nargs="+", metavar="RUN.jsonl", type=pathlib.Path,
                        help="run files, or folders of them")
    parser.add_argument("--out", type=pathlib.Path, metavar="FILE.html", required=True)
    parser.add_argument("--history", type=pathlib.Path, metavar="FILE",
                        help="written by rocm-bench history --out")
    parser.add_argument("--title", default="rocm-bench")
    arguments = parser.parse_args(argv)
    dashboard = dashboard_data.Dashboard()
    path = None
    try:
        runs = []
        for path in output.run_files(arguments.runs):
            run = run_file.read_run(path, requests=False)
            if run.header or run.summaries or run.end:
                runs.append(run)
            else:
                print(f"dashboard: {text.clean(path, 300)} is not a run file: left out",
                      file=sys.stderr)
        for run in sorted(runs, key=lambda r: (str(r.header.get("started_at", "")), r.run_id)):
            dashboard.add(run)
        if arguments.history is not None:
            path = arguments.history
            dashboard.add_history(history_file.read_history(path))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        print(f"dashboard: cannot read {text.clean(path, 300)}: {reason}", file=sys.stderr)
        return 2
    if not dashboard.runs:
        print("dashboard: there is no run file in what was given; a folder of runs is "
              "results/runs", file=sys.stderr)
        return 2
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        output.write_whole(arguments.out,
                           dashboard_page.page(dashboard.value(arguments.title, now)))
    except OSError as error:
        print(f"dashboard: cannot write {text.clean(arguments.out, 300)}: {error.strerror}",
              file=sys.stderr)
        return 2
    print(arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
