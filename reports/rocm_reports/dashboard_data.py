# SPDX-License-Identifier: EUPL-1.2
"""What the dashboard shows, as one small JSON value: runs, series, changes, comparisons. Numbers
are copied from run files and from the verdicts of `rocm-bench history`; none is computed here."""

from . import fingerprint, judgement
from .statistics import (KNOWN, as_dict, group_summaries, is_number, is_ratio, paired_rounds,
                         point)
from .text import clean, shell

METRICS = [p for p in KNOWN if p not in ("ttft_ms.p90", "tpot_ms.p90")]
MAX_VERDICTS = 60  # of one run, the worst first
MAX_EVENTS = 24
NOTABLE = {"load_failed", "server_exited", "server_recovered", "fault_injected", "throttled",
           "interrupted", "note", "round_set_aside"}


class Table:
    """Strings that repeat, by index."""

    def __init__(self):
        self.items = []
        self._index = {}

    def add(self, item):
        key = repr(item)
        if key not in self._index:
            self._index[key] = len(self.items)
            self.items.append(item)
        return self._index[key]


def _short(value):
    """Five significant digits: more than any of these numbers carries."""
    if not is_number(value):
        return None
    return value if isinstance(value, int) else float(f"{value:.5g}")


def _cell(found):
    """v, [v, low, high], or [v, low, high, 0] where n does not carry the percentile."""
    if found is None:
        return None
    value, low, high, supported = found
    if supported and low is None and high is None:
        return _short(value)
    cell = [_short(value), _short(low), _short(high)]
    return cell if supported else [*cell, 0]


def _dense(cells):
    """[index, cell, index, cell, …] of those that exist."""
    out = []
    for i, cell in enumerate(cells):
        if cell is not None:
            out += [i, cell]
    return out


def _headline(summary):
    """The metric that a tile shows: what this stage was made to measure."""
    def median(metric):
        found = point(summary, f"{metric}.p50")
        return found[0] if found else 0

    if point(summary, "recovery_ms.p50"):
        path = "recovery_ms.p50"
    elif not point(summary, "ttft_ms.p50") and point(summary, "load_ms"):
        path = "load_ms"
    elif (as_dict(summary.get("counts")).get("concurrency_max") or 0) > 1:
        path = "throughput_tokens_per_s"
    elif median("output_tokens") < 8:
        path = "ttft_ms.p50"
    elif median("prompt_tokens") >= 8 * median("output_tokens"):
        path = "prefill_tokens_per_s.p50"
    else:
        path = "decode_tokens_per_s.p50"
    return METRICS.index(path)


def _verdict(v):
    return [clean(v.get("kind", ""), 20), clean(v.get("finding", ""), 24),
            clean(v.get("scenario", "")), clean(v.get("variant", "")), clean(v.get("stage", ""), 40),
            clean(v.get("metric", ""), 60), clean(v.get("op", ""), 4),
            *(_short(v.get(k)) for k in ("limit", "observed", "low", "high", "smallest_effect",
                                         "p_value", "n")),
            clean(v.get("reason", ""), 300)]


def _events(run):
    """[[seconds since the header, name, where, text]…], and how often each name came."""
    start = run.header.get("started_ns")
    counts, shown = {}, []
    for event in run.events:
        name = clean(event.get("event", ""), 40)
        counts[name] = counts.get(name, 0) + 1
        if name not in NOTABLE or len(shown) >= MAX_EVENTS:
            continue
        at = event.get("at_ns")
        seconds = (_short((at - start) / 1e9)
                   if isinstance(at, int) and isinstance(start, int) else None)
        detail = as_dict(event.get("detail"))
        text = next((detail[k] for k in ("text", "message", "why", "reason", "action") if detail.get(k)), "")
        shown.append([seconds, name, clean(event.get("scenario", "")), clean(text, 200)])
    counts.pop("sample", None)
    return shown, counts


