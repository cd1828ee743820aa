# SPDX-License-Identifier: EUPL-1.2
"""Rows that users already know: llama-bench's tables and JSON lines, and plain CSV."""

import csv
import io
import json
import re

from .statistics import as_dict, group_summaries, is_number
from .text import clean, md

# The names that llama-bench -o jsonl writes and scripts/compare-llama-bench.py of llama.cpp reads;
# use_mmap is of builds before load_mode.
FIELDS = [
    "build_commit", "build_number", "cpu_info", "gpu_info", "backends", "model_filename",
    "model_type", "model_size", "model_n_params", "n_batch", "n_ubatch", "n_threads", "cpu_mask",
    "cpu_strict", "poll", "type_k", "type_v", "n_gpu_layers", "n_cpu_moe", "split_mode", "main_gpu",
    "no_kv_offload", "flash_attn", "devices", "tensor_split", "tensor_buft_overrides", "use_mmap",
    "embeddings", "no_op_offload", "no_host", "n_prompt", "n_gen", "n_depth", "test_time", "avg_ns",
    "stddev_ns", "avg_ts", "stddev_ts",
]
BACKENDS = {"rocm": "ROCm", "cuda": "CUDA", "vulkan": "Vulkan", "sycl": "SYCL", "cpu": "CPU"}
ARGUMENTS = {"n_batch": ("-b", "--batch-size"), "n_ubatch": ("-ub", "--ubatch-size"),
             "n_threads": ("-t", "--threads"), "n_gpu_layers": ("-ngl", "--n-gpu-layers"),
             "type_k": ("-ctk", "--cache-type-k"), "type_v": ("-ctv", "--cache-type-v"),
             "model_filename": ("-m", "--model"), "flash_attn": ("-fa", "--flash-attn"),
             "devices": ("-dev", "--device")}
# llama-bench's own defaults, for what the command line leaves out; −1 is automatic.
DEFAULTS = {"n_batch": 2048, "n_ubatch": 512, "n_threads": 0, "n_gpu_layers": -1, "type_k": "f16",
            "type_v": "f16", "model_filename": "", "flash_attn": "auto", "devices": "auto"}
FLASH = {"1": 1, "on": 1, "0": 0, "off": 0}
BUILD = re.compile(r"b?(\d+)(?:[- (]+(\S+?)\)?)?$")
FILE_TYPES = {"F32": "all F32", "MXFP4": "MXFP4 MoE"}
GRADES = {"S": "Small", "M": "Medium", "L": "Large"}


def _argv(run, scenario, variant):
    """The command line of the server that this row was measured on."""
    for event in run.servers_started():
        if (event.get("scenario"), event.get("variant")) == (scenario, variant):
            argv = as_dict(event.get("detail")).get("argv")
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
    out["flash_attn"] = FLASH.get(str(out["flash_attn"]), -1)
    return out


def _build(run, scenario, variant):
    for event in run.servers_started():
        if (event.get("scenario"), event.get("variant")) == (scenario, variant):
            build = as_dict(event.get("detail")).get("build")
            if build:
                return str(build)
    return str(run.covariates.get("server_build") or run.server.get("build") or "")


def _depth(run, summary):
    found = re.search(r"(?:^|,)depth=(\d+)", str(summary.get("variant", "")))
    if found:
        return int(found.group(1))
    listed = run.header.get("scenarios")
    for scenario in listed if isinstance(listed, list) else []:
        if as_dict(scenario).get("name") == summary.get("scenario"):
            depth = as_dict(as_dict(scenario).get("workload")).get("depth")
            return depth if isinstance(depth, int) else 0
    return 0


def _median(summary, metric):
    value = as_dict(as_dict(as_dict(summary.get("metrics")).get(metric)).get("p50")).get("value")
    return int(value) if isinstance(value, (int, float)) else 0


def model_type(model):
    """"gemma3 4B Q4_K - Medium", as llama-bench calls it."""
    name = " ".join(str(model.get(k) or "") for k in ("name", "size_label"))
    size = re.search(r"(?<![\w.])(\d+(?:\.\d+)?[BM])(?![A-Za-z0-9])", name)
    quantisation = str(model.get("quantisation") or "")
    grade = re.fullmatch(r"(I?Q\d_K)_([SML])", quantisation)
    kind = (f"{grade.group(1)} - {GRADES[grade.group(2)]}" if grade
            else FILE_TYPES.get(quantisation, quantisation))
    return " ".join(clean(x, 40) for x in (model.get("architecture") or "?",
                                           size.group(1) if size else "?B", kind) if x)


