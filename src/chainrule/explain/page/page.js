// The steps and the epochs, and how one goes through them: by pointing and with the keyboard.

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
  const [first, last] = [state.step === 0, state.step === data.steps.length];
  disable({ first, previous: first, next: last, last });
  if (scroll) showStep();
  draw();
  look();
}

/** Buttons that do nothing now; they keep the focus all the same. */
function disable(buttons) {
  for (const [id, is] of Object.entries(buttons)) byId(id).setAttribute("aria-disabled", is);
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
    const [name, value] = [escaped(data.loss[0]), data.loss[1]];
    const before = full(numbers()[at(value)]);
    byId("before-after").innerHTML =
      now.after === undefined
        ? `<dt>${name}</dt><dd>${before}</dd>`
        : `<dt>${name} before the update</dt><dd>${before}</dd>` +
          `<dt>${name} after it, same rows</dt><dd>${full(now.after)}</dd>`;
  }
  const slider = byId("epoch");
  if (slider) {
    slider.value = state.epoch;
    slider.setAttribute("aria-valuetext", now.place);
    disable({ earlier: state.epoch === 0, later: state.epoch === data.epochs.length - 1 });
  }
  mark(now.at);
  nameRows(now.rows);
  draw();
  look();
}

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

let pointer = "";

document.addEventListener("pointermove", (event) => {
  const place = `${event.screenX} ${event.screenY}`;
  // Where the page moves below a pointer that rests, nothing new is pointed at.
  if (event.pointerType === "touch" || place === pointer || event.target.closest?.("#panel")) return;
  pointer = place;
  const index = numberAt(event.target);
  // What was pointed at last stays, so that one can go on to what it came from.
  if (index === state.pointed || (index === null && state.kept === null)) return;
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
  if (!event.target.matches?.("td[data-i]") || state.kept === null || state.pointed === null) return;
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

/** Keep a number, and go to the list of those it came from. */
function goToSources(index) {
  state.kept = index;
  state.pointed = null;
  look();
  byId("number").querySelector("button")?.focus();
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
  else if (event.key === "Enter" && event.shiftKey) goToSources(Number(cell.dataset.i));
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
    const within = getComputedStyle(each).display === "inline" ? each.parentElement : each;
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
if (data.drawing) {
  const drawing = byId("drawing");
  drawing.style.minWidth = `${0.75 * drawing.viewBox.baseVal.width}px`; // or its numbers are too small
}
document.body.classList.add("ready");
goToEpoch(data.asked);
goToStep(0, false);
reachable();
