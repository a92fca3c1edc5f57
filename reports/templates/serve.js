/* The page for trying a model: photographs are sent to the server one by one. */

const AT_ONCE = 4;
const CLASSES_SHOWN = 5;
const limits = readJson("limits");
const section = document.getElementById("answers");
const list = section.querySelector(".answers");
const status = section.querySelector(".found");
const drawing = document.querySelector(".map svg");
const waiting = [];
let [classified, refused] = [[], []];
let [active, number, generation] = [0, 0, 0];

const percent = (share) => `${(100 * share).toFixed(1)}%`;

function add(files) {
  const cards = [];
  for (const file of files) {
    number += 1;
    const preview = element("img", { src: URL.createObjectURL(file), alt: "" });
    const name = element("span", { className: "file", title: file.name }, file.name || "pasted image");
    const body = element("div", { className: "said" }, "Waiting for the prediction");
    const card = element("li", {}, element("div", { className: "picture" }, preview), element("div", {}, name, body));
    preview.addEventListener("error", () => preview.replaceWith(element("div", { className: "missing" }, "no preview")));
    if (drawing) name.prepend(element("b", {}, `${number} `));
    cards.push(card);
    waiting.push({ file, body, preview, number, generation });
  }
  list.prepend(...cards);
  section.hidden = !list.children.length;
  next();
}

function next() {
  while (active < AT_ONCE && waiting.length) {
    active += 1;
    const upload = waiting.shift();
    send(upload.file, "/api/classify")
      .then((prediction) => prediction && showPrediction(upload, prediction))
      .catch((error) => showProblem(upload, error.message))
      .finally(() => {
        active -= 1;
        count();
        next();
      });
  }
  count();
}

async function send(file, address) {
  if (file.size > limits.bytes) throw new Error(`It is larger than ${limits.megabytes} MB; choose a smaller one.`);
  let response;
  try {
    response = await fetch(address, { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } });
  } catch {
    throw new Error("It could not be sent: it cannot be read, or the server has stopped. Check whether the server still runs in its terminal.");
  }
  const answer = await response.json().catch(() => ({ detail: `The server responded with status ${response.status}.` }));
  if (!response.ok) throw new Error(answer.detail);
  return answer;
}

function why(upload) {
  const button = element("button", { type: "button", className: "why" }, "Where is the evidence?");
  button.addEventListener("click", () => {
    button.disabled = true;
    send(upload.file, "/api/explain")
      .then((answer) => {
        const figure = evidence(upload.preview.src, limits.aspect, [answer]);
        figure.tabIndex = -1;
        button.replaceWith(figure);
        figure.focus();
      })
      .catch((error) => button.replaceWith(element("p", { className: "problem" }, error.message)));
  });
  return button;
}

function bar({ label, probability }) {
  const meter = element("span", { className: "bar" });
  meter.style.setProperty("--share", `${(100 * probability).toFixed(1)}%`);
  return element("li", {}, element("span", { className: "name" }, label), element("span", { className: "number" }, percent(probability)), meter);
}

function neighbour({ label, name, similarity, thumbnail }) {
  const image = element("img", { src: thumbnail, alt: `Training image of class ${label}`, loading: "lazy" });
  image.addEventListener("error", () => image.replaceWith(element("div", { className: "missing" }, "not found")));
  return element("li", { title: name }, image, element("span", {}, label), element("span", { className: "number" }, similarity.toFixed(2)));
}

function showPrediction(upload, prediction) {
  if (upload.generation !== generation) return;
  classified.push([upload.number, upload.file.name, prediction]);
  const parts = [element("p", { className: "label" }, element("b", {}, prediction.label), ` ${percent(prediction.probability)}`)];
  if (prediction.undecided) {
    parts.unshift(element("p", { className: "problem" }, "Undecided: the probability is below the threshold of the run. Most probable:"));
  }
  if (prediction.refused) {
    parts.unshift(element("p", { className: "problem" }, `Refused: unlike anything it was trained on (familiarity ${percent(prediction.familiarity)}). Most probable:`));
  }
  parts.push(element("ul", { className: "classes" }, ...prediction.probabilities.slice(0, CLASSES_SHOWN).map(bar)));
  if (prediction.neighbours.length) {
    parts.push(element("p", { className: "note" }, "Most similar training images, with the cosine similarity of the embeddings:"));
    parts.push(element("ul", { className: "neighbours" }, ...prediction.neighbours.map(neighbour)));
  }
  parts.push(why(upload));
  upload.body.replaceChildren(...parts);
  if (drawing && prediction.place) mark(upload.number, prediction.place);
}

function showProblem(upload, message) {
  if (upload.generation !== generation) return;
  refused.push([upload.number, upload.file.name, message]);
  upload.body.replaceChildren(element("p", { className: "problem" }, message));
}

function mark(label, { x, y }) {
  const svg = (tag, attributes) => {
    const created = document.createElementNS(drawing.namespaceURI, tag);
    for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, value);
    return created;
  };
  const margin = Number(drawing.dataset.margin);
  const scale = drawing.viewBox.baseVal.width - 2 * margin;
  const [across, down] = [margin + scale * x, margin + scale * (y - Number(drawing.dataset.top))];
  const text = svg("text", { x: across, y: down, dy: "0.35em", class: "new" });
  text.textContent = label;
  drawing.append(svg("circle", { cx: across, cy: down, r: 16, class: "new" }), text);
}

function count() {
  const left = waiting.length + active;
  const others = refused.length ? `, ${refused.length} refused` : "";
  status.textContent = left ? `${left} left` : `${classified.length} classified${others}`;
}

/* As in the toolkit's tables: quoted, and escaped where a spreadsheet would see a formula. */
function cell(value) {
  const text = String(value);
  return `"${(/^[=+\-@\t\r'\uff1d\uff0b\uff0d\uff20]/.test(text) && typeof value === "string" ? "'" : "") + text.replaceAll('"', '""')}"`;
}

function table() {
  const classes = classified[0]?.[2].probabilities.map(({ label }) => label).sort() ?? [];
  const rows = classified.map(([number, name, prediction]) => {
    const shares = Object.fromEntries(prediction.probabilities.map(({ label, probability }) => [label, probability]));
    const undecided = prediction.undecided ? "yes" : "";
    const refusal = limits.reject ? [prediction.familiarity, prediction.refused ? "yes" : ""] : [];
    return [number, name, prediction.label, prediction.probability, undecided, "", ...refusal, ...classes.map((label) => shares[label])];
  });
  const problems = refused.map(([number, name, problem]) => [number, name, "", "", "", problem, ...(limits.reject ? ["", ""] : []), ...classes.map(() => "")]);
  const ordered = [...rows, ...problems].sort((a, b) => a[0] - b[0]).map((row) => row.slice(1));
  const header = ["path", "class", "probability", "undecided", "problem", ...(limits.reject ? ["familiarity", "refused"] : []), ...classes.map((label) => `probability[${label}]`)];
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
  element("a", { href: address, download: "predictions.csv" }).click();
  URL.revokeObjectURL(address);
});
section.querySelector(".clear").addEventListener("click", () => {
  generation += 1;
  [classified, refused, number] = [[], [], 0];
  waiting.length = 0;
  for (const image of all(".picture img", list)) URL.revokeObjectURL(image.src);
  list.replaceChildren();
  for (const mark of all(".new", drawing ?? list)) mark.remove();
  section.hidden = true;
});
