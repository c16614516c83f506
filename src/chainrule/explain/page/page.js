"use strict";
// Goes through the steps and epochs of a derivation. All numbers are in the page's data as they were
// computed; here they are only written, with as many digits as the terminal shows, and put into
// formulas. A number is known by its index; an element that shows it has that index as data-i.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
const origins = new Map(data.origins.map(([index, ...rest]) => [index, rest]));
const state = { epoch: data.asked, step: 0, kept: null, pointed: null, edges: "weight", row: 0 };

// ---- Numbers as text

/** The decimal digits of a number, rounded to the nearest, ties to even; and its power of ten. */
function rounded(size, count) {
  const [mantissa, exponent] = size.toExponential(60).split("e");
  const digits = mantissa.replace(".", "");
  const rest = digits.slice(count);
  let kept = BigInt(digits.slice(0, count));
  const half = "5".padEnd(rest.length, "0");
  if (rest > half || (rest === half && kept % 2n === 1n)) kept += 1n;
  const text = String(kept);
  return [text.slice(0, count), Number(exponent) + text.length - count];
}

const sized = (power) => (power < 0 ? "-" : "+") + String(Math.abs(power)).padStart(2, "0");

/** Digits with a point at a power of ten: placed("123", -1) is 0.123. */
function placed(digits, power) {
  if (power < 0) return "0." + "0".repeat(-power - 1) + digits;
  if (digits.length <= power + 1) return digits.padEnd(power + 1, "0");
  return digits.slice(0, power + 1) + "." + digits.slice(power + 1);
}

/** A number as it stands in a matrix: four digits, as Python's format ".4g" has them. */
function short(value) {
  if (typeof value === "boolean") return String(value);
  const number = Number(value);
  if (Number.isNaN(number)) return "nan";
  const sign = number < 0 || Object.is(number, -0) ? "−" : "";
  if (!Number.isFinite(number)) return sign + "inf";
  if (number === 0) return sign + "0";
  const [digits, power] = rounded(Math.abs(number), 4);
  const kept = digits.replace(/0+$/, "");
  if (power >= -4 && power < 4) return sign + placed(kept, power);
  const mantissa = kept.length > 1 ? kept[0] + "." + kept.slice(1) : kept;
  return sign + mantissa + "e" + sized(power).replace("-", "−");
}

/** A number with all its digits, as Python's repr has them. */
function full(value) {
  const number = Number(value);
  if (Number.isNaN(number)) return "nan";
  const sign = number < 0 || Object.is(number, -0) ? "−" : "";
  if (!Number.isFinite(number)) return sign + "inf";
  if (number === 0) return sign + "0.0";
  const [mantissa, exponent] = Math.abs(number).toExponential().split("e");
  const [digits, power] = [mantissa.replace(".", ""), Number(exponent)];
  if (power < -4 || power >= 16) return sign + mantissa + "e" + sized(power);
  const text = placed(digits, power);
  return sign + (text.includes(".") ? text : text + ".0");
}

/** A number as it stands in a formula: its sign, its digits, and a power of ten or none. */
function parts(value, whole) {
  if (typeof value === "boolean") return { symbol: String(value), minus: false };
  const number = Number(value);
  if (Number.isNaN(number)) return { symbol: "NaN", minus: false };
  const minus = number < 0;
  if (!Number.isFinite(number)) return { symbol: "∞", minus };
  if (number === 0) return { digits: "0", minus: false };
  if (whole) return { digits: String(Math.abs(number)), minus };
  const [digits, rank] = rounded(Math.abs(number), 4);
  // The number nearest to these digits, and its own shortest ones: the smallest have fewer.
  const near = Number(`${digits}e${rank - 3}`);
  if (near === Infinity) return { symbol: "∞", minus };
  const [mantissa, exponent] = near.toExponential().split("e");
  const power = Number(exponent);
  if (power < -4 || power >= 16) return { digits: mantissa, power, minus };
  return { digits: placed(mantissa.replace(".", ""), power), minus };
}

