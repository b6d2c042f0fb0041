// The map of words on a canvas: pan, zoom, turn in three dimensions, point, click, search.
// `value`: {view, words, points (x, y[, z] in −1…1), clusters, clusterNames, marked, axes}.
const canvas = element.querySelector("canvas");
const status = element.querySelector(".map-status");
const pen = canvas.getContext("2d");
const SHADES = ["positive", "negative", "gru", "rnn", "forget", "output", "lstm", "baseline"];
let data = null, zoom = 1, shift = [0, 0], turn = [0.6, 0.35], places = [], over = -1, waiting = false;

const style = (name) => getComputedStyle(element).getPropertyValue(`--${name}`).trim();
const deep = () => data.points.length && data.points[0].length === 3;

function project([x, y, z = 0]) {
  if (!deep()) return [x, y, 0];
  const [a, b] = turn, side = x * Math.cos(a) + z * Math.sin(a), far = z * Math.cos(a) - x * Math.sin(a);
  return [side * 0.8, (y * Math.cos(b) - far * Math.sin(b)) * 0.8, y * Math.sin(b) + far * Math.cos(b)];
}

// Pixels from the middle of the canvas to a point at 1, across and up.
function extent() {
  const width = canvas.clientWidth, height = canvas.clientHeight, half = Math.min(width, height) / 2 - 8;
  return deep() ? [half, half] : [width / 2 - 24, height / 2 - 16];
}

// Moves a flat map to the word that was found, so near that its neighbours are told apart.
function showMarked() {
  if (deep() || !data.marked.length) return;
  const [first, ...others] = data.marked.map((n) => data.points[n]), [wide, high] = extent();
  const far = others.map(([x, y]) => Math.max(Math.abs(x - first[0]), Math.abs(y - first[1]))).sort((a, b) => a - b);
  zoom = Math.min(12, Math.max(1, 0.6 / (far[Math.floor(far.length / 2)] || 1)));  // half of the neighbours are in view
  shift = [-first[0] * wide * zoom, first[1] * high * zoom];
}

function draw() {
  waiting = false;
  if (!data) return;
  const width = canvas.clientWidth, height = canvas.clientHeight, ratio = window.devicePixelRatio || 1;
  if (!width) return;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  const shades = SHADES.map(style), ink = style("ink"), faint = style("ink-2"), ground = style("ground");
  const [wide, high] = extent();
  places = data.points.map((point) => {
    const [x, y, z] = project(point);
    return [width / 2 + shift[0] + x * wide * zoom, height / 2 + shift[1] - y * high * zoom, z];
  });
  pen.textBaseline = "middle";
  const occupied = data.axes ? axes(width, height, faint) : [];
  const marked = new Set(data.marked);
  const order = places.map((_, n) => n);
  if (deep()) order.sort((a, b) => places[a][2] - places[b][2]);
  const size = Math.min(4.5, 1.7 + 0.5 * Math.log2(zoom) + (data.words.length < 200 ? 2 : 0));
  for (const n of order) {
    const [x, y, z] = places[n];
    if (x < -5 || y < -5 || x > width + 5 || y > height + 5) continue;
    pen.globalAlpha = (marked.size && !marked.has(n) ? 0.35 : 0.85) * (deep() ? 0.55 + 0.45 * Math.min(1, Math.max(0, (z + 1) / 2)) : 1);
    pen.fillStyle = shades[data.clusters[n] % shades.length];
    pen.beginPath();
    pen.arc(x, y, size, 0, 7);
    pen.fill();
  }
  pen.globalAlpha = 1;
  // Words are written where there is room: marked ones first, then frequent ones.
  pen.font = `13px ${style("sans")}`;
  const budget = Math.min(420, Math.round((width * height) / 5200));
  const write = (n, strong, always) => {
    const [x, y] = places[n], text = data.words[n];
    if (x < 0 || y < 0 || x > width || y > height) return false;
    const long = pen.measureText(text).width, left = x + size + 4 + long > width ? x - size - 4 - long : x + size + 4;
    const box = [left - 3, y - 9, left + long + 3, y + 9];
    if (!always && occupied.some((b) => box[0] < b[2] && box[2] > b[0] && box[1] < b[3] && box[3] > b[1])) return false;
    occupied.push(box);
    if (strong) {
      pen.globalAlpha = 0.85;
      pen.fillStyle = ground;
      pen.fillRect(box[0], box[1], box[2] - box[0], box[3] - box[1]);
      pen.globalAlpha = 1;
    }
    pen.lineWidth = 3;
    pen.strokeStyle = ground;
    pen.strokeText(text, left, y);
    pen.fillStyle = strong ? ink : faint;
    pen.fillText(text, left, y);
    return true;
  };
  for (const [place, n] of data.marked.entries()) {
    write(n, true, place === 0);
    pen.strokeStyle = ink;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.arc(places[n][0], places[n][1], size + 3, 0, 7);
    pen.stroke();
  }
  let written = 0;
  const short = data.words.length < 200 ? 0 : 2;  // letters of words that are not labelled among thousands
  for (let n = 0; n < places.length && written < budget; n++) if (!marked.has(n) && data.words[n].length > short && write(n, false)) written++;
  if (over >= 0) write(over, true, true);
}

