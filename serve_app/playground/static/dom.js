// The few words this page needs to speak with its document, and how it writes numbers.

export const byId = (id) => document.getElementById(id);

/** A new element; `properties` are set on it as they are, except `class`, `data` and `style` (custom
 * properties and others, by name: the policy forbids the attribute, not the object). */
export function element(tag, { class: name, data = {}, style = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  if (name) made.className = name;
  Object.assign(made.dataset, data);
  for (const [property, value] of Object.entries(style)) made.style.setProperty(property, value);
  made.append(...children);
  return made;
}

/** A whole number of things: `1,024`. */
export const count = (number) => number.toLocaleString("en");

/** A ratio or a score with so many digits: `0.87`. */
export const decimal = (number, digits = 2) => number.toFixed(digits);

/** A time: `0.4 ms`, `38 ms`, `1.24 s`. */
export function duration(ms) {
  if (ms >= 1000) return `${decimal(ms / 1000)} s`;
  return `${decimal(ms, ms < 10 ? 1 : 0)} ms`;
}

/** A share of a whole, for styles. */
export const percent = (part, whole) => `${(100 * part) / whole}%`;
