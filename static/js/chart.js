// One chart over the time of a transfer: its rate, the dirty rate, and what remains. Fed by the stored points at
// load and by live points afterwards; it never invents points between them.
const HEIGHT = 180;
const STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power); // binary units: whole MiB at the axis
const charts = new Map(); // id → { box, plot, data }

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
function size(value, most = value) {
  if (value == null) return "–";
  const unit = Math.max(0, Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(most, 1)) / 10)));
  const number = value / 1024 ** unit;
  return `${number.toFixed(unit && number && number < 10 && number % 1 ? 1 : 0)} ${UNITS[unit]}`;
}

export function mountCharts() {
  for (const [id, { box, plot }] of charts) if (!box.isConnected) { plot?.destroy(); charts.delete(id); }
  for (const box of document.querySelectorAll("[data-move-chart]")) {
    const id = Number(box.dataset.moveChart);
    if (!charts.has(id)) mount(id, box);
  }
}

async function mount(id, box) {
  const chart = { box, plot: null, data: [[], [], [], []] };
  charts.set(id, chart);
  try {
    const answer = await fetch(box.dataset.points, { headers: { "HX-Request": "true" } });
    const { points } = await answer.json();
    const live = chart.data[0].length ? last(chart) : -1;
    if (live >= 0) points.splice(points.findIndex((point) => point.at_ms / 1000 >= chart.data[0][0]) >>> 0);
    const late = chart.data;
    chart.data = [[], [], [], []];
    points.forEach((point) => add(chart, point));
    late[0].forEach((_, index) => chart.data.forEach((series, at) => series.push(late[at][index])));
  } catch { return; } // the figures beside it say the same
  draw(chart);
}

export function feedChart(id, point) {
  const chart = charts.get(id);
  if (!chart || point.at_ms / 1000 <= last(chart)) return;
  add(chart, point);
  draw(chart);
}

const last = ({ data: [times] }) => times.at(-1) ?? -1;
function add({ data }, point) {
  // While hosts connect there is nothing to draw yet; the axis begins with the first figure.
  if (!data[0].length && point.transfer == null && point.dirty == null && point.remaining == null) return;
  [point.at_ms / 1000, point.transfer ?? null, point.dirty ?? null, point.remaining ?? null].forEach((value, index) => data[index].push(value));
}

function draw(chart) {
  if (!chart.box.isConnected || chart.data[0].length < 2) return;
  if (chart.plot) return chart.plot.setData(chart.data);
  chart.box.hidden = false;
  const plot = chart.box.querySelector(".chart-plot");
  chart.plot = new uPlot(options(chart, plot.clientWidth), chart.data, plot);
  new ResizeObserver(([entry]) => chart.plot?.setSize({ width: entry.contentRect.width, height: HEIGHT })).observe(plot);
}

function options(chart, width) {
  const keys = [...chart.box.querySelectorAll(".key")];
  // Resolved colours: a canvas knows no custom properties.
  const [first, second, third] = keys.map((key) => getComputedStyle(key, "::before").backgroundColor);
  const text = getComputedStyle(chart.box.querySelector(".chart-legend")).color;
  const grid = { stroke: getComputedStyle(chart.box).borderTopColor, width: 1 };
  const font = `11px ${getComputedStyle(chart.box).fontFamily}`;
  const axis = { stroke: text, font, grid, ticks: { show: false }, incrs: STEPS, space: 32 };
  const most = (splits) => Math.max(...splits);
  return {
    width, height: HEIGHT, padding: [8, 4, 0, 0], legend: { show: false }, cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    scales: { x: { time: false, range: (_, first, end) => [first, Math.max(end, first + 1)] }, rate: { range: (_, __, top) => [0, Math.max(top ?? 0, 1024) * 1.1] }, bytes: { range: (_, __, top) => [0, Math.max(top ?? 0, 1024) * 1.1] } },
    axes: [
      { stroke: text, font, grid: { show: false }, ticks: { show: false }, size: 26, values: (_, splits) => splits.map((value) => `${value} s`) },
      { ...axis, scale: "rate", size: 74, values: (_, splits) => splits.map((value) => (value ? `${size(value, most(splits))}/s` : "0")) },
      { ...axis, scale: "bytes", side: 1, size: 60, grid: { show: false }, values: (_, splits) => splits.map((value) => (value ? size(value, most(splits)) : "0")) },
    ],
    series: [
      {},
      { scale: "rate", stroke: first, width: 1.5, points: { show: false } },
      { scale: "rate", stroke: second, width: 1.5, dash: [5, 3], points: { show: false } },
      { scale: "bytes", stroke: third, fill: third.replace(/^rgb\((.*)\)$/, "rgb($1, 0.12)").replace("rgb(", "rgba("), width: 1.5, points: { show: false } },
    ],
    hooks: { setCursor: [({ cursor: { idx } }) => legend(chart, keys, idx)] },
  };
}

// The figures under the pointer stand in the legend; without a pointer, the words alone.
function legend({ data }, keys, index) {
  keys.forEach((key, at) => {
    key.dataset.words ??= key.textContent;
    const value = index == null ? null : data[at + 1][index];
    key.textContent = index == null ? key.dataset.words : `${key.dataset.words} ${size(value)}${at < 2 && value != null ? "/s" : ""}`;
  });
}

// Colours are read when a chart is made, so a change of theme makes it anew.
function repaint() {
  for (const chart of charts.values()) {
    chart.plot?.destroy();
    chart.plot = null;
    draw(chart);
  }
}
document.addEventListener("theme-changed", repaint);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
