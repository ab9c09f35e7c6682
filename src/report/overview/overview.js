"use strict";
// The page of an exploration: a table of all scenarios, and for each one its seeds, faults, situations, checks, latencies and
// slowest runs.

const data = JSON.parse(document.getElementById("data").textContent);
const main = document.getElementById("main"), hoverBox = document.getElementById("hover");
const VERDICTS = ["pass", "unknown", "not deterministic", "fail"], TONES = ["good", "unsure", "unsure", "breach"];
const GAP = 3;
const strips = [];

window.addEventListener("error", (event) => {
  const trouble = element("div", { id: "trouble" }, `This page has an error: ${event.message}`);
  document.body.prepend(trouble);
});

/** An element with these attributes and children, which are elements or texts. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const number = (count) => count.toLocaleString("en");
const plural = (count, thing) => `${number(count)} ${thing}${count === 1 ? "" : "s"}`;

/** Microseconds as text. */
function span(us) {
  if (us < 1000) return `${us} µs`;
  if (us < 1e6) return `${+(us / 1000).toPrecision(3)} ms`;
  return `${+(us / 1e6).toPrecision(3)} s`;
}

/** Seconds as text, for long times. */
function longTime(seconds) {
  if (seconds < 60) return `${+seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const badge = (status) => element("span", { class: "badge", "data-status": status }, status);
const sum = (list, of) => list.reduce((total, one) => total + of(one), 0);
const faultsOf = (scenario) => `${number(sum(scenario.generators, (g) => g.effective))} of ${number(sum(scenario.generators, (g) => g.planned))}`;

/** A bar that fills a share of its room, or two of them, one upon the other. */
function meter(share, under, tone = "data") {
  const part = (of, kind) => element("i", { class: kind, style: `width: ${Math.max(0, Math.min(100, of * 100))}%; --tone: var(--${tone})` });
  return element("span", { class: "meter" }, under === undefined ? null : part(under, "under"), part(share, "over"));
}

function table(heads, rows, kind = "") {
  const head = element("tr", {}, ...heads.map((text) => element("th", {}, text)));
  const body = rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cell ?? ""))));
  return element("table", { class: kind }, element("thead", {}, head), element("tbody", {}, ...body));
}

function block(title, kind, ...content) {
  return element("div", { class: `block ${kind}` }, element("h3", {}, title), ...content);
}

/** The seeds of a scenario, one cell each: its colour is the verdict, and its height the CPU time. */
function strip(scenario, isSmall) {
  const canvas = element("canvas", { class: isSmall ? "strip small" : "strip", "aria-label": `verdicts of ${plural(scenario.rows.length, "seed")}` });
  strips.push({ canvas, scenario, isSmall });
  canvas.addEventListener("pointermove", (event) => hover(event, rowUnder(canvas, scenario, event)));
  canvas.addEventListener("pointerleave", () => { hoverBox.hidden = true; });
  canvas.addEventListener("click", (event) => {
    const row = rowUnder(canvas, scenario, event);
    if (row) show(scenario, row);
  });
  return canvas;
}

/** How wide and how high cells are: the more seeds, the smaller. */
function sizeOf(canvas) {
  const count = strips.find((strip) => strip.canvas === canvas).scenario.rows.length;
  return count <= 3000 ? [9, 22] : count <= 30000 ? [4, 8] : [2, 4];
}

const columnsOf = (canvas) => Math.max(1, Math.floor(canvas.clientWidth / sizeOf(canvas)[0]));

/** Where the cell of a row is, in the pixels of its strip. */
function cellOf(canvas, place) {
  const columns = columnsOf(canvas), [wide, high] = sizeOf(canvas);
  return { x: (place % columns) * wide, y: Math.floor(place / columns) * (high + GAP), wide, high };
}

function rowUnder(canvas, scenario, event) {
  if (canvas.classList.contains("small")) return undefined;
  const [wide, high] = sizeOf(canvas), columns = columnsOf(canvas);
  const box = canvas.getBoundingClientRect(), column = Math.floor((event.clientX - box.left) / wide);
  if (column >= columns) return undefined;
  return scenario.rows[Math.floor((event.clientY - box.top) / (high + GAP)) * columns + column];
}

function drawStrip({ canvas, scenario, isSmall }) {
  const style = getComputedStyle(document.documentElement), ratio = window.devicePixelRatio || 1;
  const tone = (name) => style.getPropertyValue(`--${name}`).trim();
  const { rows } = scenario, most = rows.reduce((most, row) => Math.max(most, row.cpu), 1);
  const wide = canvas.clientWidth, columns = columnsOf(canvas);
  const high = isSmall ? 14 : Math.max(1, Math.ceil(rows.length / columns)) * (sizeOf(canvas)[1] + GAP);
  canvas.style.height = `${high}px`;
  canvas.width = Math.round(wide * ratio);
  canvas.height = Math.round(high * ratio);
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  const thin = Math.min(9, wide / Math.max(1, rows.length));
  // What does not pass is drawn last, so that nothing covers it.
  const order = rows.map((_, place) => place).sort((a, b) => rows[a].verdict - rows[b].verdict);
  for (const place of order) {
    const row = rows[place], color = tone(TONES[row.verdict]);
    if (isSmall) {
      g.fillStyle = color;
      g.globalAlpha = row.verdict === 0 ? 0.45 : 1;
      g.fillRect(place * thin, row.verdict === 0 ? 4 : 0, Math.max(thin - (thin > 3 ? 1 : 0), row.verdict === 0 ? 0.5 : 2), row.verdict === 0 ? 10 : 14);
      continue;
    }
    const cell = cellOf(canvas, place), { x, y } = cell, gap = cell.wide > 2 ? 1 : 0;
    const tall = row.verdict === 0 ? Math.max(cell.high / 7, (row.cpu / most) * cell.high) : cell.high;
    g.fillStyle = tone("soft");
    g.globalAlpha = 1;
    g.fillRect(x, y, cell.wide - gap, cell.high);
    g.fillStyle = color;
    g.globalAlpha = row.verdict === 0 ? 0.7 : 1;
    g.fillRect(x, y + cell.high - tall, cell.wide - gap, tall);
    if (row.verdict !== 0 && cell.wide > 8) {
      g.fillStyle = tone("panel");
      g.font = "bold 9px system-ui, sans-serif";
      g.textAlign = "center";
      g.fillText(row.verdict === 3 ? "✗" : "?", x + 4, y + cell.high / 2 + 3);
    }
  }
  g.globalAlpha = 1;
}

const about = (row) => [`seed ${row.seed}: ${VERDICTS[row.verdict]}`,
  `${row.effective} of ${plural(row.planned, "fault")} effective, ${longTime(row.simulated / 1000)} simulated in ${span(row.cpu)} of CPU time`];

function hover(event, row) {
  hoverBox.hidden = !row;
  if (!row) return;
  const [head, text] = about(row);
  hoverBox.replaceChildren(element("b", {}, head), text, ...(row.why ? [element("div", { class: "why" }, row.why)] : []));
  hoverBox.style.left = `${Math.min(event.clientX + 14, window.innerWidth - hoverBox.offsetWidth - 8)}px`;
  hoverBox.style.top = `${Math.min(event.clientY + 16, window.innerHeight - hoverBox.offsetHeight - 8)}px`;
}

/** Shows a run under the strip of its scenario, with the command that runs it again. */
function show(scenario, row) {
  const [head, text] = about(row), box = document.getElementById(`run-${scenario.name}`);
  box.replaceChildren(element("b", {}, head), ` ${text}`, ...(row.why ? [element("div", { class: "why" }, row.why)] : []),
    element("div", {}, element("code", {}, `${scenario.replay} ${row.seed}`)));
}

function seedButton(scenario, row) {
  const button = element("button", { class: "seed" }, row.seed);
  button.onclick = () => show(scenario, row);
  return button;
}

function faultBlock(scenario) {
  const most = Math.max(1, ...scenario.generators.map((g) => g.planned));
  const rows = scenario.generators.map((g) => [
    g.generator, meter(g.effective / most, g.planned / most), `${number(g.effective)} of ${number(g.planned)}`,
    g.planned ? `${Math.round((g.effective / g.planned) * 100)}%` : "none planned",
  ]);
  return block("faults: effective of planned", "faults", table(["generator", "", "effective", ""], rows));
}

function situationBlock(scenario) {
  if (!scenario.sometimes.length) return null;
  const rows = scenario.sometimes.map(({ situation, runs }) => [
    situation, meter(runs / Math.max(1, scenario.runs), undefined, runs ? "good" : "breach"), runs ? `${number(runs)} of ${plural(scenario.runs, "run")}` : "never",
  ]);
  return block("situations reached", "situations", table(["situation", "", "runs"], rows));
}

function checkBlock(scenario) {
  const rows = scenario.checks.map((c) => [
    c.check, meter(c.runs / Math.max(1, c.of_runs), undefined, c.runs ? "good" : c.is_optional ? "muted" : "breach"),
    number(c.judged), `${number(c.runs)} of ${number(c.of_runs)}`,
  ]);
  return block("checks: things judged", "checks", table(["check", "", "judged", "in runs"], rows));
}

/** How many took how long, from the shortest to the longest time of all, on a logarithmic scale. */
function histogram(latency, from, to) {
  const most = Math.max(1, ...latency.bars.map(([, count]) => count));
  const at = (us) => Math.max(0, (Math.log(Math.max(us, 1) / from) / Math.log(to / from)) * 98);
  const bars = latency.bars.map(([us, count]) =>
    element("i", { style: `left: ${at(us).toFixed(2)}%; height: ${Math.max(8, (Math.sqrt(count / most)) * 100).toFixed(1)}%` }));
  const marks = [0, 2].map((place) => element("u", { style: `left: ${at(latency.quantiles[place]).toFixed(2)}%`, class: place ? "p99" : "p50" }));
  return element("span", { class: "histogram", title: "number by time, on a logarithmic scale; the lines are the median and p99" }, ...bars, ...marks);
}

function latencyBlock(scenario) {
  const title = "latencies";
  if (!scenario.latencies) return block(title, "latencies", element("p", { class: "muted" }, "not measured: run the shards with --html"));
  if (!scenario.latencies.length) return block(title, "latencies", element("p", { class: "muted" }, "the clients recorded no operation that ended"));
  const all = scenario.latencies.filter((l) => l.count);
  // What takes no time at all does not stretch the scale.
  const to = Math.max(2, ...all.map((l) => l.quantiles[4])), from = Math.max(1, Math.round(to / 5000), Math.min(...all.map((l) => l.least)) / 1.3);
  const rows = scenario.latencies.map((l) => [
    l.kind, l.name, ...(l.count ? l.quantiles.map(span) : ["–", "–", "–", "–", "–"]), l.count ? histogram(l, from, to) : null, number(l.count), number(l.other),
  ]);
  return block(title, "latencies", table(["", "", "p50", "p90", "p99", "p99.9", "most", `${span(Math.round(from))} to ${span(to)}`, "answered", "other"], rows));
}

function slowestBlock(scenario) {
  const slowest = [...scenario.rows].sort((a, b) => b.cpu - a.cpu).slice(0, 5), most = Math.max(1, ...slowest.map((row) => row.cpu));
  const rows = slowest.map((row) => [seedButton(scenario, row), meter(row.cpu / most), span(row.cpu), `${row.effective} of ${row.planned}`]);
  return block("slowest runs", "slowest", table(["seed", "", "CPU time", "effective faults"], rows));
}

function failures(scenario) {
  const bad = scenario.rows.filter((row) => row.verdict !== 0);
  const line = bad.length ? [element("p", { class: "bad" }, "does not pass: ", ...bad.slice(0, 40).flatMap((row) => [seedButton(scenario, row), " "]),
    bad.length > 40 ? `and ${bad.length - 40} more` : null)] : [];
  const text = scenario.text ? [element("details", {}, element("summary", {}, "the first one in full"), element("pre", {}, scenario.text))] : [];
  return [...line, ...text, ...scenario.notes.map((note) => element("p", { class: "muted" }, `note: ${note}`))];
}

function section(scenario) {
  const facts = `${plural(scenario.runs, "run")} of ${scenario.seeds} · ${longTime(scenario.simulated_seconds)} simulated in ${longTime(scenario.wall_seconds)}` +
    (scenario.failed ? ` · ${number(scenario.failed)} failed` : "") + (scenario.unknown ? ` · ${number(scenario.unknown)} unknown` : "");
  return element("section", { id: `scenario-${scenario.name}` },
    element("h2", {}, badge(scenario.status), ` ${scenario.name} `, element("small", {}, facts)),
    strip(scenario, false), element("p", { class: "run", id: `run-${scenario.name}` }, scenario.rows.length
      ? "One cell for each seed; the height is its CPU time. Click one for the command that runs it again."
      : "No seed is listed: run the shards with --html."),
    ...failures(scenario),
    element("div", { class: "blocks" }, faultBlock(scenario), situationBlock(scenario), slowestBlock(scenario), checkBlock(scenario)),
    latencyBlock(scenario));
}

function summary() {
  const rows = data.scenarios.map((s) => [
    badge(s.status), element("a", { href: `#scenario-${s.name}` }, s.name), strip(s, true), number(s.runs), s.failed ? number(s.failed) : "", faultsOf(s),
    s.sometimes.length ? `${s.sometimes.filter((one) => one.runs).length} of ${s.sometimes.length}` : "", longTime(s.wall_seconds),
  ]);
  return element("section", { id: "summary" },
    table(["", "scenario", "seeds", "runs", "failed", "effective faults", "situations", "wall"], rows, "wide"));
}

