// SPDX-License-Identifier: EUPL-1.2
// One function a page; each returns the elements of <main>.

const runHash = (run) => `#/run/${encodeURIComponent(run.id)}`;
const seriesHash = (series) => `#/series/${series.index}`;
const heading = (text) => h("h2", {text});

function tile(series) {
  const now = state(series), [tone] = look(now.word), point = last(series.points);
  const value = now.metric && point.values.get(now.metric.index);
  const bad = tone === "bad" || tone === "warn";
  const others = METRICS.filter((m) => m !== now.metric && point.values.has(m.index)
                                && /^(ttft_ms|tpot_ms|decode|throughput)/.test(m.path)
                                && !m.path.endsWith("p99")).slice(0, 2);
  const interval = value && value.low !== null
    ? `[${num(value.low)}, ${num(value.high)}]` : "no interval";
  return h("article", {class: `tile ${tone}`},
    h("h3", {}, link(bad ? runHash(now.run) : seriesHash(series), series.scenario || "(no name)",
                     {class: "cover", "aria-label": bad
                       ? `${series.name}: ${look(now.word)[2]}, open run ${now.run.id}`
                       : `${series.name}: trend`})),
    h("p", {class: "muted clip", text: series.detail || "\u00a0"}),
    value ? h("p", {class: "big"}, h("b", {text: now.metric.ratio ? num(value.value * 100, 3)
                                                                  : num(value.value)}),
              h("span", {text: ` ${now.metric.ratio ? "%" : now.metric.unit}`})) : null,
    h("p", {class: "muted small", text: value
      ? `${now.metric.label} ${interval}, n = ${point.ok}` : "no value"}),
    now.metric ? spark(series, now.metric) : null,
    h("p", {class: "small others"}, others.map((m) =>
      h("span", {text: `${m.label.replace(", median", "")} ${withUnit(point.values.get(m.index).value, m)}`}))),
    h("p", {class: "foot small"}, badge(now.word),
      now.text ? h("span", {class: "why", text: ` ${now.text}`}) : null,
      now.more ? h("span", {class: "muted", text: `; ${now.more} more`}) : null,
      bad ? h("span", {class: "go", text: now.change ? " to that run →" : " to the run →"}) : null));
}

function abTile(comparison) {
  const {verdict: v, run, rounds, ratio} = comparison, [tone] = look(v.finding);
  const metric = metricOf.get(v.metric) || {label: v.metric};
  return h("article", {class: `tile ${tone}`},
    h("h3", {}, link(tone === "bad" ? runHash(run) : "#/ab", v.scenario || "(no name)", {class: "cover"})),
    h("p", {class: "muted clip", text: v.variant}),
    h("p", {class: "big"}, h("b", {text: typeof v.observed !== "number" ? "–"
      : ratio ? signed(v.observed) : num(v.observed)})),
    h("p", {class: "muted small", text: !ratio ? v.reason : bounded(v)
      ? `${metric.label} [${signed(v.low)}, ${signed(v.high)}], ${v.n} rounds` : metric.label}),
    h("p", {class: "small others"}, h("span", {text: typeof v.effect === "number"
      ? `smallest effect that could be seen: ${num(v.effect * 100, 2)} %` : `${rounds.length} rounds`})),
    h("p", {class: "foot small"}, badge(v.finding),
      tone === "bad" ? h("span", {class: "go", text: " to the run →"}) : null));
}

