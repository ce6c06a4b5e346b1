// The data of the page as columns that are read by row number; rows come worst first, the last is the best.
// The other side of kwdag/report/html/encode.py.

const TYPES = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f8: Float64Array };

function bytes(text) {
  const raw = atob(text);
  const found = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) found[i] = raw.charCodeAt(i);
  return found;
}

function unpack(packed) {
  const kind = Object.keys(packed).find((name) => name in TYPES);
  return new TYPES[kind](bytes(packed[kind]).buffer);
}

// Texts of rows, stored one by one or as levels and codes.
function unpackTexts(spec) {
  if (spec.texts) return (i) => spec.texts[i];
  const codes = unpack(spec.codes);
  return (i) => spec.levels[codes[i]];
}

class Column {
  constructor(spec, rows) {
    this.spec = spec;
    this.rows = rows;
    for (const name of ["key", "label", "group", "kind", "unit", "levels"]) this[name] = spec[name];
    this.show = Boolean(spec.show);
    this.good = spec.good || 0;
    this.primary = Boolean(spec.primary);
    this.hashed = Boolean(spec.hashed);
  }

  get codes() {
    if (!this._codes && this.levels) this._codes = unpack(this.spec.codes);
    return this._codes;
  }

  // Floats by row, NaN where missing; of a text column undefined.
  get numbers() {
    if (!this._numbers && this.kind === "num") {
      this._numbers = this.levels ? this._fromLevels() : unpack(this.spec);
    }
    return this._numbers;
  }

  _fromLevels() {
    const of = unpack({ f8: this.spec.numbers });
    return Float64Array.from(this.codes, (code) => of[code]);
  }

  // The whole value as text.
  text(i) {
    if (this.levels) return this.levels[this.codes[i]];
    return this.kind === "num" ? this.format(this.numbers[i]) : this.spec.texts[i];
  }

  // A value as it fits into a table.
  short(i) {
    if (this.levels) return this.shortLevels[this.codes[i]];
    return this.kind === "num" ? this.format(this.numbers[i]) : shortened(this.spec.texts[i], WIDEST);
  }

  get shortLevels() {
    return (this._short ??= shortLabels(this.levels, WIDEST));
  }

  get format() {
    return (this._format ??= formatOf(this.numbers, this.unit));
  }

  // Whether it is drawn by places of its values rather than by numbers.
  get discrete() {
    return Boolean(this.levels) && (this.kind !== "num" || this.levels.length <= 24);
  }

  get finite() {
    return (this._finite ??= this.numbers ? extent(this.numbers) : null);
  }
}

// The smallest and largest finite number, null without any.
function extent(numbers) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of numbers) {
    if (value < low && value > -Infinity) low = value;
    if (value > high && value < Infinity) high = value;
  }
  return low <= high ? [low, high] : null;
}

class Folders {
  constructor(spec, job) {
    this.parent = unpackTexts(spec.parents);
    this.name = spec.names ? unpackTexts(spec.names) : job;
    this.log = spec.log;
  }

  // The address of a row's job directory, empty if it has none.
  of(i) {
    const parent = this.parent(i);
    return parent && `${parent}/${this.name(i)}`;
  }
}

class NodeData {
  constructor(spec) {
    this.name = spec.name;
    this.rows = spec.rows;
    this.pictures = spec.pictures;
    this.columns = spec.columns.map((one) => new Column(one, spec.rows));
    this.byKey = new Map(this.columns.map((one) => [one.key, one]));
    const job = this.byKey.get("job_id");
    this.folders = new Folders(spec.folders, (i) => (job ? job.text(i) : ""));
    this.metrics = this.columns.filter((one) => one.group === "metric" && one.kind === "num");
    this.params = this.columns.filter((one) => one.group === "param" && one.levels.length > 1);
    this.primary = this.columns.find((one) => one.primary && one.kind === "num") || this.metrics[0];
    this.region = this.byKey.get("region_id");
  }

  rank(i) {
    return this.rows - i;
  }
}
