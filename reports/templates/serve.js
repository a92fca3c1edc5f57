/* The page to try a model on: photographs go to the server one by one, answers come back. */

const AT_ONCE = 4;
const CLASSES_SHOWN = 5;
const limits = held("limits");
const section = document.getElementById("answers");
const list = section.querySelector(".answers");
const status = section.querySelector(".found");
const drawing = document.querySelector(".map svg");
const waiting = [];
let [answered, refused] = [[], []];
let [asking, number, generation] = [0, 0, 0];

const percent = (share) => `${(100 * share).toFixed(1)}%`;

function add(files) {
  const cards = [];
  for (const file of files) {
    number += 1;
    const preview = element("img", { src: URL.createObjectURL(file), alt: "" });
    const name = element("span", { className: "file", title: file.name }, file.name || "pasted picture");
    const body = element("div", { className: "said" }, "Looking at it");
    const card = element("li", {}, element("div", { className: "picture" }, preview), element("div", {}, name, body));
    preview.addEventListener("error", () => preview.replaceWith(element("div", { className: "missing" }, "no preview")));
    if (drawing) name.prepend(element("b", {}, `${number} `));
    cards.push(card);
    waiting.push({ file, body, number, generation });
  }
  list.prepend(...cards);
  section.hidden = !list.children.length;
  next();
}

function next() {
  while (asking < AT_ONCE && waiting.length) {
    asking += 1;
    const one = waiting.shift();
    ask(one.file)
      .then((answer) => answer && tell(one, answer))
      .catch((error) => complain(one, error.message))
      .finally(() => {
        asking -= 1;
        count();
        next();
      });
  }
  count();
}

async function ask(file) {
  if (file.size > limits.bytes) throw new Error(`It is larger than ${limits.megabytes} MB; choose a smaller one.`);
  let response;
  try {
    response = await fetch("/api/classify", { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } });
  } catch {
    throw new Error("It could not be sent: it cannot be read, or the server is gone; see whether it still runs in its terminal.");
  }
  const answer = await response.json().catch(() => ({ detail: `The server answered ${response.status}.` }));
  if (!response.ok) throw new Error(answer.detail);
  return answer;
}

function bar({ label, probability }) {
  const meter = element("span", { className: "bar" });
  meter.style.setProperty("--share", `${(100 * probability).toFixed(1)}%`);
  return element("li", {}, element("span", { className: "name" }, label), element("span", { className: "number" }, percent(probability)), meter);
}

function neighbour({ label, name, similarity, thumbnail }) {
  const image = element("img", { src: thumbnail, alt: `Training picture of class ${label}`, loading: "lazy" });
  image.addEventListener("error", () => image.replaceWith(element("div", { className: "missing" }, "not found")));
  return element("li", { title: name }, image, element("span", {}, label), element("span", { className: "number" }, similarity.toFixed(2)));
}

function tell(one, answer) {
  if (one.generation !== generation) return;
  answered.push([one.number, one.file.name, answer]);
  const parts = [element("p", { className: "label" }, element("b", {}, answer.label), ` ${percent(answer.probability)}`)];
  if (answer.undecided) {
    parts.unshift(element("p", { className: "problem" }, "Undecided: not sure enough for the precision that the run was asked for. Perhaps"));
  }
  parts.push(element("ul", { className: "classes" }, ...answer.probabilities.slice(0, CLASSES_SHOWN).map(bar)));
  if (answer.neighbours.length) {
    parts.push(element("p", { className: "note" }, "Most like it in training, with the cosine of the embeddings:"));
    parts.push(element("ul", { className: "neighbours" }, ...answer.neighbours.map(neighbour)));
  }
  one.body.replaceChildren(...parts);
  if (drawing && answer.place) mark(one.number, answer.place);
}

function complain(one, message) {
  if (one.generation !== generation) return;
  refused.push([one.number, one.file.name, message]);
  one.body.replaceChildren(element("p", { className: "problem" }, message));
}

function mark(label, { x, y }) {
  const svg = (tag, attributes) => {
    const made = document.createElementNS(drawing.namespaceURI, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const margin = Number(drawing.dataset.margin);
  const scale = drawing.viewBox.baseVal.width - 2 * margin;
  const [across, down] = [margin + scale * x, margin + scale * (y - Number(drawing.dataset.top))];
  const text = svg("text", { x: across, y: down, dy: "0.35em", class: "new" });
  text.textContent = label;
  drawing.append(svg("circle", { cx: across, cy: down, r: 16, class: "new" }), text);
}

function count() {
  const left = waiting.length + asking;
  const others = refused.length ? `, ${refused.length} refused` : "";
  status.textContent = left ? `${left} still to look at` : `${answered.length} answered${others}`;
}

/* As the toolkit's own tables: quoted, and nothing that a spreadsheet takes for a formula. */
function cell(value) {
  const text = String(value);
  return `"${(/^[=+\-@\t\r'\uff1d\uff0b\uff0d\uff20]/.test(text) && typeof value === "string" ? "'" : "") + text.replaceAll('"', '""')}"`;
}

function table() {
  const classes = answered[0]?.[2].probabilities.map(({ label }) => label).sort() ?? [];
  const rows = answered.map(([place, name, answer]) => {
    const shares = Object.fromEntries(answer.probabilities.map(({ label, probability }) => [label, probability]));
    const doubt = answer.undecided ? "yes" : "";
    return [place, name, answer.label, answer.probability, doubt, "", ...classes.map((label) => shares[label])];
  });
  const problems = refused.map(([place, name, problem]) => [place, name, "", "", "", problem, ...classes.map(() => "")]);
  const ordered = [...rows, ...problems].sort((a, b) => a[0] - b[0]).map((row) => row.slice(1));
  const header = ["path", "class", "probability", "undecided", "problem", ...classes.map((label) => `probability[${label}]`)];
  return [header, ...ordered]
    .map((row) => `${row.map(cell).join(",")}\n`)
    .join("");
}

document.querySelector(".drop input").addEventListener("change", (event) => {
  add(event.target.files);
  event.target.value = "";
});
document.addEventListener("paste", (event) => add([...event.clipboardData.files]));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragging");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dragging");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  add([...event.dataTransfer.files]);
});
section.querySelector(".csv").addEventListener("click", () => {
  const address = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
  element("a", { href: address, download: "answers.csv" }).click();
  URL.revokeObjectURL(address);
});
section.querySelector(".clear").addEventListener("click", () => {
  generation += 1;
  [answered, refused, number] = [[], [], 0];
  waiting.length = 0;
  for (const image of all(".picture img", list)) URL.revokeObjectURL(image.src);
  list.replaceChildren();
  for (const one of all(".new", drawing ?? list)) one.remove();
  section.hidden = true;
});
