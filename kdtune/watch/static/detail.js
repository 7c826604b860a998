// The window that a click on a setting opens: its curve, its networks and their learning curves.

import { chooseColour, drawErrors, drawLearning, formatNumber, formatTemperature, makeSvg } from "./charts.js";
import { makeElement, makeTable } from "./elements.js";

const MAX_CURVES = 12; // More lines could not be told apart.
const MODEL_NAMES = { teacher: "teacher", student: "labels alone", distilled_student: "student" };

/** Return the content of the window. `words` says what the measure, its split and the margin are called. */
export function makeDetail(cell, words) {
  const range = { low: Math.min(...cell.curve.T), high: Math.max(...cell.curve.T) };
  const size = { width: Math.min(900, Math.max(340, window.innerWidth - 60)), height: 320 };
  const label = `${words.measure} on the ${words.split} split against T for ${cell.name}`;
  return [
    makeElement("p", {}, describeBest(cell, words)),
    ...describeTest(cell.test),
    makeElement("h3", {}, `Mean ${words.measure} on the ${words.split} split against T`),
    drawErrors(cell, range, size, label),
    makeTemperatureTable(cell, words),
    makeElement("h3", {}, "Learning curves"),
    ...makeLearning(cell, size),
    makeElement("h3", {}, "Networks"),
    ...makeNetworks(cell),
  ];
}

function describeBest(cell, words) {
  const parts = [`Best T: ${formatTemperature(cell.best)}, 95 % interval ${cell.interval}`, `statistically tied: ${cell.tied}`];
  if (words.margin) parts.push(`${words.margin}, 95 % sure: ${cell.good_enough}`);
  if (cell.flags) parts.push(`flags: ${cell.flags}`);
  return `${parts.join("; ")}.`;
}

function describeTest(test) {
  const names = { student: "student", baseline: "labels alone", teacher: "teacher" };
  const known = Object.keys(names).filter((name) => typeof test[name] === "number");
  if (!known.length) return [];
  const values = known.map((name) => `${names[name]} ${formatNumber(test[name], 4)}`);
  return [makeElement("p", {}, `Errors on the test split at that T, means: ${values.join(", ")}.`)];
}

/** Return yes, what stands for no, or a dash where it is not known. */
function describe(truth, no) {
  if (truth === null) return "-";
  return truth ? "yes" : no;
}

function makeTemperatureTable(cell, words) {
  const { T, errors, band, tied, good_enough: isGood, replicates } = cell.curve;
  const columns = ["T", `mean ${words.measure}`, "\u00b1 (95 %)", "statistically tied", "runs"];
  if (words.margin) columns.splice(4, 0, words.margin);
  const rows = T.map((temperature, i) => {
    const row = [formatTemperature(temperature), formatNumber(errors[i], 5), formatNumber(band[i]), describe(tied[i], "no"), `${replicates[i]}`];
    if (words.margin) row.splice(4, 0, describe(isGood[i], "not shown"));
    return row;
  });
  return makeTable(columns, rows, "Mean errors of each T");
}

function makeLearning(cell, size) {
  if (!cell.learning.length) {
    return [makeElement("p", { class: "soft" }, "None were recorded: `train: {eval_every: 1}` in the sweep file records them.")];
  }
  const students = cell.learning.filter((curve) => curve.model === "distilled_student");
  const step = Math.max(1, (students.length - 1) / (MAX_CURVES - 1));
  const shown = new Set(students.map((_, i) => Math.round(i * step)).slice(0, MAX_CURVES));
  const chosen = students.filter((_, i) => shown.has(i));
  const curves = chosen.map((curve, i) => ({
    ...curve, kind: "student", name: `T = ${formatTemperature(curve.T)}`, colour: chooseColour(i / Math.max(1, chosen.length - 1)),
  }));
  for (const curve of cell.learning.filter((other) => other.model === "student")) {
    curves.push({ ...curve, kind: "baseline", name: "labels alone" });
  }
  if (!curves.length) return [makeElement("p", { class: "soft" }, "None of its students has recorded any yet.")];
  const keys = curves.map((curve) => {
    const colour = curve.colour ? { stroke: curve.colour } : {};
    const line = makeSvg("line", { class: `key-line ${curve.kind}`, x1: 0, x2: 20, y1: 4, y2: 4, ...colour });
    return makeElement("li", {}, makeSvg("svg", { viewBox: "0 0 20 8", "aria-hidden": "true" }, [line]), curve.name);
  });
  return [
    makeElement("p", { class: "soft" }, "Mean errors on the validation split after each epoch, over the runs so far."),
    drawLearning(curves, size, `Learning curves of ${cell.name}`),
    makeElement("ul", { class: "keys soft" }, ...keys),
  ];
}

function makeNetworks(cell) {
  if (cell.problem) return [makeElement("p", { class: "warning" }, `The networks cannot be read: ${cell.problem}`)];
  const columns = ["network", "T", "replicate", "validation errors", "test errors", "outcome", "seconds", "host", "id"];
  const rows = cell.networks.map((network) => [
    MODEL_NAMES[network.model] ?? network.model,
    network.model === "distilled_student" ? formatTemperature(network.temp) : "",
    `${network.replicate ?? ""}`,
    formatNumber(network.val_num_error, 6),
    formatNumber(network.num_error, 6),
    network.error ? `${network.status}: ${network.error}` : network.status,
    formatNumber(network.seconds),
    network.host ?? "",
    network.id,
  ]);
  const content = [makeTable(columns, rows, `Networks of ${cell.name}`)];
  if (cell.n_networks > rows.length) {
    content.push(makeElement("p", { class: "soft" }, `The first ${rows.length} of ${cell.n_networks.toLocaleString("en")}; \`kdtune show\` has all.`));
  }
  return content;
}
