// Charts of a setting as SVG elements. They take finished numbers; colours stand in watch.css.

const NAMESPACE = "http://www.w3.org/2000/svg";

/** Make an SVG element with attributes, children and a text. */
export function makeSvg(name, attributes = {}, children = [], text = "") {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  if (text) element.append(text);
  return element;
}

/** Write a number with a few digits: 1,234 or 0.0123. */
export function formatNumber(value, digits = 3) {
  if (value === null || value === undefined) return "-";
  const isLarge = Math.abs(value) >= 10 ** digits;
  return value.toLocaleString("en", isLarge ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: digits });
}

/** Write a temperature as it was tried. */
export function formatTemperature(T) {
  return T.toLocaleString("en", { maximumSignificantDigits: 6, useGrouping: false });
}

/** Return round numbers between two ends, about `count` of them. */
function chooseTicks(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const ticks = [];
  for (let i = Math.ceil(low / step); i * step <= high; i += 1) ticks.push(i * step);
  return ticks;
}

/** Return a function from values to pixels. */
function makeScale(low, high, start, end) {
  const span = high - low || 1;
  return (value) => start + ((value - low) / span) * (end - start);
}

/** Choose those of ascending values that have this distance in pixels at least. */
function thin(values, position, distance) {
  const chosen = [];
  for (const value of values) {
    if (!chosen.length || position(value) - position(chosen.at(-1)) >= distance) chosen.push(value);
  }
  return chosen;
}

function drawValueAxis(ticks, y, left, right) {
  return ticks.flatMap((tick) => [
    makeSvg("line", { class: "axis", x1: left, x2: right, y1: y(tick), y2: y(tick) }),
    makeSvg("text", { x: left - 5, y: y(tick) + 4, "text-anchor": "end" }, [], formatNumber(tick, 4)),
  ]);
}

/**
 * Draw errors against T on a logarithmic axis with their bands and, below, the interval of the best T.
 *
 * `cell` is the summary of a setting; `range` the lowest and highest T of the axis; `size` has width and height.
 */
export function drawErrors(cell, range, size, label) {
  const { T, errors, band, tied, replicates } = cell.curve;
  const left = 52, right = size.width - 12, top = 10, strip = size.height - 30, bottom = strip - 16;
  const isSingle = range.low === range.high;
  const logLow = Math.log2(range.low) - (isSingle ? 1 : 0), logHigh = Math.log2(range.high) + (isSingle ? 1 : 0);
  const scaleX = makeScale(logLow, logHigh, left + 8, right - 8);
  const x = (temperature) => scaleX(Math.log2(temperature));
  const lows = errors.map((value, i) => value - (band[i] ?? 0)), highs = errors.map((value, i) => value + (band[i] ?? 0));
  const low = Math.min(...lows), high = Math.max(...highs), room = (high - low) * 0.05 || Math.abs(high) * 0.1 || 1;
  const y = makeScale(low - room, high + room, bottom, top);
  const indices = T.map((_, i) => i);
  const withBand = indices.filter((i) => band[i] !== null);
  const parts = drawValueAxis(chooseTicks(low - room, high + room, Math.max(3, size.height / 60)), y, left, right);
  if (withBand.length > 1) {
    const outline = [...withBand.map((i) => [x(T[i]), y(highs[i])]), ...withBand.toReversed().map((i) => [x(T[i]), y(lows[i])])];
    parts.push(makeSvg("polygon", { class: "band", points: outline.join(" ") }));
  }
  parts.push(makeSvg("polyline", { class: "mean", points: indices.map((i) => [x(T[i]), y(errors[i])]).join(" ") }));
  const radius = T.length > 30 ? 2 : 3.5;
  for (const i of indices) {
    const interval = band[i] === null ? "" : ` \u00b1 ${formatNumber(band[i])}`;
    const text = `T = ${formatTemperature(T[i])}: ${formatNumber(errors[i], 4)}${interval}, n = ${replicates[i]}, ${describeTie(tied[i])}`;
    const dot = { class: tied[i] === false ? "worse" : "tied", cx: x(T[i]), cy: y(errors[i]), r: radius };
    parts.push(makeSvg("circle", dot, [makeSvg("title", {}, [], text)]));
  }
  for (const temperature of thin(T, x, 34)) {
    parts.push(makeSvg("text", { x: x(temperature), y: size.height - 4, "text-anchor": "middle" }, [], formatTemperature(temperature)));
  }
  parts.push(makeSvg("text", { x: left - 5, y: size.height - 4, "text-anchor": "end" }, [], "T"));
  if (T.length > 1 && withBand.length) parts.push(...drawOptimum(cell, x, strip, left, right));
  return makeSvg("svg", { class: "chart", viewBox: `0 0 ${size.width} ${size.height}`, role: "img", "aria-label": label }, parts);
}