function formulaText({ symbol, digits, power, minus }) {
  const size = symbol ?? digits + (power === undefined ? "" : "e" + String(power).replace("-", "−"));
  return (minus ? "−" : "") + size;
}

function formulaMath({ symbol, digits, power, minus }) {
  let size = symbol ? `<mi mathvariant="normal">${symbol}</mi>` : `<mn>${digits}</mn>`;
  if (power !== undefined) {
    const sign = power < 0 ? "<mo>−</mo>" : "";
    const ten = `<msup><mn>10</mn><mrow>${sign}<mn>${Math.abs(power)}</mn></mrow></msup>`;
    size = digits === "1" ? ten : `<mrow>${size}<mo>×</mo>${ten}</mrow>`;
  }
  return minus ? `<mrow><mo form="prefix">−</mo>${size}</mrow>` : size;
}

// ---- What a number is called, and what it is

const numbers = () => data.epochs[state.epoch].numbers;
const valueOf = (index) => data.values[data.of[index]];

function placeOf(index) {
  let flat = data.flat[index];
  const place = [];
  for (const size of [...valueOf(index).shape].reverse()) {
    place.unshift(flat % size);
    flat = Math.floor(flat / size);
  }
  return place;
}

function nameText(index) {
  const [before, after] = valueOf(index).text;
  return before + placeOf(index).join(",") + after;
}

function nameMath(index) {
  const [before, after] = valueOf(index).html;
  return before + placeOf(index).map((at) => `<mn>${at}</mn>`).join("<mo>,</mo>") + after;
}

/** A template with something in its places; parentheses stand where a number needs them. */
function filled(template, slots, write, kindOf) {
  return template
    .map((part) => {
      if (typeof part === "string") return part;
      if (typeof part === "number") return write(slots[part]);
      const [slot, kind, text] = part;
      return kindOf(slots[slot]) === kind ? text : "";
    })
    .join("");
}

const inFormula = (index) => parts(numbers()[index], valueOf(index).whole);

function kindOf(index) {
  const { power, minus } = inFormula(index);
  return minus ? "-" : power === undefined ? "" : "e";
}

/** A number's formula with the numbers put in: as MathML, or as text. */
function withNumbers(index, style) {
  const [template, slots] = origins.get(index);
  const write = style ? (i) => formulaText(inFormula(i)) : (i) => formulaMath(inFormula(i));
  return filled(data.templates[template][style], slots, write, kindOf);
}

function withNames(index, style) {
  const [, , template, named] = origins.get(index);
  return filled(data.templates[template][style], named, style ? nameText : nameMath, () => "");
}

function sourcesOf(index) {
  const origin = origins.get(index);
  if (!origin) return [];
  return [...new Set([...origin[1], ...origin[3], ...origin[4]])];
}

// ---- The number that is looked at

/** MathML, in as many elements as there are lines that it may be broken into. */
const math = (inside) =>
  `<span class="math">${inside
    .split("<break/>")
    .map((term) => `<math displaystyle="true"><mrow>${term}</mrow></math>`)
    .join(" ")}</span>`;

/** The line "name = value" and the two formulas of a number. */
function describe(index) {
  const value = full(numbers()[index]);
  const lines = [
    `<p class="one-name">${math(nameMath(index))}` +
      `<span class="equals">=</span><output class="full">${value}</output></p>`,
  ];
  const origin = origins.get(index);
  if (!origin) return lines.concat(`<p class="muted">It is given.</p>`);
  if (origin[0] === null) {
    lines.push(`<p class="muted">It is computed from whole values, by the formula of its step.</p>`);
  } else {
    lines.push(`<div class="rows">`);
    lines.push(`<span class="equals">=</span>${math(withNames(index, 0))}`);
    if (origin[1].length) {
      lines.push(`<span class="equals">=</span>${math(withNumbers(index, 0))}`);
    }
    lines.push(`</div>`);
  }
  return lines.concat(chips(index, origin));
}

