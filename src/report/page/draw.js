// The diagram: hosts as lanes, time to the right. Only what is visible is drawn, and of messages that cover the same
// pixels only one.

const stage = document.getElementById("stage");
const diagram = document.getElementById("diagram");
const overview = document.getElementById("overview");
const GUTTER = 132, RULER = 26, ROOM = 24, BAR = 10, OPERATION = 9, FONT = "system-ui, 'DejaVu Sans', sans-serif";
const FAULT_HUES = [36, 275, 190, 330, 95, 220];
let colors = {}, width = 0, height = 0, laneTop = [], drawn = 0, drawMs = 0;

function readColors() {
  const style = getComputedStyle(document.documentElement);
  const names = ["panel", "ink", "muted", "line", "soft", "data", "control", "lost", "again", "up", "down", "good",
    "bad", "unsure", "breach", "chosen", "band"];
  for (const name of names) colors[name] = style.getPropertyValue(`--${name}`).trim();
  colors.dark = document.documentElement.dataset.theme === "dark";
}

const faultColor = (fault, alpha) =>
  `hsl(${FAULT_HUES[fault % FAULT_HUES.length]} 85% ${colors.dark ? 62 : 38}% / ${alpha})`;
const xOf = (at) => GUTTER + ((at - state.from) / (state.to - state.from)) * (width - GUTTER);
const timeOf = (x) => state.from + ((x - GUTTER) / (width - GUTTER)) * (state.to - state.from);
const lineOf = (host) => laneTop[host] === undefined ? undefined : laneTop[host].line;

/** Distributes the height over the lanes: each needs room for its bars, and gets its share of the rest. */
function layOut() {
  const ratio = window.devicePixelRatio || 1;
  const shownLanes = lanes.filter((lane) => state.hosts.has(lane.host));
  const above = (lane) => state.groups.has("exchange") ? lane.asks * (BAR + 2) : 0;
  const below = (lane) => state.groups.has("operation") ? lane.operates * (OPERATION + 2) : 0;
  const least = shownLanes.reduce((sum, lane) => sum + above(lane) + below(lane) + ROOM, RULER + 8);
  width = stage.clientWidth;
  height = Math.max(stage.clientHeight, least);
  const spare = shownLanes.length ? (height - least) / shownLanes.length : 0;
  laneTop = [];
  let y = RULER + 8;
  for (const lane of shownLanes) {
    const top = y, line = y + above(lane) + ROOM / 2 - 2 + spare / 2;
    const bottom = y + above(lane) + below(lane) + ROOM + spare;
    laneTop[lane.host] = { top, line, bottom };
    y = bottom;
  }
  for (const [canvas, high] of [[diagram, height], [overview, overview.clientHeight]]) {
    canvas.style.height = canvas === diagram ? `${high}px` : "";
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(high * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(high * ratio);
    }
  }
  return ratio;
}

function context(canvas, ratio) {
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, width, height);
  g.font = `11px ${FONT}`;
  g.textBaseline = "middle";
  return g;
}

function draw() {
  const began = performance.now();
  const g = context(diagram, layOut());
  drawRuler(g);
  g.save();
  g.beginPath();
  g.rect(GUTTER, 0, width - GUTTER, height);
  g.clip();
  const labels = drawFaults(g);
  drawLives(g);
  drawBars(g);
  drawMessages(g);
  drawFaultLabels(g, labels);
  drawMarks(g);
  drawBreaches(g);
  g.restore();
  drawNames(g);
  drawOverview();
  drawMs = performance.now() - began;
}

/** A step between ticks: 1, 2 or 5 times a power of ten, at least 90 pixels wide. */
function tickStep() {
  const least = ((state.to - state.from) / Math.max(1, width - GUTTER)) * 90;
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= least);
}

