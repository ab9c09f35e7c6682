// The lists under the diagram, of which only the visible rows exist, and the details of what is chosen.

const list = document.getElementById("list"), rows = document.getElementById("rows");
const details = document.getElementById("details");
const ROW = 22;
const TABS = {
  events: () => shown,
  history: () => operations.filter(passing()),
  exchanges: () => exchanges.filter(passing()),
  faults: () => events.filter((item) => item.group === "fault" || item.group === "life"),
  promises: () => breaches,
  ...(data.orders.length ? { order: () => data.orders.flatMap((report) => orderView(report).shown.map((bar) => bar.item)) } : {}),
};
let current = [];

function escapeText(text) {
  return text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);
}

/** Text as HTML, with what was searched for marked. */
function marked(text) {
  const words = needles().map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  if (!words.length) return escapeText(text);
  return text.split(new RegExp(`(${words.join("|")})`, "i"))
    .map((part, index) => (index % 2 ? `<mark>${escapeText(part)}</mark>` : escapeText(part))).join("");
}

function drawTabs() {
  const nav = document.getElementById("tabs");
  nav.replaceChildren(...Object.entries(TABS).map(([name, entries]) => {
    const button = document.createElement("button");
    button.setAttribute("role", "tab");
    button.dataset.tab = name;
    button.setAttribute("aria-selected", String(state.tab === name));
    button.textContent = `${name} ${(name === "events" ? shown : entries()).length.toLocaleString("en")}`;
    button.onclick = () => showTab(name);
    return button;
  }));
}

function showTab(name) {
  state.tab = name;
  refreshList();
  redraw();
  writeAddress();
}

/** Fills the list anew, after a change of the filters or the tab. */
function refreshList() {
  current = TABS[state.tab]();
  rows.style.height = `${current.length * ROW}px`;
  drawTabs();
  drawOrder();
  drawRows();
}

function drawRows() {
  const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 3);
  const last = Math.min(current.length, first + Math.ceil(list.clientHeight / ROW) + 8);
  const visible = [];
  for (let place = first; place < last; place++) {
    const item = current[place], row = document.createElement("div");
    row.className = `row ${item.look}${item === state.chosen ? " chosen" : ""}`;
    row.style.top = `${place * ROW}px`;
    row.dataset.id = item.id;
    row.title = item.text;
    row.innerHTML = `<span class="time">${seconds(item.at)}</span>` +
      `<span class="host">${marked(hostName(item.host) || "—")}</span><span class="text">${marked(item.text)}</span>`;
    visible.push(row);
  }
  rows.replaceChildren(...visible);
}

/** Scrolls the list to what is chosen, or else to the beginning of what the diagram shows. */
function scrollList() {
  const chosen = state.chosen ? current.indexOf(state.chosen) : -1;
  const place = chosen >= 0 ? chosen : placeOf(current, state.from);
  const top = place * ROW, isVisible = top >= list.scrollTop && top < list.scrollTop + list.clientHeight - ROW;
  if (chosen < 0 || !isVisible) list.scrollTop = Math.max(0, top - (chosen >= 0 ? list.clientHeight / 2.5 : 0));
  drawRows();
}

const link = (id, text) => byId.has(id) ? `<a href="#" data-id="${id}">${escapeText(text)}</a>` : escapeText(text);

/** The messages of an exchange: those of its connection while it went on. */
const messagesOf = (x) => messages.filter((m) =>
  m.port === x.port && m.connect === x.connect && m.at >= x.begins && m.at <= (x.ends ?? END) &&
  ((m.host === x.client && m.other === x.server) || (m.host === x.server && m.other === x.client)));

/** The title of an item, and its facts as pairs of a name and a text, or `{ html }`. */
function facts(item) {
  const when = [["time", `${seconds(item.at)} s`], ["host", hostName(item.host) || "—"]];
  return { message: messageFacts, exchange: exchangeFacts, operation: operationFacts, breach: breachFacts, event: eventFacts }[
    item.type](item, when);
}

