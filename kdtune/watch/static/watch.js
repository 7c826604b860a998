// The page: it asks the server each second how far the sweep is, and shows what has changed.

import { drawErrors, formatTemperature, makeSvg } from "./charts.js";
import { makeDetail } from "./detail.js";
import { find, makeElement, update } from "./elements.js";

const PAGE_CELLS = 24;
const ACTIVE_MS = 1000, IDLE_MS = 3000, HIDDEN_MS = 15000, TIMEOUT_MS = 20000;
const STATES = {
  running: ["running", "active"], restarting: ["starting again", "bad"], finished: ["finished", "good"],
  interrupted: ["interrupted", "bad"], failed: ["broke off", "bad"], silent: ["silent", "bad"],
  waiting: ["waiting", "active"], unknown: ["", ""],
};

const query = new URLSearchParams(location.search);
const token = query.get("token") ?? "";
let sweep = query.get("sweep") ?? "";
let answerVersion = ""; // of the answer that is shown
let words = {}; // what the answer calls its measure
let offset = 0;
let openCell = ""; // the id of the setting in the window; empty if it is closed
let timer = 0;

/** Ask the server; an error has the status of the answer, or none if there was no answer. */
async function ask(path, parameters = {}) {
  const address = `${path}?${new URLSearchParams({ sweep, ...parameters })}`;
  const headers = token ? { "X-Kdtune-Token": token } : {};
  const response = await fetch(address, { headers, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw Object.assign(new Error(await response.text()), { status: response.status });
  return response.json();
}

async function refresh() {
  clearTimeout(timer);
  let pause = IDLE_MS;
  try {
    const status = await ask("api/status");
    showStatus(status);
    if (status.answer?.has_summary && status.answer.version !== answerVersion) await loadAnswer(status.answer.version);
    showAnswerState(status);
    if (status.is_active) pause = ACTIVE_MS;
    showProblem("");
  } catch (error) {
    showProblem(describeError(error));
    if (error.status === 404) sweep = "";
  }
  timer = setTimeout(refresh, document.hidden ? HIDDEN_MS : pause);
}

function describeError(error) {
  if (error.status === 403) return "The server asks for another token: open the address that `kdtune watch` printed.";
  if (error.status === 404) return "This sweep is no longer there: the newest one is shown instead.";
  if (error.status) return `The server answered ${error.status}: ${error.message}`;
  return "The server does not answer. The page shows what it knew last, and goes on by itself when `kdtune watch` runs again.";
}

function showProblem(text) {
  if (find("problem").textContent !== text) find("problem").textContent = text;
  find("problem").hidden = !text;
}

// --- progress -------------------------------------------------------------------------------------

function showStatus(status) {
  if (sweep !== status.sweep) chooseSweep(status.sweep);
  const share = status.total ? Math.floor((100 * status.done) / status.total) : 0;
  const [state, kind] = STATES[status.state] ?? [status.state, ""];
  document.title = `${status.is_active ? `${share} % ` : ""}${status.sweep || "kdtune watch"}`;
  update(find("title"), status.sweep, () => status.sweep || "kdtune watch");
  update(find("state"), state, () => state);
  find("state").className = `state ${kind}`;
  update(find("sentence"), status.sentence, () => status.sentence);
  update(find("facts"), describeFacts(status), (text) => text);
  update(find("bar"), [status.total, status.done, status.failed, status.running], drawBar);
  find("bar").setAttribute("aria-label", `${share} percent of the networks are done`);
  update(find("folder"), status.folder, (folder) => `Results folder: ${folder}. This page only reads it.`);
  showSweeps(status.sweeps, status.sweep);
  showList("workers", "worker-list", status.workers ?? [], makeWorker);
  showFailures(status.failures);
  showList("restarts", "restart-list", status.restarts ?? [], (restart) => makeElement("li", {}, restart.reason, makeElement("span", { class: "soft" }, `${restart.ago} ago`)));
}

function describeFacts(status) {
  const facts = [];
  if (status.left) facts.push(status.left);
  if (status.elapsed) facts.push(`${status.is_active ? "running for" : "it took"} ${status.elapsed}`);
  if (status.n_workers) facts.push(`${status.n_workers} ${status.n_workers === 1 ? "worker" : "workers"}`);
  if (status.host) facts.push(`on ${status.host}`);
  return facts.join(" \u00b7 ");
}

function drawBar([total, done, failed, running]) {
  const parts = [makeSvg("rect", { class: "whole", width: 1000, height: 10 })];
  let start = 0;
  for (const [name, count] of [["done", done], ["failed", failed], ["running", running]]) {
    const width = total ? Math.min(1000 - start, (1000 * count) / total) : 0;
    parts.push(makeSvg("rect", { class: name, x: start, width, height: 10 }));
    start += width;
  }
  return parts;
}

function showSweeps(sweeps, chosen) {
  find("sweep-choice").hidden = sweeps.length < 2;
  const makeOption = (name) => makeElement("option", { value: name }, name);
  update(find("sweep"), sweeps, () => sweeps.map(makeOption));
  if (document.activeElement !== find("sweep")) find("sweep").value = chosen;
}

function showList(sectionId, listId, items, make) {
  find(sectionId).hidden = !items.length;
  update(find(listId), items, () => items.map(make));
}

function makeWorker(pack) {
  return makeElement("li", {}, `${pack.worker}: ${pack.what || pack.networks}`, makeElement("span", { class: "soft" }, `for ${pack.time}`));
}

function showFailures(failures) {
  const { reasons, n_reasons_left_out: nLeftOut } = failures;
  showList("failures", "failure-list", nLeftOut ? [...reasons, { nLeftOut }] : reasons, makeFailure);
}

function makeFailure(failure) {
  if (failure.nLeftOut) return makeElement("li", { class: "soft" }, `${failure.nLeftOut} reasons more`);
  const [first, ...rest] = failure.reason.trim().split("\n");
  const count = `${failure.n_networks.toLocaleString("en")} ${failure.status}: ${failure.example_ids.join(", ")}${failure.n_networks > failure.example_ids.length ? ", ..." : ""}`;
  const details = rest.length ? [makeElement("details", {}, makeElement("summary", {}, "all of it"), makeElement("pre", {}, failure.reason))] : [];
  return makeElement("li", {}, first, makeElement("span", { class: "soft" }, count), ...details);
}

// --- the answer -----------------------------------------------------------------------------------

function showAnswerState(status) {
  const answer = status.answer ?? { has_summary: false };
  const isComplete = !status.is_active && status.done + status.failed >= status.total;
  find("answer-title").textContent = isComplete ? "The answer" : "What is known so far";
  find("answer").hidden = !status.answer || status.state === "waiting";
  const problem = status.failures.problem || answer.problem;
  if (!answer.has_summary) {
    const text = problem ? `Nothing can be said of the best T yet: ${problem}` : "Computing the answer ...";
    update(find("opening"), text, () => makeElement("p", {}, text));
  }
  const facts = [];
  if (answer.has_summary && words.n_networks) {
    const age = status.is_active || answer.is_computing ? `, computed ${answer.age} ago` : "";
    const whole = words.n_networks < status.total ? ` of ${status.total.toLocaleString("en")}` : "";
    facts.push(`From ${words.n_networks.toLocaleString("en")}${whole} networks${age}.`);
  }
  if (answer.has_summary && !isComplete) facts.push("It may change until the sweep is done.");
  if (answer.has_summary && answer.is_computing) facts.push("A new one is being computed.");
  if (answer.has_summary && problem) facts.push(`The newest table gives none: ${problem}`);
  update(find("answer-age"), facts, () => facts.join(" "));
}

/** Make a paragraph whose first sentence, which says what to do, stands out. */
function makeParagraph(text) {
  const unbroken = text.replaceAll("T = ", "T\u00a0=\u00a0");
  const first = unbroken.match(/^.*?[.:](?= |$)/s)?.[0] ?? unbroken;
  return makeElement("p", {}, makeElement("strong", {}, first), unbroken.slice(first.length));
}

async function loadAnswer(version) {
  words = await ask("api/answer");
  update(find("opening"), words.opening, (paragraphs) => paragraphs.map(makeParagraph));
  const sentences = [...words.notes, ...words.terms, ...(words.redraws ? [words.redraws] : [])];
  find("reading").hidden = !sentences.length;
  update(find("terms"), sentences, () => sentences.map((text) => makeElement("li", {}, text)));
  const mores = words.n_without_results - words.without_results.length;
  const without = words.n_without_results ? `Without results so far: ${words.without_results.join("; ")}${mores ? ` and ${mores} more` : ""}.` : "";
  update(find("without-results"), without, (text) => text);
  update(find("legend"), [words.measure, words.split], () =>
    `Mean ${words.measure} on the ${words.split} split against T. Filled points are statistically tied with the best; the band is a 95 % interval. ` +
    "Below: the best T, its 95 % interval, and as pale lines the tied T. A click shows the networks.");
  await loadCells();
  if (openCell) await loadDetail();
  answerVersion = version;
}

async function loadCells() {
  const result = await ask("api/cells", { search: find("search").value, order: find("order").value, offset, limit: PAGE_CELLS });
  if (offset && offset >= result.n_matching) {
    offset = 0;
    await loadCells();
    return;
  }
  find("cells").hidden = !result.n_cells;
  find("cell-controls").hidden = result.n_cells < 2;
  const last = Math.min(offset + PAGE_CELLS, result.n_matching);
  update(find("shown"), [offset, last, result.n_matching], () =>
    result.n_matching ? `${offset + 1} to ${last} of ${result.n_matching.toLocaleString("en")}` : "none match");
  find("previous").disabled = offset === 0;
  find("next").disabled = last >= result.n_matching;
  showCards(result);
}

/** Show a card for each setting; cards that stay keep their element, and with it the keyboard's focus. */
function showCards({ cells, lowest_T: low, highest_T: high }) {
  const cards = new Map([...find("cards").children].map((card) => [card.dataset.id, card]));
  const shown = cells.map((cell) => {
    const card = cards.get(cell.id) ?? makeElement("button", { type: "button", class: "card", "data-id": cell.id });
    update(card, { cell, low, high }, () => makeCardContent(cell, { low, high }));
    return card;
  });
  const isSame = shown.length === find("cards").children.length && shown.every((card, i) => card === find("cards").children[i]);
  if (!isSame) find("cards").replaceChildren(...shown);
}

/** Keep each name of a setting on one line with its value, if they are short. */
function keepTogether(name) {
  return name.split(", ").map((part) => (part.length < 28 ? part.replaceAll(" ", "\u00a0") : part)).join(", ");
}

function makeCardContent(cell, range) {
  const label = `${words.measure} against T for ${cell.name}: best T ${formatTemperature(cell.best)}, 95 % interval ${cell.interval}`;
  const runs = cell.n_failed ? `, ${cell.n_failed} failed` : "";
  const several = cell.curve.T.length > 1;
  const hasInterval = cell.curve.band.some((band) => band !== null);
  const interval = hasInterval ? `interval: ${cell.interval}` : "interval not known yet";
  const best = several ? `Best T ${formatTemperature(cell.best)}, ${interval}` : `Only T = ${formatTemperature(cell.best)} so far`;
  const facts = [`${cell.replicates} ${cell.replicates === 1 ? "replicate" : "replicates"}${runs}`];
  if (several && hasInterval) facts.push(`tied: ${cell.tied}`);
  return [
    makeElement("strong", {}, keepTogether(cell.name)),
    drawErrors(cell, range, { width: 290, height: 170 }, label),
    makeElement("span", {}, best),
    makeElement("span", { class: "soft" }, facts.join(" \u00b7 ")),
  ];
}

// --- the window of a setting ----------------------------------------------------------------------

async function loadDetail() {
  try {
    const cell = await ask("api/cell", { cell: openCell });
    if (cell.id !== openCell) return;
    update(find("detail-title"), keepTogether(cell.name), (name) => name);
    update(find("detail-content"), cell, () => makeDetail(cell, words));
  } catch (error) {
    update(find("detail-content"), error.message, (text) => makeElement("p", { class: "warning" }, text));
  }
}

function openDetail(card) {
  openCell = card.dataset.id;
  update(find("detail-title"), card.firstChild.textContent, (name) => name);
  update(find("detail-content"), "loading", () => makeElement("p", { class: "soft" }, "Loading ..."));
  find("detail").showModal();
  loadDetail();
}

// --- what the user does ---------------------------------------------------------------------------

function chooseSweep(name) {
  sweep = name;
  answerVersion = "";
  words = {};
  offset = 0;
  find("search").value = "";
  find("cells").hidden = true;
  find("reading").hidden = true;
  const address = new URLSearchParams({ ...(token ? { token } : {}), ...(name ? { sweep: name } : {}) });
  history.replaceState(null, "", `?${address}`);
}

function showOtherCells(newOffset) {
  offset = newOffset;
  loadCells().catch((error) => showProblem(describeError(error)));
}

let searchTimer = 0;
find("search").addEventListener("input", () => {
  clearTimeout(searchTimer);
  searchTimer = setTimeout(() => showOtherCells(0), 200);
});
find("order").addEventListener("change", () => showOtherCells(0));
find("previous").addEventListener("click", () => showOtherCells(Math.max(0, offset - PAGE_CELLS)));
find("next").addEventListener("click", () => showOtherCells(offset + PAGE_CELLS));
find("sweep").addEventListener("change", (event) => {
  chooseSweep(event.target.value);
  event.target.blur();
  refresh();
});
find("cards").addEventListener("click", (event) => {
  const card = event.target.closest(".card");
  if (card) openDetail(card);
});
find("detail").addEventListener("close", () => { openCell = ""; });
find("detail").addEventListener("click", (event) => { if (event.target === find("detail")) find("detail").close(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
refresh();
