"use strict";
// Lights the causal past and future of an event. An event is [life, at, past, future, cause, lane]: `at` its number in its
// life; for each life of a hub `past` is how many of its events are known to this one, `future` its first event that knows
// this one. Then a happened before b, in another life, when future(a) <= past(b): one comparison of integers.
const data = JSON.parse(document.getElementById("data").textContent);
const [LIFE, AT, PAST, FUTURE, CAUSE, LANE] = [0, 1, 2, 3, 4, 5];
const events = data.events;
const find = (id) => document.getElementById(id);
const body = find("body"), paper = find("paper"), told = find("told"), search = find("search"), heads = find("heads").firstElementChild;
const dots = events.map((_, id) => find("e" + id));
const arrows = data.arrows.map((_, id) => find("a" + id));
const effects = events.map(() => []);
const lives = new Map();
events.forEach((event, id) => {
  if (event[CAUSE] >= 0) effects[event[CAUSE]].push(id);
  if (!lives.has(event[LIFE])) lives.set(event[LIFE], []);
  lives.get(event[LIFE]).push(id);
});
for (const own of lives.values()) own.sort((a, b) => events[a][AT] - events[b][AT]);
const resting = told.innerHTML;
const hidden = new Set();
let focused = -1, hovered = -1, lit = -1, zoom = 1, frame = 0;

function before(a, b) {
  const one = events[a], other = events[b];
  if (one[LIFE] === other[LIFE]) return one[AT] < other[AT];
  for (let hub = 0; hub < one[FUTURE].length; hub++) if (one[FUTURE][hub] <= other[PAST][hub]) return true;
  return false;
}

function relation(id, other) {
  return other === id ? "self" : before(other, id) ? "past" : before(id, other) ? "future" : "dim";
}

const marks = new Map();  // what is marked how: asking the document ten thousand times would take long
function mark(element, kind) {
  const was = marks.get(element) || "";
  if (was === kind) return;
  if (was) element.classList.remove(was);
  if (kind) element.classList.add(kind);
  marks.set(element, kind);
}

function light(id) {
  if (id === lit) return;
  lit = id;
  body.classList.toggle("lit", id >= 0);
  if (id < 0) {
    for (const dot of dots) mark(dot, "");
    for (const arrow of arrows) markArrow(arrow, "");
    told.innerHTML = resting;
    return;
  }
  const kinds = events.map((_, other) => relation(id, other));
  dots.forEach((dot, other) => mark(dot, kinds[other]));
  data.arrows.forEach(([source, target], number) => {
    const from = source < 0 ? kinds[target] : kinds[source], to = target < 0 ? kinds[source] : kinds[target];
    const among = (kind, cone) => kind === cone || kind === "self";
    const cone = from === "self" && to === "self" ? (source < 0 ? "past" : "future")
      : among(from, "past") && among(to, "past") ? "past" : among(from, "future") && among(to, "future") ? "future" : "dim";
    markArrow(arrows[number], cone);
  });
  tell(id, kinds);
}

const crosses = new Map([...document.querySelectorAll("#body .cross")].map((cross) => [cross.previousElementSibling, cross]));
function markArrow(arrow, kind) {
  mark(arrow, kind);
  if (crosses.has(arrow)) mark(crosses.get(arrow), kind);
}

function tell(id, kinds) {
  const counts = { past: 0, future: 0, dim: 0, self: 0 };
  kinds.forEach((kind) => counts[kind]++);
  const lines = dots[id].querySelector("title").textContent.split("\n");
  const line = (text, kind) => { const p = document.createElement("p"); p.textContent = text; p.className = kind; p.dir = "auto"; return p; };
  const sums = document.createElement("p");
  [[`${counts.past} happened before it`, "past"], [" · ", ""], [`${counts.future} after it`, "future"],
   [` · ${counts.dim} concurrent`, ""]].forEach(([text, kind]) => {
    const span = document.createElement("span"); span.textContent = text; span.className = kind; sums.append(span);
  });
  told.replaceChildren(line(lines[0], "said"), sums, line(lines.slice(1).join("  ·  "), ""));
}

