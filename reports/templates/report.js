"use strict";

/* What a page can do besides being read. Without this script it says the same. */

const all = (selector, root = document) => [...root.querySelectorAll(selector)];

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

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
    if (cell.tagName === "TH") return cell.textContent.trim();
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

all("table.sortable").forEach(sortable);
const stored = document.getElementById("pictures");
if (stored) {
  const { classes, mistaken, others } = JSON.parse(stored.textContent);
  const pictures = withSources({ mistaken, others });
  const viewer = document.querySelector("dialog.viewer");
  const form = document.querySelector("form.filters");
  for (const table of all("table.confusion")) confusion(table, pictures, classes, viewer);
  viewer.querySelector(".close").addEventListener("click", () => viewer.close());
  if (form) mistakes(form, mistaken);
}