function chips(index, origin) {
  const sources = sourcesOf(index);
  const shown = sources.slice(0, 24);
  const rest = origin[5] - shown.length;
  const buttons = shown.map(
    (i) =>
      `<li><button type="button" data-go="${i}"><span>${nameText(i).replace(/</g, "&lt;")}</span> ` +
      `<b>${short(numbers()[i])}</b></button></li>`,
  );
  const more = rest > 0 ? `<li class="muted">and ${rest.toLocaleString("en")} more</li>` : "";
  return `<p class="from">It came from</p><ul class="chips">${buttons.join("")}${more}</ul>`;
}

function sentence(index) {
  const origin = origins.get(index);
  const start = `${nameText(index)} = ${full(numbers()[index])}`;
  if (!origin) return `${start}, given`;
  if (origin[0] === null) return start;
  return `${start} = ${withNames(index, 1)}` + (origin[1].length ? ` = ${withNumbers(index, 1)}` : "");
}

const looked = () => state.pointed ?? state.kept;

/** Show the number that is pointed at or kept, and light up those it came from. */
function look() {
  const index = looked();
  all(".chosen, .source").forEach((each) => each.classList.remove("chosen", "source"));
  document.body.classList.toggle("looking", index !== null);
  byId("panel").classList.toggle("kept", state.kept !== null && state.kept === index);
  if (index === null) {
    byId("number").innerHTML =
      '<p class="muted">Point at a number, or go to it with Tab and the arrow keys.</p>';
    return;
  }
  byId("number").innerHTML = describe(index).join("");
  reachable(byId("number"));
  light(index, "chosen");
  sourcesOf(index).forEach((each) => light(each, "source"));
}

function light(index, kind) {
  all(`[data-i="${index}"]`).forEach((each) => each.classList.add(kind));
  for (const each of drawn(index)) {
    // An edge's number is lit only where it is this one: it may be the weight's, or the gradient's.
    if (each && (each.tagName !== "text" || each.dataset.n === String(index))) each.classList.add(kind);
  }
}

/** The parts of the drawing that a number belongs to. */
function drawn(index) {
  const kind = data.drawing?.kinds[data.of[index]];
  if (!kind) return [];
  const [what, layer] = kind;
  const place = placeOf(index);
  if (what === "edge") {
    const name = `${layer}-${place[0]}-${place[1]}`;
    return [byId(`e-${name}`), byId(`t-${name}`)];
  }
  if (what === "loss") return [byId("u-loss")];
  return [byId(`${what === "bias" ? "b" : "u"}-${layer}-${place.at(-1) ?? 0}`)];
}

function keep(index) {
  state.kept = state.kept === index ? null : index;
  state.pointed = null;
  look();
}

// ---- The drawing

const indexOf = new Map(data.of.map((value, index) => [`${value} ${data.flat[index]}`, index]));

/** The index of a number by its value and place; undefined where the page does not hold it. */
function at(value, ...place) {
  if (value === null || value === undefined) return undefined;
  const flat = data.values[value].shape.reduce((sum, size, i) => sum * size + place[i], 0);
  return indexOf.get(`${value} ${flat}`);
}

function put(group, index) {
  const text = index === undefined ? "" : short(numbers()[index]);
  group.querySelector(".value").textContent = text;
  group.querySelector(".value").classList.toggle("long", text.length > 6);
  if (index === undefined) delete group.dataset.n;
  else group.dataset.n = index;
}

/** What the units of a layer show: the last value that has been computed for them. */
function stage(layer) {
  const reached = data.drawing.layers[layer].stages.filter(([step]) => step <= state.step);
  return reached.at(-1);
}