function relight() {
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(() => light(hovered >= 0 ? hovered : focused));
}

function focus(id) {
  if (id === undefined || id < 0 || hidden.has(events[id][LANE])) return;
  hovered = -1;
  dots[id].focus({ preventScroll: true });
  const own = dots[id].getBoundingClientRect(), view = paper.getBoundingClientRect();
  const middle = own.top + own.height / 2, top = view.top + heads.getBoundingClientRect().height + 30;
  if (middle < top || middle > view.bottom - 30) paper.scrollBy({ top: middle - (view.top + view.height / 2) });
  if (own.left < view.left || own.right > view.right) paper.scrollBy({ left: own.left - view.left - view.width / 2 });
}

const idOf = (node) => { const dot = node.closest && node.closest(".e"); return dot ? Number(dot.id.slice(1)) : -1; };
let stop = dots[0];
dots.forEach((dot, id) => {
  dot.setAttribute("tabindex", id ? "-1" : "0");
  dot.setAttribute("role", "img");
  const field = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  field.setAttribute("r", "11");
  field.setAttribute("class", "field");
  dot.prepend(dot.querySelector("title"), field);
});
body.addEventListener("mouseover", (event) => { hovered = idOf(event.target); relight(); });
body.addEventListener("mouseleave", () => { hovered = -1; relight(); });
body.addEventListener("click", (event) => {
  const id = idOf(event.target);
  if (id >= 0) focus(id); else if (document.activeElement) document.activeElement.blur();
});
// Not on the SVG itself: Chromium would make it a stop of Tab of its own.
paper.addEventListener("focusin", (event) => {
  focused = idOf(event.target);
  if (focused < 0) return;
  stop.setAttribute("tabindex", "-1");
  stop = dots[focused];
  stop.setAttribute("tabindex", "0");  // the drawing is one stop of Tab; arrows go about in it
  history.replaceState(null, "", "#e=" + focused);
  light(focused);
});
paper.addEventListener("focusout", () => { focused = -1; relight(); });
paper.addEventListener("keydown", (event) => {
  const id = idOf(event.target);
  if (id < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
  const own = lives.get(events[id][LIFE]), at = own.indexOf(id);
  const to = { ArrowDown: own[at + 1], ArrowUp: own[at - 1], Home: own[0], End: own[own.length - 1],
    ArrowLeft: events[id][CAUSE], ArrowRight: effects[id].find((one) => !hidden.has(events[one][LANE])) };
  if (event.key in to) { event.preventDefault(); focus(to[event.key]); }
});
document.addEventListener("keydown", (event) => {
  if (event.target === search || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && document.activeElement) document.activeElement.blur();
  else if (event.key === "/") { event.preventDefault(); search.focus(); }
  else if (event.key === "+" || event.key === "=") scale(zoom * 1.2);
  else if (event.key === "-") scale(zoom / 1.2);
  else if (event.key === "0") scale(1);
});

// Zoom.
let width = data.width;
function scale(to) {
  const middle = (paper.scrollTop + paper.clientHeight / 2) / zoom;
  zoom = Math.min(4, Math.max(0.1, to));
  for (const [svg, height] of [[body, data.height], [heads, data.head]]) {
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("width", width * zoom);
    svg.setAttribute("height", height * zoom);
  }
  find("zoomed").textContent = Math.round(zoom * 100) + " %";
  paper.scrollTop = middle * zoom - paper.clientHeight / 2;
}
find("in").addEventListener("click", () => scale(zoom * 1.2));
find("out").addEventListener("click", () => scale(zoom / 1.2));
find("fit").addEventListener("click", () => scale(paper.clientWidth / width));
paper.addEventListener("wheel", (event) => {
  if (!event.ctrlKey) return;
  event.preventDefault();
  scale(zoom * (event.deltaY < 0 ? 1.1 : 1 / 1.1));
}, { passive: false });

// Search.
let texts = null, hits = [], at = -1;
search.addEventListener("input", () => {
  texts = texts || dots.map((dot) => dot.querySelector("title").textContent.toLowerCase());
  const wanted = search.value.trim().toLowerCase();
  hits = [];
  dots.forEach((dot, id) => {
    const hit = wanted !== "" && texts[id].includes(wanted) && !hidden.has(events[id][LANE]);
    dot.classList.toggle("hit", hit);
    if (hit) hits.push(id);
  });
  at = -1;
  find("count").textContent = wanted === "" ? "" : hits.length + " found";
});
search.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { search.value = ""; search.dispatchEvent(new Event("input")); search.blur(); }
  if (event.key !== "Enter" || !hits.length) return;
  at = (at + (event.shiftKey ? hits.length - 1 : 1)) % hits.length;
  find("count").textContent = `${at + 1} of ${hits.length}`;
  focus(hits[at]);
  light(hits[at]);
  search.focus();
  focused = hits[at];
  relight();
});

