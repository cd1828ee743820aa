// SPDX-License-Identifier: EUPL-1.2
// Which page the address names, the verdict line, light or dark.

const PAGES = [["#/", "Overview"], ["#/trends", "Trends"], ["#/runs", "Runs"], ["#/ab", "A/B"]];

function route() {
  const [where, query] = (location.hash || "#/").split("?");
  const [, name, ...rest] = where.split("/");
  let id = rest.join("/");
  try {
    id = decodeURIComponent(id);
  } catch { /* a mistyped address: shown as missing */ }
  const pages = {"": overview, trends: () => trends(new URLSearchParams(query)), runs: runsPage,
                 ab: abPage, run: () => runPage(id), series: () => seriesPage(Number(id || "x"))};
  const content = RUNS.length === 0 ? [h("p", {text: "No run file was given."})]
    : Object.hasOwn(pages, name || "") ? pages[name || ""]() : missing("page");
  const main = document.querySelector("main");
  main.replaceChildren(...content);
  for (const a of document.querySelectorAll("nav a")) {
    if (a.getAttribute("href") === `#/${name || ""}`) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
  return main;
}

function banner() {
  const valid = RUNS.filter((r) => r.status === "valid").pop();
  const box = document.getElementById("freshness");
  const show = () => {
    if (!valid) return box.replaceChildren("There is no valid run.");
    const old = Date.now() - Date.parse(valid.at);
    box.replaceChildren("Last valid run ", h("b", {text: age(old)}), ": ",
                        link(runHash(valid), minute(valid)));
    box.classList.toggle("stale", !(old < 36 * 36e5));
  };
  show();
  setInterval(show, 6e4);
  if (NEWEST) {
    document.getElementById("newest").replaceChildren("Newest run ", link(runHash(NEWEST), NEWEST.id),
      ` on ${NEWEST.target || "–"}; ${RUNS.length} runs, ${SERIES.length} series`);
  }
}

function theme() {
  const root = document.documentElement, button = document.getElementById("theme");
  const dark = () => root.dataset.theme
    ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const label = () => { button.textContent = dark() ? "Light" : "Dark"; };
  // Storage is refused to some pages opened from disk; the choice then lasts as long as the page.
  try {
    const kept = localStorage.getItem("rocm-bench-theme");
    if (kept === "dark" || kept === "light") root.dataset.theme = kept;
  } catch { /* as above */ }
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try {
      localStorage.setItem("rocm-bench-theme", root.dataset.theme);
    } catch { /* as above */ }
    label();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
  label();
}

document.querySelector("nav").replaceChildren(...PAGES.map(([hash, text]) => link(hash, text)));
theme();
banner();
route();
addEventListener("hashchange", () => {
  const main = route();
  scrollTo(0, 0);
  main.focus({preventScroll: true});
});
