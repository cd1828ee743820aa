// SPDX-License-Identifier: EUPL-1.2
// Elements and numbers. Text is only ever set as text.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}
const h = (name, attributes, ...children) =>
  fill(document.createElement(name), attributes, children.flat());
const s = (name, attributes, ...children) =>
  fill(document.createElementNS(SVG, name), attributes, children.flat());
const link = (hash, text, more) => h("a", {href: hash, text, ...more});

// At least four significant digits and never an exponent, as FINDINGS.md prints them.
function num(value, digits = 4) {
  if (typeof value !== "number" || !Number.isFinite(value)) return "–";
  if (Number.isInteger(value)) return String(value);
  const size = Math.floor(Math.log10(Math.abs(value)));
  if (size < -6) return value.toExponential(digits - 1);
  return value.toFixed(Math.max(0, digits - 1 - size));
}
function withUnit(value, metric) {
  if (typeof value !== "number") return "–";
  if (metric.ratio) return `${num(value * 100, 3)} %`;
  return metric.unit ? `${num(value)} ${metric.unit}` : num(value);
}
const signed = (ratio) => {
  const percent = (ratio - 1) * 100;
  return `${percent < 0 ? "−" : "+"}${num(Math.abs(percent), 3)} %`;
};
const day = (run) => (run.at || run.id).slice(0, 10);
const minute = (run) => (run.at ? `${run.at.slice(0, 10)} ${run.at.slice(11, 16)} UTC` : run.id);

function age(milliseconds) {
  if (!Number.isFinite(milliseconds)) return "at an unknown time";
  const minutes = Math.round(milliseconds / 6e4);
  if (minutes < -1) return "in the future: check the clock";
  if (minutes < 2) return "just now";
  if (minutes < 120) return `${minutes} minutes ago`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} hours ago` : `${Math.round(hours / 24)} days ago`;
}

// A shape and a word with every colour: none of them has to be seen.
const LOOK = {
  regression: ["bad", "▼", "regression"], failed: ["bad", "✕", "failed"],
  fail: ["bad", "✕", "failed"], invalid: ["warn", "!", "invalid"],
  warning: ["warn", "!", "warning"], partial: ["warn", "◐", "partial"],
  insufficient_data: ["quiet", "?", "insufficient data"],
  improvement: ["good", "▲", "improvement"], no_change: ["quiet", "=", "no change"],
  passed: ["good", "✓", "passed"], pass: ["good", "✓", "pass"], steady: ["quiet", "✓", "steady"],
  not_judged: ["quiet", "·", "not judged"], "nothing judged": ["quiet", "·", "nothing judged"],
};
const look = (word) => Object.hasOwn(LOOK, word) ? LOOK[word] : ["bad", "?", word || "unknown"];
function badge(word, text) {
  const [tone, sign, name] = look(word);
  return h("span", {class: `badge ${tone}`}, h("span", {"aria-hidden": "true", text: sign}),
           ` ${text || name}`);
}

// A table that scrolls by itself where it is too wide. `right`: number columns.
function table(caption, head, rows, right = []) {
  const cell = (name, value, i, more) => {
    const side = right.includes(i) ? "number" : null;
    return value instanceof Node ? h(name, {class: side, ...more}, value)
                                 : h(name, {class: side, text: value, ...more});
  };
  return h("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": caption},
    h("table", {}, h("caption", {class: "hidden", text: caption}),
      h("thead", {}, h("tr", {}, head.map((x, i) => cell("th", x, i, {scope: "col"})))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((x, i) => cell("td", x, i)))))));
}