// Filter by participant: lanes move together, and all that lies on them.
const placed = [...document.querySelectorAll("[data-lane]")].map((element) => [element, Number(element.dataset.lane),
  Number(element.dataset.dx || 0), Number(element.dataset.y || 0)]);
function place() {
  const x = [];
  let left = data.lanes[0].x;
  data.lanes.forEach((lane, index) => { x[index] = left; if (!hidden.has(index)) left += data.spacing; });
  width = data.width - hidden.size * data.spacing;
  for (const [element, lane, dx, y] of placed) {
    element.classList.toggle("hidden", hidden.has(lane));
    element.setAttribute("transform", `translate(${x[lane] + dx} ${y})`);
  }
  data.arrows.forEach(([source, target, path, curved], number) => {
    const gone = path.some(([lane]) => hidden.has(lane));
    arrows[number].classList.toggle("hidden", gone);
    if (gone) return;
    const points = path.map(([lane, dx, y]) => [x[lane] + dx, y]);
    if (target >= 0) points[points.length - 1] = short(points[points.length - 2], points[points.length - 1]);
    const [first, ...rest] = points.map((point) => point.map((one) => one.toFixed(1)).join(" "));
    arrows[number].setAttribute("d", curved ? `M${first}Q${rest[0]} ${rest[1]}` : "M" + [first, ...rest].join("L"));
  });
  document.querySelectorAll("#body .cross").forEach((cross) => {
    cross.classList.toggle("hidden", cross.previousElementSibling.classList.contains("hidden"));
  });
  scale(zoom);
}
function short([ax, ay], [bx, by]) {
  const length = Math.hypot(bx - ax, by - ay);
  if (length < 3 * data.dot) return [bx, by];
  const share = (length - data.dot - 1) / length;
  return [ax + (bx - ax) * share, ay + (by - ay) * share];
}
document.querySelectorAll("#lanes input").forEach((box) => box.addEventListener("change", () => {
  if (box.checked) hidden.delete(Number(box.value)); else hidden.add(Number(box.value));
  place();
  search.dispatchEvent(new Event("input"));
}));
find("all").addEventListener("click", () => {
  document.querySelectorAll("#lanes input").forEach((box) => { box.checked = true; });
  hidden.clear();
  place();
});

// Violations.
document.querySelectorAll("#violations button").forEach((button) => {
  const ids = button.dataset.events.split(" ").filter(Boolean).map(Number);
  let next = 0;
  button.addEventListener("click", () => { focus(ids[next++ % ids.length]); });
});

scale(1);
const asked = /^#e=(\d+)$/.exec(location.hash);
if (asked && Number(asked[1]) < dots.length) focus(Number(asked[1]));
