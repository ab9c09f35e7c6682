// What people do: zoom, move, filter, search, choose; and the address, which holds the view.

const $ = (id) => document.getElementById(id);
const LEAST = 20; // The shortest part of a run that is shown, in microseconds.
let isQueued = false, addressTimer = 0;

window.addEventListener("error", (event) => {
  const trouble = document.createElement("div");
  trouble.id = "trouble";
  trouble.textContent = `This page has an error: ${event.message}`;
  document.body.prepend(trouble);
});

/** Draws at the next frame, however often it is asked for. */
function redraw() {
  if (isQueued) return;
  isQueued = true;
  requestAnimationFrame(() => {
    isQueued = false;
    draw();
    summarize();
  });
}

function summarize() {
  const number = (count) => count.toLocaleString("en");
  $("summary").textContent = `${number(shown.length)} of ${number(items.length)} events pass the filters · ` +
    `shown: ${seconds(state.from)} s to ${seconds(state.to)} s, ${number(drawn)} messages · drawn in ${drawMs.toFixed(1)} ms`;
}

function show(from, to) {
  const length = Math.min(END, Math.max(LEAST, to - from));
  const begin = Math.min(Math.max(0, from), END - length);
  state.from = begin;
  state.to = begin + length;
  redraw();
  writeAddress();
}

function zoom(factor, at = (state.from + state.to) / 2) {
  show(at - (at - state.from) * factor, at + (state.to - at) * factor);
}

const pan = (share) => show(state.from + (state.to - state.from) * share, state.to + (state.to - state.from) * share);

/** Chooses an item, and moves the view so that it is visible. */
function choose(item, isToMove) {
  state.chosen = item ?? null;
  if (item && isToMove) {
    const length = state.to - state.from;
    const isInside = item.at >= state.from + length * 0.05 && item.at <= state.to - length * 0.05;
    if (!isInside) show(item.at - length * 0.4, item.at + length * 0.6);
  }
  drawDetails();
  if (item && state.tab !== "events" && !current.includes(item)) { state.tab = "events"; refreshList(); }
  scrollList();
  markOrder();
  redraw();
  writeAddress();
}

/** The part of the run that led to the first broken promise; the whole run if there is none. */
function showBreach() {
  const breach = breaches[0];
  if (!breach || !breach.isStated) return show(0, END);
  const operation = breach.operation === null ? null : operations[breach.operation];
  const began = data.faults.map((fault) => fault.begins).filter((begins) => begins !== null && begins <= breach.at);
  const sinceOperation = operation ? breach.at - Math.min(operation.at, breach.at) : 0;
  const lead = Math.max(sinceOperation, Math.min(breach.at - Math.max(0, ...began), END * 0.25), 50000);
  show(breach.at - lead * 1.25, breach.at + lead * 0.35);
}

function refilter() {
  filter();
  refreshList();
  drawChips();
  redraw();
  writeAddress();
}

function toggle(set, value, all, isOnly) {
  if (isOnly) {
    const alone = set.size === 1 && set.has(value);
    set.clear();
    for (const one of alone ? all : [value]) set.add(one);
  } else if (!set.delete(value)) set.add(value);
  refilter();
}

function chip(text, isOn, onclick) {
  const button = document.createElement("button");
  button.textContent = text;
  button.setAttribute("aria-pressed", String(isOn));
  button.title = "Click to show or hide; double-click for this alone";
  button.onclick = onclick;
  return button;
}

function drawChips() {
  const groups = Object.keys(GROUPS);
  const isOnly = (event) => event.altKey || event.detail > 1;
  $("kinds").replaceChildren(...groups.map((group) =>
    chip(GROUPS[group], state.groups.has(group), (event) => toggle(state.groups, group, groups, isOnly(event)))));
  const hosts = [...data.hosts.keys()];
  $("hosts").replaceChildren(...hosts.map((host) =>
    chip(hostName(host), state.hosts.has(host), (event) => toggle(state.hosts, host, hosts, isOnly(event)))));
}

