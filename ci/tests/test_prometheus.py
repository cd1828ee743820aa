# SPDX-License-Identifier: EUPL-1.2
"""What rocm-bench exports, held against a real Prometheus and a real Pushgateway.

Needs prometheus, promtool and prometheus-pushgateway (ci/packages.sh test unpacks Debian's) and
ROCM_TEST_BIN_DIR."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.parse

import pytest
import yaml

from services import Listening, eventually, free_port, get, tool

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = ROOT / "ci/prometheus"
BENCH = pathlib.Path(os.environ["ROCM_TEST_BIN_DIR"]) / "rocm-bench"


class Prometheus(Listening):
    def query(self, expression):
        quoted = urllib.parse.urlencode({"query": expression})
        answer = json.loads(get(f"{self.url}/api/v1/query?{quoted}"))
        assert answer["status"] == "success", answer
        return answer["data"]["result"]

    def value(self, expression):
        """The one value; None while there is none."""
        result = self.query(expression)
        assert len(result) <= 1, result
        return float(result[0]["value"][1]) if result else None

    def up(self, job):
        return self.value(f'up{{job="{job}"}}') == 1


@pytest.fixture(scope="module")
def gateway():
    server = Listening(tool("prometheus-pushgateway"), "--web.listen-address=127.0.0.1:0")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def ports():
    return {"live": free_port(), "hostile": free_port()}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory, gateway, ports):
    """The sample configuration, with this test's ports and no patience."""
    folder = tmp_path_factory.mktemp("prometheus")
    config = yaml.safe_load((HERE / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(HERE / "rules.yml")]
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    jobs["pushgateway"]["static_configs"] = [{"targets": [gateway.address]}]
    jobs["rocm-bench-live"]["static_configs"] = [{"targets": [f"127.0.0.1:{ports['live']}"]}]
    config["scrape_configs"].append({
        "job_name": "hostile", "static_configs": [{"targets": [f"127.0.0.1:{ports['hostile']}"]}]})
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    server = Prometheus(tool("prometheus"), f"--config.file={folder}/prometheus.yml",
                        f"--storage.tsdb.path={folder}/data", "--web.listen-address=127.0.0.1:0")
    yield server
    server.stop()


def scenario(folder, name, requests, **server):
    path = folder / f"{name}.json"
    path.write_text(json.dumps({
        "schema": 1, "name": name, "why": "Something to export.", "kind": "load",
        "timing": "unjudged", "server": {"slots": 2, "context_per_slot": 512, **server},
        "workload": {"api": "native", "prompt": {"text": "hello"}, "output_tokens": {"fixed": 12}},
        "stages": [{"name": "steady", "closed_loop": {"concurrency": 2}, "requests": requests}],
        "slo": {"ttft_ms": 60000}, "expect": []}))
    return path


def lines_of(path, kind):
    return [line for line in map(json.loads, path.read_text().splitlines())
            if line["type"] == kind]


def expected(path, name):
    """Of one scenario, straight from the run file's lines."""
    requests = [r for r in lines_of(path, "request") if r["scenario"] == name]
    summary = [s for s in lines_of(path, "summary") if s["scenario"] == name][-1]
    ready = [e for e in lines_of(path, "event")
             if e["event"] == "server_ready" and e["scenario"] == name]
    median = [q for q in summary["metrics"]["decode_tokens_per_s"]["quantiles"] if q["p"] == 0.5] \
        if "quantiles" in summary["metrics"]["decode_tokens_per_s"] else None
    decode = median[0]["value"] if median else \
        summary["metrics"]["decode_tokens_per_s"]["p50"]["value"]
    seconds = [(r["first_token_ns"] - r["scheduled_ns"]) / 1e9 for r in requests]
    bench, backend = "rocm_bench_", "rocm_backend_"
    return {
        bench + "requests_total": len(requests),
        bench + "output_tokens_total": sum(r["tokens"] for r in requests),
        bench + "time_to_first_token_seconds_count": len(requests),
        bench + "time_to_first_token_seconds_sum": sum(seconds),
        bench + 'time_to_first_token_seconds_bucket{le="0.005"}': sum(s <= 0.005 for s in seconds),
        bench + "request_duration_seconds_sum": sum(
            (r["finished_ns"] - r["scheduled_ns"]) / 1e9 for r in requests),
        bench + "inter_token_latency_seconds_count": sum(len(r["chunks"]) - 1 for r in requests),
        bench + "decode_tokens_per_second": decode,
        bench + "throughput_tokens_per_second": summary["values"]["throughput_tokens_per_s"],
        bench + "goodput_ratio": 1,
        bench + "model_load_seconds": ready[0]["detail"]["load_ms"] / 1e3,
        backend + "loads_total": 1,
        backend + "queue_seconds_sum": sum(
            (r["first_byte_ns"] - r["sent_ns"]) / 1e9 for r in requests),
    }


def compare(prometheus, path, name, job):
    for metric, value in expected(path, name).items():
        family, _, more = metric.partition("{")
        labels = f'scenario="{name}",job="{job}"' + ("," + more.rstrip("}") if more else "")
        seen = prometheus.value(f"{family}{{{labels}}}")
        assert seen == pytest.approx(value, rel=1e-6), (metric, seen, value)


def test_promtool_accepts_rules_configuration_and_metrics(tmp_path):
    promtool = tool("promtool")
    for arguments in (["check", "rules", "rules.yml"], ["check", "config", "prometheus.yml"],
                      ["test", "rules", "rules_test.yml"]):
        done = subprocess.run([promtool, *arguments], cwd=HERE, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    run = write_everything(tmp_path)
    text = subprocess.run([BENCH, "export", run], capture_output=True, check=True).stdout
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stdout + done.stderr


def test_every_alert_has_a_test_in_which_it_fires():
    rules = yaml.safe_load((HERE / "rules.yml").read_text())
    tests = yaml.safe_load((HERE / "rules_test.yml").read_text())
    alerts = {r["alert"] for g in rules["groups"] for r in g["rules"] if "alert" in r}
    fired = {a["alertname"] for t in tests["tests"] for a in t.get("alert_rule_test", [])
             if a.get("exp_alerts")}
    silent = {a["alertname"] for t in tests["tests"] for a in t.get("alert_rule_test", [])
              if not a.get("exp_alerts")}
    assert len(alerts) == 6
    assert alerts == fired == silent


def test_a_running_harness_is_scraped_and_its_values_are_the_run_files(prometheus, ports, tmp_path):
    first = scenario(tmp_path, "live_first", 20)
    second = scenario(tmp_path, "live_second", 1, args=["--mock-ttft-ms", "60000"])
    run = subprocess.Popen(
        [BENCH, "run", first, second, "--target", "mock", "--quiet", "--out", tmp_path / "runs",
         "--prometheus-listen", f"127.0.0.1:{ports['live']}"])
    try:
        job = "rocm-bench-live"
        done = f'rocm_bench_goodput_ratio{{scenario="live_first",job="{job}"}}'
        assert eventually(lambda: prometheus.value(done) is not None)
        assert prometheus.up(job)
        path = next((tmp_path / "runs").glob("*.jsonl"))
        compare(prometheus, path, "live_first", job)
    finally:
        run.send_signal(signal.SIGTERM)
        assert run.wait(20) == 130


def test_a_pushed_run_is_the_run_file(prometheus, gateway, tmp_path):
    files = [scenario(tmp_path, name, 10) for name in ("pushed_a", "pushed_b")]
    done = subprocess.run(
        [BENCH, "run", *files, "--target", "mock", "--quiet", "--out", tmp_path / "runs",
         "--pushgateway", gateway.url, "--push-instance", "machine/1"], timeout=60)
    assert done.returncode == 0
    groups = [m["labels"] for m in json.loads(get(gateway.url + "/api/v1/metrics"))["data"]]
    assert {"job": "rocm-bench", "instance": "machine/1", "scenario": "pushed_a"} in groups
    assert not any("run" in key for group in groups for key in group)
    path = next((tmp_path / "runs").glob("*.jsonl"))
    mine = 'rocm_bench_run_valid{instance="machine/1",scenario="pushed_b"}'
    assert eventually(lambda: prometheus.value(mine) == 1)
    for name in ("pushed_a", "pushed_b"):
        compare(prometheus, path, name, "rocm-bench")
    success = prometheus.value(
        'rocm_bench_last_success_timestamp_seconds{instance="machine/1",scenario="pushed_a"}')
    assert abs(success - time.time()) < 60
    assert prometheus.up("pushgateway")


def write_everything(folder):
    """One real run, and the lines beside it that only a card and a regression would bring."""
    real = folder / "everything"
    subprocess.run([BENCH, "run", scenario(folder, "everything", 8), "--target", "mock", "--quiet",
                    "--out", real], check=True, timeout=60)
    path = next(real.glob("*.jsonl"))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    place = {"scenario": "everything", "variant": "", "round": 0, "stage": ""}
    template = next(line for line in lines if line["type"] == "event")
    events = [("server_exited", {}), ("server_recovered", {"recovery_ms": 812}),
              ("sample", {"device": "GPU-1", "gpu_memory_bytes": 3e9, "server_memory_bytes": 2e9}),
              ("sample", {"server_rss_bytes": 2.6e7}),
              ("memory_released", {"device": "GPU-1", "before_bytes": 1e8, "after_bytes": 1e9})]
    more = [{**template, **place, "event": event, "detail": detail} for event, detail in events]
    for line in lines:
        if line["type"] == "summary":
            line["values"]["bandwidth_utilisation_ratio"] = 0.62
    more.append({"type": "verdict", "kind": "comparison", "finding": "regression", **place,
                 "stage": "steady", "metric": "decode_tokens_per_s.p50", "observed": 0.91,
                 "op": "", "limit": None, "low": 0.9, "high": 0.92, "error_bound": None,
                 "smallest_effect": 0.02, "p_value": 0.001, "n": 10, "reason": "slower"})
    more.append({**more[-1], "metric": "answers_degenerate", "observed": 2})
    lines[-1:-1] = more
    path = folder / "everything.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_every_grafana_expression_returns_data(prometheus, gateway, tmp_path):
    subprocess.run([BENCH, "export", write_everything(tmp_path), "--pushgateway", gateway.url,
                    "--push-instance", "everything"], check=True)
    dashboard = json.loads((ROOT / "ci/grafana/rocm-bench.json").read_text())
    panels = [p for p in dashboard["panels"] if p["type"] != "row"]
    expressions = [t["expr"] for p in panels for t in p["targets"]]
    assert len(expressions) >= 25
    assert all(p["title"] and p["fieldConfig"]["defaults"]["unit"] for p in panels)
    variables = [v["definition"] for v in dashboard["templating"]["list"] if v["type"] == "query"]
    for label_values in variables:
        series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", label_values).groups()
        expressions.append(f"count by ({label}) ({series})")
    # Every metric that is exported is shown, and nothing else is asked for.
    for chosen in ("everything", ".*"):
        for expression in expressions:
            asked = expression.replace("$instance", chosen).replace("$scenario", chosen)
            assert "$" not in asked
            assert eventually(lambda: prometheus.query(asked)), f"no data: {asked}"
    text = subprocess.run([BENCH, "export", tmp_path / "everything.jsonl"], capture_output=True,
                          text=True, check=True).stdout
    families = re.findall(r"^# TYPE (\S+)", text, re.M)
    rules = (HERE / "rules.yml").read_text()
    unseen = [f for f in families if not any(f in e for e in expressions) and f not in rules]
    assert len(families) >= 20 and not unseen


def test_a_clean_run_takes_an_earlier_regression_back(gateway, tmp_path):
    """The gateway's group is replaced: what its last run does not tell is gone."""
    regressed = write_everything(tmp_path)
    clean = next((tmp_path / "everything").glob("*.jsonl"))

    def pushed(run):
        subprocess.run([BENCH, "export", run, "--pushgateway", gateway.url, "--push-instance",
                        "again"], check=True)
        groups = json.loads(get(gateway.url + "/api/v1/metrics"))["data"]
        return next(g for g in groups if g["labels"].get("instance") == "again")

    told = {"rocm_bench_regression_ratio", "rocm_bench_regressed_answers",
            "rocm_backend_crashes_total"}
    assert told <= pushed(regressed).keys()
    left = pushed(clean).keys()
    assert not told & left and "rocm_bench_requests_total" in left


NAMES = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "{{constructor}}", "${7*7}",
    '"quoted"', "'single'", "back\\slash", "trailing\\", 'mixed\\"end', "new\nline", "tab\ttab",
    "cr\rlf", "nul\0byte", "bell\x07", "esc\x1b[31m", "del\x7f", "\u202eevil", "zero\u200bwidth",
    "\ufeffbom", "line\u2028sep", "para\u2029sep", "$\\frac{$", "_hidden", "__name__", "a=b",
    'a="b"', "{a=\"b\"}", "a{b}c", "a,b", "a;b", "a/b/c", "../../etc/passwd", "//double", "a b",
    " leading", "trailing ", "%2e%2e%2f", "%00", "?query=1", "#fragment", "http://evil.example/",
    "@base64", "=", "==", "\u00e9t\u00e9", "e\u0301", "\u4e2d\u6587", "\U0001f600",
    "\U0001f468\u200d\U0001f469", "\u0627\u0644", "\uffff", "\U0010ffff", "w" * 100_000,
    "\u20ac" * 5000, "x" * 119 + "\u00e9", "le", "+Inf", "NaN", "# HELP x y", "0", "-",
    "rocm_bench_requests_total",
]


def scrape_label(name):
    """What docs and run_metrics.h promise: no control characters, at most 120 bytes, never empty."""
    clean = "".join(" " if ord(c) < 0x20 or ord(c) == 0x7F else c for c in name)
    return clean.encode()[:120].decode(errors="ignore") or "-"


def test_hostile_names_through_exposer_and_gateway(prometheus, gateway, ports, tmp_path):
    assert len({scrape_label(n) for n in NAMES}) == len(NAMES) >= 60
    everything = write_everything(tmp_path)
    requests = lines_of(everything, "request")
    header, end = (lines_of(everything, kind)[0] for kind in ("header", "end"))
    path = tmp_path / "hostile.jsonl"
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(header) + "\n")
        for index, name in enumerate(NAMES):
            for line in requests[:1 + index % 3]:
                line = {**line, "scenario": name, "variant": name, "stage": name}
                file.write(json.dumps(line, ensure_ascii=index % 2 == 0) + "\n")
        file.write(json.dumps(end) + "\n")
    wanted = {scrape_label(name): 1 + index % 3 for index, name in enumerate(NAMES)}

    listener = subprocess.Popen([BENCH, "export", path, "--listen", str(ports["hostile"])],
                                stdout=subprocess.PIPE, text=True)
    try:
        assert "serving http://127.0.0.1:" in listener.stdout.readline()
        subprocess.run([BENCH, "export", path, "--pushgateway", gateway.url, "--push-instance",
                        "hostile"], check=True, timeout=60)

        def seen(selector):
            result = prometheus.query(f"rocm_bench_requests_total{{{selector}}}")
            assert all(len({s["metric"][k] for k in ("variant", "stage", "scenario")}) == 1
                       for s in result)
            return {s["metric"]["scenario"]: int(s["value"][1]) for s in result}

        for job, selector in (("hostile", 'job="hostile"'),
                              ("pushgateway", 'job="rocm-bench",instance="hostile"')):
            assert eventually(lambda: seen(selector) == wanted), (
                set(seen(selector).items()) ^ set(wanted.items()))
            assert prometheus.up(job)
        text = get(f"http://127.0.0.1:{ports['hostile']}/metrics")
        checked = subprocess.run([tool("promtool"), "check", "metrics"], input=text,
                                 capture_output=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    finally:
        listener.terminate()
        assert listener.wait(10) == 0
