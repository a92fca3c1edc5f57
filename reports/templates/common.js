"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];

/* The JSON that a page holds for its script, or null. */
const readJson = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "null");

function element(tag, properties = {}, ...children) {
  const created = Object.assign(document.createElement(tag), properties);
  created.append(...children);
  return created;
}
