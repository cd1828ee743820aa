# SPDX-License-Identifier: EUPL-1.2
"""Rows that users already know: llama-bench's tables and JSON lines, and plain CSV."""

import csv
import io
import json
import re

from .findings import group_summaries
from .text import clean, md

# The names that scripts/compare-llama-bench.py of llama.cpp asks for.
FIELDS = [
    "build_commit", "build_number", "cpu_info", "gpu_info", "backends", "model_filename",
    "model_type", "model_size", "model_n_params", "n_batch", "n_ubatch", "n_threads", "cpu_mask",
    "cpu_strict", "poll", "type_k", "type_v", "n_gpu_layers", "split_mode", "main_gpu",
    "no_kv_offload", "flash_attn", "tensor_split", "tensor_buft_overrides", "use_mmap",
    "embeddings", "no_op_offload", "n_prompt", "n_gen", "n_depth", "test_time", "avg_ns",
    "stddev_ns", "avg_ts", "stddev_ts",
]
BACKENDS = {"rocm": "ROCm", "cuda": "CUDA", "vulkan": "Vulkan", "sycl": "SYCL", "cpu": "CPU"}
ARGUMENTS = {"n_batch": ("-b", "--batch-size"), "n_ubatch": ("-ub", "--ubatch-size"),
             "n_threads": ("-t", "--threads"), "n_gpu_layers": ("-ngl", "--n-gpu-layers"),
             "type_k": ("-ctk", "--cache-type-k"), "type_v": ("-ctv", "--cache-type-v"),
             "model_filename": ("-m", "--model"), "flash_attn": ("-fa", "--flash-attn")}
# llama-bench's own defaults, for what the command line leaves out.
DEFAULTS = {"n_batch": 2048, "n_ubatch": 512, "n_threads": 0, "n_gpu_layers": 99, "type_k": "f16",
            "type_v": "f16", "model_filename": "", "flash_attn": "0"}


def _dict(value):
    return value if isinstance(value, dict) else {}


def _argv(run, scenario, variant):
    """The command line of the server that this row was measured on."""
    for event in run.servers_started():
        if (event.get("scenario"), event.get("variant")) == (scenario, variant):
            argv = _dict(event.get("detail")).get("argv")
            if isinstance(argv, list):
                return [str(a) for a in argv]
    argv = run.server.get("argv")
    return [str(a) for a in argv] if isinstance(argv, list) else []


def _options(argv):
    out = dict(DEFAULTS)
    for field, names in ARGUMENTS.items():
        for i, word in enumerate(argv[:-1]):
            if word in names:
                out[field] = argv[i + 1]
    for field, default in DEFAULTS.items():
        if isinstance(default, int):
            try:
                out[field] = int(out[field])
            except ValueError:
                out[field] = default
    out["flash_attn"] = 1 if out["flash_attn"] in ("1", "on") else 0
    return out


def _build(run, scenario, variant):
    for event in run.servers_started():
        if (event.get("scenario"), event.get("variant")) == (scenario, variant):
            build = _dict(event.get("detail")).get("build")
            if build:
                return str(build)
    return str(run.covariates.get("server_build") or run.server.get("build") or "")


def _depth(run, summary):
    found = re.search(r"(?:^|,)depth=(\d+)", str(summary.get("variant", "")))
    if found:
        return int(found.group(1))
    listed = run.header.get("scenarios")
    for scenario in listed if isinstance(listed, list) else []:
        if _dict(scenario).get("name") == summary.get("scenario"):
            depth = _dict(_dict(scenario).get("workload")).get("depth")
            return depth if isinstance(depth, int) else 0
    return 0


def _median(summary, metric):
    value = _dict(_dict(_dict(summary.get("metrics")).get(metric)).get("p50")).get("value")
    return int(value) if isinstance(value, (int, float)) else 0


def _common(run, summary):
    scenario, variant = summary.get("scenario"), summary.get("variant")
    model = _dict(run.identity.get("model"))
    gpus = run.identity.get("gpus")
    gpus = gpus if isinstance(gpus, list) else []
    build = _build(run, scenario, variant)
    digits = re.search(r"\d+", build)
    row = {name: 0 for name in FIELDS}
    row.update(_options(_argv(run, scenario, variant)))
    backend = str(run.identity.get("backend", ""))
    row.update({
        "build_commit": clean(build, 40) or "unknown",
        "build_number": int(digits.group()) if digits else 0,
        "cpu_info": clean(_dict(run.identity.get("cpu")).get("model", "")),
        "gpu_info": ", ".join(clean(_dict(g).get("model", "")) for g in gpus),
        "backends": BACKENDS.get(backend, clean(backend)),
        "model_filename": clean(row["model_filename"], 200),
        "model_type": " ".join(clean(model[k]) for k in ("architecture", "name", "quantisation")
                               if model.get(k)),
        "model_size": model.get("bytes") if isinstance(model.get("bytes"), int) else 0,
        "cpu_mask": "0x0", "split_mode": "layer", "tensor_split": "0.00",
        "tensor_buft_overrides": "none", "use_mmap": 1,
        "test_time": clean(run.header.get("started_at", "")),
    })
    return row


