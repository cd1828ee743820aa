// SPDX-License-Identifier: EUPL-1.2
// Drives Chromium over its debugging pipe, without any package. stdin: {"pages": [{"url", "width",
// "height", "scheme": "dark"|"light", "steps": [{"eval": JS} | {"key": NAME} | {"screenshot": FILE,
// "whole": true}]}]}. stdout: one result a page: what it tried (dialogs, requests, exceptions,
// violations of its policy) and the values of its evals.
import {spawn} from "node:child_process";
import {mkdtempSync, rmSync, writeFileSync} from "node:fs";
import {tmpdir} from "node:os";
import {join} from "node:path";

const DEADLINE_MS = 60_000;
const profile = mkdtempSync(join(tmpdir(), "rocm-browser-"));
const chromium = spawn(process.env.ROCM_TEST_CHROMIUM || "chromium", [
  "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--disable-extensions", "--hide-scrollbars", "--force-color-profile=srgb", "--mute-audio",
  `--user-data-dir=${profile}`, "--remote-debugging-pipe", "about:blank",
], {stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"]});
const [, , , down, up] = chromium.stdio;

let next = 1, rest = "";
const waiting = new Map(), listeners = new Map();
up.setEncoding("utf8");
up.on("data", (data) => {
  const parts = (rest + data).split("\0");
  rest = parts.pop();
  for (const part of parts) {
    const message = JSON.parse(part);
    const promise = waiting.get(message.id);
    if (promise) {
      waiting.delete(message.id);
      if (message.error) promise.reject(new Error(message.error.message));
      else promise.resolve(message.result);
    } else {
      listeners.get(message.sessionId)?.(message.method, message.params);
    }
  }
});
function send(method, params = {}, sessionId = undefined) {
  return new Promise((resolve, reject) => {
    waiting.set(next, {resolve, reject});
    down.write(`${JSON.stringify({id: next++, method, params, sessionId})}\0`);
  });
}

const KEYS = {Tab: 9, Enter: 13, ArrowLeft: 37, ArrowRight: 39, Home: 36, End: 35};

async function visit(page) {
  const result = {dialogs: [], requests: [], exceptions: [], violations: [], values: []};
  const {targetId} = await send("Target.createTarget", {url: "about:blank"});
  const {sessionId} = await send("Target.attachToTarget", {targetId, flatten: true});
  const call = (method, params) => send(method, params, sessionId);
  let loaded;
  const load = new Promise((resolve) => { loaded = resolve; });
  listeners.set(sessionId, (method, params) => {
    if (method === "Page.javascriptDialogOpening") {
      result.dialogs.push(params.message);
      call("Page.handleJavaScriptDialog", {accept: true});
    } else if (method === "Network.requestWillBeSent") {
      if (params.request.url !== page.url) result.requests.push(params.request.url.slice(0, 200));
    } else if (method === "Runtime.exceptionThrown") {
      const d = params.exceptionDetails;
      result.exceptions.push(d.exception?.description || d.text);
    } else if (method === "Log.entryAdded" && params.entry.level === "error") {
      result.violations.push(params.entry.text.slice(0, 300));
    } else if (method === "Page.loadEventFired") {
      loaded();
    }
  });
  for (const domain of ["Page", "Network", "Runtime", "Log"]) await call(`${domain}.enable`);
  await call("Emulation.setDeviceMetricsOverride", {width: page.width || 1280,
    height: page.height || 900, deviceScaleFactor: 1, mobile: false});
  await call("Emulation.setEmulatedMedia",
             {features: [{name: "prefers-color-scheme", value: page.scheme || "light"}]});
  await call("Page.navigate", {url: page.url});
  await load;
  // Two frames: charts are drawn when their width is known.
  const settle = () => call("Runtime.evaluate", {awaitPromise: true, expression:
    "new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(r, 0))))"});
  await settle();
  for (const step of page.steps || []) {
    if (step.eval !== undefined) {
      const {result: value, exceptionDetails} = await call("Runtime.evaluate",
        {expression: step.eval, returnByValue: true, awaitPromise: true});
      if (exceptionDetails) throw new Error(`${step.eval}: ${exceptionDetails.exception?.description}`);
      result.values.push(value.value);
    } else if (step.key) {
      const key = {key: step.key, code: step.key, windowsVirtualKeyCode: KEYS[step.key]};
      await call("Input.dispatchKeyEvent", {type: "keyDown", ...key,
                                            ...(step.key === "Enter" ? {text: "\r"} : {})});
      await call("Input.dispatchKeyEvent", {type: "keyUp", ...key});
    } else if (step.click) {
      const {result: box} = await call("Runtime.evaluate", {returnByValue: true, expression: `(() => {
        const e = document.querySelector(${JSON.stringify(step.click)});
        e.scrollIntoView({block: "center"});
        const r = e.getBoundingClientRect();
        return [r.x + r.width / 2, r.y + r.height / 2];
      })()`});
      const [x, y] = box.value;
      for (const type of ["mousePressed", "mouseReleased"]) {
        await call("Input.dispatchMouseEvent", {type, x, y, button: "left", clickCount: 1});
      }
    }
    await settle();
    if (step.screenshot) {
      const {data} = await call("Page.captureScreenshot",
                                {format: "png", captureBeyondViewport: Boolean(step.whole)});
      writeFileSync(step.screenshot, Buffer.from(data, "base64"));
    }
  }
  await send("Target.closeTarget", {targetId});
  return result;
}

let input = "";
for await (const part of process.stdin) input += part;
const timer = setTimeout(() => {
  console.error(`browser.mjs: not done after ${DEADLINE_MS} ms`);
  chromium.kill("SIGKILL");
  process.exit(1);
}, DEADLINE_MS);
try {
  const results = [];
  for (const page of JSON.parse(input).pages) results.push(await visit(page));
  process.stdout.write(JSON.stringify(results));
} finally {
  clearTimeout(timer);
  const gone = new Promise((resolve) => chromium.once("exit", resolve));
  send("Browser.close").catch(() => {});
  const late = setTimeout(() => chromium.kill("SIGKILL"), 3000);
  await gone;
  clearTimeout(late);
  rmSync(profile, {recursive: true, force: true, maxRetries: 3});
}