def _common(run, summary):
    scenario, variant = summary.get("scenario"), summary.get("variant")
    model = as_dict(run.identity.get("model"))
    gpus = run.identity.get("gpus")
    gpus = gpus if isinstance(gpus, list) else []
    build = clean(_build(run, scenario, variant), 40)
    known = BUILD.match(build)
    row = {name: 0 for name in FIELDS}
    row.update(_options(_argv(run, scenario, variant)))
    backend = str(run.identity.get("backend", ""))
    row.update({
        "build_commit": (known.group(2) if known else None) or build or "unknown",
        "build_number": int(known.group(1)) if known else 0,
        "cpu_info": clean(as_dict(run.identity.get("cpu")).get("model", "")),
        "gpu_info": ", ".join(clean(as_dict(g).get("model", "")) for g in gpus),
        "backends": BACKENDS.get(backend, clean(backend)),
        "model_filename": clean(row["model_filename"], 200),
        "devices": clean(row["devices"], 60),
        "type_k": clean(row["type_k"], 20), "type_v": clean(row["type_v"], 20),
        "model_type": model_type(model),
        "model_size": model.get("bytes") if isinstance(model.get("bytes"), int) else 0,
        "cpu_mask": "0x0", "cpu_strict": False, "no_kv_offload": False, "embeddings": False,
        "no_host": False, "poll": 50, "split_mode": "layer", "tensor_split": "0.00",
        "tensor_buft_overrides": "none", "use_mmap": 1,
        "test_time": clean(run.header.get("started_at", "")),
        # Not llama-bench's: left out of its formats.
        "scenario": str(scenario), "variant": str(variant or ""),
    })
    return row


def llama_bench_rows(run):
    """One row for each prefill (pp) and decode (tg) of one stream; llama-bench knows no others."""
    rows = []
    for _, summaries in group_summaries(run):
        for summary in summaries:
            if as_dict(summary.get("counts")).get("concurrency_max") != 1:
                continue
            depth = _depth(run, summary)
            metrics = as_dict(summary.get("metrics"))
            prompt = max(0, _median(summary, "prompt_tokens") - depth)
            tests = [("prefill_tokens_per_s", prompt, 0),
                     ("decode_tokens_per_s", 0, _median(summary, "output_tokens"))]
            for metric, n_prompt, n_gen in tests:
                rate = as_dict(metrics.get(metric))
                if not rate.get("n") or not rate.get("mean") or n_prompt + n_gen == 0:
                    continue
                tokens = n_prompt + n_gen
                average = 1e9 * tokens / rate["mean"]
                over = as_dict(as_dict(summary.get("rounds")).get(f"{metric}.p50"))
                rows.append({**_common(run, summary), "n_prompt": n_prompt, "n_gen": n_gen,
                             "n_depth": depth, "avg_ts": rate["mean"], "stddev_ts": rate["sd"],
                             "avg_ns": int(average),
                             "stddev_ns": int(average * rate["sd"] / rate["mean"]),
                             "n": rate["n"], "metric": f"{metric}.p50",
                             "smallest_effect": over.get("smallest_effect")})
    return rows


def test_name(row):
    """pp512, tg128 @ d8192."""
    name = f"pp{row['n_prompt']}" if row["n_prompt"] else f"tg{row['n_gen']}"
    return name + (f" @ d{row['n_depth']}" if row["n_depth"] else "")


# (title, width, right-aligned, cell), in llama-bench's order.
MD_COLUMNS = [
    ("model", 30, False, lambda r: md(r["model_type"])),
    ("size", 10, True, lambda r: (f"{r['model_size'] / 2**30:.2f} GiB" if r["model_size"] >= 2**30
                                  else f"{r['model_size'] / 2**20:.2f} MiB")),
    ("backend", 10, False, lambda r: md(r["backends"])),
    ("threads", 7, True, lambda r: str(r["n_threads"])),
    ("ngl", 3, True, lambda r: str(r["n_gpu_layers"])),
    ("n_batch", 7, True, lambda r: str(r["n_batch"])),
    ("n_ubatch", 8, True, lambda r: str(r["n_ubatch"])),
    ("type_k", 6, True, lambda r: md(r["type_k"])),
    ("type_v", 6, True, lambda r: md(r["type_v"])),
    ("fa", 3, True, lambda r: str(r["flash_attn"])),
    ("test", 15, True, test_name),
    ("t/s", 20, True, lambda r: f"{r['avg_ts']:.2f} ± {r['stddev_ts']:.2f}"),
]
# As there, a column is shown where it says something.
OPTIONAL = {"threads": ("n_threads", 0), "ngl": ("n_gpu_layers", -1), "n_batch": ("n_batch", 2048),
            "n_ubatch": ("n_ubatch", 512), "type_k": ("type_k", "f16"), "type_v": ("type_v", "f16"),
            "fa": ("flash_attn", -1)}