function drawRuler(g) {
  const step = Math.max(1, tickStep());
  const digits = Math.max(0, 6 - Math.floor(Math.log10(step)));
  g.fillStyle = colors.muted;
  g.strokeStyle = colors.soft;
  g.lineWidth = 1;
  g.textAlign = "center";
  for (let at = Math.ceil(state.from / step) * step; at <= state.to; at += step) {
    const x = Math.round(xOf(at)) + 0.5;
    g.beginPath();
    g.moveTo(x, RULER);
    g.lineTo(x, height);
    g.stroke();
    if (x > GUTTER + 14) g.fillText(`${seconds(at, digits)} s`, Math.min(x, width - 30), RULER / 2 + 1);
  }
  const over = xOf(data.run_for);
  if (over >= GUTTER && over <= width) {
    g.setLineDash([2, 4]);
    g.strokeStyle = colors.muted;
    g.beginPath();
    g.moveTo(over, RULER);
    g.lineTo(over, height);
    g.stroke();
    g.setLineDash([]);
    g.textAlign = "left";
    g.fillText("faults over", over + 4, height - 8);
  }
}

/** The vertical stretches that a fault covers, with the lanes on which it acts. */
function stretches(fault) {
  const shownHosts = fault.hosts.filter((host) => laneTop[host]);
  const parts = shownHosts.map((host) => [laneTop[host].top + 1, laneTop[host].bottom - 1]);
  const touched = new Set();
  for (const [a, b] of fault.links) {
    const [y1, y2] = [lineOf(a), lineOf(b)];
    if (y1 === undefined || y2 === undefined) continue;
    parts.push([Math.min(y1, y2), Math.max(y1, y2)]);
    touched.add(y1).add(y2);
  }
  parts.sort((a, b) => a[0] - b[0]);
  const merged = [];
  for (const part of parts) {
    const last = merged[merged.length - 1];
    if (last && part[0] <= last[1] && fault.links.length) last[1] = Math.max(last[1], part[1]);
    else merged.push([...part]);
  }
  return { merged, touched };
}

function drawFaults(g) {
  const labels = [];
  if (!state.groups.has("fault")) return labels;
  data.faults.forEach((fault, index) => {
    if (fault.begins === null || fault.ends < state.from || fault.begins > state.to) return;
    const x1 = Math.max(GUTTER - 2, xOf(fault.begins)), x2 = Math.min(width + 2, Math.max(x1 + 2, xOf(fault.ends)));
    const { merged, touched } = stretches(fault);
    for (const [top, bottom] of merged) {
      // What covers much is drawn lightly, so that what is behind it stays readable.
      g.fillStyle = faultColor(index, colors.band * (bottom - top > 160 ? 0.45 : 1));
      g.fillRect(x1, top, x2 - x1, bottom - top);
      g.strokeStyle = faultColor(index, 0.55);
      g.lineWidth = 1;
      g.strokeRect(x1 + 0.5, top + 0.5, x2 - x1 - 1, bottom - top - 1);
    }
    g.fillStyle = faultColor(index, 0.9);
    for (const y of touched) g.fillRect(x1, y - 4, 3, 8);
    if (merged.length) labels.push([index, fault, x1, x2, merged[0][0]]);
  });
  return labels;
}

/** The text of each fault, in the corner of what it covers. */
function drawFaultLabels(g, labels) {
  g.textAlign = "left";
  g.font = `600 11px ${FONT}`;
  const taken = [];
  for (const [index, fault, x1, x2, top] of labels) {
    const text = `f${index + 1} ${fault.text}`, room = Math.max(x2 - x1 - 6, 24);
    let y = top + 9;
    while (taken.some(([a, b, c]) => Math.abs(c - y) < 12 && a < x1 + room && b > x1)) y += 12;
    const fits = g.measureText(text).width <= room ? text : x2 - x1 > 90 ? cut(g, text, room) : `f${index + 1}`;
    const wide = g.measureText(fits).width;
    taken.push([x1, x1 + wide + 8, y]);
    backing(g, x1 + 3, y, wide + 4);
    g.fillStyle = faultColor(index, 1);
    g.fillText(fits, x1 + 5, y);
  }
  g.font = `11px ${FONT}`;
}

