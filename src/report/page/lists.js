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
    button.onclick = () => { state.tab = name; refreshList(); writeAddress(); };
    return button;
  }));
}

/** Fills the list anew, after a change of the filters or the tab. */
function refreshList() {
  current = TABS[state.tab]();
  rows.style.height = `${current.length * ROW}px`;
  drawTabs();
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
    row.innerHTML = `<span class="time">${seconds(item.at)}</span><span class="host">${marked(hostName(item.host) || "—")}</span>` +
      `<span class="text">${marked(item.text)}</span>`;
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

function facts(item) {
  const when = [["time", `${seconds(item.at)} s`], ["host", hostName(item.host) || "—"]];
  if (item.type === "message") {
    const around = exchanges.filter((x) => messagesOf(x).includes(item)).slice(0, 3);
    return [`${KINDS[item.kind]} ${hostName(item.host)} → ${hostName(item.other)}`, [...when, ["to", `${hostName(item.other)}:${item.port}, connection ${item.connect}`],
      ["transmission", item.attempt + 1], ["bytes", item.bytes],
      ["fate", item.isLost ? "lost" : item.injected ? "made by a fault" : `arrives at ${seconds(item.until)} s, after ${span(item.until - item.at)}`],
      ...(item.lostBy >= 0 ? [["lost by", `f${item.lostBy + 1} ${data.faults[item.lostBy]?.text ?? ""}`]] : []),
      ...(item.touched >= 0 ? [["touched by", `f${item.touched + 1} ${data.faults[item.touched]?.text ?? ""}`]] : []),
      ...(item.line ? [["begins", item.line]] : []), ...around.map((x) => ["exchange", { html: link(x.id, x.label) }])]];
  }
  if (item.type === "exchange") {
    const others = exchanges.filter((x) => x.call === item.call && x !== item);
    return [item.label, [...when, ["server", hostName(item.server)], ["version", item.version], ["ending", item.ending],
      ["request", item.arrives === null ? "never arrived whole" : `arrived at ${seconds(item.arrives)} s`],
      ["answer", item.answered === null ? "none" : `sent from ${seconds(item.answered)} s`],
      ["took", item.ends === null ? "still open" : span(item.ends - item.begins)],
      ["attempt", `${item.attempt} of ${item.attempts}`],
      ...others.map((x) => ["other attempt", { html: link(x.id, `${x.attempt}: ${x.label} at ${seconds(x.at, 3)} s`) }]),
      ...messagesOf(item).slice(0, 12).map((m) => ["message", { html: link(m.id, m.text) }])]];
  }
  if (item.type === "operation") {
    return [item.name, [...when, ["client", `${item.client}, life ${item.life}`], ["input", item.input],
      ["outcome", item.outcome], ["answer", item.answer || "—"], ["took", item.ends === null ? "never ended" : span(item.ends - item.begins)]]];
  }
  if (item.type === "breach") {
    const shows = item.operation === null ? [] : [["shown by", { html: link(`o${item.operation}`, operations[item.operation].text) }]];
    return [item.check, [["time", item.isStated ? `${seconds(item.at)} s` : "not stated: the end of the run"], ["why", item.why], ...shows]];
  }
  const fault = item.fault >= 0 ? data.faults[item.fault] : undefined;
  return [item.text, [...when, ...(fault ? [["fault", `f${item.fault + 1} ${fault.text}`],
    ["active", fault.begins === null ? "never" : `${seconds(fault.begins, 3)} s to ${seconds(fault.ends, 3)} s`],
    ["effects", fault.effects ?? "unknown"]] : [])]];
}

function drawDetails() {
  if (!state.chosen) {
    details.innerHTML = '<p class="muted">Choose an event, a message or a bar.</p>';
    return;
  }
  const [title, pairs] = facts(state.chosen);
  const value = (text) => (text?.html ?? escapeText(String(text)));
  details.innerHTML = `<h2>${escapeText(title)}</h2><dl>${pairs.map(([name, text]) => `<dt>${name}</dt><dd>${value(text)}</dd>`).join("")}</dl>`;
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
