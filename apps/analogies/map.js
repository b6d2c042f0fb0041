// The map of words on a canvas: pan, zoom, turn in three dimensions, point, click, search.
// `value`: {view, words, points (x, y[, z] in −1…1), clusters, clusterNames, marked, axes}.
const canvas = element.querySelector("canvas");
const status = element.querySelector(".map-status");
const context = canvas.getContext("2d");
const COLOURS = ["positive", "negative", "gru", "rnn", "forget", "output", "lstm", "baseline"];
const FEW_WORDS = 200; // a map of fewer words has larger dots, and labels for short words too
const POINTER_RADIUS = 14; // pixels around the pointer in which a dot is pointed at
const MAX_ZOOM = 60, MIN_ZOOM = 0.5;
let data = null;
let zoom = 1, offset = [0, 0], angles = [0.6, 0.35];
let positions = []; // of the points on the canvas: [left, top, depth]
let hovered = -1; // number of the word that the pointer is on
let isScheduled = false;

const style = (name) => getComputedStyle(element).getPropertyValue(`--${name}`).trim();
const hasDepth = () => data.points.length && data.points[0].length === 3;
const isSmall = () => data.words.length < FEW_WORDS;

function scheduleDraw() {
  if (isScheduled) return;
  isScheduled = true;
  requestAnimationFrame(draw);
}

// A point as the visitor has turned the map: across, up and towards them.
function rotate([x, y, z = 0]) {
  if (!hasDepth()) return [x, y, 0];
  const [a, b] = angles;
  const across = x * Math.cos(a) + z * Math.sin(a), back = z * Math.cos(a) - x * Math.sin(a);
  return [
    across * 0.8,
    (y * Math.cos(b) - back * Math.sin(b)) * 0.8,
    y * Math.sin(b) + back * Math.cos(b),
  ];
}

// Pixels from the middle of the canvas to a point at 1, across and up.
function extent() {
  const width = canvas.clientWidth, height = canvas.clientHeight;
  const half = Math.min(width, height) / 2 - 8;
  return hasDepth() ? [half, half] : [width / 2 - 24, height / 2 - 16];
}

function draw() {
  isScheduled = false;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (!data || !width) return;
  const ratio = window.devicePixelRatio || 1;
  const pixels = [width, height].map((side) => Math.round(side * ratio));
  if (canvas.width !== pixels[0] || canvas.height !== pixels[1])
    [canvas.width, canvas.height] = pixels;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.textBaseline = "middle";
  const [scaleX, scaleY] = extent();
  positions = data.points.map((point) => {
    const [x, y, depth] = rotate(point);
    const left = width / 2 + offset[0] + x * scaleX * zoom;
    return [left, height / 2 + offset[1] - y * scaleY * zoom, depth];
  });
  const occupied = data.axes ? drawAxes(width, height) : [];
  const radius = Math.min(4.5, 1.7 + 0.5 * Math.log2(zoom) + (isSmall() ? 2 : 0));
  drawDots(width, height, radius);
  drawLabels(width, height, radius, occupied);
}

// Returns the boxes of the texts, where no word is labelled.
function drawAxes(width, height) {
  const x = width / 2 + offset[0], y = height / 2 + offset[1];
  context.strokeStyle = style("rule");
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(0, y);
  context.lineTo(width, y);
  context.moveTo(x, 0);
  context.lineTo(x, height);
  context.stroke();
  context.fillStyle = style("ink-2");
  context.font = `600 13px ${style("sans")}`;
  const [left, right, low, high] = data.axes;
  const beside = Math.min(height - 12, Math.max(12, y - 10));
  const titles = [ // text, the share of it that lies to the left of x, x, y
    [`← ${left}`, 0, 4, beside],
    [`${right} →`, 1, width - 4, beside],
    [`↑ ${high}`, 0.5, x, 12],
    [`↓ ${low}`, 0.5, x, height - 10],
  ];
  return titles.map(([text, share, at, middle]) => {
    const length = context.measureText(text).width, start = at - share * length;
    context.fillText(text, start, middle);
    return [start - 4, middle - 9, start + length + 4, middle + 9];
  });
}

