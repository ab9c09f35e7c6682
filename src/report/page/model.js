"use strict";
// The model: what the page shows, as one list of items in order of time, and which of them pass the filters.

const data = JSON.parse(document.getElementById("data").textContent);
const KINDS = ["data", "syn", "syn-ack", "ack", "fin", "rst", "window", "probe", "datagram", "unreachable"];
const GROUPS = {
  data: "messages", control: "handshakes", exchange: "exchanges", operation: "operations", fault: "faults", life: "life",
  mark: "marks", log: "logs",
};
// What is hidden at first.
const QUIET = ["control"];
const END = Math.max(1, data.end);
const hostName = (index) => (index < 0 ? "" : data.hosts[index] ?? "?");

/** Microseconds as text, for example `3.214 s` or `1.5 ms`. */
function span(us) {
  if (us < 1000) return `${us} µs`;
  if (us < 1e6) return `${+(us / 1000).toFixed(us < 1e5 ? 2 : 1)} ms`;
  return `${+(us / 1e6).toFixed(3)} s`;
}

const seconds = (us, digits = 6) => (us / 1e6).toFixed(digits);

/** A guess at the one-way latency of each pair of hosts, to draw what never arrived. */
const typical = new Map();

function learnLatencies() {
  const samples = new Map();
  for (const m of data.messages) {
    if (m[3] <= 0 || m[12] & 1) continue;
    const key = m[0] * 65536 + m[1];
    const list = samples.get(key) ?? samples.set(key, []).get(key);
    if (list.length < 201) list.push(m[3]);
  }
  for (const [key, list] of samples) typical.set(key, list.sort((a, b) => a - b)[list.length >> 1]);
}

const latencyOf = (from, to) => typical.get(from * 65536 + to) ?? typical.get(to * 65536 + from) ?? 20000;

function messageItem(m, index) {
  const [from, to, sent, took, kind, port, connect, bytes, attempt, lostBy, touched, text, flags] = m;
  const injected = (flags & 1) !== 0;
  const isLost = took < 0;
  const latency = isLost || injected ? latencyOf(from, to) : took;
  const begins = injected ? Math.max(0, sent - latency / 2) : sent;
  const isData = kind === 0 || kind === 8;
  const size = isData ? ` ${bytes} bytes` : "";
  const line = data.texts[text];
  const loss = lostBy >= 0 ? `lost by f${lostBy + 1}` : flags & 4 ? "lost: no power"
    : touched >= 0 ? `stopped by f${touched + 1}` : "never arrives";
  const arrival = injected ? "made by a fault on the way"
    : `arrives after ${span(took)}${touched >= 0 ? `, touched by f${touched + 1}` : ""}`;
  const fate = isLost ? loss : arrival;
  const corrupted = (flags & 2) !== 0;
  const again = attempt > 0 ? ` again (${attempt + 1})` : "";
  return {
    id: `m${index}`, type: "message", group: isData ? "data" : "control", at: begins,
    until: isLost ? begins + latency : sent + (injected ? 0 : took),
    host: from, other: to, kind, port, connect, bytes, attempt, lostBy, touched, isLost, injected, corrupted, line,
    look: isLost ? "lost" : attempt > 0 ? "again" : kind === 5 ? "bad" : isData ? "" : "quiet",
    text: `${KINDS[kind]}${again} → ${hostName(to)}${line ? `  ${line}` : ""}${size}  ${fate}${corrupted ? ", corrupted" : ""}`,
  };
}

function exchangeItem(x, index) {
  const status = x.grpc !== null && x.grpc !== undefined ? `grpc ${x.grpc}` : x.status ?? "";
  const number = x.attempts > 1 ? `  attempt ${x.attempt} of ${x.attempts}` : "";
  const took = x.ends === null ? "" : ` after ${span(x.ends - x.begins)}`;
  return {
    ...x, id: `x${index}`, type: "exchange", group: "exchange", at: x.begins, until: x.ends ?? END,
    host: x.client, other: x.server,
    label: `${x.what} ${status}`.trim(), look: x.is_good ? "" : x.ends === null ? "unsure" : "bad",
    text: `${x.what} → ${hostName(x.server)}  ${status} ${x.ending}${took}${number}`,
  };
}