function axes(width, height, faint) {
  pen.strokeStyle = style("rule");
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(0, height / 2 + shift[1]);
  pen.lineTo(width, height / 2 + shift[1]);
  pen.moveTo(width / 2 + shift[0], 0);
  pen.lineTo(width / 2 + shift[0], height);
  pen.stroke();
  pen.fillStyle = faint;
  pen.font = `600 13px ${style("sans")}`;
  const [left, right, low, high] = data.axes, y = Math.min(height - 12, Math.max(12, height / 2 + shift[1] - 10));
  const x = width / 2 + shift[0];
  return [[`← ${left}`, 0, 4, y], [`${right} →`, 1, width - 4, y], [`↑ ${high}`, 0.5, x, 12], [`↓ ${low}`, 0.5, x, height - 10]].map(
    ([text, part, at, middle]) => {
      const long = pen.measureText(text).width, start = at - part * long;
      pen.fillText(text, start, middle);
      return [start - 4, middle - 9, start + long + 4, middle + 9];  // where no word is written
    });
}

function later() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(draw);
}

function read() {
  const text = element.querySelector(".map-data").textContent;
  const fresh = text ? JSON.parse(text) : null;
  if (fresh && (!data || fresh.view !== data.view)) {
    zoom = 1;
    shift = [0, 0];
  }
  const isNewSearch = fresh && String(fresh.marked) !== String(data?.marked ?? []);
  data = fresh;
  if (isNewSearch) showMarked();
  over = -1;
  status.textContent = "";
  later();
}

function at(event) {
  const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
  let best = -1, least = 196;
  places.forEach(([left, top], n) => {
    const apart = (left - x) ** 2 + (top - y) ** 2;
    if (apart < least) [best, least] = [n, apart];
  });
  return best;
}

function scale(factor, x, y) {
  const bounded = Math.min(60, Math.max(0.5, zoom * factor)), step = bounded / zoom;
  const centre = [canvas.clientWidth / 2, canvas.clientHeight / 2];
  shift = [0, 1].map((n) => ([x, y][n] - centre[n]) * (1 - step) + shift[n] * step);
  zoom = bounded;
  later();
}

let dragged = null, moved = 0;
canvas.addEventListener("pointerdown", (event) => {
  dragged = [event.clientX, event.clientY];
  moved = 0;
});
window.addEventListener("pointerup", () => { dragged = null; });
canvas.addEventListener("pointermove", (event) => {
  if (!data) return;
  if (dragged && event.pointerType !== "touch") {
    const by = [event.clientX - dragged[0], event.clientY - dragged[1]];
    dragged = [event.clientX, event.clientY];
    moved += Math.abs(by[0]) + Math.abs(by[1]);
    if (deep() && !event.shiftKey) turn = [turn[0] + by[0] / 150, turn[1] + by[1] / 150];
    else shift = [shift[0] + by[0], shift[1] + by[1]];
    later();
    return;
  }
  const pointed = at(event);
  if (pointed !== over) {
    over = pointed;
    canvas.style.cursor = over >= 0 ? "pointer" : "grab";
    status.textContent = over >= 0 ? `${data.words[over]} · ${data.clusterNames[data.clusters[over]] || ""}` : "";
    later();
  }
});
canvas.addEventListener("click", (event) => {
  if (!data || moved > 6) return;
  const pointed = at(event);
  if (pointed >= 0) trigger("click", { word: data.words[pointed] });
});
canvas.addEventListener("wheel", (event) => {
  // A wheel alone scrolls the page; with Ctrl, or a pinch, it zooms.
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  scale(Math.exp(-event.deltaY / 200), event.offsetX, event.offsetY);
}, { passive: false });
element.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", () => {
  const factor = Number(button.dataset.zoom);
  if (factor) scale(factor, canvas.clientWidth / 2, canvas.clientHeight / 2);
  else {
    zoom = 1;
    shift = [0, 0];
    turn = [0.6, 0.35];
    later();
  }
}));
canvas.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] }[event.key];
  if (step) shift = shift.map((value, n) => value + step[n]);
  else if (event.key === "+" || event.key === "=") return scale(1.5, canvas.clientWidth / 2, canvas.clientHeight / 2);
  else if (event.key === "-") return scale(1 / 1.5, canvas.clientWidth / 2, canvas.clientHeight / 2);
  else return;
  event.preventDefault();
  later();
});
new ResizeObserver(later).observe(canvas);
new MutationObserver(later).observe(document.body, { attributes: true, attributeFilter: ["class"] });
watch("value", read);
read();
