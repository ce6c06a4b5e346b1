// Values as text for a reader, and text as safe markup.

const WIDEST = 34;
const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function escaped(text) {
  return String(text).replace(/[&<>"']/g, (found) => ENTITIES[found]);
}

function shortened(text, width) {
  if (text.length <= width) return text;
  const head = Math.max(1, Math.floor(((width - 1) * 2) / 5));
  return `${text.slice(0, head)}…${text.slice(text.length - (width - 1 - head))}`;
}

// Distinct labels: long paths lose the folders they share, then their middle. As in kwdag/report/labels.py.
function shortLabels(texts, width) {
  if (texts.every((text) => text.length <= width)) return texts;
  const shared = sharedFolder(texts.filter((text) => text !== "(none)"));
  const labels = texts.map((text) =>
    shortened(shared && text.startsWith(shared) ? `…/${text.slice(shared.length)}` : text, width)
  );
  const seen = new Map();
  for (const label of labels) seen.set(label, (seen.get(label) || 0) + 1);
  const used = new Map();
  return labels.map((label) => {
    if (seen.get(label) === 1) return label;
    used.set(label, (used.get(label) || 0) + 1);
    return `${label} (${used.get(label)})`;
  });
}

function sharedFolder(texts) {
  if (texts.length < 2) return "";
  let prefix = texts[0];
  for (const text of texts) while (!text.startsWith(prefix)) prefix = prefix.slice(0, -1);
  return prefix.slice(0, prefix.lastIndexOf("/") + 1);
}

// What follows the last dot of each name, where that is enough to tell them apart.
function lastParts(names) {
  const tails = names.map((name) => name.slice(name.lastIndexOf(".") + 1));
  return names.map((name, i) => (tails[i] && tails.filter((one) => one === tails[i]).length === 1 ? tails[i] : name));
}

function formatOf(numbers, unit) {
  if (unit === "s") return (value) => (isNaN(value) ? "" : duration(value));
  if (unit === "B") return (value) => (isNaN(value) ? "" : amount(value));
  if (unit === "t") return (value) => (isNaN(value) ? "" : moment(value));
  return decimals(numbers);
}

// The same number of decimals for a whole column, or powers of ten where it spans many.
function decimals(numbers) {
  let [whole, low, high] = [true, Infinity, 0];
  for (const value of numbers) {
    if (!Number.isFinite(value)) continue;
    whole &&= Number.isInteger(value);
    const size = Math.abs(value);
    if (size > high) high = size;
    if (size && size < low) low = size;
  }
  const plain = (text) => (value) => (Number.isFinite(value) ? text(value) : isNaN(value) ? "" : String(value));
  if (whole && high < 1e15) return plain((value) => String(value));
  if (low < 1e-5 || high >= 1e9) return plain((value) => value.toExponential(4));
  const places = Math.min(6, Math.max(1, 5 - Math.floor(Math.log10(high))));
  return plain((value) => value.toFixed(places));
}

function duration(seconds) {
  if (seconds < 60) return `${Number(seconds.toPrecision(3))} s`;
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const at = units.findIndex(([, size]) => seconds >= size);
  const [[name, size], [lower, part]] = [units[at], units[at + 1]];
  const rest = Math.floor((seconds % size) / part);
  return `${Math.floor(seconds / size)} ${name}${rest ? ` ${rest} ${lower}` : ""}`;
}

function amount(size) {
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (Math.abs(size) < 1024) return `${Number(size.toPrecision(3))} ${unit}`;
    size /= 1024;
  }
  return `${Number(size.toPrecision(3))} TiB`;
}

function moment(seconds) {
  const at = new Date(seconds * 1000);
  const two = (value) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

// An element with properties and children; text never becomes markup.
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}