function draw() {
  if (!data.drawing) return;
  const { layers, shown, loss, rows } = data.drawing;
  const row = rows[state.row] ?? 0;
  layers.forEach((_, layer) => {
    const now = stage(layer);
    byId(`l-${layer}`).textContent = now ? now[2] : "";
    for (const unit of shown[layer]) {
      const group = byId(`u-${layer}-${unit}`);
      const index = now && at(now[1], row, unit);
      put(group, index);
      group.classList.toggle("now", Boolean(now) && now[0] === state.step);
    }
  });
  const reached = loss[0] <= state.step;
  const index = at(loss[1]);
  put(byId("u-loss"), reached ? index : undefined);
  byId("u-loss").querySelector(".name").textContent = data.loss;
  byId("u-loss").classList.toggle("now", loss[0] === state.step);
  const largest = drawEdges();
  describeDrawing(row, largest);
}

/** Edges as thick as their numbers are large, dashed where these are negative; the largest. */
function drawEdges() {
  const { layers, shown } = data.drawing;
  const thickest = byId("drawing").classList.contains("dense") ? 2.7 : 6.2;
  const found = [];
  for (let layer = 1; layer < layers.length; layer += 1) {
    const [W, b] = layers[layer][state.edges];
    for (const to of shown[layer]) {
      for (const from of shown[layer - 1]) {
        const index = at(W, from, to);
        if (index !== undefined) found.push([layer, from, to, index, Number(numbers()[index])]);
      }
      const bias = byId(`b-${layer}-${to}`);
      if (!bias) continue;
      const index = at(b, ...data.values[b].shape.map((_, i, shape) => (i === shape.length - 1 ? to : 0)));
      bias.textContent = index === undefined ? "" : `${state.edges === "weight" ? "b" : "∂b"} ${short(numbers()[index])}`;
      if (index !== undefined) bias.dataset.n = index;
    }
  }
  const step = state.step ? data.steps[state.step - 1] : null;
  const largest = found.reduce((most, each) => (most && Math.abs(most[4]) >= Math.abs(each[4]) ? most : each), null);
  for (const [layer, from, to, index, value] of found) {
    const edge = byId(`e-${layer}-${from}-${to}`);
    const share = largest[4] ? Math.abs(value / largest[4]) : 0;
    edge.style.setProperty("--width", (0.8 + thickest * share).toFixed(2));
    edge.classList.toggle("negative", value < 0);
    edge.classList.toggle("now", Boolean(step) && data.drawing.kinds[step[1]]?.join() === `edge,${layer}`);
    edge.dataset.n = index;
    const text = byId(`t-${layer}-${from}-${to}`);
    if (text) {
      text.textContent = short(value);
      text.dataset.n = index;
    }
  }
  return largest;
}

function describeDrawing(row, largest) {
  const what = state.edges === "weight" ? "weights" : "gradients of the loss by the weights";
  const most = largest && `the thickest is ${nameText(largest[3])} = ${short(largest[4])}`;
  byId("scale").textContent = most ?? "";
  const units = data.drawing.shown.map((layer) => layer.length).join(", then ");
  const shows = data.drawing.layers.map((_, layer) => stage(layer)?.[2]).filter(Boolean);
  byId("drawing-text").textContent =
    `${units} units, and the loss. The edges are the ${what}; ${most}. ` +
    `The units show, for row ${row}: ${shows.join(", ")}. All of these numbers are in the tables of the steps.`;
}

// ---- Steps and epochs

function goToStep(step, scroll = true) {
  state.step = Math.max(0, Math.min(data.steps.length, step));
  all(".step").forEach((each) => {
    const is = Number(each.dataset.step) === state.step;
    each.classList.toggle("current", is);
    if (is) each.setAttribute("aria-current", "step");
    else each.removeAttribute("aria-current");
  });
  byId("at").textContent = `${state.step} of ${data.steps.length}`;
  byId("first").disabled = byId("previous").disabled = state.step === 0;
  byId("next").disabled = byId("last").disabled = state.step === data.steps.length;
  if (scroll) showStep();
  draw();
  look();
}

const currentStep = () => document.querySelector(".step.current");

function showStep() {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  currentStep().scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
}

function sayStep() {
  const step = state.step ? data.steps[state.step - 1] : null;
  say(step ? `Step ${state.step}, ${step[2]}: ${step[0]}` : "What is given");
}

