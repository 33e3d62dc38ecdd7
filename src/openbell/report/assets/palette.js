// Colors live in the style sheet, light and dark; the canvas reads them from there. Also: how numbers and times are written.

const darkScheme = matchMedia("(prefers-color-scheme: dark)");

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

function withAlpha(hex, alpha) {
  return hex + Math.round(alpha * 255).toString(16).padStart(2, "0");
}

function element(tag, text, className) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

const formats = new Map();
function numberText(value, decimals) {
  if (!Number.isFinite(value)) return "–";
  if (!formats.has(decimals)) {
    formats.set(decimals, new Intl.NumberFormat("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));
  }
  return formats.get(decimals).format(value);
}

function quantityText(value) {
  return Number.isFinite(value) ? value.toLocaleString("en-US", { maximumSignificantDigits: 10 }) : "–";
}

function percentText(fraction) {
  return Number.isFinite(fraction) ? numberText(100 * fraction, 2) + " %" : "–";
}

function timeText(seconds, withClock) {
  const text = new Date(seconds * 1000).toISOString();
  if (!withClock) return text.slice(0, 10);
  return text.slice(0, 10) + " " + (seconds % 60 ? text.slice(11, 19) : text.slice(11, 16));
}

function compactText(value) {
  return Number.isFinite(value) ? value.toLocaleString("en-US", { notation: "compact", maximumFractionDigits: 2 }) : "–";
}
