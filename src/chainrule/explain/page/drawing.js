// The drawing of the network: the numbers of an epoch, a step and a row are written into it.

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
  const reached = loss <= state.step;
  const index = at(data.loss[1]);
  put(byId("u-loss"), reached ? index : undefined);
  byId("u-loss").querySelector(".name").textContent = data.loss[0];
  byId("u-loss").classList.toggle("now", loss === state.step);
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
