// SPDX-License-Identifier: EUPL-1.2
// SVG charts. Widths follow the container; everything that a pointer can read, the keyboard can.

function ticks(low, high, wanted) {
  const step0 = (high - low) / wanted, size = 10 ** Math.floor(Math.log10(step0));
  const step = [1, 2, 2.5, 5, 10].map((x) => x * size).find((x) => x >= step0);
  const out = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-9; v += step) out.push(v);
  return {values: out, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (step / size === 2.5 ? 1 : 0))};
}
const path = (points) => points.map(([x, y], i) =>
  `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

// Redraws when the width changes. `draw(width)` returns the svg.
function responsive(className, draw) {
  const box = h("div", {class: className});
  let width = 0;
  const redraw = () => {
    const now = Math.floor(box.clientWidth);
    if (now <= 0 || now === width) return;
    const focused = box.contains(document.activeElement);
    width = now;
    box.replaceChildren(draw(now));
    if (focused) box.firstElementChild.focus();
  };
  new ResizeObserver(redraw).observe(box);
  return box;
}

// Points of a series for one metric, those of its relatives before them; hollow: not valid.
function trendPoints(series, metric) {
  const all = [];
  for (const from of [series, ...relatives(series)]) {
    for (const p of from.points) {
      const value = p.values.get(metric.index);
      if (value && typeof value.value === "number") all.push({...value, point: p, run: p.run, from});
    }
  }
  return all.sort((a, b) => a.run.index - b.run.index);
}

// What changed around a point: rare facts are marked, a build that is new every night is not.
function markFacts(points) {
  const changes = points.map((p, i) => (i ? factChanges(points[i - 1].run, p.run) : []));
  const count = new Map();
  for (const list of changes) for (const [name] of list) count.set(name, (count.get(name) || 0) + 1);
  const rare = Math.max(3, points.length / 10);
  return changes.map((list) => list.filter(([name]) => count.get(name) <= rare));
}

function spark(series, metric) {
  const points = trendPoints(series, metric).filter((p) => p.from === series).slice(-60);
  const W = 240, H = 40, pad = 4;
  const values = points.map((p) => p.value);
  const low = Math.min(...values), high = Math.max(...values), span = high - low || Math.abs(high) || 1;
  const x = (i) => pad + (points.length > 1 ? i / (points.length - 1) : 0.5) * (W - 2 * pad);
  const y = (v) => H - pad - ((v - low) / span) * (H - 2 * pad) * (high > low ? 1 : 0.5);
  const svg = s("svg", {class: "spark", viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true",
                        preserveAspectRatio: "none"});
  for (const change of series.changes) {
    const at = points.findIndex((p) => p.run === change.run);
    if (change.metric !== metric || at < 0 || change.verdict.kind !== "change_point") continue;
    svg.append(s("line", {class: `cut ${look(change.verdict.finding)[0]}`, x1: x(at), x2: x(at),
                          y1: 0, y2: H}));
  }
  svg.append(s("path", {class: "line", d: path(points.map((p, i) => [x(i), y(p.value)]))}));
  return svg;
}

// The trend of one metric. Arrow keys walk along it, Enter opens the run.
function trend(series, metric, height = 220) {
  const points = trendPoints(series, metric);
  const marks = markFacts(points);
  const changes = series.changes
    .filter((c) => c.metric === metric && c.verdict.kind === "change_point")
    .map((c) => ({...c, at: points.findIndex((p) => p.run === c.run && p.from === series)}))
    .filter((c) => c.at >= 0).sort((a, b) => a.at - b.at);
  const readout = h("p", {class: "readout", "aria-live": "polite"});
  let chosen = points.length - 1;

  const say = () => {
    const p = points[chosen];
    const interval = p.low === null && p.high === null ? "" :
      ` [${num(p.low)}, ${num(p.high)}]`;
    const cut = changes.find((c) => c.at === chosen);
    const parts = [link(`#/run/${encodeURIComponent(p.run.id)}`, day(p.run)),
                   ` · ${withUnit(p.value, metric)}${interval} · n = ${p.point.ok}`];
    if (!p.supported) parts.push(" · n too small to claim it");
    if (p.run.status !== "valid") parts.push(` · run ${p.run.status}`);
    if (p.from !== series) parts.push(" · on another identity");
    if (cut) parts.push(` · ${look(cut.verdict.finding)[2]}: ${signed(cut.verdict.observed)}`);
    if (marks[chosen].length) {
      parts.push(` · changed: ${marks[chosen].map(([n, a, b]) =>
        `${n} ${a ?? "–"} → ${b ?? "–"}`).join(", ")}`);
    }
    readout.replaceChildren(...parts);
  };

  const draw = (W) => {
    const left = 56, right = 10, top = 18, bottom = 30, H = height;
    let low = Infinity, high = -Infinity;
    for (const p of points) {
      low = Math.min(low, p.value, p.low ?? p.value);
      high = Math.max(high, p.value, p.high ?? p.value);
    }
    const room = (high - low) * 0.08 || Math.abs(high) * 0.02 || 1;
    low = low >= 0 ? Math.max(0, low - room) : low - room;
    high += room;
    const x = (i) => left + (points.length > 1 ? i / (points.length - 1) : 0.5) * (W - left - right);
    const y = (v) => top + (1 - (v - low) / (high - low)) * (H - top - bottom);
    const label = `${series.name}: ${metric.label} over ${points.length} runs`;
    const svg = s("svg", {class: "trend", viewBox: `0 0 ${W} ${H}`, width: W, height: H,
                          tabindex: "0", role: "group", "aria-label": `${label}. Arrow keys move, ` +
                          "Enter opens the run."});
    const scale = metric.ratio ? 100 : 1;
    const grid = ticks(low * scale, high * scale, 5);
    for (const v of grid.values) {
      const at = y(v / scale);
      svg.append(s("line", {class: "grid", x1: left, x2: W - right, y1: at, y2: at}),
                 s("text", {class: "tick end", x: left - 8, y: at + 4, text: v.toFixed(grid.digits)}));
    }
    svg.append(s("text", {class: "tick end", x: left - 8, y: 10,
                          text: metric.ratio ? "%" : metric.unit}));
    const every = Math.max(1, Math.ceil(points.length / Math.max(2, Math.floor((W - left) / 110))));
    let previous = -Infinity;
    points.forEach((p, i) => {
      if (i % every && i !== points.length - 1) return;
      const at = Math.min(Math.max(x(i), left + 30), W - right - 30);
      if (at - previous < 84) return;
      previous = at;
      svg.append(s("text", {class: "tick middle", x: at, y: H - 6, text: day(p.run)}));
    });
    // Another identity: another thing was measured. Grey, and cut off.
    points.forEach((p, i) => {
      if (!i || p.from === points[i - 1].from) return;
      const at = (x(i) + x(i - 1)) / 2;
      const names = identityChanges(points[i - 1].from.identity, p.from.identity).slice(0, 2).join(", ");
      svg.append(s("line", {class: "break", x1: at, x2: at, y1: top, y2: H - bottom}),
                 s("text", {class: `tick ${at > W / 2 ? "end" : ""}`, x: at + (at > W / 2 ? -5 : 5),
                            y: top + 9, text: `${names || "settings"} changed`}));
    });
    for (const own of [false, true]) {
      const some = points.map((p, i) => ({p, i})).filter(({p}) => (p.from === series) === own);
      if (!some.length) continue;
      const band = some.filter(({p}) => p.low !== null && p.high !== null);
      if (band.length > 1) {
        svg.append(s("path", {class: `band ${own ? "" : "other"}`, d: path(
          band.map(({p, i}) => [x(i), y(p.high)])
            .concat(band.reverse().map(({p, i}) => [x(i), y(p.low)]))) + "Z"}));
      } else if (band.length) {
        const {p, i} = band[0];
        svg.append(s("line", {class: "whisker", x1: x(i), x2: x(i), y1: y(p.low), y2: y(p.high)}));
      }
      svg.append(s("path", {class: `line ${own ? "" : "other"}`,
                            d: path(some.map(({p, i}) => [x(i), y(p.value)]))}));
    }
    const start = points.findIndex((p) => p.from === series);
    changes.forEach((c, k) => {
      const tone = look(c.verdict.finding)[0];
      const to = k + 1 < changes.length ? changes[k + 1].at : points.length - 1;
      const from = k ? changes[k - 1].at : start;
      if (typeof c.before === "number") {
        svg.append(s("line", {class: "level", x1: x(from), x2: x(c.at), y1: y(c.before), y2: y(c.before)}));
      }
      if (typeof c.after === "number" && k + 1 === changes.length) {
        svg.append(s("line", {class: "level", x1: x(c.at), x2: x(to), y1: y(c.after), y2: y(c.after)}));
      }
      svg.append(s("line", {class: `cut ${tone}`, x1: x(c.at), x2: x(c.at), y1: top, y2: H - bottom}));
      const flip = x(c.at) > W - 90;
      svg.append(s("text", {class: `flag ${tone} ${flip ? "end" : ""}`, y: top - 6,
                            x: x(c.at) + (flip ? 4 : -4),
                            text: `${look(c.verdict.finding)[1]} ${signed(c.verdict.observed)}`}));
    });
    const radius = points.length > 150 ? 1.4 : points.length > 60 ? 2 : 3;
    points.forEach((p, i) => svg.append(s("circle", {
      class: `dot ${p.from === series ? "" : "other"} ${p.run.status === "valid" ? "" : "hollow"}`,
      cx: x(i).toFixed(1), cy: y(p.value).toFixed(1), r: p.run.status === "valid" ? radius : radius + 1})));
    marks.forEach((list, i) => {
      if (!list.length) return;
      const at = x(i), base = H - bottom;
      svg.append(s("path", {class: "fact", d: `M${at} ${base - 5}l4 5l-4 5l-4 -5Z`},
                   s("title", {text: list.map(([n, a, b]) => `${n}: ${a} → ${b}`).join("\n")})));
    });
    const ring = s("circle", {class: "ring", r: 6});
    const guide = s("line", {class: "guide", y1: top, y2: H - bottom});
    const mark = () => {
      const at = x(chosen);
      ring.setAttribute("cx", at);
      ring.setAttribute("cy", y(points[chosen].value));
      guide.setAttribute("x1", at);
      guide.setAttribute("x2", at);
      say();
    };
    const open = () => { location.hash = `#/run/${encodeURIComponent(points[chosen].run.id)}`; };
    svg.append(guide, ring);
    svg.addEventListener("pointermove", (event) => {
      const at = (event.clientX - svg.getBoundingClientRect().left - left) / (W - left - right);
      chosen = Math.min(points.length - 1, Math.max(0, Math.round(at * (points.length - 1))));
      mark();
    });
    svg.addEventListener("click", open);
    svg.addEventListener("keydown", (event) => {
      const steps = {ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10,
                     Home: -points.length, End: points.length};
      if (event.key === "Enter") return open();
      if (!(event.key in steps)) return;
      event.preventDefault();
      chosen = Math.min(points.length - 1, Math.max(0, chosen + steps[event.key]));
      mark();
    });
    mark();
    return svg;
  };
  if (!points.length) return h("p", {class: "muted", text: "No values."});
  return h("figure", {class: "chart"}, responsive("canvas", draw), readout);
}

