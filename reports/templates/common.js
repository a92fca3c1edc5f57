"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];

/* What a page holds as JSON for its script; null if it holds nothing. */
const held = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "null");

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