function overview() {
  const tiles = current.map((x) => ({x, tone: look(state(x).word)[0]}))
    .sort((a, b) => rank[a.tone] - rank[b.tone] || a.x.index - b.x.index);
  const latest = COMPARISONS.filter((c) => c.run === (last(COMPARISONS) || {}).run
    && (c.ratio || look(c.verdict.finding)[0] !== "quiet"));
  const counts = ["bad", "warn", "good", "quiet"].map((tone) => tiles.filter((t) => t.tone === tone).length);
  const news = DATA.changes.length
    ? SERIES.flatMap((x) => x.changes).sort((a, b) => b.run.index - a.run.index).slice(0, 12) : [];
  return [
    heading("Now"),
    h("p", {class: "muted", text: `${tiles.length} series: ${counts[0]} bad, ${counts[1]} with a warning, ` +
      `${counts[2]} better, ${counts[3]} steady. Brackets are 95 % intervals.`}),
    h("div", {class: "tiles"}, tiles.map(({x}) => tile(x))),
    latest.length ? [heading("Latest A/B"), h("div", {class: "tiles"}, latest.map(abTile))] : [],
    news.length ? [heading("Latest changes"), table("Latest changes",
      ["", "run", "series", "metric", "what"], news.map((c) => [
        badge(c.verdict.finding), link(runHash(c.run), day(c.run)),
        link(seriesHash(c.series), c.series.name), (c.metric || {label: c.verdict.metric}).label,
        c.verdict.kind === "fence" ? c.verdict.reason : changeText(c)]))] : [],
  ].flat();
}

function trends(query) {
  const scenarios = [...new Set(SERIES.map((x) => x.scenario))];
  const scenario = scenarios[Number(query.get("s") || 0)] ?? scenarios[0];
  const mine = SERIES.filter((x) => x.scenario === scenario && x.points.length
    && !relatives(x).some((y) => last(y.points).run.index > last(x.points).run.index));
  const known = METRICS.filter((m) => mine.some((x) => x.points.some((p) => p.values.has(m.index))));
  const head = mine[0] && last(mine[0].points).headline;
  const metric = known.find((m) => m.path === query.get("m")) || known.find((m) => m.index === head)
    || known[0];
  const go = (s, m) => { location.hash = `#/trends?s=${s}${m ? `&m=${m}` : ""}`; };
  const select = (label, options, chosen, onchange) => h("label", {}, h("span", {text: label}),
    h("select", {onchange: (event) => onchange(event.target.value)}, options.map(([value, text]) =>
      h("option", {value, text, selected: value === chosen}))));
  const at = scenarios.indexOf(scenario);
  return [
    heading("Trends"),
    h("div", {class: "controls"},
      select("Scenario", scenarios.map((x, i) => [String(i), x || "(no name)"]), String(at), (v) => go(v)),
      metric ? select("Metric", known.map((m) => [m.path, m.label]), metric.path, (v) => go(at, v)) : null),
    legend(),
    mine.map((x) => h("section", {class: "panel"},
      h("h3", {}, link(seriesHash(x), x.detail || x.name)), metric ? trend(x, metric, 190) : null)),
  ].flat();
}

const levels = (c) => `${signed(c.verdict.observed)}: ${num(c.before)} to ${num(c.after)}` +
  (c.metric && c.metric.unit ? ` ${c.metric.unit}` : "");

const legend = () => h("p", {class: "muted small", text: "Line: value of each run, in their order; band: 95 % interval. " +
  "▲▼ change point, dashes: the levels around it. ◆ something rare changed in the environment. " +
  "Hollow: the run is not valid. Grey: another identity."});

function seriesPage(index) {
  const series = SERIES[index];
  if (!series || !series.points.length) return missing("series");
  const metrics = METRICS.filter((m) => series.points.some((p) => p.values.has(m.index)));
  const now = state(series);
  const order = now.metric ? [now.metric, ...metrics.filter((m) => m !== now.metric)] : metrics;
  const changes = series.changes.slice().sort((a, b) => b.run.index - a.run.index);
  return [
    heading(series.name),
    h("p", {}, badge(now.word), now.text ? ` ${now.text}` : "", now.word === "steady" ? "" : " · ",
      now.word === "steady" ? "" : link(runHash(now.run), `run of ${day(now.run)}`)),
    relatives(series).map((other) => h("p", {class: "small"}, link(seriesHash(other),
      `${day(other.points[0].run)} to ${day(last(other.points).run)} on another identity`), ": ",
      identityChanges(other.identity, series.identity).join(", ") || "other settings")),
    legend(),
    order.map((m) => h("section", {class: "panel"}, h("h3", {text: m.label}), trend(series, m))),
    changes.length ? [heading("Changes"), table("Changes", ["", "run", "metric", "what", "suspects"],
      changes.map((c) => [badge(c.verdict.finding), link(runHash(c.run), day(c.run)),
                          (c.metric || {label: c.verdict.metric}).label,
                          c.verdict.kind === "fence" ? c.verdict.reason : levels(c),
                          [...c.suspects, ...c.nearby.map((n) => `${n} (within two runs)`)].join(", ") || "–"]))] : [],
    heading("Identity"), facts(DATA.identities[series.identity]),
  ].flat();
}

