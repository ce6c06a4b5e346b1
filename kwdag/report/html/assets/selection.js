// The rows that a reader has picked in one view, and everyone who wants to know; one for each node.

class Selection {
  constructor() {
    this.rows = new Set();
    this.origin = null;
    this._listeners = [];
  }

  // `origin` is the view it came from: `table`, or anything else.
  set(rows, origin) {
    this.rows = new Set(rows);
    this.origin = this.rows.size ? origin : null;
    for (const listener of this._listeners) listener(this);
  }

  toggle(row, origin) {
    const rows = new Set(this.rows);
    if (!rows.delete(row)) rows.add(row);
    this.set(rows, origin);
  }

  clear() {
    if (this.rows.size) this.set([], null);
  }

  listen(listener) {
    this._listeners.push(listener);
  }
}

// Rows of which no other is better in both columns, the best in `a` first; equal rows stand together.
function paretoRows(a, b) {
  const [goodA, goodB] = [a, b].map((one) => (i) => one.numbers[i] * (one.good || 1));
  const known = [];
  for (let i = 0; i < a.rows; i++) if (isFinite(goodA(i)) && isFinite(goodB(i))) known.push(i);
  known.sort((i, j) => goodA(j) - goodA(i) || goodB(j) - goodB(i));
  const front = [];
  for (const i of known) {
    const last = front.at(-1);
    const equal = last !== undefined && goodA(last) === goodA(i) && goodB(last) === goodB(i);
    if (last === undefined || goodB(i) > goodB(last) || equal) front.push(i);
  }
  return front;
}
