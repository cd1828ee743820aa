// SPDX-License-Identifier: EUPL-1.2
// The embedded data, unpacked. Nothing is estimated here: values, intervals and verdicts are those
// of the run files.

const DATA = JSON.parse(document.getElementById("data").textContent);
// A series that the newest runs do not have is history: it has no tile.
const RECENT = 14;
const RATIOS = new Set(["goodput_ratio", "bandwidth_utilisation_ratio"]);

const METRICS = DATA.metrics.map(([path, label, unit, better], index) =>
  ({path, label, unit, better, index, ratio: RATIOS.has(path)}));
const metricOf = new Map(METRICS.map((m) => [m.path, m]));
const FIELDS = ["kind", "finding", "scenario", "variant", "stage", "metric", "op", "limit",
                "observed", "low", "high", "effect", "p", "n", "reason"];
const unpack = (packed) => Object.fromEntries(FIELDS.map((name, i) => [name, packed[i]]));

const RUNS = DATA.runs.map((run, index) => ({
  ...run, index, verdicts: run.verdicts.map(unpack),
  facts_of: new Map(run.covariates.map((i) => DATA.covariates[i])),
}));
const SERIES = DATA.series.map(([scenario, variant, stage, identity], index) => ({
  index, scenario, variant, stage, identity, points: [], changes: [], states: [],
  detail: [variant, stage].filter(Boolean).join(" · "),
  name: [scenario, variant, stage].filter(Boolean).join(" · ") || "(no name)",
}));
for (const run of RUNS) {
  for (const [series, round, ok, failed, outcomes, cells, headline] of run.rows) {
    const values = new Map();
    for (let i = 0; i < cells.length; i += 2) {
      const cell = cells[i + 1];
      const [value, low, high, supported] = Array.isArray(cell) ? cell : [cell, null, null];
      values.set(cells[i], {value, low, high, supported: supported !== 0});
    }
    SERIES[series].points.push({run, round, ok, failed, outcomes, values, headline});
  }
}
for (const [series, run, packed, before, after, suspects, nearby] of DATA.changes) {
  const verdict = unpack(packed);
  SERIES[series].changes.push({series: SERIES[series], run: RUNS[run], verdict, before, after,
                               suspects, nearby, metric: metricOf.get(verdict.metric)});
}
for (const [series, metric, word, low, high] of DATA.states) {
  SERIES[series].states.push({metric: METRICS[metric], word, low, high});
}
// `ratio`: the verdict's value is b/a; else it counts requests or answers.
const COMPARISONS = DATA.comparisons.map(([run, packed, rounds, ratio]) =>
  ({run: RUNS[run], verdict: unpack(packed), rounds, ratio: Boolean(ratio)}));

const last = (list) => list[list.length - 1];
const NEWEST = last(RUNS);

// The earlier and later points of the same thing measured on another identity.
function relatives(series) {
  return SERIES.filter((x) => x !== series && x.scenario === series.scenario
    && x.variant === series.variant && x.stage === series.stage && x.points.length);
}
function identityChanges(a, b) {
  const before = new Map(DATA.identities[a]), after = new Map(DATA.identities[b]);
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((name) => before.get(name) !== after.get(name));
}
// Facts that differ between two runs: [[name, old, new]…].
function factChanges(older, newer) {
  return [...new Set([...older.facts_of.keys(), ...newer.facts_of.keys()])]
    .map((name) => [name, older.facts_of.get(name), newer.facts_of.get(name)])
    .filter(([, a, b]) => a !== b);
}
const rank = {bad: 0, warn: 1, good: 2, quiet: 3};

// What a series says now: the word, the metric that it is about, and the run that caused it.
function state(series) {
  const newest = last(series.points);
  const found = [];
  for (const v of newest.run.verdicts) {
    if (v.scenario === series.scenario && v.variant === series.variant
        && (!v.stage || v.stage === series.stage) && v.kind !== "comparison"
        && v.kind !== "change_point") {
      found.push({word: v.finding, metric: metricOf.get(v.metric), run: newest.run,
                  text: v.reason || `${v.metric} ${v.op} ${num(v.limit)}: ${num(v.observed)}`});
    }
  }
  for (const {metric, word} of series.states) {
    if (!["regression", "improvement", "warning"].includes(word)) continue;
    const kind = word === "warning" ? "fence" : "change_point";
    const cause = last(series.changes.filter((c) => c.metric === metric && c.verdict.kind === kind));
    const change = word === "warning" ? null : cause;
    found.push({word, metric, run: cause ? cause.run : newest.run, change,
                text: change ? changeText(change) : cause ? cause.verdict.reason : ""});
  }
  const headline = METRICS[newest.headline] || METRICS.find((m) => newest.values.has(m.index));
  if (!found.length) {
    return {word: newest.run.status === "valid" ? "steady" : newest.run.status, metric: headline,
            run: newest.run, text: "", more: 0};
  }
  found.sort((a, b) => rank[look(a.word)[0]] - rank[look(b.word)[0]]
    || (b.metric === headline) - (a.metric === headline));
  const first = found[0];
  const metric = first.metric && newest.values.has(first.metric.index) ? first.metric : headline;
  return {...first, metric, more: found.length - 1};
}
// The verdict's own sentence names the run by its id; here the run is a link.
const changeText = (c) => `${signed(c.verdict.observed)} since ${day(c.run)}${suspects(c)}`;
function suspects(c) {
  const names = [...c.suspects, ...c.nearby.map((name) => `${name} (within two runs)`)].slice(0, 3);
  return names.length ? `, when ${names.join(", ")} changed` : "";
}
const current = SERIES.filter((x) => x.points.length
  && last(x.points).run.index >= RUNS.length - RECENT
  && !relatives(x).some((y) => last(y.points).run.index > last(x.points).run.index));