function operationItem(o, index) {
  const end = o.outcome === "open" ? "never ends" : o.outcome;
  const took = o.ends === null ? "" : ` after ${span(o.ends - o.begins)}`;
  return {
    ...o, id: `o${index}`, type: "operation", group: "operation", at: o.begins, until: o.ends ?? END, host: o.host,
    label: `${o.name} ${o.input}`, look: o.outcome === "ok" ? "" : o.outcome === "fail" ? "bad" : "unsure",
    text: `client ${o.client}: ${o.name}(${o.input})  ${end}${o.answer ? `: ${o.answer}` : ""}${took}`,
  };
}

function eventItem([host, at, kind, text, fault], index) {
  const isEnd = kind === "life" && /kill|power|fails/.test(text);
  return {
    id: `v${index}`, type: "event", group: kind, at, until: at, host, fault, text, kind,
    look: isEnd ? "bad" : kind === "fault" ? "unsure" : kind === "log" ? "quiet" : "",
  };
}

function breachItem(f, index) {
  const operation = f.operation === null ? null : data.operations[f.operation];
  const at = f.at ?? END;
  return {
    id: `b${index}`, type: "breach", group: "breach", at, until: at, host: operation ? operation.host : -1,
    check: f.check, why: f.why, verdict: f.verdict, operation: f.operation, isStated: f.at !== null, look: "breach",
    text: `${f.verdict === "unknown" ? "unknown" : "broken"}: ${f.check}: ${f.why}`,
  };
}

learnLatencies();
const messages = data.messages.map(messageItem);
const exchanges = data.exchanges.map(exchangeItem);
const operations = data.operations.map(operationItem);
const events = data.events.map(eventItem);
const breaches = data.findings.map(breachItem);
// What begins at the same time stands in this order.
const rank = { operation: 0, event: 1, exchange: 2, message: 3, breach: 4 };
const items = [...events, ...messages, ...exchanges, ...operations, ...breaches]
  .sort((a, b) => a.at - b.at || rank[a.type] - rank[b.type]);
const byId = new Map(items.map((item) => [item.id, item]));
const longest = messages.reduce((most, m) => Math.max(most, m.until - m.at), 0);
messages.sort((a, b) => a.at - b.at);

// What is shown first: what is known about the order of a history, if that is what the run broke.
const FIRST_TAB = data.orders.some((report) => report.check === data.findings[0]?.check) ? "order" : "events";

/** What is shown: the part of the run, the filters and the selection. */
const state = {
  from: 0, to: END, hosts: new Set(data.hosts.keys()), groups: new Set(Object.keys(GROUPS).filter((g) => !QUIET.includes(g))),
  search: "", chosen: null, tab: FIRST_TAB, order: new Set(),
};

const touches = (item) => state.hosts.has(item.host) || item.host < 0;
const needles = () => state.search.toLowerCase().split(/\s+/).filter(Boolean);

/** The test that the filters make; a message passes only if both its hosts are shown. */
function passing() {
  const words = needles();
  return (item) =>
    (item.group === "breach" || state.groups.has(item.group)) && touches(item) &&
    (item.type !== "message" || state.hosts.has(item.other)) &&
    words.every((word) => item.text.toLowerCase().includes(word) || hostName(item.host).toLowerCase().includes(word));
}

let shown = items;
let shownSet = null;

function filter() {
  const passes = passing();
  shown = items.filter(passes);
  shownSet = new Set(shown);
}

/** The first place in a list in order of `at` that is not before this time. */
function placeOf(list, at) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].at < at) low = middle + 1; else high = middle;
  }
  return low;
}

/** Puts bars that overlap into rows of their own, at most `most` of them. Returns the number of rows. */
function pack(bars, most) {
  const ends = [];
  for (const bar of bars) {
    let row = ends.findIndex((end) => end <= bar.at);
    if (row < 0) row = ends.length < most ? ends.push(0) - 1 : ends.indexOf(Math.min(...ends));
    ends[row] = Math.max(bar.until, ends[row]);
    bar.row = row;
  }
  return ends.length;
}

const lanes = data.hosts.map((_, host) => ({
  host,
  asks: pack(exchanges.filter((x) => x.client === host), 4),
  operates: pack(operations.filter((o) => o.host === host), 2),
}));
