// The page's data: all numbers as they were computed. Here they are only put into names and formulas.
// A number is known by its index; an element that shows it has that index as data-i, or, in the
// drawing, as data-n.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const escaped = (text) => text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);
const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
const origins = new Map(
  data.origins.map(([index, numbers, slots, names, named, others, count]) => [
    index,
    { numbers, slots, names, named, others, count },
  ]),
);
const state = { epoch: data.asked, step: 0, kept: null, pointed: null, edges: "weight", row: 0 };

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
  const { numbers: template, slots } = origins.get(index);
  const write = style ? (i) => formulaText(inFormula(i)) : (i) => formulaMath(inFormula(i));
  return filled(data.templates[template][style], slots, write, kindOf);
}

function withNames(index, style) {
  const { names: template, named } = origins.get(index);
  return filled(data.templates[template][style], named, style ? nameText : nameMath, () => "");
}

function sourcesOf(index) {
  const origin = origins.get(index);
  if (!origin) return [];
  return [...new Set([...origin.slots, ...origin.named, ...origin.others])];
}