function describeTie(isTied) {
  if (isTied === null) return "one run";
  return isTied ? "statistically tied with the best" : "significantly worse than the best";
}

/** Draw the tied temperatures as a pale line, the interval as a thin one with arrows where it is open, and the best T. */
function drawOptimum(cell, x, y, left, right) {
  const clip = (position) => Math.max(left, Math.min(right, position));
  const low = cell.low === null ? left : clip(x(cell.low)), high = cell.high === null ? right : clip(x(cell.high));
  const parts = listTiedRanges(cell.curve).map(([first, last]) =>
    makeSvg("line", { class: "pale", x1: x(first), x2: x(last) + 0.01, y1: y, y2: y })); // A line of no length is not drawn.
  parts.push(makeSvg("line", { class: "interval", x1: low, x2: high, y1: y, y2: y }));
  if (cell.low === null) parts.push(makeSvg("path", { class: "best", d: `M${left - 2} ${y}l6 -4v8z` }));
  if (cell.high === null) parts.push(makeSvg("path", { class: "best", d: `M${right + 2} ${y}l-6 -4v8z` }));
  const best = x(cell.best);
  parts.push(makeSvg("path", { class: "best", d: `M${best} ${y - 6}l6 6l-6 6l-6 -6z` }));
  return parts;
}

/** Return the first and last T of each run of neighbours that are tied with the best. */
function listTiedRanges({ T, tied }) {
  const ranges = [];
  T.forEach((temperature, i) => {
    if (tied[i] && tied[i - 1]) ranges.at(-1)[1] = temperature;
    else if (tied[i]) ranges.push([temperature, temperature]);
  });
  return ranges;
}

/** Return the colour of a curve: from blue, the lowest T, to orange, the highest. */
export function chooseColour(share) {
  return `hsl(${210 - 180 * share} 75% 48%)`;
}

/** Draw learning curves: errors against epochs, a line for each T. Values that span decades get a logarithmic axis. */
export function drawLearning(curves, size, label) {
  const left = 52, right = size.width - 12, top = 10, bottom = size.height - 34;
  const values = curves.flatMap((curve) => curve.errors);
  const low = Math.min(...values), high = Math.max(...values);
  const isLogarithmic = low > 0 && high / low > 8;
  const move = isLogarithmic ? Math.log10 : (value) => value;
  const scaleY = makeScale(move(low), move(high), bottom, top);
  const y = (value) => scaleY(move(value));
  const last = Math.max(...curves.flatMap((curve) => curve.epochs));
  const x = makeScale(0, last, left + 4, right - 4);
  const decades = [0, 1, 2, 3, 4, 5, 6].flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power));
  const ticks = isLogarithmic ? decades.filter((tick) => tick >= low && tick <= high) : chooseTicks(low, high, 4);
  const parts = drawValueAxis(ticks, y, left, right);
  for (const curve of curves) {
    const points = curve.epochs.map((epoch, i) => [x(epoch), y(curve.errors[i])]).join(" ");
    const colour = curve.colour ? { stroke: curve.colour } : {};
    const line = makeSvg("polyline", { class: `curve ${curve.kind}`, points, ...colour }, [makeSvg("title", {}, [], curve.name)]);
    parts.push(line);
  }
  for (const tick of chooseTicks(0, last, Math.min(8, size.width / 80)).filter(Number.isInteger)) {
    parts.push(makeSvg("text", { x: x(tick), y: bottom + 16, "text-anchor": "middle" }, [], `${tick}`));
  }
  parts.push(makeSvg("text", { x: (left + right) / 2, y: size.height - 4, "text-anchor": "middle" }, [], "epochs"));
  return makeSvg("svg", { class: "chart", viewBox: `0 0 ${size.width} ${size.height}`, role: "img", "aria-label": label }, parts);
}
