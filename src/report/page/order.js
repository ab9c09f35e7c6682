// The tab `order`: of a history that no order explains, the operations as bars in the lanes of their clients, the longest
// order as numbers on them, and what cannot come next.

const orderBox = document.getElementById("order");
const BAR_HIGH = 22, ROW_HIGH = 40, LANE_PAD = 8, AXIS_HIGH = 24, BADGE = 8, AIR = 12;
// Taken from an element, as the page names no address.
const SVG = orderBox.firstElementChild.namespaceURI;
const measure = document.createElement("canvas").getContext("2d");

// How many steps before the last ones are shown beside the core, as they lead to the state.
const LAST_STEPS = 3;

/** What the view of a report shows: its core and the steps that lead to it, unless all operations are asked for. */
function orderView(report) {
  const isWhole = state.order.has("whole") || !report.core.longest;
  const longest = isWhole ? report.longest : report.core.longest;
  const core = new Set(report.core.kept), stuck = new Map(longest.stuck);
  const number = new Map(longest.steps.map(([place], index) => [place, index + 1]));
  const isShown = (place) => isWhole || core.has(place) || stuck.has(place) || number.get(place) > longest.steps.length - LAST_STEPS;
  const bars = report.operations.map((operation, place) => {
    const item = operations[operation.place];
    const hasReturned = operation.output !== null && (isWhole || !report.core.loosened.includes(place));
    return {
      ...operation, number: number.get(place), why: stuck.get(place), isCore: core.has(place), isShown: isShown(place), item,
      hasReturned, at: item.begins, until: hasReturned ? item.ends : item.ends ?? item.begins,
      stateAfter: number.has(place) ? longest.steps[number.get(place) - 1][1] : undefined,
      label: orderLabel(report, item, hasReturned),
    };
  });
  return { report, longest, isWhole, bars, shown: bars.filter((bar) => bar.isShown) };
}

/** The values of a JSON text in short; the key of the part is in the title already. */
function plain(text, part) {
  const values = (value) =>
    value === null ? [] : typeof value === "object" ? Object.values(value).flatMap(values) : [String(value)];
  try {
    const parsed = JSON.parse(text);
    return values(parsed).filter((value) => JSON.stringify(value) !== part).join(" ");
  } catch { return text; }
}

function orderLabel(report, item, hasReturned) {
  const answer = plain(item.answer || "null", report.part) || "nothing";
  return `${item.name} ${plain(item.input, report.part)}`.trim() + (hasReturned ? ` → ${answer}` : " …");
}

const laneName = (item) => `${hostName(item.host)} ${item.client}${item.life ? `, life ${item.life + 1}` : ""}`;

/** Where each bar begins and ends. Unless it is to scale, time is stretched so that every bar has room for its text. */
function placeBars(view, room) {
  measure.font = `11px ${FONT}`;
  const most = view.isWhole ? 110 : 240;
  for (const bar of view.shown) bar.wide = Math.min(most, measure.measureText(bar.label).width) + 2 * BADGE + 6;
  const times = [...new Set(view.shown.flatMap((bar) => [bar.at, bar.until]))].sort((a, b) => a - b);
  const first = times[0], last = times[times.length - 1], xs = new Map();
  if (state.order.has("scale")) {
    for (const time of times) xs.set(time, AIR + ((time - first) / Math.max(1, last - first)) * (room - 3 * AIR));
    for (const bar of view.shown) Object.assign(bar, { x1: xs.get(bar.at), x2: Math.max(xs.get(bar.at) + 3, xs.get(bar.until)) });
    return { times, xs, wide: room };
  }
  const spread = (share) => {
    let x = AIR, before = first;
    for (const time of times) {
      if (time > before) x += share * Math.min(64, 12 + 9 * Math.log2(1 + (time - before) / 20000));
      for (const bar of view.shown) if (bar.until === time && bar.at < time) x = Math.max(x, xs.get(bar.at) + bar.wide);
      xs.set(time, x);
      before = time;
    }
    for (const bar of view.shown) {
      const x1 = xs.get(bar.at);
      Object.assign(bar, { x1, x2: Math.max(x1 + (bar.hasReturned ? 3 : bar.wide), xs.get(bar.until)) });
    }
    return Math.max(...view.shown.map((bar) => bar.x2)) + 3 * AIR;
  };
  const narrow = spread(1);
  const wide = narrow < room ? spread(Math.min(3, 1 + (room - narrow) / Math.max(1, times.length * 24))) : narrow;
  return { times, xs, wide: Math.max(room, wide) };
}

