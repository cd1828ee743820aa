#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""Holds rocm-bench against llama.cpp's own benchmarks: the same server packages, model and flags.

    ci/against_llama_bench.py --model F --tools DIR [--bench build/release/bin/rocm-bench]
                              [--threads 2] [--depths 0,2048] [--rounds 3] [--slots 4]
                              [--server-arg=ARG …]

llama-bench times llama_decode() calls in its own process; rocm-bench times a whole server: HTTP,
JSON, sampling and the wire. Both run once a round, in turn, so that the machine's drift hits both.
--server-arg goes to llama-server alone: what it does beyond decoding is found by switching it off.
Prints, for each test, the median of both and of their ratio in a round, with the smallest and the
largest. The server's own clock stands beside ours: what they do not share is the way to the client.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

PROMPT, OUTPUT = 512, 128
BATCHED_PROMPT, BATCHED_OUTPUT = 16, 128


def scenario(name, depth, slots, **workload):
    """One stage of `slots` requests that start together, after one that warms up."""
    return {
        "schema": 1, "name": name, "why": "Beside llama.cpp's own benchmark.", "kind": "load",
        "server": {"slots": slots, "context_per_slot": depth + PROMPT + OUTPUT + 64,
                   "flash_attention": "on", "threads": None},
        "workload": {"api": "native", "cache_prompt": depth > 0, "seed": 1, **workload},
        "stages": [
            {"name": "warm-up", "closed_loop": {"concurrency": slots}, "requests": slots,
             "record": False},
            {"name": "timed", "closed_loop": {"concurrency": slots}, "requests": slots},
        ],
        "expect": [{"metric": "requests_failed", "op": "==", "value": 0}],
    }


def run(command, what):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{what}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def measure(options, folder, document):
    """The recorded requests of one run of `document`."""
    document["server"]["threads"] = options.threads
    document["server"]["args"] = options.server_arg
    path = folder / f"{document['name']}.json"
    path.write_text(json.dumps(document))
    out = pathlib.Path(tempfile.mkdtemp(dir=folder))
    run([options.bench, "run", path, "--target", "llama-server", "--backend", options.backend,
         "--server-binary", options.tools / "llama-server", "--model", options.model, "--out", out,
         "--quiet"], f"rocm-bench {document['name']}")
    lines = [json.loads(line) for f in out.glob("*.jsonl") for line in f.open()]
    return [r for r in lines if r["type"] == "request"]


def overlapping_rate(requests):
    """Tokens a second of all streams together while every one of them decodes."""
    begin = max(r["first_token_ns"] for r in requests)
    end = min(r["chunks"][-1][0] for r in requests)
    tokens = sum(n for r in requests for at, n in r["chunks"] if begin < at <= end)
    return tokens / (end - begin) * 1e9


def ours(options, folder, depth):
    """{test: (client's rate, server's rate)}"""
    [pp] = measure(options, folder, scenario(
        f"pp_{depth}", depth, 1, prompt={"synthetic_tokens": PROMPT, "depth": depth},
        output_tokens={"fixed": 1}))
    [tg] = measure(options, folder, scenario(
        f"tg_{depth}", depth, 1, prompt={"synthetic_tokens": 1, "depth": depth},
        output_tokens={"fixed": OUTPUT}))
    if pp["cached_tokens"] != depth:
        print(f"pp{PROMPT} @ d{depth}: {pp['cached_tokens']} of {depth} tokens came from the cache")
    new = pp["prompt_tokens"] - pp["cached_tokens"]
    ttft_s = (pp["first_token_ns"] - pp["sent_ns"]) / 1e9
    decode_s = (tg["chunks"][-1][0] - tg["first_token_ns"]) / 1e9
    t = tg["timings"]
    return {
        f"pp{PROMPT} @ d{depth}": (new / ttft_s, 1e3 * pp["timings"]["prompt_n"] /
                                   pp["timings"]["prompt_ms"]),
        f"tg{OUTPUT} @ d{depth}": ((tg["tokens"] - 1) / decode_s,
                                   1e3 * (t["predicted_n"] - 1) / t["predicted_ms"]),
    }


def theirs(options, depth):
    out = run([options.tools / "llama-bench", "-m", options.model, "-p", PROMPT, "-n", OUTPUT,
               "-d", depth, "-r", 1, "-t", options.threads, "-fa", 1, "-ngl",
               options.gpu_layers, "-o", "jsonl"], "llama-bench")
    rows = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return {f"{'pp' if r['n_prompt'] else 'tg'}{r['n_prompt'] or r['n_gen']} @ d{depth}":
            r["avg_ts"] for r in rows}


def theirs_batched(options):
    out = run([options.tools / "llama-batched-bench", "-m", options.model, "-c",
               options.slots * (BATCHED_PROMPT + BATCHED_OUTPUT + 64), "-npp", BATCHED_PROMPT,
               "-ntg", BATCHED_OUTPUT, "-npl", options.slots, "-t", options.threads, "-fa", "on",
               "-ngl", options.gpu_layers, "--output-format", "jsonl"], "llama-batched-bench")
    [row] = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return row["speed_tg"]


def ours_batched(options, folder):
    requests = measure(options, folder, scenario(
        "slots", 0, options.slots, prompt={"synthetic_tokens": BATCHED_PROMPT},
        output_tokens={"fixed": BATCHED_OUTPUT}))
    rate = overlapping_rate(requests)
    return (rate, rate)


def show(rounds):
    print(f"{'test':<16}{'llama.cpp':>10}{'server':>10}{'client':>10}"
          f"{'client/llama.cpp':>18}{'  smallest … largest'}{'server/llama.cpp':>18}")
    for test in dict.fromkeys(t for r in rounds for t in r):
        rows = [r[test] for r in rounds if test in r]
        client = [c / a for a, (c, _) in rows]
        server = statistics.median(s / a for a, (_, s) in rows)
        print(f"{test:<16}{statistics.median(a for a, _ in rows):>10.2f}"
              f"{statistics.median(s for _, (_, s) in rows):>10.2f}"
              f"{statistics.median(c for _, (c, _) in rows):>10.2f}"
              f"{statistics.median(client):>18.4f}  {min(client):.4f} … {max(client):.4f}"
              f"{server:>18.4f}   n={len(rows)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("--model", required=True, type=pathlib.Path)
    parser.add_argument("--tools", required=True, type=pathlib.Path, help="folder of llama-bench …")
    parser.add_argument("--bench", type=pathlib.Path, default=here / "build/release/bin/rocm-bench")
    parser.add_argument("--backend", default="cpu")
    parser.add_argument("--gpu-layers", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--slots", type=int, default=4, help="0: without llama-batched-bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--server-arg", action="append", default=[], metavar="ARG")
    parser.add_argument("--depths", default="0,2048")
    options = parser.parse_args()
    rounds = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for _ in range(options.rounds):
            row = {}
            for depth in (int(d) for d in options.depths.split(",") if d):
                a, b = theirs(options, depth), ours(options, folder, depth)
                row |= {test: (a[test], b[test]) for test in b}
            if options.slots > 0:
                row[f"{options.slots} slots tg{BATCHED_OUTPUT}"] = (theirs_batched(options),
                                                                    ours_batched(options, folder))
            rounds.append(row)
            show(rounds)


if __name__ == "__main__":
    main()
