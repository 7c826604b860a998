// Elements of the page. All text is set as text: what a user wrote never becomes markup.

/** Return the element with an id. */
export const find = (id) => document.getElementById(id);

/** Make an element with attributes and content, texts or elements. */
export function makeElement(name, attributes = {}, ...content) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...content);
  return element;
}

/** Make a table that scrolls in itself. */
export function makeTable(columns, rows, label) {
  const head = makeElement("tr", {}, ...columns.map((name) => makeElement("th", { scope: "col" }, name)));
  const body = rows.map((row) =>
    makeElement("tr", {}, ...row.map((text) => makeElement("td", text.length > 60 ? { class: "long" } : {}, text))));
  const table = makeElement("table", {}, makeElement("thead", {}, head), makeElement("tbody", {}, ...body));
  return makeElement("div", { class: "wide", tabindex: "0", role: "region", "aria-label": label }, table);
}

const shownContents = new WeakMap(); // element -> what it shows, as text

/** Fill an element with what `make` returns if `data` is not what it shows already; return whether it was filled. */
export function update(element, data, make) {
  const text = JSON.stringify(data);
  if (shownContents.get(element) === text) return false;
  shownContents.set(element, text);
  element.replaceChildren(...[make(data)].flat());
  return true;
}
