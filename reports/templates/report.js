/* Interactive parts of a report. Without this script it holds the same information. */

/* Tables: a click on a heading sorts by that column. */

function sortable(table) {
  const headings = all("thead th", table);
  for (const heading of headings) {
    const button = element("button", { type: "button", className: "sort" }, heading.textContent);
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const descending = heading.getAttribute("aria-sort") === "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sort(table, heading.cellIndex, descending ? -1 : 1);
    });
  }
}

function sort(table, column, direction) {
  const value = (row) => {
    const cell = row.cells[column];
    if (cell.tagName === "TH" || cell.dataset.text !== undefined) return cell.dataset.text ?? cell.textContent.trim();
    const number = Number.parseFloat(cell.dataset.value ?? cell.textContent.replaceAll(",", ""));
    return Number.isNaN(number) ? -Infinity : number; // unknown values come first
  };
  const order = (a, b) =>
    typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a === b ? 0 : a - b;
  const body = table.tBodies[0];
  body.append(...[...body.rows].sort((a, b) => direction * order(value(a), value(b))));
}

/* Confusion matrices: a cell opens the images that it counts. */

/* Thumbnails of misclassified images are in the page's list, which is read before it is sorted. */
function pictured(item) {
  return item.querySelector("img")?.src ?? item.querySelector("svg image")?.getAttribute("href");
}

function withSources({ misclassified, others }) {
  const items = all(".mistakes > li");
  return [
    ...misclassified.map((image, i) => ({ ...image, source: pictured(items[i]) })),
    ...others.map((image) => ({ ...image, source: image.image && `data:image/jpeg;base64,${image.image}` })),
  ];
}

function item(image, prediction, classes, truth) {
  const thumbnail = image.source
    ? element("img", { src: image.source, alt: `Image of class ${classes[image.true]}` })
    : element("div", { className: "missing" }, "image not shown");
  const predicted = element("span", { className: "said" });
  predicted.append(element("b", {}, classes[prediction[1]] ?? ""), element("span", { className: "number" }, prediction[2]));
  const file = element("span", { className: "file", title: image.name }, image.name);
  return element("li", {}, element("figure", {}, thumbnail, element("figcaption", {}, ...(truth ? [element("span", { className: "truth" }, truth)] : []), predicted, file)));
}

function confusion(table, images, classes, dialog) {
  const classifier = Number(table.dataset.classifier);
  const title = table.closest(".card").querySelector("h3").textContent;
  [...table.tBodies[0].rows].forEach((row, truth) => {
    all("td", row).forEach((cell, predicted) => {
      if (cell.dataset.count === "0") return;
      const words = truth === predicted ? `${classes[truth]} recognised` : `${classes[truth]} predicted as ${classes[predicted]}`;
      const button = element("button", { type: "button" }, ...cell.childNodes);
      button.setAttribute("aria-label", `${words}: ${cell.dataset.count}, show these images`);
      button.addEventListener("click", () => {
        const items = [];
        for (const image of images) {
          if (image.true !== truth) continue;
          const prediction = image.predictions.find((pair) => pair[0] === classifier && pair[1] === predicted);
          if (prediction) items.push(item(image, prediction, classes));
        }
        const count = Number(cell.dataset.count);
        const number = items.length < count ? `${items.length} of ${count} shown` : `${count}`;
        dialog.querySelector("h2").textContent = `${title}: ${words} (${number})`;
        dialog.querySelector("ul").replaceChildren(...items);
        dialog.showModal();
        dialog.scrollTop = 0;
      });
      cell.replaceChildren(button);
    });
  });
}

const plural = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

/* Many classes: a search for one of them, its figures and its mistakes. */

const MATCHES = 12;
const MISTAKES_OF_CLASS = 24;

