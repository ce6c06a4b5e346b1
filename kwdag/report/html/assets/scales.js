// How values become places along an axis and colours, and the legends that say so.

// Colours that colour-blind eyes can tell apart, for a light and for a dark page.
const LIGHT_HUES = ["#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#e377c2", "#56b4e9"];
const DARK_HUES = ["#4da6e0", "#f2a93b", "#33c79c", "#ff8650", "#e19bd6", "#dcae83", "#f5a3dd", "#9ad7f7"];
const OTHER_HUE = "#8c8c8c";
const MOST_HUES = LIGHT_HUES.length;
function hues() {
  return document.documentElement.classList.contains("dark") ? DARK_HUES : LIGHT_HUES;
}

// -- axes ------------------------------------------------------------------------------------------

// Where each row lies along an axis, with the axis' kind and, for levels, their places and names.
function along(column, jitter = 0.28) {
  if (!column.discrete) {
    return { at: column.numbers, kind: isLog(column) ? "log" : "linear", levels: null, empty: !column.finite };
  }
  const at = Float64Array.from(column.codes, (code, i) => code + jitter * noise(i));
  const names = shortLabels(column.levels, 20);
  const step = Math.ceil(names.length / 40);
  const levels = names.map((name, i) => [i, name]).filter(([i]) => i % step === 0);
  return { at, kind: "linear", levels };
}

// The options of a figure for one of its axes; without a number there is no range to be found.
function axisOf(name, { kind, empty }) {
  return { [`${name}_axis_type`]: kind, ...(empty ? { [`${name}_range`]: [0, 1] } : {}) };
}

// From -1 to 1, the same for a row whenever it is drawn.
function noise(i) {
  let mixed = Math.imul(i + 1, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 31 - 1;
}

// Positive numbers over two decades of which most are small.
function isLog(column) {
  if (!column.finite || column.finite[0] <= 0 || column.finite[1] < 100 * column.finite[0]) return false;
  const sorted = column.numbers.filter(isFinite).sort();
  const [low, middle, high] = [0.02, 0.5, 0.98].map((share) => sorted[Math.floor(share * (sorted.length - 1))]);
  return high > 20 * low && middle < (low + high) / 3;
}

function nameLevels(Bokeh, axis, levels, slanted) {
  axis.ticker = new Bokeh.FixedTicker({ ticks: levels.map(([at]) => at) });
  axis.major_label_overrides = new Map(levels);
  if (slanted && levels.some(([, name]) => name.length > 7)) axis.major_label_orientation = 0.5;
}

function axisLabel(column) {
  const better = column.good > 0 ? "  (higher is better)" : column.good < 0 ? "  (lower is better)" : "";
  return plain(shortened(column.label, 44)) + better;
}

// Two dollars would start a formula.
function plain(text) {
  return text.replace(/\$\$/g, "$\u200b$").replace(/\\([([])/g, "\\\u200b$1");
}

// -- colours ---------------------------------------------------------------------------------------

function packed(hex) {
  return (parseInt(hex.slice(1), 16) * 256 + 255) >>> 0;
}

// A colour for each row, and what the colours mean.
function colours(Bokeh, column) {
  if (column.kind === "num" && !column.discrete) return gradient(Bokeh, column);
  const counts = new Map();
  for (const code of column.codes) counts.set(code, (counts.get(code) || 0) + 1);
  const common = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a)).slice(0, MOST_HUES).sort((a, b) => a - b);
  const hue = new Map(common.map((code, k) => [code, hues()[k]]));
  const rows = Uint32Array.from(column.codes, (code) => packed(hue.get(code) || OTHER_HUE));
  const legend = common.map((code) => [hue.get(code), column.shortLevels[code]]);
  if (counts.size > common.length) legend.push([OTHER_HUE, `${counts.size - common.length} others`]);
  return { rows, legend };
}

// Viridis, bright for good.
function gradient(Bokeh, column) {
  const palette = Bokeh.Palettes.viridis(64);
  const scaled = unit(column);
  const turn = (share) => (column.good < 0 ? 1 - share : share);
  const rows = Uint32Array.from(scaled, (share) =>
    isNaN(share) ? packed(OTHER_HUE) : palette[Math.round(turn(share) * 63)]
  );
  const stops = [0, 0.25, 0.5, 0.75, 1].map((share) => hex(palette[Math.round(turn(share) * 63)]));
  const [low, high] = column.finite || [NaN, NaN];
  return { rows, bar: { stops, low: column.format(low), high: column.format(high) } };
}

function hex(rgba) {
  return `#${(rgba >>> 8).toString(16).padStart(6, "0")}`;
}

// The numbers of a column from 0 to 1, along a logarithm where they ask for one.
function unit(column) {
  const [low, high] = column.finite || [0, 1];
  const log = isLog(column);
  const turned = log ? Math.log : (value) => value;
  const span = turned(high) - turned(low);
  return Float64Array.from(column.numbers, (value) =>
    isFinite(value) ? (span > 0 ? (turned(value) - turned(low)) / span : 0.5) : NaN
  );
}

function fillLegend(host, found, column) {
  host.replaceChildren(element("span", { className: "legend-title" }, column.label));
  for (const [hue, name] of found.legend || []) {
    const chip = element("span", { className: "chip" });
    chip.style.background = hue;
    host.append(element("span", { className: "entry" }, chip, name));
  }
  if (found.bar) {
    const bar = element("span", { className: "gradient" });
    bar.style.background = `linear-gradient(to right, ${found.bar.stops.join(",")})`;
    host.append(found.bar.low, bar, found.bar.high);
  }
}