/** A ground on which a text stays readable. */
function backing(g, x, y, wide) {
  g.fillStyle = colors.panel;
  g.globalAlpha = 0.8;
  g.fillRect(x, y - 6, wide, 12);
  g.globalAlpha = 1;
}

function cut(g, text, room) {
  let end = text.length;
  while (end > 1 && g.measureText(`${text.slice(0, end)}…`).width > room) end = Math.floor(end * 0.85);
  return `${text.slice(0, end)}…`;
}

function drawLives(g) {
  for (const [host, lane] of laneTop.entries()) {
    if (!lane) continue;
    g.strokeStyle = colors.down;
    g.lineWidth = 1;
    g.setLineDash([3, 4]);
    g.beginPath();
    g.moveTo(GUTTER, lane.line);
    g.lineTo(width, lane.line);
    g.stroke();
    g.setLineDash([]);
  }
  for (const life of data.lives) {
    const lane = laneTop[life.host];
    if (!lane || life.ends < state.from || life.begins > state.to) continue;
    const x1 = Math.max(GUTTER, xOf(life.begins)), x2 = Math.min(width, xOf(life.ends));
    if (life.state === "up" || life.state === "stopping") {
      g.fillStyle = life.state === "up" ? colors.up : colors.unsure;
      g.fillRect(x1, lane.line - 1.5, Math.max(1, x2 - x1), 3);
    } else if (life.state === "paused" || life.state === "stalled") {
      g.fillStyle = colors.unsure;
      for (let x = x1; x < x2; x += 6) g.fillRect(x, lane.line - 4, 3, 8);
    } else if (state.groups.has("life")) {
      g.fillStyle = colors.bad;
      if (x2 - x1 > 60) {
        g.textAlign = "left";
        g.fillText(life.state === "off" ? "no power" : "down", x1 + 11, lane.line + 9);
      }
    }
  }
  if (!state.groups.has("life")) return;
  for (const life of data.lives) {
    const lane = laneTop[life.host], x = xOf(life.begins);
    if (!lane || x < GUTTER - 8 || x > width + 8) continue;
    if (life.state === "down" || life.state === "off") cross(g, x, lane.line, 5, colors.bad, 2.5);
    if (life.state === "up" && life.begins > 0) {
      g.fillStyle = colors.good;
      g.beginPath();
      g.moveTo(x, lane.line - 6);
      g.lineTo(x + 8, lane.line);
      g.lineTo(x, lane.line + 6);
      g.fill();
    }
  }
}

function cross(g, x, y, size, color, thick) {
  g.strokeStyle = color;
  g.lineWidth = thick;
  g.beginPath();
  g.moveTo(x - size, y - size);
  g.lineTo(x + size, y + size);
  g.moveTo(x - size, y + size);
  g.lineTo(x + size, y - size);
  g.stroke();
}

/** Where a bar is drawn; `undefined` if its lane is hidden. */
function boxOf(item) {
  const lane = laneTop[item.host];
  if (!lane) return undefined;
  const x1 = Math.max(GUTTER - 3, xOf(item.at)), x2 = Math.max(x1 + 2, Math.min(width + 3, xOf(item.until)));
  return item.type === "exchange"
    ? { x: x1, y: lane.line - 8 - (item.row + 1) * (BAR + 2), w: x2 - x1, h: BAR }
    : { x: x1, y: lane.line + 7 + item.row * (OPERATION + 2), w: x2 - x1, h: OPERATION };
}