function finder(form, { classes, images: numbers, results }, stored) {
  const [status, list] = [form.querySelector(".found"), document.querySelector(".matches")];
  const card = document.querySelector(".class-card");
  const folded = classes.map((name) => name.toLowerCase());

  /* Classes that are predicted instead of a class, or instead of which it is predicted. */
  function others({ wrong }, code, given, asked) {
    const found = wrong.filter((cell) => cell[given] === code).sort((a, b) => b[2] - a[2]);
    const names = found.slice(0, 5).map((cell) => `${classes[cell[asked]]} (${cell[2]})`);
    if (found.length > 5) names.push(`${found.length - 5} more`);
    return names.join(", ") || "-";
  }

  function row(result, code) {
    const [recall, precision] = result.scores[code] ?? ["-", "-"];
    const cells = [recall, precision].map((text) => element("td", { className: "number" }, text));
    cells.push(element("td", {}, others(result, code, 0, 1)), element("td", {}, others(result, code, 1, 0)));
    return element("tr", {}, element("th", { scope: "row" }, result.title), ...cells);
  }

  function table(code) {
    const heads = [["Classifier", ""], ["Recall (95% interval)", "number"], ["Precision", "number"], ["Mistaken for", ""], ["Others mistaken for it", ""]];
    const head = element("tr", {}, ...heads.map(([text, className]) => element("th", { scope: "col", className }, text)));
    const rows = results.map((result) => row(result, code));
    return element("table", { className: "plain" }, element("thead", {}, head), element("tbody", {}, ...rows));
  }

  /* The images of a class that were misclassified, and those that were taken for it. */
  function pictures(code) {
    const found = [];
    for (const image of stored?.images ?? []) {
      const wrong = image.predictions.filter((prediction) => prediction[1] !== image.true);
      const prediction = image.true === code ? wrong[0] : wrong.find((pair) => pair[1] === code);
      if (prediction) found.push(item(image, prediction, classes, `true class ${classes[image.true]}`));
    }
    return found.slice(0, MISTAKES_OF_CLASS);
  }

  function show(code) {
    const [train, test] = numbers[code];
    const region = element("div", { className: "scroll", tabIndex: 0 }, table(code));
    region.setAttribute("role", "region");
    region.setAttribute("aria-label", `Figures of ${classes[code]}`);
    const found = pictures(code);
    card.replaceChildren(
      element("h3", {}, classes[code]),
      element("p", { className: "note" }, `${plural(train, "training image")}, ${plural(test, "test image")}.${found.length ? " Some of the mistakes that concern it:" : ""}`),
      region,
      element("ul", { className: "pictures" }, ...found),
    );
    card.hidden = false;
  }

  function choose(code) {
    form.elements.wanted.value = classes[code];
    list.hidden = true;
    status.textContent = "";
    show(code);
  }

  function update() {
    const wanted = form.elements.wanted.value.trim().toLowerCase();
    const matching = wanted ? [...classes.keys()].filter((code) => folded[code].includes(wanted)) : [];
    const exact = matching.find((code) => folded[code] === wanted);
    const one = exact ?? (matching.length === 1 ? matching[0] : undefined);
    list.replaceChildren(
      ...matching.slice(0, MATCHES).map((code) => {
        const button = element("button", { type: "button" }, classes[code]);
        button.addEventListener("click", () => choose(code));
        return element("li", {}, button);
      }),
    );
    list.hidden = matching.length < 2;
    const shown = matching.length > MATCHES ? `, the first ${MATCHES} are listed` : "";
    status.textContent = wanted && `${matching.length} class${matching.length === 1 ? "" : "es"} found${shown}`;
    if (one === undefined) card.hidden = true;
    else show(one);
  }

  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
}

/* Mistakes: by classifier, class and confidence, a screenful at a time. */