/** Puts each bar into a row of its client's lane, and returns the lanes. */
function placeLanes(view) {
  const lanes = new Map();
  for (const bar of [...view.shown].sort((a, b) => a.at - b.at)) {
    const { host, client, life } = bar.item, key = [host, client, life].map((n) => String(n).padStart(9, "0")).join();
    const lane = lanes.get(key) ?? lanes.set(key, { name: laneName(bar.item), ends: [], bars: [] }).get(key);
    let row = lane.ends.findIndex((end) => end + 4 <= bar.x1);
    if (row < 0) row = lane.ends.push(0) - 1;
    lane.ends[row] = bar.x2;
    lane.bars.push(Object.assign(bar, { row }));
  }
  let y = AXIS_HIGH;
  const sorted = [...lanes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, lane]) => lane);
  for (const lane of sorted) {
    Object.assign(lane, { top: y, high: lane.ends.length * ROW_HIGH + LANE_PAD });
    for (const bar of lane.bars) bar.y = y + LANE_PAD / 2 + bar.row * ROW_HIGH + ROW_HIGH - BAR_HIGH;
    y += lane.high;
  }
  return { lanes: sorted, high: y };
}

/** Gives each ordered bar its point: after its call and before its return, in the order of the numbers. */
function placePoints(view) {
  const ordered = view.shown.filter((bar) => bar.number).sort((a, b) => a.number - b.number);
  if (!view.report.keeps_real_time) {
    for (const bar of ordered) bar.point = bar.x1 + BADGE + 3;
    return ordered;
  }
  let latest = Infinity;
  for (const bar of [...ordered].reverse()) {
    if (bar.hasReturned) latest = Math.min(latest, bar.x2 - 3);
    bar.latest = latest;
  }
  let x = -Infinity;
  for (const bar of ordered) {
    x = Math.min(bar.latest, Math.max(x + 2 * BADGE + 2, bar.x1 + BADGE + 3));
    bar.point = x;
  }
  return ordered;
}