const facts = (pairs) => h("dl", {class: "facts"}, pairs.map(([name, value]) =>
  [h("dt", {text: name}), h("dd", {text: value || "–"})]).flat());

function verdictTable(verdicts) {
  return table("Verdicts", ["", "where", "metric", "observed", "expected", "reason"], verdicts.map((v) => [
    badge(v.finding), [v.scenario, v.variant, v.stage].filter(Boolean).join(" · "), v.metric,
    num(v.observed), v.limit === null ? "–" : `${v.op} ${num(v.limit)}`.trim(), v.reason || "–"]), [3, 4]);
}

function runPage(id) {
  const run = RUNS.find((r) => r.id === id);
  if (!run) return missing("run");
  const previous = RUNS.slice(0, run.index).reverse()
    .find((r) => r.suite === run.suite && r.target === run.target);
  const mine = SERIES.flatMap((x) => x.points.filter((p) => p.run === run).map((p) => ({x, p})));
  const used = METRICS.filter((m) => mine.some(({p}) => p.values.has(m.index)));
  const cell = (v, m) => {
    if (!v) return "–";
    const scale = m.ratio ? 100 : 1, show = (x) => typeof x === "number" ? num(x * scale) : "–";
    return h("span", {}, show(v.value), v.supported ? "" : " †",
             v.low === null && v.high === null ? null
               : h("small", {text: ` [${show(v.low)}, ${show(v.high)}]`}));
  };
  const outcomes = new Map();
  for (const {p} of mine) {
    for (const [name, n] of Object.entries(p.outcomes)) outcomes.set(name, (outcomes.get(name) || 0) + n);
  }
  const causes = SERIES.flatMap((x) => x.changes).filter((c) => c.run === run);
  const diff = previous ? factChanges(previous, run) : [];
  const moved = previous && previous.identity !== run.identity
    ? identityChanges(previous.identity, run.identity) : [];
  const title = h("h2", {}, "Run ", h("code", {text: run.id}));
  return [
    title,
    h("p", {class: "verdict-line"}, badge(run.word), ` ${run.facts}. The run is ${run.status}.`),
    [...run.reasons, ...run.problems].map((r) => h("p", {class: "reason", text: r})),
    causes.length ? [heading("What changed from this run on"), table("Changes",
      ["", "series", "metric", "what"], causes.map((c) => [badge(c.verdict.finding),
        link(seriesHash(c.series), c.series.name), (c.metric || {label: c.verdict.metric}).label,
        c.verdict.kind === "fence" ? c.verdict.reason : levels(c) + suspects(c)]))] : [],
    run.verdicts.length ? [heading("Verdicts"), verdictTable(run.verdicts)] : [],
    h("p", {class: "muted", text: `${run.passed} checks passed` +
      (run.more ? `, ${run.more} more findings are in the file` : "") + "."}),
    heading("Since the run before"),
    !previous ? h("p", {class: "muted", text: "There is none of this suite and target."})
      : diff.length + moved.length === 0
        ? h("p", {}, "Nothing recorded changed since ", link(runHash(previous), previous.id), ".")
        : [h("p", {}, "Against ", link(runHash(previous), previous.id), ":"),
           table("Differences", ["", "before", "now"], [...moved.map((n) => [n,
             new Map(DATA.identities[previous.identity]).get(n) ?? "–",
             new Map(DATA.identities[run.identity]).get(n) ?? "–"]),
             ...diff.map(([n, a, b]) => [n, a ?? "–", b ?? "–"])])],
    heading("Results"),
    mine.length ? [table("Results", ["series", "n", "failed", ...used.map((m) =>
      m.label + (m.ratio ? " %" : m.unit ? ` ${m.unit}` : ""))], mine.map(({x, p}) => [
        link(seriesHash(x), x.name), num(p.ok), num(p.failed), ...used.map((m) =>
          cell(p.values.get(m.index), m))]), used.map((_, i) => i + 3).concat(1, 2)),
      h("p", {class: "muted small", text: "† n is too small to carry this percentile."})]
      : h("p", {class: "muted", text: "No stage was completed."}),
    heading("Failures"),
    outcomes.size ? table("Failures", ["class", "requests"], [...outcomes].map(([n, v]) => [n, num(v)]), [1])
      : h("p", {class: "muted", text: "No request failed."}),
    run.events.length ? [heading("Events"), table("Events", ["s", "event", "scenario", ""],
      run.events.map(([at, name, scenario, text]) => [num(at), name, scenario, text]), [0])] : [],
    heading("Setup"),
    facts([["file", run.file], ["started", minute(run)], ["target", run.target], ["suite", run.suite],
           ["calibrated", run.calibrated || "no calibration in force"],
           ...DATA.identities[run.identity], ...run.facts_of]),
    run.command ? [heading("Repeat it"), h("pre", {tabindex: "0"}, h("code", {text: run.command}))] : [],
  ].flat();
}