const say = (text) => {
  byId("said").textContent = text;
};

function goToEpoch(epoch) {
  state.epoch = Math.max(0, Math.min(data.epochs.length - 1, epoch));
  const now = data.epochs[state.epoch];
  for (const cell of all("td[data-i]")) cell.textContent = short(now.numbers[cell.dataset.i]);
  if (now.place) {
    byId("place").textContent = now.place[0].toUpperCase() + now.place.slice(1);
    const before = full(numbers()[at(data.drawing ? data.drawing.loss[1] : lossValue())]);
    const name = data.loss.replace(/</g, "&lt;");
    byId("before-after").innerHTML =
      `<dt>${name} before the update</dt><dd>${before}</dd>` +
      (now.after === undefined ? "" : `<dt>${name} after it, same rows</dt><dd>${full(now.after)}</dd>`);
  }
  const slider = byId("epoch");
  if (slider) {
    slider.value = state.epoch;
    slider.setAttribute("aria-valuetext", now.place);
    byId("earlier").disabled = state.epoch === 0;
    byId("later").disabled = state.epoch === data.epochs.length - 1;
  }
  mark(now.at);
  nameRows(now.rows);
  draw();
  look();
}

const lossValue = () => data.values.findIndex((each) => each.text[0] === data.loss && !each.shape.length);

/** Move the line and the dot on the curve. */
function mark(point) {
  if (!point) return;
  const [across, down] = point;
  byId("here").setAttribute("x1", across);
  byId("here").setAttribute("x2", across);
  byId("dot").setAttribute("cx", across);
  byId("dot").setAttribute("cy", down ?? 0);
  byId("dot").classList.toggle("absent", down === null);
}

/** The rows that the drawing can be of, by their numbers in the batch and in the training data. */
function nameRows(inData) {
  const select = byId("row");
  if (!select || !data.drawing) return;
  select.replaceChildren(
    ...data.drawing.rows.map((row, i) => {
      const other = inData && inData[i] !== row ? ` (row ${inData[i]} of the data)` : "";
      return new Option(`${row}${other}`, i, false, i === state.row);
    }),
  );
}

function pickOnCurve(event) {
  const box = byId("curve").getBoundingClientRect();
  const across = ((event.clientX - box.left) / box.width) * byId("curve").viewBox.baseVal.width;
  const distance = (i) => Math.abs(data.epochs[i].at[0] - across);
  goToEpoch(data.epochs.reduce((best, _, i) => (distance(i) < distance(best) ? i : best), 0));
}

// ---- Pointing, and the keyboard

const numberAt = (target) => {
  const found = target.closest?.("[data-i], [data-n]");
  return found ? Number(found.dataset.i ?? found.dataset.n) : null;
};

document.addEventListener("pointerover", (event) => {
  if (event.pointerType === "touch") return;
  const index = numberAt(event.target);
  if (index === state.pointed || event.target.closest?.("#panel")) return;
  // What was pointed at last stays, so that one can go on to what it came from.
  if (index === null && state.kept === null) return;
  state.pointed = index;
  look();
});
document.addEventListener("click", (event) => {
  const go = event.target.closest?.("[data-go]");
  if (go) {
    goToNumber(Number(go.dataset.go));
    return;
  }
  const keys = event.target.closest?.("#controls details");
  if (!keys) document.querySelector("#controls details").open = false;
  const index = numberAt(event.target);
  if (index !== null) keep(index);
});
document.addEventListener("focusin", (event) => {
  if (!event.target.matches?.("td[data-i]")) return;
  state.pointed = Number(event.target.dataset.i);
  enter(event.target);
  look();
  event.target.scrollIntoView({ block: "nearest", inline: "nearest" });
  say(sentence(state.pointed));
});
document.addEventListener("focusout", (event) => {
  if (!event.target.matches?.("td[data-i]") || state.kept === null) return;
  state.pointed = null;
  look();
});