function drawDots(width, height, radius) {
  const colours = COLOURS.map(style), marked = new Set(data.marked);
  const order = positions.map((_, n) => n);
  if (hasDepth()) order.sort((a, b) => positions[a][2] - positions[b][2]); // the nearest last
  for (const n of order) {
    const [x, y, depth] = positions[n];
    if (x < -5 || y < -5 || x > width + 5 || y > height + 5) continue;
    const nearness = hasDepth() ? 0.55 + 0.45 * Math.min(1, Math.max(0, (depth + 1) / 2)) : 1;
    context.globalAlpha = (marked.size && !marked.has(n) ? 0.35 : 0.85) * nearness;
    context.fillStyle = colours[data.clusters[n] % colours.length];
    context.beginPath();
    context.arc(x, y, radius, 0, 7);
    context.fill();
  }
  context.globalAlpha = 1;
}

// Labels words where there is room: marked ones first, then frequent ones.
function drawLabels(width, height, radius, occupied) {
  const ink = style("ink"), faint = style("ink-2"), ground = style("ground");
  context.font = `13px ${style("sans")}`;

  // Returns whether there was room for the label of a word.
  function label(n, isStrong, isForced) {
    const [x, y] = positions[n], text = data.words[n];
    if (x < 0 || y < 0 || x > width || y > height) return false;
    const length = context.measureText(text).width;
    const left = x + radius + 4 + length > width ? x - radius - 4 - length : x + radius + 4;
    const box = [left - 3, y - 9, left + length + 3, y + 9];
    const overlaps = (other) =>
      box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1];
    if (!isForced && occupied.some(overlaps)) return false;
    occupied.push(box);
    if (isStrong) {
      context.globalAlpha = 0.85;
      context.fillStyle = ground;
      context.fillRect(box[0], box[1], box[2] - box[0], box[3] - box[1]);
      context.globalAlpha = 1;
    }
    context.lineWidth = 3;
    context.strokeStyle = ground;
    context.strokeText(text, left, y);
    context.fillStyle = isStrong ? ink : faint;
    context.fillText(text, left, y);
    return true;
  }

  for (const [place, n] of data.marked.entries()) {
    label(n, true, place === 0);
    context.strokeStyle = ink;
    context.lineWidth = 1.5;
    context.beginPath();
    context.arc(positions[n][0], positions[n][1], radius + 3, 0, 7);
    context.stroke();
  }
  const marked = new Set(data.marked);
  const shortest = isSmall() ? 1 : 3; // letters of a word that is labelled among thousands
  let room = Math.min(420, Math.round((width * height) / 5200)); // labels
  for (let n = 0; n < positions.length && room > 0; n++)
    if (!marked.has(n) && data.words[n].length >= shortest && label(n, false)) room--;
  if (hovered >= 0) label(hovered, true, true);
}

// Moves a flat map to the first marked word, so near that half of the others are in view.
function showMarked() {
  if (hasDepth() || !data.marked.length) return;
  const [first, ...others] = data.marked.map((n) => data.points[n]);
  const distances = others
    .map(([x, y]) => Math.max(Math.abs(x - first[0]), Math.abs(y - first[1])))
    .sort((a, b) => a - b);
  const median = distances[Math.floor(distances.length / 2)] || 1;
  const [scaleX, scaleY] = extent();
  zoom = Math.min(12, Math.max(1, 0.6 / median));
  offset = [-first[0] * scaleX * zoom, first[1] * scaleY * zoom];
}