function runsPage() {
  const rows = RUNS.slice().reverse();
  return [heading("Runs"), table("Runs", ["", "run", "started", "target", "suite", "requests", "failed"],
    rows.map((r) => [badge(r.word), link(runHash(r), r.id), minute(r), r.target, r.suite || "–",
      num(r.rows.reduce((n, x) => n + x[2] + x[3], 0)), num(r.rows.reduce((n, x) => n + x[3], 0))]),
    [5, 6])];
}

function abPage() {
  if (!COMPARISONS.length) {
    return [heading("A/B"), h("p", {class: "muted", text: "No run here compares two variants. " +
      "A scenario of kind “ab” does, and rocm-bench compare for two runs that were already made."})];
  }
  const groups = new Map();
  for (const c of COMPARISONS) {
    const key = JSON.stringify([c.run.index, c.verdict.scenario, c.verdict.variant]);
    groups.set(key, [...(groups.get(key) || []), c]);
  }
  const list = [...groups.values()].reverse();
  return [
    heading("A/B"),
    h("p", {class: "muted small", text: "Dots: the rounds, ratio of the medians. Diamond and bar: all rounds together, " +
      "95 % interval. Grey: the margin, within which nothing changed."}),
    list.slice(0, 40).map((group) => h("section", {class: "panel"},
      h("h3", {text: `${group[0].verdict.scenario}: ${group[0].verdict.variant}`}),
      h("p", {class: "muted small"}, link(runHash(group[0].run), minute(group[0].run))),
      group.some((c) => c.ratio) ? forest(group.filter((c) => c.ratio)) : null,
      table("Comparison", ["", "metric", "ratio or count", "95 %", "n", "smallest effect", "p (Holm)", "why"],
        group.map(({verdict: v, ratio}) => [badge(v.finding), (metricOf.get(v.metric) || {label: v.metric}).label,
          num(v.observed), ratio ? `[${num(v.low)}, ${num(v.high)}]` : "–", num(v.n),
          typeof v.effect === "number" ? `${num(v.effect * 100, 2)} %` : "–", num(v.p, 2),
          v.reason || "–"]), [2, 3, 4, 5, 6]))),
    list.length > 40 ? h("p", {class: "muted", text: `${list.length - 40} older ones are on the pages of their runs.`}) : null,
  ].flat().filter(Boolean);
}

const missing = (what) => [heading("Not here"), h("p", {}, `This page holds no such ${what}. `,
  link("#/", "Back to the overview"))];