function svg(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function barElement(bar, wide) {
  const kind = bar.why ? "stuck" : bar.isCore ? "core" : "other";
  const g = svg("g", {
    class: `bar ${kind}${bar.hasReturned ? "" : " open"}`, "data-id": bar.item.id, tabindex: 0, role: "button",
    "aria-label": `${laneName(bar.item)}: ${bar.label}`,
  });
  const middle = bar.y + BAR_HIGH / 2;
  if (bar.output === null) g.append(svg("line", { class: "tail", x1: bar.x2, x2: wide, y1: middle, y2: middle }));
  g.append(svg("rect", { x: bar.x1, y: bar.y, width: bar.x2 - bar.x1, height: BAR_HIGH, rx: bar.hasReturned ? 3 : 0 }));
  if (bar.hasReturned) g.append(svg("line", { class: "end", x1: bar.x2, x2: bar.x2, y1: bar.y - 2, y2: bar.y + BAR_HIGH + 2 }));
  // The line of a point at the beginning does not cross the text.
  const begins = bar.x1 + (bar.point - bar.x1 < 2 * BADGE ? BADGE + 8 : 5), room = bar.x2 - begins - 3;
  if (room > 22) {
    const text = svg("text", { x: begins, y: middle + 4 });
    text.textContent = cutTo(measure, bar.label, room);
    g.append(text);
  }
  if (bar.why) {
    const sign = svg("text", { class: "sign", x: bar.x2 + 5, y: middle + 5 });
    sign.textContent = "✗";
    g.append(sign);
  }
  return g;
}

function axisElements(view, { times, xs, wide }, high) {
  const g = svg("g", { class: "axis" });
  let last = -Infinity;
  for (const time of times) {
    const x = xs.get(time);
    if (x - last < 74) continue;
    last = x;
    const text = svg("text", { x, y: 14, "text-anchor": x > wide - 60 ? "end" : "start" });
    text.textContent = `${seconds(time, 3)} s`;
    g.append(svg("line", { x1: x, x2: x, y1: AXIS_HIGH - 5, y2: high }), text);
  }
  const due = view.longest.stuck[0];
  const bar = due && view.bars[due[0]];
  if (bar?.hasReturned && view.report.keeps_real_time)
    g.append(svg("line", { class: "due", x1: bar.x2, x2: bar.x2, y1: AXIS_HIGH - 8, y2: high }));
  return g;
}

/** The lanes of a report, with their names beside what scrolls. */
function lanesElement(view) {
  const box = document.createElement("div"), names = document.createElement("div"), scroll = document.createElement("div");
  [box.className, names.className, scroll.className] = ["order-lanes", "order-names", "order-scroll"];
  if (!view.shown.length) return box;
  const room = Math.max(300, orderBox.clientWidth - GUTTER - 24), placed = placeBars(view, room);
  const { lanes, high } = placeLanes(view), ordered = placePoints(view);
  const drawing = svg("svg", { width: placed.wide, height: high + 4 });
  lanes.forEach((lane, index) => {
    if (index % 2 === 0) drawing.append(svg("rect", { class: "lane", x: 0, y: lane.top, width: placed.wide, height: lane.high }));
  });
  drawing.append(axisElements(view, placed, high));
  for (const bar of [...view.shown].sort((a, b) => Number(a.isCore) - Number(b.isCore))) drawing.append(barElement(bar, placed.wide));
  const top = (bar) => bar.y - BADGE + 1;
  drawing.append(svg("polyline", { class: "way", points: ordered.map((bar) => `${bar.point},${top(bar)}`).join(" ") }));
  for (const bar of ordered) {
    const text = svg("text", { x: bar.point, y: top(bar) + 3.5 });
    text.textContent = bar.number;
    const wide = BADGE + (bar.number > 99 ? 4 : 0);
    drawing.append(svg("g", { class: `point ${bar.isCore ? "core" : "other"}`, "data-id": bar.item.id },
      svg("line", { x1: bar.point, x2: bar.point, y1: top(bar), y2: bar.y + BAR_HIGH }),
      svg("rect", { x: bar.point - wide, y: top(bar) - BADGE, width: 2 * wide, height: 2 * BADGE, rx: BADGE }), text));
  }
  scroll.append(drawing);
  for (const lane of lanes) {
    const name = document.createElement("div");
    name.textContent = lane.name;
    name.style.top = `${lane.top + lane.high / 2 - 9}px`;
    names.append(name);
  }
  names.style.width = `${GUTTER - 20}px`;
  box.append(names, scroll);
  return box;
}

/** Why there is no order, in words. */
function orderWords(view) {
  const { longest, report } = view, code = (text) => `<code>${escapeText(text)}</code>`;
  const count = longest.steps.length;
  const order = count === 0 ? "Nothing can come first: at the beginning the state is"
    : `The longest order has ${count === 1 ? "1 operation; after it" : `${count} operations; after them`} the state is`;
  const line = ([place, why]) => {
    const bar = view.bars[place];
    return `<li>✗ <a href="#" data-id="${bar.item.id}">${escapeText(`${laneName(bar.item)}: ${bar.label}`)}</a>: ${escapeText(why)}</li>`;
  };
  const due = report.keeps_real_time ? ", before all that is called after the dashed line" : "";
  const next = longest.stuck.length === 1 ? `This must come next${due}, but cannot:` : `One of these must come next${due}, and none can:`;
  return `<p>${order} ${code(longest.state)}. ${next}</p><ul>${longest.stuck.map(line).join("")}</ul>`;
}

function stepsElement(view) {
  const steps = view.longest.steps.map(([place, after], index) => {
    const bar = view.bars[place];
    return `<tr><td>${index + 1}</td><td>${escapeText(laneName(bar.item))}</td>` +
      `<td><a href="#" data-id="${bar.item.id}">${escapeText(bar.label)}</a></td><td><code>${escapeText(after)}</code></td></tr>`;
  });
  return `<details${view.isWhole ? "" : " open"}><summary>the longest order, step by step</summary>` +
    `<table><tr><th></th><th>client</th><th>operation</th><th>state after it</th></tr>${steps.join("")}</table></details>`;
}

function orderChips(view) {
  const { report, shown, bars } = view, chips = document.createElement("span"), kept = report.core.kept.length;
  const set = (name, isOn) => { state.order[isOn ? "add" : "delete"](name); refreshList(); writeAddress(); };
  const part = (text, isOn, wanted) => Object.assign(chip(text, isOn, () => set("whole", wanted)), { title: "" });
  const left = bars.length - shown.length, late = report.core.loosened.length;
  chips.className = "chips";
  if (report.core.longest) chips.append(part(`these ${kept} suffice`, !view.isWhole, false));
  chips.append(part(`all ${bars.length} operations`, view.isWhole, true),
    Object.assign(chip("true to scale", state.order.has("scale"), () => set("scale", !state.order.has("scale"))), { title: "" }));
  const note = document.createElement("span");
  note.className = "muted";
  note.textContent = view.isWhole ? `${kept} of them suffice: they stand out`
    : `${left} of ${bars.length} operations left out` + (late ? `; ${late} may take effect late or never, and it is still wrong` : "");
  chips.append(note);
  return chips;
}

function drawOrder() {
  orderBox.hidden = state.tab !== "order";
  list.hidden = !orderBox.hidden;
  document.getElementById("lower").classList.toggle("tall", !orderBox.hidden);
  if (orderBox.hidden) return;
  orderBox.replaceChildren(...data.orders.map((report) => {
    const view = orderView(report), section = document.createElement("section");
    const of = report.part ? `, key ${report.part}` : "", kept = report.core.kept.length;
    section.innerHTML = `<h2>${escapeText(report.check)}${escapeText(of)}: no order explains ` +
      `${kept === 1 ? "this operation" : `these ${kept} operations`}</h2><div class="words">${orderWords(view)}</div>`;
    section.append(orderChips(view), lanesElement(view));
    section.insertAdjacentHTML("beforeend", stepsElement(view));
    return section;
  }));
  // What cannot come next stands in view.
  for (const scroll of orderBox.querySelectorAll(".order-scroll")) {
    const stuck = scroll.querySelector(".stuck rect"), right = stuck && Number(stuck.getAttribute("x")) + Number(stuck.getAttribute("width"));
    if (stuck) scroll.scrollLeft = right - scroll.clientWidth * 0.75;
  }
  markOrder();
}

/** Marks the bar of what is chosen. */
function markOrder() {
  for (const bar of orderBox.querySelectorAll(".bar")) bar.classList.toggle("chosen", bar.dataset.id === state.chosen?.id);
}

function barOf(id) {
  for (const report of data.orders) {
    const bar = orderView(report).bars.find((bar) => bar.item.id === id);
    if (bar) return bar;
  }
  return undefined;
}

function chooseBar(event) {
  const id = event.target.closest("[data-id]")?.dataset.id;
  if (!id) return;
  event.preventDefault();
  choose(byId.get(id), true);
}

orderBox.addEventListener("click", chooseBar);
orderBox.addEventListener("keydown", (event) => { if (event.key === "Enter") chooseBar(event); });
orderBox.addEventListener("pointermove", (event) => {
  const id = event.target.closest("svg [data-id]")?.dataset.id, bar = id && barOf(id), box = document.getElementById("hover");
  box.hidden = !bar;
  if (!bar) return;
  const until = bar.item.ends === null ? "never returns" : `to ${seconds(bar.item.ends)} s`;
  const place = bar.number ? `<br>${bar.number} in the order; then the state is <code>${escapeText(bar.stateAfter)}</code>` : "";
  const why = bar.why ? `<br>✗ ${escapeText(bar.why)}` : "";
  const returned = bar.output === null ? "outcome unknown" : `= ${bar.output}`;
  box.innerHTML = `<b>${escapeText(laneName(bar.item))}  ${seconds(bar.item.begins)} ${until}</b>` +
    `${escapeText(bar.call)} ${escapeText(returned)}${place}${why}`;
  showHover(event);
});
orderBox.addEventListener("pointerleave", () => { document.getElementById("hover").hidden = true; });