/** Keep a number, and go to it where it stands in a table: in its own step where it has one. */
function goToNumber(index) {
  const cells = all(`td[data-i="${index}"]`);
  const cell = cells.find((each) => !each.closest(".given")) ?? cells[0];
  if (cell) cell.focus();
  state.kept = index;
  state.pointed = null;
  look();
}

/** In each table one number is reached by Tab: the one that was looked at last. */
function enter(cell) {
  all("td[data-i]", cell.closest("table")).forEach((each) => (each.tabIndex = -1));
  cell.tabIndex = 0;
}

function move(cell, down, across) {
  const rows = all("tbody tr", cell.closest("table")).map((row) => all("td", row));
  let row = rows.findIndex((cells) => cells.includes(cell));
  let column = rows[row].indexOf(cell);
  do {
    row += down;
    column += across;
  } while (rows[row]?.[column] && rows[row][column].dataset.i === undefined);
  rows[row]?.[column]?.focus();
}

const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function keyInTable(event, cell) {
  if (event.key in ARROWS) move(cell, ...ARROWS[event.key]);
  else if (event.key === "Home") all("td[data-i]", cell.parentElement)[0].focus();
  else if (event.key === "End") all("td[data-i]", cell.parentElement).at(-1).focus();
  else if (event.key === "Enter" || event.key === " ") keep(Number(cell.dataset.i));
  else if (event.key === "Escape") {
    state.kept = null;
    goToStep(Number(cell.closest(".step").dataset.step), false);
    cell.closest(".step").querySelector("h2, h3").focus();
  } else return;
  event.preventDefault();
}

function keyOnPage(event) {
  const steps = { ArrowRight: state.step + 1, ArrowLeft: state.step - 1, Home: 0, End: data.steps.length };
  if (event.key in steps) {
    goToStep(steps[event.key]);
    sayStep();
  } else if (event.key === "Escape") {
    document.querySelector("#controls details").open = false;
    state.kept = state.pointed = null;
    look();
  } else return;
  event.preventDefault();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const cell = event.target.closest?.("td[data-i]");
  if (cell) keyInTable(event, cell);
  else if (!event.target.closest?.("input, select, .scroll, .math")) keyOnPage(event);
});

// ---- The beginning

const actions = {
  first: () => goToStep(0),
  previous: () => goToStep(state.step - 1),
  next: () => goToStep(state.step + 1),
  last: () => goToStep(data.steps.length),
};
for (const [id, action] of Object.entries(actions)) {
  byId(id).addEventListener("click", () => {
    action();
    sayStep();
  });
}
byId("close").addEventListener("click", () => {
  state.kept = state.pointed = null;
  look();
});
byId("epoch")?.addEventListener("input", (event) => goToEpoch(Number(event.target.value)));
byId("earlier")?.addEventListener("click", () => goToEpoch(state.epoch - 1));
byId("later")?.addEventListener("click", () => goToEpoch(state.epoch + 1));
byId("curve")?.addEventListener("click", pickOnCurve);
byId("row")?.addEventListener("change", (event) => {
  state.row = Number(event.target.value);
  draw();
});
all("input[name=edges]").forEach((each) =>
  each.addEventListener("change", () => {
    state.edges = each.value;
    draw();
    look();
  }),
);
all("table").forEach((table) => {
  const first = table.querySelector("td[data-i]");
  if (first) first.tabIndex = 0;
});
/** What is wider than its place can be scrolled, with the keyboard too. */
function reachable(inside = document) {
  const wide = all(".scroll, .math", inside).map((each) => {
    const within = each.matches(".math") ? each.parentElement : each;
    const widths = [...each.children].map((child) => child.getBoundingClientRect().width);
    return [each, Math.max(0, ...widths) > within.clientWidth + 1];
  });
  for (const [each, is] of wide) {
    each.classList.toggle("wide", is);
    if (is) each.tabIndex = 0;
    else each.removeAttribute("tabindex");
  }
}
addEventListener("resize", () => reachable());
document.body.classList.add("ready");
goToEpoch(data.asked);
goToStep(0, false);
reachable();