function readValue() {
  const text = element.querySelector(".map-data").textContent;
  const next = text ? JSON.parse(text) : null;
  if (next && (!data || next.view !== data.view)) {
    zoom = 1;
    offset = [0, 0];
  }
  const isNewSearch = next && String(next.marked) !== String(data?.marked ?? []);
  data = next;
  if (isNewSearch) showMarked();
  hovered = -1;
  status.textContent = "";
  scheduleDraw();
}

// The number of the word at the pointer; -1 if there is none.
function wordAt(event) {
  const box = canvas.getBoundingClientRect();
  const x = event.clientX - box.left, y = event.clientY - box.top;
  let nearest = -1, least = POINTER_RADIUS ** 2;
  positions.forEach(([left, top], n) => {
    const distance = (left - x) ** 2 + (top - y) ** 2;
    if (distance < least) [nearest, least] = [n, distance];
  });
  return nearest;
}

// Zooms about a place of the canvas.
function zoomBy(factor, x, y) {
  const bounded = Math.min(MAX_ZOOM, Math.max(MIN_ZOOM, zoom * factor)), step = bounded / zoom;
  const centre = [canvas.clientWidth / 2, canvas.clientHeight / 2];
  offset = [x, y].map((place, n) => (place - centre[n]) * (1 - step) + offset[n] * step);
  zoom = bounded;
  scheduleDraw();
}

const zoomAtCentre = (factor) => zoomBy(factor, canvas.clientWidth / 2, canvas.clientHeight / 2);

let dragStart = null, dragLength = 0;
canvas.addEventListener("pointerdown", (event) => {
  dragStart = [event.clientX, event.clientY];
  dragLength = 0;
});
window.addEventListener("pointerup", () => { dragStart = null; });
canvas.addEventListener("pointermove", (event) => {
  if (!data) return;
  if (dragStart && event.pointerType !== "touch") {
    const moved = [event.clientX - dragStart[0], event.clientY - dragStart[1]];
    dragStart = [event.clientX, event.clientY];
    dragLength += Math.abs(moved[0]) + Math.abs(moved[1]);
    if (hasDepth() && !event.shiftKey) angles = angles.map((angle, n) => angle + moved[n] / 150);
    else offset = offset.map((value, n) => value + moved[n]);
    scheduleDraw();
    return;
  }
  const word = wordAt(event);
  if (word === hovered) return;
  hovered = word;
  canvas.style.cursor = word >= 0 ? "pointer" : "grab";
  const cluster = data.clusterNames[data.clusters[word]] || "";
  status.textContent = word >= 0 ? `${data.words[word]} · ${cluster}` : "";
  scheduleDraw();
});
canvas.addEventListener("click", (event) => {
  if (!data || dragLength > 6) return;
  const word = wordAt(event);
  if (word >= 0) trigger("click", { word: data.words[word] });
});
canvas.addEventListener("wheel", (event) => {
  // A wheel alone scrolls the page; with Ctrl, or a pinch, it zooms.
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  zoomBy(Math.exp(-event.deltaY / 200), event.offsetX, event.offsetY);
}, { passive: false });
for (const button of element.querySelectorAll("[data-zoom]"))
  button.addEventListener("click", () => {
    const factor = Number(button.dataset.zoom);
    if (factor) return zoomAtCentre(factor);
    zoom = 1;
    offset = [0, 0];
    angles = [0.6, 0.35];
    scheduleDraw();
  });
canvas.addEventListener("keydown", (event) => {
  const arrows = {
    ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40],
  };
  const step = arrows[event.key];
  if (event.key === "+" || event.key === "=") return zoomAtCentre(1.5);
  if (event.key === "-") return zoomAtCentre(1 / 1.5);
  if (!step) return;
  event.preventDefault();
  offset = offset.map((value, n) => value + step[n]);
  scheduleDraw();
});
new ResizeObserver(scheduleDraw).observe(canvas);
new MutationObserver(scheduleDraw)
  .observe(document.body, { attributes: true, attributeFilter: ["class"] });
watch("value", readValue);
readValue();