function drawBars(g) {
  const lastX = new Map();
  for (const item of [...exchanges, ...operations]) {
    if (item.until < state.from || item.at > state.to || !shownSet.has(item)) continue;
    const box = boxOf(item);
    if (!box) continue;
    // Bars that would cover the same pixel are drawn once, but failed ones are always drawn.
    const key = `${item.host} ${item.type} ${item.row}`;
    if (box.w < 3 && lastX.get(key) === Math.round(box.x) && !item.look) continue;
    lastX.set(key, Math.round(box.x));
    const color = item.look === "bad" ? colors.bad : item.look === "unsure" ? colors.unsure
      : item.type === "exchange" ? colors.good : colors.up;
    // Nothing that the bar covers is read together with its text.
    g.globalAlpha = 0.75;
    g.fillStyle = colors.panel;
    g.fillRect(box.x, box.y, box.w, box.h);
    g.globalAlpha = item.type === "exchange" ? 0.34 : 0.26;
    g.fillStyle = color;
    g.fillRect(box.x, box.y, box.w, box.h);
    g.globalAlpha = 1;
    g.strokeStyle = color;
    g.lineWidth = item === state.chosen ? 2.5 : 1;
    if (item === state.chosen) g.strokeStyle = colors.chosen;
    if (box.w > 3) g.strokeRect(box.x + 0.5, box.y + 0.5, box.w - 1, box.h - 1);
    if (box.w > 34) {
      const number = item.attempts > 1 ? `${item.attempt}/${item.attempts} ` : "";
      g.fillStyle = colors.ink;
      g.textAlign = "left";
      g.font = `${item.type === "exchange" ? 10 : 9}px ${FONT}`;
      const x = Math.max(box.x, GUTTER) + 3, room = box.x + box.w - x - 3;
      const text = number + item.label;
      if (room > 26) g.fillText(cutTo(g, text, room), x, box.y + box.h / 2 + 0.5);
      g.font = `11px ${FONT}`;
    }
  }
}

/** The ends of a message's arrow: what is lost ends half-way. */
function arrowOf(m) {
  const y1 = lineOf(m.host), y2 = lineOf(m.other);
  if (y1 === undefined || y2 === undefined) return undefined;
  const x1 = xOf(m.at), x2 = xOf(m.until), half = m.isLost ? 0.5 : 1, skip = m.injected ? 0.5 : 0;
  if (m.host === m.other) return { x1, y1, x2, y2: y1 - 7, self: true };
  const at = (share) => [x1 + (x2 - x1) * share, y1 + (y2 - y1) * share];
  const [[fromX, fromY], [toX, toY]] = [at(skip), at(half)];
  return { x1: fromX, y1: fromY, x2: toX, y2: toY };
}

/** The messages that may be visible. */
function* visibleMessages() {
  const end = placeOf(messages, state.to + 1);
  for (let place = placeOf(messages, state.from - longest); place < end; place++) {
    const m = messages[place];
    if (m.until >= state.from && shownSet.has(m)) yield m;
  }
}

/** The place of a pixel in a grid: what is far outside of the view is as good as at its edge. */
const pixel = (x, grid) => Math.min(4095, Math.max(0, Math.round(x / grid) + 1000));

