// What stands around the diagram: broken promises, names, the overview; and what is under the pointer.

function drawBreaches(g) {
  const taken = [];
  for (const item of breaches) {
    const x = xOf(item.at);
    if (x < GUTTER - 1 || x > width + 1) continue;
    g.strokeStyle = item.verdict === "fail" ? colors.breach : colors.unsure;
    g.lineWidth = item === state.chosen ? 3 : 1.8;
    g.beginPath();
    g.moveTo(x, RULER - 2);
    g.lineTo(x, height);
    g.stroke();
    const y = lineOf(item.host);
    if (y !== undefined && item.isStated) {
      g.beginPath();
      g.arc(x, y, 9, 0, 7);
      g.stroke();
    }
    g.font = `600 11px ${FONT}`;
    const text = cutTo(g, `✗ ${item.check}`, 240), wide = g.measureText(text).width + 10;
    const left = Math.min(Math.max(x, GUTTER), width - wide);
    let top = RULER - 4;
    while (taken.some(([a, b, t]) => t === top && a < left + wide && b > left)) top += 17;
    taken.push([left, left + wide, top]);
    g.fillStyle = item.verdict === "fail" ? colors.breach : colors.unsure;
    g.fillRect(left, top, wide, 16);
    g.fillStyle = colors.dark ? "#14171c" : "#fff";
    g.textAlign = "left";
    g.fillText(text, left + 5, top + 8.5);
    g.font = `11px ${FONT}`;
  }
}

function drawNames(g) {
  g.fillStyle = colors.panel;
  g.fillRect(0, 0, GUTTER, height);
  g.strokeStyle = colors.line;
  g.lineWidth = 1;
  g.beginPath();
  g.moveTo(GUTTER - 0.5, 0);
  g.lineTo(GUTTER - 0.5, height);
  g.stroke();
  for (const [host, lane] of laneTop.entries()) {
    if (!lane) continue;
    g.fillStyle = colors.ink;
    g.font = `600 12px ${FONT}`;
    g.textAlign = "right";
    g.fillText(cutTo(g, hostName(host), GUTTER - 18), GUTTER - 10, lane.line);
    g.font = `11px ${FONT}`;
  }
}

let density = null;

/** How many messages are sent in each pixel of the overview, and how many of them are lost. */
function densities(columns) {
  if (density?.columns === columns && density.shown === shown) return density;
  density = { columns, shown, all: new Uint32Array(columns), lost: new Uint32Array(columns), most: 1 };
  for (const item of shown) {
    if (item.type !== "message") continue;
    const column = Math.min(columns - 1, Math.floor((item.at / END) * columns));
    density.most = Math.max(density.most, ++density.all[column]);
    if (item.isLost) density.lost[column]++;
  }
  return density;
}

const overviewX = (at) => GUTTER + (at / END) * (width - GUTTER);

function drawOverview() {
  const high = overview.clientHeight, g = context(overview, window.devicePixelRatio || 1);
  const { columns, all, lost, most } = densities(Math.max(1, Math.floor((width - GUTTER) / 2)));
  data.faults.forEach((fault, index) => {
    if (fault.begins === null || !state.groups.has("fault")) return;
    const y = 4 + (index % 6) * 4;
    g.fillStyle = faultColor(index, 0.75);
    g.fillRect(overviewX(fault.begins), y, Math.max(2, overviewX(fault.ends) - overviewX(fault.begins)), 3);
  });
  for (let column = 0; column < columns; column++) {
    if (!all[column]) continue;
    const tall = Math.max(1.5, (Math.log2(1 + all[column]) / Math.log2(1 + most)) * (high - 20));
    g.fillStyle = colors.data;
    g.globalAlpha = 0.5;
    g.fillRect(GUTTER + column * 2, high - tall, 2, tall);
    g.globalAlpha = 1;
    if (lost[column]) {
      g.fillStyle = colors.lost;
      g.fillRect(GUTTER + column * 2, high - 5, 2, 5);
    }
  }
  for (const item of breaches) {
    g.fillStyle = colors.breach;
    g.fillRect(overviewX(item.at) - 1, 0, 2, high);
  }
  const x1 = overviewX(state.from), x2 = overviewX(state.to);
  g.fillStyle = colors.ink;
  g.globalAlpha = 0.08;
  g.fillRect(x1, 0, x2 - x1, high);
  g.globalAlpha = 1;
  g.strokeStyle = colors.chosen;
  g.lineWidth = 1.5;
  g.strokeRect(x1 + 0.5, 0.5, Math.max(2, x2 - x1 - 1), high - 1);
  g.fillStyle = colors.muted;
  g.textAlign = "right";
  g.fillText(`0 – ${span(END)}`, GUTTER - 10, high / 2);
}

/** The distance of a point from an arrow. */
function distance(x, y, a) {
  const dx = a.x2 - a.x1, dy = a.y2 - a.y1, length = dx * dx + dy * dy;
  const share = length === 0 ? 0 : Math.max(0, Math.min(1, ((x - a.x1) * dx + (y - a.y1) * dy) / length));
  return Math.hypot(x - a.x1 - share * dx, y - a.y1 - share * dy);
}

/** What is under the pointer: the nearest of the marks, bars, messages, promises and faults. */
function under(x, y) {
  if (x < GUTTER) return undefined;
  for (const item of breaches) if (Math.abs(xOf(item.at) - x) < 4) return item;
  for (let place = placeOf(events, timeOf(x - 6)); place < events.length && events[place].at <= timeOf(x + 6); place++) {
    const item = events[place], line = lineOf(item.host);
    if (line !== undefined && Math.abs(line - y) < 6 && shownSet.has(item)) return item;
  }
  for (const item of [...exchanges, ...operations]) {
    if (!shownSet.has(item)) continue;
    const box = boxOf(item);
    if (box && x >= box.x - 1 && x <= box.x + box.w + 1 && y >= box.y && y <= box.y + box.h) return item;
  }
  let best, nearest = 6;
  for (const m of visibleMessages()) {
    const a = arrowOf(m);
    if (!a) continue;
    const far = distance(x, y, a);
    if (far < nearest) [best, nearest] = [m, far];
  }
  if (best) return best;
  const at = timeOf(x);
  const isHere = (fault) => fault.begins !== null && fault.begins <= at && at <= fault.ends &&
    stretches(fault).merged.some(([a, b]) => y >= a && y <= b);
  const fault = data.faults.findIndex(isHere);
  return fault < 0 || !state.groups.has("fault") ? undefined : events.find((item) => item.fault === fault);
}
