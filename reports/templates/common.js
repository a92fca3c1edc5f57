"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];

/* The JSON that a page holds for its script, or null. */
const readJson = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "null");

function element(tag, properties = {}, ...children) {
  const created = Object.assign(document.createElement(tag), properties);
  created.append(...children);
  return created;
}

/* An image as the network sees it, in grey, with the evidence for each class laid over it. */
function evidence(source, aspect, maps) {
  const parts = maps.map(({ label, other, overlay, sentence, sum, caution, exact, map }) => {
    const grey = element("img", { src: source, alt: "", className: `grey ${aspect}` });
    const colours = element("img", { src: `data:image/png;base64,${overlay}`, alt: sentence, className: "colours" });
    const names = [element("i", { className: "for" }, `for ${label}`), ...(other === null ? [] : [" ", element("i", { className: "against" }, `for ${other}`)])];
    const rows = map.map((row) => element("tr", {}, ...row.map((share) => element("td", {}, share.toPrecision(2)))));
    const how = exact ? "The score is a sum over these places and an intercept." : "An approximation: what the score loses without each place.";
    const numbers = element("details", { className: "numbers" }, element("summary", {}, exact ? "Numbers" : "Numbers, approximate"), element("p", {}, how), element("p", {}, `${sum}.`), element("table", {}, element("tbody", {}, ...rows)));
    return element("figure", {}, element("div", { className: "seen" }, grey, colours), element("figcaption", {}, ...names, element("p", {}, `${sentence}${caution && `; mind what belongs to no place: ${caution}`}.`), numbers));
  });
  return element("div", { className: "evidence" }, ...parts);
}