/** Writes the view into the address, without a new entry in the history of the browser. */
function writeAddress() {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => {
    const parts = [`t=${seconds((state.from + state.to) / 2)}`, `z=${seconds(state.to - state.from)}`];
    if (state.chosen) parts.push(`e=${state.chosen.id}`);
    const hosts = [...state.hosts].map((host) => encodeURIComponent(hostName(host)));
    if (hosts.length < data.hosts.length) parts.push(`host=${hosts.join(",")}`);
    const standard = Object.keys(GROUPS).filter((group) => !QUIET.includes(group));
    if (standard.join() !== [...state.groups].join()) parts.push(`kind=${[...state.groups].join(",")}`);
    if (state.search) parts.push(`q=${encodeURIComponent(state.search)}`);
    if (state.tab !== FIRST_TAB) parts.push(`tab=${state.tab}`);
    if (state.order.size) parts.push(`order=${[...state.order].join(",")}`);
    history.replaceState(null, "", `#${parts.join("&")}`);
  }, 200);
}

/** Reads the view from the address: `t` is a moment, `z` how much is shown around it, both in seconds. */
function readAddress() {
  const parts = new Map(location.hash.slice(1).split("&").filter(Boolean).map((part) => {
    const [name, ...value] = part.split("=");
    return [name, decodeURIComponent(value.join("="))];
  }));
  if (parts.has("host")) {
    const wanted = parts.get("host").split(",");
    state.hosts = new Set([...data.hosts.keys()].filter((host) => wanted.includes(hostName(host))));
  }
  if (parts.has("kind")) state.groups = new Set(parts.get("kind").split(",").filter((group) => group in GROUPS));
  if (parts.has("q")) $("search").value = state.search = parts.get("q");
  if (parts.get("tab") in TABS) state.tab = parts.get("tab");
  if (parts.has("order")) state.order = new Set(parts.get("order").split(","));
  filter();
  drawChips();
  refreshList();
  const at = parseFloat(parts.get("t")) * 1e6, around = parseFloat(parts.get("z")) * 1e6;
  const chosen = byId.get(parts.get("e")) ?? null;
  if (Number.isFinite(at)) {
    const length = Number.isFinite(around) ? around : Math.min(END, Math.max(END / 20, 200000));
    show(at - length / 2, at + length / 2);
  } else if (chosen) show(chosen.at - END / 40, chosen.at + END / 40);
  else showBreach();
  choose(chosen, false);
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  readColors();
  drawLegend();
  redraw();
}

function drawLegend() {
  const sign = (color, text, kind = "") =>
    `<i class="${kind}" style="${kind ? "background" : "color"}: var(--${color})"></i>${text}`;
  $("legend").innerHTML = sign("data", "message") + sign("lost", "lost") + sign("again", "sent again") +
    sign("good", "exchange", "bar") + sign("up", "operation", "bar") + sign("bad", "failed", "bar") +
    sign("breach", "broken promise");
}

function drawHeadline() {
  $("status").textContent = data.status;
  $("status").dataset.status = data.status;
  $("scenario").textContent = data.scenario;
  $("seed").textContent = `seed ${data.seed}`;
  $("promises").innerHTML = breaches.map((item) => {
    const shows = item.operation === null ? "" : ` <a href="#" data-id="o${item.operation}">the operation</a>`;
    const at = item.isStated ? `at ${span(item.at)}` : "at the end";
    const why = escapeText(item.why.split("\n")[0]);
    const order = data.orders.some((report) => report.check === item.check) ? ' <a href="#" data-tab="order">the order</a>' : "";
    return `<div class="promise"><b>${escapeText(item.check)}</b><span class="why">${why}</span>` +
      ` <a href="#" data-id="${item.id}">${at}</a>${shows}${order}</div>`;
  }).join("");
  const missing = data.missing ? ` · ${escapeText(data.missing)}` : "";
  $("promises").innerHTML += `<div class="muted">replay: <code>${escapeText(data.replay)}</code>${missing}</div>`;
  $("to-breach").hidden = breaches.length === 0;
}

function hover(event) {
  const box = $("hover"), at = diagram.getBoundingClientRect();
  const item = under(event.clientX - at.left, event.clientY - at.top);
  box.hidden = !item;
  if (!item) return;
  const until = item.until > item.at ? ` to ${seconds(item.until)}` : "";
  box.innerHTML = `<b>${seconds(item.at)}${until} s  ${escapeText(hostName(item.host))}</b>${escapeText(item.text)}`;
  showHover(event);
}

/** Puts the box of details beside the pointer. */
function showHover(event) {
  const box = $("hover");
  box.style.left = `${Math.min(event.clientX + 14, window.innerWidth - box.offsetWidth - 8)}px`;
  box.style.top = `${Math.min(event.clientY + 16, window.innerHeight - box.offsetHeight - 8)}px`;
}

