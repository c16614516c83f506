// The number that is looked at: its rule, and the light on what it came from.

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
  if (origin.numbers === null) {
    lines.push(`<p class="muted">It is computed from whole values, by the formula of its step.</p>`);
  } else {
    lines.push(`<div class="rows">`);
    lines.push(`<span class="equals">=</span>${math(withNames(index, 0))}`);
    if (origin.slots.length) {
      lines.push(`<span class="equals">=</span>${math(withNumbers(index, 0))}`);
    }
    lines.push(`</div>`);
  }
  return lines.concat(chips(index, origin));
}

function chips(index, origin) {
  const sources = sourcesOf(index);
  const shown = sources.slice(0, 24);
  const rest = origin.count - shown.length;
  const buttons = shown.map(
    (i) =>
      `<li><button type="button" data-go="${i}"><span>${escaped(nameText(i))}</span> ` +
      `<b>${short(numbers()[i])}</b></button></li>`,
  );
  const more = rest > 0 ? `<li class="muted">and ${rest.toLocaleString("en")} more</li>` : "";
  return `<p class="from">It came from</p><ul class="chips">${buttons.join("")}${more}</ul>`;
}

function sentence(index) {
  const origin = origins.get(index);
  const start = `${nameText(index)} = ${full(numbers()[index])}`;
  if (!origin) return `${start}, given`;
  if (origin.numbers === null) return start;
  return `${start} = ${withNames(index, 1)}` + (origin.slots.length ? ` = ${withNumbers(index, 1)}` : "");
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

function keep(index) {
  state.kept = state.kept === index ? null : index;
  state.pointed = null;
  look();
}
