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
    const number = Number.parseFloat(cell.dataset.value ?? cell.textContent.replaceAll(",", ""));
    return Number.isNaN(number) ? cell.textContent.trim() : number;
  };
  const order = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b));
  };
  const body = table.tBodies[0];
  body.append(...[...body.rows].sort((a, b) => direction * order(value(a), value(b))));
}

/* Confusion matrices: a cell opens the pictures that it counts. */

function figures(pictures, classes) {
  const found = [];
  all(".mistakes > li").forEach((item, i) => {
    found.push({ ...pictures.mistaken[i], source: item.querySelector("img")?.src });
  });
  for (const other of pictures.others) {
    found.push({ ...other, source: other.image && `data:image/jpeg;base64,${other.image}` });
  }
  return found.map((picture) => ({ ...picture, label: classes[picture.true] ?? "" }));
}

function shown(picture, answer, classes) {
  const image = picture.source
    ? element("img", { src: picture.source, alt: `Picture of class ${picture.label}`, width: 128, height: 128 })
    : element("div", { className: "missing" }, "picture not shown");
  const said = element("span", { className: "said" });
  said.append(element("b", {}, classes[answer[1]] ?? ""), element("span", { className: "number" }, answer[2]));
  const file = element("span", { className: "file", title: picture.name }, picture.name);
  return element("li", {}, element("figure", {}, image, element("figcaption", {}, said, file)));
}

function confusion(table, pictures, dialog) {
  const { classes } = pictures;
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
        for (const picture of figures(pictures, classes)) {
          if (picture.true !== truth) continue;
          const answer = picture.answers.find((one) => one[0] === classifier && one[1] === said);
          if (answer) items.push(shown(picture, answer, classes));
        }
        dialog.querySelector("h2").textContent = `${title}: ${words} (${items.length.toLocaleString("en")})`;
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

function mistakes(form, pictures) {
  const list = document.querySelector(".mistakes");
  const items = [...list.children].map((item, i) => ({ item, ...pictures.mistaken[i] }));
  const more = document.querySelector(".more");
  let limit = SCREENFUL;

  function wrongAnswers({ true: truth, answers }, by) {
    const wrong = answers.filter((answer) => answer[1] !== truth);
    if (by === "all") return wrong.length === answers.length ? wrong : [];
    return by === "any" ? wrong : wrong.filter((answer) => answer[0] === Number(by));
  }

  function update() {
    const by = form.elements.by?.value ?? "any";
    const wanted = form.elements.class.value;
    const least = Number(form.elements.sure.value);
    form.querySelector("output").textContent = `${least}%`;
    const matching = [];
    for (const one of items) {
      const sure = wrongAnswers(one, by).map((answer) => Number.parseFloat(answer[2]));
      const most = Math.max(-1, ...sure);
      if (most >= least && (wanted === "" || one.true === Number(wanted))) matching.push([most, one.item]);
      one.item.hidden = true;
    }
    matching.sort((a, b) => b[0] - a[0]);
    list.append(...matching.map((pair) => pair[1]));
    for (const [, item] of matching.slice(0, limit)) item.hidden = false;
    const rest = Math.max(0, matching.length - limit);
    more.hidden = rest === 0;
    more.querySelector("button").textContent = `Show ${Math.min(rest, SCREENFUL)} more of ${rest}`;
    form.querySelector(".found").textContent = `${matching.length} picture${matching.length === 1 ? "" : "s"}`;
  }

  form.addEventListener("input", () => {
    limit = SCREENFUL;
    update();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => {
    limit += SCREENFUL;
    update();
  });
  form.hidden = false;
  update();
}

all("table.sortable").forEach(sortable);
const stored = document.getElementById("pictures");
if (stored) {
  const pictures = JSON.parse(stored.textContent);
  const viewer = document.querySelector("dialog.viewer");
  const form = document.querySelector("form.filters");
  for (const table of all("table.confusion")) confusion(table, pictures, viewer);
  viewer.querySelector(".close").addEventListener("click", () => viewer.close());
  if (form) mistakes(form, pictures);
}
