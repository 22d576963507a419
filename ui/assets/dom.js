// Makes elements; text is always text, so that no name of an object is ever taken for markup.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(9).filter((each) => each !== null && each !== undefined && each !== ""));
  return element;
}

// Replaces what is in an element; what had the focus, open or scrolled, has it afterwards.
export function fill(element, ...children) {
  const active = document.activeElement;
  const key = element.contains(active) ? active.closest("[data-k]")?.dataset.k : undefined;
  const open = new Map([...element.querySelectorAll("details[data-k]")].map((e) => [e.dataset.k, e.open]));
  const top = element.scrollTop;
  element.replaceChildren(...children.flat(9).filter(Boolean));
  for (const each of element.querySelectorAll("details[data-k]")) {
    if (open.has(each.dataset.k)) each.open = open.get(each.dataset.k);
  }
  element.scrollTop = top;
  if (key !== undefined) element.querySelector(`[data-k="${CSS.escape(key)}"]`)?.focus();
}

export const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

const collator = new Intl.Collator("en", { numeric: true });
export const natural = (a, b) => collator.compare(a, b);

const STEPS = [[120, 1, "s"], [7200, 60, "m"], [172800, 3600, "h"], [Infinity, 86400, "d"]];

// Returns how long ago a time is, as kubectl tells it.
export function age(text, now = Date.now()) {
  const seconds = Math.max(0, (now - Date.parse(text)) / 1000);
  if (Number.isNaN(seconds)) return "";
  const [, unit, name] = STEPS.find(([below]) => seconds < below);
  return `${Math.floor(seconds / unit)}${name}`;
}

export const clock = (text) => new Date(text).toLocaleTimeString("en-GB");