/** Calls `move` with each movement of a pressed pointer, and `end` once it is released. */
function onDrag(element, begin, move, end = () => {}) {
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    const start = begin(event);
    const moved = (next) => move(next, start, event);
    element.addEventListener("pointermove", moved);
    element.addEventListener("pointerup", (last) => {
      element.removeEventListener("pointermove", moved);
      end(last, event);
    }, { once: true });
  });
}

onDrag(diagram, () => ({ from: state.from, to: state.to }), (event, start, first) => {
  const by = ((event.clientX - first.clientX) / (width - GUTTER)) * (start.to - start.from);
  if (Math.abs(event.clientX - first.clientX) <= 3) return;
  diagram.classList.add("dragging");
  show(start.from - by, start.to - by);
}, (event, first) => {
  diagram.classList.remove("dragging");
  if (Math.hypot(event.clientX - first.clientX, event.clientY - first.clientY) > 3) return scrollList();
  const at = diagram.getBoundingClientRect();
  choose(under(event.clientX - at.left, event.clientY - at.top), false);
});
onDrag(overview, (event) => centerOn(event), (event) => centerOn(event), () => scrollList());
onDrag($("splitter"), () => $("lower").offsetHeight, (event, start, first) => {
  $("lower").style.height = `${Math.max(90, start - event.clientY + first.clientY)}px`;
  redraw();
  drawRows();
});

function centerOn(event) {
  const at = ((event.clientX - overview.getBoundingClientRect().left - GUTTER) / (width - GUTTER)) * END;
  const half = (state.to - state.from) / 2;
  show(at - half, at + half);
}

diagram.addEventListener("pointermove", hover);
diagram.addEventListener("pointerleave", () => { $("hover").hidden = true; });
diagram.addEventListener("dblclick", (event) => zoom(0.3, timeOf(event.clientX - diagram.getBoundingClientRect().left)));
diagram.addEventListener("wheel", (event) => {
  event.preventDefault();
  if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan((event.deltaX || event.deltaY) / 1200);
  else zoom(Math.exp(event.deltaY / 400), timeOf(event.clientX - diagram.getBoundingClientRect().left));
}, { passive: false });

$("zoom-in").onclick = () => zoom(0.5);
$("zoom-out").onclick = () => zoom(2);
$("fit").onclick = () => show(0, END);
$("to-breach").onclick = () => { showBreach(); choose(breaches[0], false); };
$("theme").onclick = () => setTheme(colors.dark ? "light" : "dark");
$("help").onclick = () => $("keys").showModal();
$("search").oninput = (event) => { state.search = event.target.value; refilter(); };
$("promises").addEventListener("click", (event) => {
  const { id, tab } = event.target.dataset;
  if (!id && !tab) return;
  event.preventDefault();
  if (tab) showTab(tab);
  else choose(byId.get(id), true);
});

/** The next or previous item of the list. */
function step(by) {
  const place = state.chosen ? current.indexOf(state.chosen) + by : placeOf(current, state.from);
  const item = current[Math.min(Math.max(0, place), current.length - 1)];
  if (item) choose(item, true);
}

function clear() {
  if (state.chosen) return choose(null, false);
  $("search").value = state.search = "";
  state.hosts = new Set(data.hosts.keys());
  state.groups = new Set(Object.keys(GROUPS).filter((group) => !QUIET.includes(group)));
  refilter();
}

function zoomToChosen() {
  const item = state.chosen;
  if (!item) return;
  const around = Math.max(item.until - item.at, 20000);
  show(item.at - around, item.until + around);
}

const ACTIONS = {
  ArrowLeft: () => pan(-0.15), ArrowRight: () => pan(0.15), "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6),
  0: () => show(0, END), b: () => $("to-breach").click(), j: () => step(1), k: () => step(-1), f: zoomToChosen,
  "/": () => $("search").focus(), "?": () => $("keys").showModal(), l: () => $("theme").click(), Escape: clear,
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || $("keys").open) return;
  if (event.target === $("search")) {
    if (event.key === "Escape" || event.key === "Enter") $("search").blur();
    return;
  }
  const action = ACTIONS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});
const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
prefersDark.addEventListener("change", (event) => setTheme(event.matches ? "dark" : "light"));
window.addEventListener("hashchange", readAddress);
window.addEventListener("resize", () => { redraw(); drawRows(); drawOrder(); });
setTheme(prefersDark.matches ? "dark" : "light");
drawHeadline();
readAddress();