class Dashboard:
    """Collects runs in the order of their ids."""

    def __init__(self):
        self.identities = Table()
        self.covariates = Table()
        self.series = Table()
        self.runs = []
        self.comparisons = []
        self.changes = []
        self.states = []

    def add(self, run):
        index = len(self.runs)
        identity = self.identities.add(
            [[clean(k, 60), clean(v, 120)] for k, v in fingerprint.identity(run).items()])
        rows = []
        for _, summaries in group_summaries(run):
            rows += [self._row(s, identity) for s in summaries]
        word, facts = judgement.judge(run)
        worth = [v for v in run.verdicts if v.get("finding") not in ("pass", "not_judged")]
        worth = sorted(worth, key=judgement.severity)
        passed = sum(v.get("finding") == "pass" for v in run.verdicts)
        events, counts = _events(run)
        header = run.header
        self.runs.append({
            "id": clean(run.run_id, 60), "at": clean(header.get("started_at", ""), 30),
            "target": clean(header.get("target", "")), "suite": clean(header.get("suite", "")),
            "status": run.status, "word": word, "facts": ", ".join(facts),
            "reasons": [clean(r, 300) for r in run.reasons[:8]],
            "problems": [clean(p, 100) for p in run.problems[:8]],
            "command": shell(header.get("command"))[:2000],
            "file": clean(run.path.name, 120),
            "identity": identity,
            "covariates": [self.covariates.add([clean(k, 60), clean(v, 120)])
                           for k, v in fingerprint.covariates(run).items()],
            "calibrated": clean(as_dict(header.get("calibration")).get("made_at", ""), 30),
            "rows": rows, "passed": passed,
            "verdicts": [_verdict(v) for v in worth[:MAX_VERDICTS]],
            "more": max(0, len(worth) - MAX_VERDICTS),
            "events": events, "counts": counts,
        })
        for v in run.verdicts:
            if v.get("kind") == "comparison":
                rounds = [[r, _short(a), _short(b)] for r, a, b in paired_rounds(run, v)]
                self.comparisons.append([index, _verdict(v), rounds, int(is_ratio(v))])

    def _row(self, summary, identity):
        names = [clean(summary.get(k, "")) for k in ("scenario", "variant", "stage")]
        number = summary.get("round")
        series = self.series.add([*names, identity, clean(summary.get("series", ""), 20)])
        failed = {clean(k, 40): v for k, v in as_dict(summary.get("outcomes")).items()
                  if k != "ok" and isinstance(v, int)}
        return [series, number if isinstance(number, int) else 0, summary.get("requests_ok") or 0,
                summary.get("requests_failed") or 0, failed,
                _dense([_cell(point(summary, p)) for p in METRICS]), _headline(summary)]

    def add_history(self, history):
        """Change points, fences and the state of each series, from `rocm-bench history`."""
        ids = {r["id"]: i for i, r in enumerate(self.runs)}
        by_key = {}
        for i, s in enumerate(self.series.items):
            by_key.setdefault(s[4], i)
        reasons = {}
        for v in history.verdicts:
            reasons[str(v.get("series")), str(v.get("metric")), str(v.get("kind")),
                    str(v.get("run_id"))] = v
        for line in history.series:
            key, metric = str(line.get("series", "")), str(line.get("metric", ""))
            index = by_key.get(clean(key, 20))
            if index is None or metric not in METRICS:
                continue
            fence = as_dict(line.get("fence"))
            self.states.append([index, METRICS.index(metric), clean(line.get("state", ""), 20),
                                _short(fence.get("low")), _short(fence.get("high"))])
            for change in line.get("changes") or []:
                change = as_dict(change)
                run_id = history.runs.get(change.get("run"), "")
                verdict = reasons.get((key, metric, "change_point", run_id), {
                    **{k: line.get(k) for k in ("scenario", "variant", "stage", "metric")},
                    "kind": "change_point", "finding": change.get("finding"),
                    "observed": change.get("ratio"), "p_value": change.get("p_value")})
                self._change(index, ids.get(clean(run_id, 60)), verdict, change)
        for (key, _, kind, run_id), verdict in reasons.items():
            if kind == "fence" and clean(key, 20) in by_key:
                self._change(by_key[clean(key, 20)], ids.get(clean(run_id, 60)), verdict, {})

    def _change(self, series, run, verdict, facts):
        if run is None:
            return  # of a run that is not among those given
        names = [[clean(s, 60) for s in facts.get(k) or []][:8] for k in ("suspects", "nearby")]
        self.changes.append([series, run, _verdict(verdict), _short(facts.get("before")),
                             _short(facts.get("after")), *names])

    def value(self, title, generated_at):
        """The whole as JSON. Call once, after the last run."""
        return {
            "title": clean(title), "at": generated_at,
            "metrics": [[p, *KNOWN[p]] for p in METRICS],
            "identities": self.identities.items, "covariates": self.covariates.items,
            "series": self.series.items, "runs": self.runs, "changes": self.changes,
            "comparisons": self.comparisons, "states": self.states,
        }