def llama_bench_rows(run):
    """One row for each prefill (pp) and decode (tg) of one stream; llama-bench knows no others."""
    rows = []
    for _, summaries in group_summaries(run):
        for summary in summaries:
            if _dict(summary.get("counts")).get("concurrency_max") != 1:
                continue
            depth = _depth(run, summary)
            metrics = _dict(summary.get("metrics"))
            prompt = max(0, _median(summary, "prompt_tokens") - depth)
            tests = [("prefill_tokens_per_s", prompt, 0),
                     ("decode_tokens_per_s", 0, _median(summary, "output_tokens"))]
            for metric, n_prompt, n_gen in tests:
                rate = _dict(metrics.get(metric))
                if not rate.get("n") or not rate.get("mean") or n_prompt + n_gen == 0:
                    continue
                tokens = n_prompt + n_gen
                average = 1e9 * tokens / rate["mean"]
                rows.append({**_common(run, summary), "n_prompt": n_prompt, "n_gen": n_gen,
                             "n_depth": depth, "avg_ts": rate["mean"], "stddev_ts": rate["sd"],
                             "avg_ns": int(average),
                             "stddev_ns": int(average * rate["sd"] / rate["mean"])})
    return rows


def test_name(row):
    """pp512, tg128 @ d8192."""
    name = f"pp{row['n_prompt']}" if row["n_prompt"] else f"tg{row['n_gen']}"
    return name + (f" @ d{row['n_depth']}" if row["n_depth"] else "")


def llama_bench_md(runs):
    lines = ["| model | size | backend | ngl | fa | test | t/s |",
             "| --- | ---: | --- | ---: | ---: | ---: | ---: |"]
    for run in runs:
        for row in llama_bench_rows(run):
            size = f"{row['model_size'] / 2**30:.2f} GiB"
            lines.append(f"| {md(row['model_type'])} | {size} | {md(row['backends'])} "
                         f"| {row['n_gpu_layers']} | {row['flash_attn']} | {test_name(row)} "
                         f"| {row['avg_ts']:.2f} ± {row['stddev_ts']:.2f} |")
    return "\n".join(lines) + "\n"


def llama_bench_jsonl(runs):
    return "".join(json.dumps({name: row[name] for name in FIELDS}) + "\n"
                   for run in runs for row in llama_bench_rows(run))


COLUMNS = [("ttft_ms", ("p50", "p90", "p99")), ("tpot_ms", ("p50", "p90", "p99")),
           ("decode_tokens_per_s", ("p50",)), ("prefill_tokens_per_s", ("p50",)),
           ("e2e_ms", ("p50", "p99"))]


def _cell(value):
    """A name as a CSV cell: spreadsheets must not take it for a formula."""
    text = clean(value, 120)
    return "'" + text if text[:1] in ("=", "+", "-", "@") else text


def as_csv(runs):
    """One row a stage; empty where a statistic does not exist."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    head = ["run", "status", "scenario", "variant", "stage", "round", "requests", "failed"]
    for metric, names in COLUMNS:
        for name in names:
            head += [f"{metric}.{name}", f"{metric}.{name}.low", f"{metric}.{name}.high",
                     f"{metric}.{name}.supported"]
    writer.writerow([*head, "throughput_tokens_per_s", "goodput_ratio"])
    for run in runs:
        for _, summaries in group_summaries(run):
            for s in summaries:
                row = [_cell(run.run_id), run.status, *(_cell(s.get(k, "")) for k in
                                                        ("scenario", "variant", "stage")),
                       s.get("round", ""), s.get("requests", ""), s.get("requests_failed", "")]
                for metric, names in COLUMNS:
                    for name in names:
                        q = _dict(_dict(_dict(s.get("metrics")).get(metric)).get(name))
                        over = _dict(_dict(s.get("rounds")).get(f"{metric}.{name}"))
                        interval = over if over.get("low") is not None else q
                        row += [q.get("value"), interval.get("low"), interval.get("high"),
                                q.get("supported")]
                values = _dict(s.get("values"))
                writer.writerow([*row, values.get("throughput_tokens_per_s"),
                                 values.get("goodput_ratio")])
    return out.getvalue()


FORMATS = {"llama-bench-md": llama_bench_md, "llama-bench-jsonl": llama_bench_jsonl, "csv": as_csv}