function drawMessages(g) {
  const seen = new Set(), strokes = new Map(), heads = [];
  const candidates = placeOf(messages, state.to) - placeOf(messages, state.from);
  const grid = candidates > 12000 ? 4 : candidates > 3000 ? 2 : 1;
  drawn = 0;
  for (const m of visibleMessages()) {
    const a = arrowOf(m);
    if (!a) continue;
    const special = m.isLost || m.attempt > 0 || m.injected || m.corrupted ? 1 : 0;
    const key = ((m.host * 512 + m.other) * 2 + special) * 2 ** 24 + pixel(a.x1, grid) * 4096 + pixel(a.x2, grid);
    if (seen.has(key)) continue;
    seen.add(key);
    drawn++;
    const color = m.isLost || m.injected || m.corrupted ? colors.lost : m.attempt > 0 ? colors.again
      : m.touched >= 0 ? faultColor(m.touched, 1) : m.group === "control" ? colors.control : colors.data;
    const style = `${color}|${m.attempt > 0 ? "dash" : ""}`;
    if (!strokes.has(style)) strokes.set(style, new Path2D());
    const path = strokes.get(style);
    path.moveTo(a.x1, a.y1);
    if (a.self) path.lineTo((a.x1 + a.x2) / 2, a.y2 - 4);
    path.lineTo(a.x2, a.y2);
    heads.push([m, a, color]);
  }
  const isDense = drawn > 1200, labelled = [];
  for (const [style, path] of strokes) {
    const [color, dash] = style.split("|");
    g.strokeStyle = color;
    g.lineWidth = isDense ? 0.8 : 1.3;
    g.globalAlpha = color === colors.data || color === colors.control ? (isDense ? 0.45 : 0.85) : 1;
    g.setLineDash(dash ? [5, 3] : []);
    g.stroke(path);
  }
  g.setLineDash([]);
  g.globalAlpha = 1;
  for (const [m, a, color] of heads) {
    if (m.isLost) cross(g, a.x2, a.y2, isDense ? 2.5 : 4, colors.lost, isDense ? 1.2 : 2);
    else if (!isDense || m.attempt > 0) head(g, a, color);
    if (m.injected) {
      g.fillStyle = color;
      g.fillRect(a.x1 - 3, a.y1 - 3, 6, 6);
    }
    if (m.attempt > 0 && !isDense) {
      g.fillStyle = colors.again;
      g.textAlign = "right";
      g.fillText(`↻${m.attempt + 1}`, a.x1 - 3, a.y1 + (a.y2 > a.y1 ? 8 : -8));
    }
    if (drawn < 60 && m.line && Math.abs(a.y2 - a.y1) > 24) along(g, m.line, a, color, labelled);
  }
  if (state.chosen?.type === "message") {
    const a = arrowOf(state.chosen);
    if (!a) return;
    g.strokeStyle = colors.chosen;
    g.lineWidth = 3;
    g.beginPath();
    g.moveTo(a.x1, a.y1);
    g.lineTo(a.x2, a.y2);
    g.stroke();
  }
}

function head(g, a, color) {
  const angle = Math.atan2(a.y2 - a.y1, a.x2 - a.x1);
  g.fillStyle = color;
  g.beginPath();
  g.moveTo(a.x2, a.y2);
  g.lineTo(a.x2 - 7 * Math.cos(angle - 0.38), a.y2 - 7 * Math.sin(angle - 0.38));
  g.lineTo(a.x2 - 7 * Math.cos(angle + 0.38), a.y2 - 7 * Math.sin(angle + 0.38));
  g.fill();
}

/** A text beside an arrow, unless another one is there already. */
function along(g, text, a, color, labelled) {
  const share = 0.42, x = a.x1 + (a.x2 - a.x1) * share + 5, y = a.y1 + (a.y2 - a.y1) * share;
  g.textAlign = "left";
  g.font = `10px ${FONT}`;
  const fits = cutTo(g, text, 150), wide = g.measureText(fits).width + 4;
  if (!labelled.some(([left, right, height]) => Math.abs(height - y) < 11 && left < x + wide && right > x)) {
    labelled.push([x, x + wide, y]);
    backing(g, x - 2, y, wide);
    g.fillStyle = color;
    g.fillText(fits, x, y);
  }
  g.font = `11px ${FONT}`;
}

const cutTo = (g, text, room) => (g.measureText(text).width <= room ? text : cut(g, text, room));

/** Marks and log lines as small dots on their lanes. */
function drawMarks(g) {
  for (let place = placeOf(events, state.from); place < events.length && events[place].at <= state.to; place++) {
    const item = events[place], y = lineOf(item.host);
    if (y === undefined || !["mark", "log"].includes(item.group) || !shownSet.has(item)) continue;
    g.fillStyle = item.group === "mark" ? colors.chosen : colors.muted;
    g.beginPath();
    g.arc(xOf(item.at), y, item === state.chosen ? 5 : 2.3, 0, 7);
    g.fill();
  }
}