function mistakes() {
  const most = Math.max(1, ...data.mistakes.map((m) => m.median_runs ?? 0));
  const rows = data.mistakes.map((m) => [
    badge(m.is_caught ? "caught" : "not caught"), m.mistake, m.scenario, m.caught_by, m.runs,
    m.median_runs === null ? null : meter(Math.log(1 + m.median_runs) / Math.log(1 + most)), m.cpu_seconds, m.faults_left,
    m.is_caught ? "" : m.complaint,
  ]);
  return element("section", { id: "mistakes" }, element("h2", {}, "planted mistakes"),
    table(["", "mistake", "scenario", "caught by", "runs until caught", "", "CPU seconds", "faults left", ""], rows, "wide"));
}

function headline() {
  const bad = data.scenarios.filter((s) => s.status !== "pass").length, missed = data.mistakes.filter((m) => !m.is_caught).length;
  const parts = [];
  if (data.scenarios.length) parts.push(bad ? `${bad} of ${plural(data.scenarios.length, "scenario")} ${bad === 1 ? "does" : "do"} not pass` : `all ${plural(data.scenarios.length, "scenario")} pass`);
  if (data.mistakes.length) parts.push(missed ? `${missed} of ${plural(data.mistakes.length, "mistake")} not caught` : `all ${plural(data.mistakes.length, "mistake")} caught`);
  const runs = sum(data.scenarios, (s) => s.runs);
  if (runs) parts.push(plural(runs, "run"), `${longTime(sum(data.scenarios, (s) => s.simulated_seconds))} simulated`);
  document.getElementById("headline").textContent = parts.join(" · ");
  const status = document.getElementById("status");
  status.textContent = data.status;
  status.dataset.status = data.status;
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  strips.forEach(drawStrip);
}

const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
prefersDark.addEventListener("change", (event) => setTheme(event.matches ? "dark" : "light"));
document.getElementById("theme").onclick = () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
window.addEventListener("resize", () => strips.forEach(drawStrip));
headline();
main.append(...data.problems.map((problem) => element("p", { class: "bad" }, `INCOMPLETE: ${problem}`)));
if (data.kept) main.append(element("pre", { class: "kept" }, data.kept));
if (data.scenarios.length) main.append(summary(), ...data.scenarios.map(section));
if (data.mistakes.length) main.append(mistakes());
main.append(element("footer", {}, `squall ${data.version}`, data.command ? ` · ${data.command}` : ""));
// What does not pass is shown first.
for (const scenario of data.scenarios) {
  const bad = scenario.rows.find((row) => row.verdict === 3) ?? scenario.rows.find((row) => row.verdict !== 0);
  if (bad) show(scenario, bad);
}
setTheme(prefersDark.matches ? "dark" : "light");
