/* The page that reviews labels: one image at a time, and the next one only when the decision about it is on the disk. */

const AHEAD = 3;
const { classes, kinds, aspect } = readJson("config");
const byId = (id) => document.getElementById(id);
const [current, picture, choices, search, matches, keys] = ["current", "picture", "choices", "search", "matches", "keys"].map(byId);
const input = search.querySelector("input");
const loaded = new Map();
const mine = [];
let [entries, revision, number, shown, busy] = [[], 0, 0, null, false];

async function ask(address, body) {
  let response;
  try {
    response = await fetch(address, body && { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  } catch {
    throw new Error(`${body ? "Nothing was saved: t" : "T"}he server does not respond. Check whether it still runs in its terminal, and load this page again.`);
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Error(typeof answer?.detail === "string" ? answer.detail : `The server responded with status ${response.status}.`);
  return answer;
}

function alarm(message) {
  byId("alert").textContent = message;
  byId("alert").hidden = !message;
}

/* Everything about an image, loaded once; the images are decoded before they are shown. */
function load(n) {
  if (!loaded.has(n)) {
    loaded.set(n, request(n));
    loaded.get(n).catch(() => loaded.delete(n));
  }
  return loaded.get(n);
}

async function request(n) {
  const facts = await ask(`/api/queue/${n}`);
  const image = await decoded(`/api/images/${facts.image}/large`, facts.name);
  const [neighbours, maps] = ["neighbours", "evidence"].map((what) => ask(`/api/queue/${n}/${what}`).catch(() => []));
  return { facts, neighbours, maps, image };
}

async function decoded(address, alt) {
  const image = element("img", { src: address, alt });
  try {
    await image.decode();
    return image;
  } catch {
    return element("div", { className: "missing" }, "This image cannot be shown");
  }
}

const isDecided = (n) => entries[n].state.decision !== null;
const chosen = () => entries.map((_, n) => n).filter((n) => !byId("kind").value || entries[n].kinds.includes(byId("kind").value));

function undecidedFrom(n) {
  const list = chosen();
  return list.find((other) => other >= n && !isDecided(other)) ?? list.find((other) => !isDecided(other));
}

function prefetch() {
  const list = chosen();
  const near = [...list.filter((n) => n > number && !isDecided(n)).slice(0, AHEAD), ...list.filter((n) => n > number).slice(0, 1), ...list.filter((n) => n < number).slice(-1), number];
  near.forEach(load);
  for (const n of loaded.keys()) if (!near.includes(n)) loaded.delete(n);
}

async function show(n, focus = true) {
  number = n;
  byId("finished").hidden = n !== undefined;
  if (n === undefined) {
    finish(focus);
    return;
  }
  let parts;
  try {
    parts = await load(n);
  } catch (error) {
    alarm(error.message);
    return;
  }
  if (number !== n) return;
  const { facts, image, neighbours, maps } = parts;
  shown = facts;
  current.hidden = false;
  picture.replaceChildren(image);
  byId("name").textContent = facts.name;
  byId("reasons").replaceChildren(...facts.reasons.map((words) => element("li", {}, words)));
  byId("problem").textContent = facts.problem;
  byId("problem").hidden = !facts.problem;
  render();
  showNeighbours(n, facts.others, []);
  showEvidence([]);
  maps.then((found) => number === n && showEvidence(image.src ? found : []));
  neighbours.then((found) => number === n && showNeighbours(n, facts.others, found));
  if (focus) byId("name").focus({ preventScroll: true });
  prefetch();
}

function render() {
  const { state } = entries[number];
  const fact = (term, text) => element("div", {}, element("dt", {}, term), element("dd", {}, text));
  const now = state.decision === null ? "nothing" : state.label === null ? "left out" : state.decision === "keep" ? "label is kept" : classes[state.label];
  const rows = [fact("Label in the run", `${classes[shown.label]} (${shown.split} split)`)];
  if (shown.prediction) rows.push(fact("Prediction", shown.prediction));
  byId("facts").replaceChildren(...rows, fact("Decided", now));
  choices.replaceChildren(...shown.choices.map((code, i) => {
    const button = element("button", { type: "button" }, element("kbd", {}, String(i + 1)), ` ${classes[code]}`);
    button.setAttribute("aria-pressed", String(state.label === code));
    button.addEventListener("click", () => relabel(code));
    return button;
  }));
  search.hidden = classes.length <= shown.choices.length;
  for (const button of all("button", choices).concat(byId("keep"), byId("leave"))) button.disabled = Boolean(shown.problem);
  byId("undo").disabled = !mine.length;
  count();
}

function showNeighbours(n, others, found) {
  const list = [...others, ...found];
  byId("similar").hidden = !list.length;
  byId("similar-title").textContent = others.length ? "Copies, and the most similar training images" : "The most similar training images";
  byId("neighbours").replaceChildren(...list.map(({ image, name, label, relation }) => {
    const small = element("img", { src: `/api/images/${image}/small`, alt: "" });
    small.addEventListener("error", () => small.replaceWith(element("div", { className: "missing" }, "not found")));
    return element("li", { title: name }, small, element("b", {}, label), element("span", {}, relation));
  }));
}

function showEvidence(maps) {
  byId("why").hidden = !maps.length;
  byId("why").querySelector(".evidence")?.remove();
  byId("trained").hidden = shown?.split !== "train";
  if (maps.length) byId("why").append(evidence(picture.querySelector("img").src, aspect, maps));
}

function count() {
  const list = chosen();
  const decided = list.filter(isDecided).length;
  byId("progress").textContent = `${decided.toLocaleString("en")} of ${list.length.toLocaleString("en")} decided`;
  document.querySelector(".done-share").style.setProperty("--share", `${list.length ? (100 * decided) / list.length : 0}%`);
}

function finish(focus) {
  current.hidden = true;
  shown = null;
  const tally = (test) => chosen().filter((n) => isDecided(n) && test(entries[n].state)).length;
  const left = tally(({ label }) => label === null);
  const kept = tally(({ label, decision }) => label !== null && decision === "keep");
  const total = tally(() => true);
  const words = entries.length ? `Everything here is decided: ${kept} kept, ${total - left - kept} corrected, ${left} left out. See below what that changes.` : "There is nothing to look at.";
  byId("finished").textContent = words;
  byId("said").textContent = words;
  if (focus) byId("finished").focus();
  count();
}

async function decide(body, words) {
  if (busy || !shown || (shown.problem && body.decision !== "undo")) return;
  busy = true;
  try {
    const n = number;
    const answer = await ask(`/api/queue/${n}/decision`, { ...body, version: entries[n].state.version, revision });
    accept(answer);
    alarm("");
    mine.push({ number: n, version: answer.state.version });
    const next = undecidedFrom(n + 1);
    byId("said").textContent = `${shown.name}: ${words}.`;
    await show(next);
  } catch (error) {
    alarm(error.message);
    refresh();
  } finally {
    busy = false;
  }
}

/* What other tabs have decided meanwhile. */
async function refresh() {
  const answer = await ask("/api/queue").catch(() => null);
  if (!answer) return;
  ({ revision, entries } = answer);
  if (shown) render();
}

function accept(answer) {
  revision = answer.revision;
  for (const state of answer.changes) entries[state.number].state = state;
  entries[answer.state.number].state = answer.state;
}

const relabel = (code) => decide({ decision: "relabel", label: code }, classes[code]);
const leave = () => decide({ decision: "leave out" }, "left out");

function keep() {
  if (!shown) return;
  if (isDecided(number)) show(undecidedFrom(number + 1));
  else decide({ decision: "keep" }, `${classes[shown.label]} is kept`);
}

async function undo() {
  const last = mine.at(-1);
  if (!last) byId("said").textContent = "There is no decision of this tab to take back.";
  if (busy || !last) return;
  busy = true;
  try {
    const answer = await ask(`/api/queue/${last.number}/decision`, { decision: "undo", version: last.version, revision });
    accept(answer);
    alarm("");
    mine.pop();
    const earlier = mine.findLast((one) => one.number === last.number);
    if (earlier) earlier.version = answer.state.version;
    byId("said").textContent = "The last decision was taken back.";
    await show(last.number);
  } catch (error) {
    mine.pop();
    alarm(error.message);
    if (shown) render();
  } finally {
    busy = false;
  }
}

function go(step) {
  if (busy) return;
  const list = chosen();
  const at = number === undefined ? list.length : list.indexOf(number);
  const next = list[at + step];
  if (next !== undefined) show(next);
}

/* The search for a class */

function find() {
  const wanted = input.value.trim().toLowerCase();
  const codes = classes.map((_, code) => code).filter((code) => wanted && classes[code].toLowerCase().includes(wanted));
  const sorted = codes.sort((a, b) => !classes[a].toLowerCase().startsWith(wanted) - !classes[b].toLowerCase().startsWith(wanted)).slice(0, 50);
  matches.replaceChildren(...sorted.map((code, i) => {
    const option = element("li", { id: `match-${i}` }, classes[code]);
    option.setAttribute("role", "option");
    option.dataset.code = code;
    option.addEventListener("click", () => take(option));
    return option;
  }));
  select(matches.firstElementChild);
  byId("none").hidden = !wanted || sorted.length > 0;
  matches.hidden = !sorted.length;
  input.setAttribute("aria-expanded", String(sorted.length > 0));
}

function select(option) {
  for (const other of matches.children) other.setAttribute("aria-selected", String(other === option));
  if (option) {
    input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  } else input.removeAttribute("aria-activedescendant");
}

function take(option) {
  input.value = "";
  find();
  input.blur();
  relabel(Number(option.dataset.code));
}

input.addEventListener("input", find);
input.addEventListener("keydown", (event) => {
  const option = matches.querySelector('[aria-selected="true"]');
  if (event.key === "Escape") {
    input.value = "";
    find();
    byId("name").focus();
  } else if (event.key === "Enter" && option) take(option);
  else if (event.key === "ArrowDown") select(option?.nextElementSibling ?? option);
  else if (event.key === "ArrowUp") select(option?.previousElementSibling ?? option);
  else return;
  event.preventDefault();
});

/* Training again */

async function retrain() {
  byId("retrain").disabled = true;
  try {
    let answer = await ask("/api/retraining", {});
    while (answer.running) {
      byId("stage").textContent = `${answer.stage}${answer.total > 1 ? `, ${answer.done} of ${answer.total}` : ""}`;
      await new Promise((resolve) => setTimeout(resolve, 200));
      answer = await ask("/api/retraining");
    }
    showRetrained(answer);
  } catch (error) {
    byId("stage").textContent = error.message;
  } finally {
    byId("retrain").disabled = false;
  }
}

function showRetrained({ problem, sentences, groups }) {
  byId("stage").textContent = problem || "Done.";
  const parts = sentences.map((words) => element("p", {}, words));
  for (const { title, number: total, flips } of groups) {
    parts.push(element("h3", {}, `${title}: ${total.toLocaleString("en")}${flips.length < total ? `, the first ${flips.length}` : ""}`));
    parts.push(element("ul", { className: "neighbours" }, ...flips.map(({ image, name, words }) =>
      element("li", { title: name }, element("img", { src: `/api/images/${image}/small`, alt: "", loading: "lazy" }), words))));
  }
  if (!problem && !groups.length) parts.push(element("p", {}, "No test image is predicted otherwise."));
  byId("retrained").replaceChildren(...parts);
}

/* Keys and buttons */

const ACTIONS = { x: leave, u: undo, ArrowLeft: () => go(-1), ArrowRight: () => go(1), Enter: keep, " ": keep, "/": () => search.hidden || input.focus(), "?": () => keys.showModal() };
const REPEATED = ["ArrowLeft", "ArrowRight"];

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || keys.open) return;
  if (target.closest("input, select, textarea")) return;
  if ((key === "Enter" || key === " ") && target.closest("button, a, summary, pre")) return;
  const code = /^[1-9]$/.test(key) ? shown?.choices[key - 1] : undefined;
  const act = code === undefined ? ACTIONS[key] : () => relabel(code);
  if (!act) return;
  event.preventDefault();
  if (!event.repeat || REPEATED.includes(key)) act();
});
for (const [id, act] of Object.entries({ keep, leave, undo, retrain, back: () => go(-1), next: () => go(1), help: () => keys.showModal() })) byId(id).addEventListener("click", act);
keys.querySelector(".close").addEventListener("click", () => keys.close());
byId("kind").addEventListener("change", () => show(undecidedFrom(0), false));

async function start() {
  try {
    ({ revision, entries } = await ask("/api/queue"));
  } catch (error) {
    alarm(error.message);
    return;
  }
  const of = (kind) => entries.filter((entry) => !kind || entry.kinds.includes(kind)).length;
  const option = (value, words) => element("option", { value }, `${words} (${of(value).toLocaleString("en")})`);
  byId("kind").append(option("", "Everything"), ...kinds.filter(([kind]) => of(kind)).map(([kind, words]) => option(kind, words)));
  await show(undecidedFrom(0), false);
}
start();
