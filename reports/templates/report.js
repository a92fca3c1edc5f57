/* What a report can do besides being read. Without this script it says the same. */

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
    return Number.isNaN(number) ? -Infinity : number; // what is not known is less than all that is
  };
  const order = (a, b) =>
    typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a === b ? 0 : a - b;
  const body = table.tBodies[0];
  body.append(...[...body.rows].sort((a, b) => direction * order(value(a), value(b))));
}

/* Confusion matrices: a cell opens the pictures that it counts. */

/* The page's list of mistakes holds the thumbnails of its pictures; it is read before it is sorted. */
function withSources({ mistaken, others }) {
  const items = all(".mistakes > li");
  return [
    ...mistaken.map((picture, i) => ({ ...picture, source: items[i].querySelector("img")?.src })),
    ...others.map((picture) => ({ ...picture, source: picture.image && `data:image/jpeg;base64,${picture.image}` })),
  ];
}

function shown(picture, verdict, classes) {
  const image = picture.source
    ? element("img", { src: picture.source, alt: `Picture of class ${classes[picture.true]}` })
    : element("div", { className: "missing" }, "picture not shown");
  const said = element("span", { className: "said" });
  said.append(element("b", {}, classes[verdict[1]] ?? ""), element("span", { className: "number" }, verdict[2]));
  const file = element("span", { className: "file", title: picture.name }, picture.name);
  return element("li", {}, element("figure", {}, image, element("figcaption", {}, said, file)));
}

function confusion(table, pictures, classes, dialog) {
  const classifier = Number(table.dataset.classifier);
  const title = table.closest(".card").querySelector("h3").textContent;
  [...table.tBodies[0].rows].forEach((row, truth) => {
    all("td", row).forEach((cell, said) => {
      if (cell.dataset.count === "0") return;
      const words = truth === said ? `${classes[truth]} recognised` : `${classes[truth]} taken for ${classes[said]}`;
      const button = element("button", { type: "button" }, ...cell.childNodes);
      button.setAttribute("aria-label", `${words}: ${cell.dataset.count}, show these pictures`);
      button.addEventListener("click", () => {
        const items = [];
        for (const picture of pictures) {
          if (picture.true !== truth) continue;
          const verdict = picture.verdicts.find((one) => one[0] === classifier && one[1] === said);
          if (verdict) items.push(shown(picture, verdict, classes));
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

/* Mistakes: by classifier, class and confidence, a screenful at a time. */

const SCREENFUL = 48;

function mistakes(form, mistaken) {
  const list = document.querySelector(".mistakes");
  const items = [...list.children].map((item, i) => ({ item, ...mistaken[i] }));
  const more = document.querySelector(".more");
  const button = more.querySelector("button");
  let limit = SCREENFUL;

  function wrongVerdicts({ true: truth, verdicts }, by) {
    const wrong = verdicts.filter((verdict) => verdict[1] !== truth);
    if (by === "all") return wrong.length === verdicts.length ? wrong : [];
    return by === "any" ? wrong : wrong.filter((verdict) => verdict[0] === Number(by));
  }

  function update() {
    const by = form.elements.by?.value ?? "any";
    const wanted = form.elements.class.value;
    const least = Number(form.elements.sure.value);
    form.querySelector("output").textContent = `${least}%`;
    const matching = [];
    for (const one of items) {
      const sure = wrongVerdicts(one, by).map((verdict) => Number.parseFloat(verdict[2]));
      const most = Math.max(-1, ...sure);
      if (most >= least && (wanted === "" || one.true === Number(wanted))) matching.push([most, one.item]);
      one.item.hidden = true;
    }
    matching.sort((a, b) => b[0] - a[0]);
    list.append(...matching.map((pair) => pair[1]));
    for (const [, item] of matching.slice(0, limit)) item.hidden = false;
    const rest = Math.max(0, matching.length - limit);
    more.hidden = rest === 0;
    button.textContent = `Show ${Math.min(rest, SCREENFUL)} more of ${rest}`;
    form.querySelector(".found").textContent = `${matching.length} picture${matching.length === 1 ? "" : "s"}`;
  }

  form.addEventListener("input", () => {
    limit = SCREENFUL;
    update();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  button.addEventListener("click", () => {
    limit += SCREENFUL;
    update();
  });
  form.hidden = false;
  update();
}

/* The map: the picture of the dot that is pointed at, or gone to by the arrow keys. */

const REACH = 24; // from the pointer to a dot, in units of the drawing
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function told([picture, name, label, split], { pictures, classes, classifiers }) {
  const one = pictures[picture];
  const parts = [element("b", {}, classes[label]), element("span", { className: "file" }, name)];
  if (one?.source) parts.unshift(element("img", { src: one.source, alt: "" }));
  if (split !== "test") parts.push(element("span", {}, `in ${split}`));
  for (const [classifier, said, probability] of one?.verdicts ?? []) {
    const right = said === label ? "right" : "wrong";
    const text = `${classifiers[classifier]}: ${classes[said] ?? ""} ${probability}`;
    parts.push(element("span", { className: right }, element("span", { className: "hidden" }, `${right}, `), text));
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
    card.replaceChildren(...told(dots[index], stored));
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
      const found = cost(px - x, py - y);
      if (found < least) [best, least] = [index, found];
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
  field.setAttribute("aria-label", "Map of the pictures: the arrow keys go from one to the next");
}

/* Paper has nothing to click on: it shows what is folded away. */

let unfolded = [];
window.addEventListener("beforeprint", () => {
  unfolded = all("details:not([open])");
  for (const one of unfolded) one.open = true;
});
window.addEventListener("afterprint", () => {
  for (const one of unfolded) one.open = false;
});

all("table.sortable").forEach(sortable);
const stored = held("pictures");
if (stored) {
  const { classes, mistaken } = stored;
  const pictures = withSources(stored);
  const viewer = document.querySelector("dialog.viewer");
  const form = document.querySelector("form.filters");
  for (const table of all("table.confusion")) confusion(table, pictures, classes, viewer);
  viewer.querySelector(".close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("click", (event) => event.target === viewer && viewer.close());
  const field = document.querySelector(".map .field");
  if (field) map(field, held("dots"), { ...stored, pictures });
  if (form) mistakes(form, mistaken);
}