def _aligned(columns, rows):
    """columns: [(title, width, right, cell)…]."""
    def line(cells):
        return "| " + " | ".join(c.rjust(w) if right else c.ljust(w)
                                 for c, (_, w, right, _) in zip(cells, columns)) + " |"

    rule = "| " + " | ".join("-" * (w - 1) + (":" if right else "-") for _, w, right, _ in columns) + " |"
    return [line([title for title, *_ in columns]), rule,
            *(line([cell(r) for *_, cell in columns]) for r in rows)]


def llama_bench_md(runs):
    rows = [row for run in runs for row in llama_bench_rows(run)]
    shown = [c for c in MD_COLUMNS if c[0] not in OPTIONAL
             or any(r[OPTIONAL[c[0]][0]] != OPTIONAL[c[0]][1] for r in rows)]
    lines = _aligned(shown, rows)
    builds = dict.fromkeys((r["build_commit"], r["build_number"]) for r in rows)
    return "\n".join([*lines, "", *(f"build: {md(c)} ({n})" for c, n in builds)]) + "\n"


def llama_bench_jsonl(runs):
    return "".join(json.dumps({name: row[name] for name in FIELDS}) + "\n"
                   for run in runs for row in llama_bench_rows(run))


def _place(row):
    """What must be alike for a before and an after."""
    return (row["model_type"], row["scenario"], row["variant"], row["metric"], row["n_prompt"],
            row["n_gen"], row["n_depth"])


def llama_cpp_pr(runs):
    """Before and after with the ratio, as pull requests of llama.cpp show them. A ratio within the
    smallest effect that either run could have seen is marked: it says nothing."""
    if len(runs) != 2:
        raise ValueError(f"llama-cpp-pr wants two runs, before and after; there are {len(runs)}")
    before, after = ({_place(r): r for r in llama_bench_rows(run)} for run in runs)
    pairs = [(before[k], after[k]) for k in before if k in after]
    if not pairs:
        raise ValueError("the two runs share no scenario with one stream: nothing to put side by side")
    names = [f"t/s {md(_label(rows))}" for rows in (before, after)]
    if names[0] == names[1]:
        names = ["t/s before", "t/s after"]
    device = pairs[0][0]["gpu_info"] or pairs[0][0]["cpu_info"]
    titles = ["GPU" if pairs[0][0]["gpu_info"] else "CPU", "Model", "Scenario", "Test", *names,
              "Speedup", "Smallest effect"]
    lines = ["| " + " | ".join(titles) + " |", "|:---|:---|:---|:---|---:|---:|---:|---:|"]
    blind = False
    for a, b in pairs:
        known = [x["smallest_effect"] for x in (a, b) if is_number(x["smallest_effect"])]
        effect, ratio = max(known, default=None), b["avg_ts"] / a["avg_ts"]
        small = effect is None or abs(ratio - 1) < effect
        blind = blind or small
        where = " ".join(x for x in (a["scenario"], a["variant"]) if x)
        lines.append(f"| {md(device)} | {md(a['model_type'])} | {md(where)} | {test_name(a)} "
                     f"| {a['avg_ts']:.2f} | {b['avg_ts']:.2f} | {ratio:.2f}{' ≈' if small else ''} "
                     f"| {'–' if effect is None else f'{effect * 100:.1f} %'} |")
    lines += ["", "Two runs, one after the other and not interleaved: what else changed between them "
              "is in the ratio too."]
    if blind:
        lines.append("≈: smaller than what these runs could have seen, or one round only; no "
                     "difference was shown.")
    return "\n".join(lines) + "\n"


def _label(rows):
    builds = dict.fromkeys(f"{r['build_commit']} ({r['build_number']})" for r in rows.values())
    return ", ".join(builds)


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
                        q = as_dict(as_dict(as_dict(s.get("metrics")).get(metric)).get(name))
                        over = as_dict(as_dict(s.get("rounds")).get(f"{metric}.{name}"))
                        interval = over if over.get("low") is not None else q
                        row += [q.get("value"), interval.get("low"), interval.get("high"),
                                q.get("supported")]
                values = as_dict(s.get("values"))
                writer.writerow([*row, values.get("throughput_tokens_per_s"),
                                 values.get("goodput_ratio")])
    return out.getvalue()


FORMATS = {"llama-bench-md": llama_bench_md, "llama-bench-jsonl": llama_bench_jsonl,
           "llama-cpp-pr": llama_cpp_pr, "csv": as_csv}