const faultText = (index) => `f${index + 1} ${data.faults[index]?.text ?? ""}`;

function messageFacts(m, when) {
  const around = exchanges.filter((x) => messagesOf(x).includes(m)).slice(0, 3);
  const fate = m.isLost ? "lost" : m.injected ? "made by a fault"
    : `arrives at ${seconds(m.until)} s, after ${span(m.until - m.at)}`;
  return [`${KINDS[m.kind]} ${hostName(m.host)} → ${hostName(m.other)}`, [
    ...when, ["to", `${hostName(m.other)}:${m.port}, connection ${m.connect}`],
    ["transmission", m.attempt + 1], ["bytes", m.bytes], ["fate", fate],
    ...(m.lostBy >= 0 ? [["lost by", faultText(m.lostBy)]] : []),
    ...(m.touched >= 0 ? [["touched by", faultText(m.touched)]] : []),
    ...(m.line ? [["begins", m.line]] : []), ...around.map((x) => ["exchange", { html: link(x.id, x.label) }]),
  ]];
}

function exchangeFacts(x, when) {
  const others = exchanges.filter((other) => other.call === x.call && other !== x);
  const other = (o) => ["other attempt", { html: link(o.id, `${o.attempt}: ${o.label} at ${seconds(o.at, 3)} s`) }];
  return [x.label, [
    ...when, ["server", hostName(x.server)], ["version", x.version], ["ending", x.ending],
    ["request", x.arrives === null ? "never arrived whole" : `arrived at ${seconds(x.arrives)} s`],
    ["answer", x.answered === null ? "none" : `sent from ${seconds(x.answered)} s`],
    ["took", x.ends === null ? "still open" : span(x.ends - x.begins)],
    ["attempt", `${x.attempt} of ${x.attempts}`], ...others.map(other),
    ...messagesOf(x).slice(0, 12).map((m) => ["message", { html: link(m.id, m.text) }]),
  ]];
}

function operationFacts(o, when) {
  return [o.name, [
    ...when, ["client", `${o.client}, life ${o.life}`], ["input", o.input], ["outcome", o.outcome],
    ["answer", o.answer || "—"], ["took", o.ends === null ? "never ended" : span(o.ends - o.begins)],
  ]];
}

function breachFacts(item) {
  const shows = item.operation === null ? []
    : [["shown by", { html: link(`o${item.operation}`, operations[item.operation].text) }]];
  const time = item.isStated ? `${seconds(item.at)} s` : "not stated: the end of the run";
  return [item.check, [["time", time], ["why", item.why], ...shows]];
}

function eventFacts(item, when) {
  const fault = item.fault >= 0 ? data.faults[item.fault] : undefined;
  if (!fault) return [item.text, when];
  const active = fault.begins === null ? "never" : `${seconds(fault.begins, 3)} s to ${seconds(fault.ends, 3)} s`;
  return [item.text, [...when, ["fault", faultText(item.fault)], ["active", active], ["effects", fault.effects ?? "unknown"]]];
}

function drawDetails() {
  if (!state.chosen) {
    details.innerHTML = '<p class="muted">Choose an event, a message or a bar.</p>';
    return;
  }
  const [title, pairs] = facts(state.chosen);
  const value = (text) => (text?.html ?? escapeText(String(text)));
  const rows = pairs.map(([name, text]) => `<dt>${name}</dt><dd>${value(text)}</dd>`);
  details.innerHTML = `<h2>${escapeText(title)}</h2><dl>${rows.join("")}</dl>`;
}

list.addEventListener("scroll", drawRows);
list.addEventListener("click", (event) => {
  const row = event.target.closest(".row");
  if (row) choose(byId.get(row.dataset.id), true);
});
details.addEventListener("click", (event) => {
  const id = event.target.dataset?.id;
  if (!id) return;
  event.preventDefault();
  choose(byId.get(id), true);
});