function mistakes(form, misclassified, screenful) {
  const list = document.querySelector(".mistakes");
  const items = [...list.children].map((item, i) => ({ item, ...misclassified[i] }));
  const more = document.querySelector(".more");
  const button = more.querySelector("button");
  let limit = screenful;

  function wrongPredictions({ true: truth, predictions }, by) {
    const wrong = predictions.filter((prediction) => prediction[1] !== truth);
    if (by === "all") return wrong.length === predictions.length ? wrong : [];
    return by === "any" ? wrong : wrong.filter((prediction) => prediction[0] === Number(by));
  }

  function update() {
    const by = form.elements.by?.value ?? "any";
    const trueClass = form.elements.class.value;
    const least = Number(form.elements.sure.value);
    form.querySelector("output").textContent = `${least}%`;
    const matching = [];
    for (const image of items) {
      const confidences = wrongPredictions(image, by).map((prediction) => Number.parseFloat(prediction[2]));
      const most = Math.max(-1, ...confidences);
      if (most >= least && (trueClass === "" || image.true === Number(trueClass))) matching.push([most, image.item]);
      image.item.hidden = true;
    }
    matching.sort((a, b) => b[0] - a[0]);
    list.append(...matching.map((pair) => pair[1]));
    for (const [, item] of matching.slice(0, limit)) item.hidden = false;
    const rest = Math.max(0, matching.length - limit);
    more.hidden = rest === 0;
    button.textContent = `Show ${Math.min(rest, screenful)} more of ${rest}`;
    form.querySelector(".found").textContent = `${matching.length} image${matching.length === 1 ? "" : "s"}`;
  }

  form.addEventListener("input", () => {
    limit = screenful;
    update();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  button.addEventListener("click", () => {
    limit += screenful;
    update();
  });
  form.hidden = false;
  update();
}

/* The map: the image of the dot at the pointer, or of the one that the arrow keys reach. */

const REACH = 24; // from the pointer to a dot, in units of the drawing
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function tooltip([position, name, label, split], { images, classes, classifiers }) {
  const image = images[position];
  const parts = [element("b", {}, classes[label]), element("span", { className: "file" }, name)];
  if (image?.source) parts.unshift(element("img", { src: image.source, alt: "" }));
  if (split !== "test") parts.push(element("span", {}, `in ${split}`));
  for (const [classifier, predicted, probability] of image?.predictions ?? []) {
    const right = predicted === label ? "right" : "wrong";
    const text = `${classifiers[classifier]}: ${classes[predicted] ?? ""} ${probability}`;
    parts.push(element("span", { className: right }, element("span", { className: "hidden" }, `${right === "right" ? "correct" : "wrong"}, `), text));
  }
  return parts;
}

function map(field, dots, stored) {
  const drawing = field.querySelector("svg");
  const places = all("use", drawing).map((mark) => [Number(mark.getAttribute("x")), Number(mark.getAttribute("y"))]);
  const [, , width, height] = drawing.getAttribute("viewBox").split(" ").map(Number);
  const ring = document.createElementNS(drawing.namespaceURI, "circle");
  const card = element("div", { className: "told", hidden: true });
  card.setAttribute("role", "status");
  ring.setAttribute("r", 13);
  ring.setAttribute("class", "ring");
  field.append(card);
  let current = 0;

  function show(index) {
    const [x, y] = places[index];
    current = index;
    ring.setAttribute("cx", x);
    ring.setAttribute("cy", y);
    drawing.append(ring);
    card.replaceChildren(...tooltip(dots[index], stored));
    card.hidden = false;
    const [right, below] = [x > width / 2, y > height / 2];
    card.style.left = right ? "auto" : `calc(${(100 * x) / width}% + 1rem)`;
    card.style.right = right ? `calc(${100 - (100 * x) / width}% + 1rem)` : "auto";
    card.style.top = below ? "auto" : `${(100 * y) / height}%`;
    card.style.bottom = below ? `${100 - (100 * y) / height}%` : "auto";
  }

  function hide() {
    card.hidden = true;
    ring.remove();
  }

  function nearest(x, y, cost) {
    let [best, least] = [-1, Infinity];
    places.forEach(([px, py], index) => {
      const distance = cost(px - x, py - y);
      if (distance < least) [best, least] = [index, distance];
    });
    return best;
  }

  field.addEventListener("pointermove", (event) => {
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse());
    const index = nearest(x, y, (dx, dy) => (Math.hypot(dx, dy) < REACH ? Math.hypot(dx, dy) : Infinity));
    if (index < 0) hide();
    else if (index !== current || card.hidden) show(index);
  });
  field.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse") hide();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    if (!(event.key in ARROWS)) return;
    event.preventDefault();
    const [ahead, across] = ARROWS[event.key];
    const [x, y] = places[current];
    const index = nearest(x, y, (dx, dy) => {
      const [forward, aside] = [dx * ahead + dy * across, Math.abs(dx * across) + Math.abs(dy * ahead)];
      return forward > 0 && aside <= 2 * forward ? forward + 2 * aside : Infinity;
    });
    show(index < 0 ? current : index);
  });
  field.addEventListener("focus", () => show(current));
  field.addEventListener("blur", hide);
  field.tabIndex = 0;
  field.setAttribute("role", "application");
  field.setAttribute("aria-label", "Map of the images: the arrow keys go from one to the next");
}

/* For printing, everything that is folded is shown. */

let unfolded = [];
window.addEventListener("beforeprint", () => {
  unfolded = all("details:not([open])");
  for (const details of unfolded) details.open = true;
});
window.addEventListener("afterprint", () => {
  for (const details of unfolded) details.open = false;
});

all("table.sortable").forEach(sortable);
const stored = readJson("images");
const images = stored && withSources(stored);
const search = document.querySelector("form.finder");
if (search) finder(search, readJson("classes"), stored && { ...stored, images });
if (stored) {
  const { classes, misclassified } = stored;
  const viewer = document.querySelector("dialog.viewer");
  const form = document.querySelector("#mistakes form.filters");
  for (const table of all("table.confusion")) confusion(table, images, classes, viewer);
  viewer.querySelector(".close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("click", (event) => event.target === viewer && viewer.close());
  const field = document.querySelector(".map .field");
  if (field) map(field, readJson("dots"), { ...stored, images });
  if (form) mistakes(form, misclassified, search ? 12 : 48);
}