// An interval that both rounds could give; two rounds, say, give none.
const bounded = (v) => typeof v.low === "number" && typeof v.high === "number" && v.low > 0;

// Ratios with their intervals, one line each, against the margin within which nothing changed.
function forest(comparisons) {
  const draw = (W) => {
    const row = 46, top = 8, bottom = 30, H = top + bottom + row * comparisons.length;
    const left = 12, right = 12;
    let low = 0, high = 0;
    for (const {verdict: v, rounds} of comparisons) {
      const all = [...(bounded(v) ? [v.low, v.high] : []), v.observed, ...rounds.map(([, a, b]) => b / a)];
      for (const r of all) {
        if (typeof r !== "number") continue;
        low = Math.min(low, r - 1);
        high = Math.max(high, r - 1);
      }
      low = Math.min(low, -(v.limit || 0) * 1.3);
      high = Math.max(high, (v.limit || 0) * 1.3);
    }
    const room = (high - low) * 0.04 || 0.01;
    low -= room;
    high += room;
    const x = (r) => left + (r - low) / (high - low) * (W - left - right);
    const svg = s("svg", {class: "forest", viewBox: `0 0 ${W} ${H}`, width: W, height: H, role: "img",
                          "aria-label": "Ratios with intervals; the table below holds the same."});
    const grid = ticks(low * 100, high * 100, Math.max(3, Math.floor(W / 110)));
    for (const v of grid.values) {
      const at = x(v / 100);
      svg.append(s("line", {class: Math.abs(v) < 1e-9 ? "zero" : "grid", x1: at, x2: at, y1: top,
                            y2: H - bottom}),
                 s("text", {class: "tick middle", x: Math.min(Math.max(at, 22), W - 22), y: H - 10,
                            text: `${v > 0 ? "+" : v < 0 ? "−" : ""}${Math.abs(v).toFixed(grid.digits)} %`}));
    }
    comparisons.forEach(({verdict: v, rounds}, k) => {
      const y = top + row * k + 29, tone = look(v.finding)[0];
      if (v.limit) {
        svg.prepend(s("rect", {class: "margin", x: x(-v.limit), y: y - 10, height: 22,
                               width: x(v.limit) - x(-v.limit)}));
      }
      for (const [, a, b] of rounds) {
        svg.append(s("circle", {class: "round", cx: x(b / a - 1), cy: y + 1, r: 2.6}));
      }
      if (bounded(v)) {
        svg.append(s("line", {class: `interval ${tone}`, x1: x(v.low - 1), x2: x(v.high - 1), y1: y + 1,
                              y2: y + 1}));
      }
      if (typeof v.observed === "number") {
        svg.append(s("path", {class: `estimate ${tone}`,
                              d: `M${x(v.observed - 1)} ${y - 6}l5 7l-5 7l-5 -7Z`}));
      }
      const name = (metricOf.get(v.metric) || {label: v.metric}).label;
      svg.append(s("text", {class: "name", x: left, y: y - 15, text:
        `${name}: ${look(v.finding)[2]}`}));
    });
    return svg;
  };
  return h("figure", {class: "chart"}, responsive("canvas", draw));
}
