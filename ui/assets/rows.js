// A list of which only what can be seen is in the document, for the eye, the keyboard and readers.

const BEYOND = 400;

export class Rows {
  // columns: of each row, for the keyboard; heightOf, render and keyOf get an index.
  constructor(scroller, source) {
    this.scroller = scroller;
    this.source = source;
    this.body = scroller.querySelector("[data-body]");
    this.shown = new Map();
    this.active = { key: undefined, cell: 0 };
    this.tops = [0];
    scroller.addEventListener("scroll", () => this.draw(), { passive: true });
    this.body.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("focusin", (event) => this.focused(event.target));
  }

  // Takes in that rows came, went, or have another height.
  layout() {
    const { count, heightOf } = this.source;
    const tops = [0];
    for (let index = 0; index < count(); index++) tops.push(tops[index] + heightOf(index));
    this.tops = tops;
    this.body.style.height = `${tops.at(-1)}px`;
    this.index = new Map();
    for (let index = 0; index < count(); index++) this.index.set(this.source.keyOf(index), index);
    if (!this.index.has(this.active.key)) this.active = { key: count() ? this.source.keyOf(0) : undefined, cell: 0 };
    this.draw();
  }

  at(y) {
    let low = 0, high = this.tops.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.tops[middle] <= y) low = middle; else high = middle - 1;
    }
    return low;
  }

  draw() {
    const from = this.scroller.scrollTop - this.body.offsetTop;
    const first = this.at(Math.max(0, from - BEYOND));
    const last = Math.min(this.source.count() - 1, this.at(from + this.scroller.clientHeight + BEYOND));
    const wanted = new Set();
    for (let index = first; index <= last; index++) wanted.add(this.source.keyOf(index));
    if (this.active.key !== undefined) wanted.add(this.active.key);
    for (const [key, row] of this.shown) if (!wanted.has(key)) { row.element.remove(); this.shown.delete(key); }
    for (const key of wanted) this.put(key);
  }

  put(key) {
    const index = this.index.get(key);
    if (index === undefined) return;
    const version = this.source.versionOf(index);
    let row = this.shown.get(key);
    if (!row || row.version !== version) {
      const element = this.source.render(index);
      const cell = row?.element.contains(document.activeElement) ? this.active.cell : undefined;
      if (row) row.element.replaceWith(element);
      this.shown.set(key, (row = { element, version }));
      element.dataset.row = key;
      this.mark(row, key);
      if (!element.isConnected) this.insert(element, index);
      if (cell !== undefined) this.cells(row)[Math.min(cell, this.cells(row).length - 1)]?.focus({ preventScroll: true });
    }
    row.element.style.transform = `translateY(${this.tops[index]}px)`;
    row.element.setAttribute("aria-rowindex", index + 2);
  }

  // Keeps the order of the document that of the list, for readers.
  insert(element, index) {
    let after = null, best = Infinity;
    for (const [key, row] of this.shown) {
      const other = this.index.get(key);
      if (row.element !== element && row.element.isConnected && other > index && other < best) { best = other; after = row.element; }
    }
    this.body.insertBefore(element, after);
  }

  cells(row) {
    return row.element.querySelectorAll("[data-cell]");
  }

  mark(row, key) {
    const cells = this.cells(row);
    const at = key === this.active.key ? Math.min(this.active.cell, cells.length - 1) : -1;
    cells.forEach((each, index) => { each.tabIndex = index === at ? 0 : -1; });
  }

  focused(target) {
    const cell = target.closest("[data-cell]"), element = target.closest("[data-row]");
    if (!cell || !element) return;
    const before = this.shown.get(this.active.key), key = element.dataset.row;
    const row = this.shown.get(key);
    if (!row) return;
    this.active = { key, cell: [...this.cells(row)].indexOf(cell) };
    if (before && before !== row) this.mark(before, undefined);
    this.mark(row, key);
  }

  // Moves the focus to a cell of a row.
  go(index, cell) {
    const last = this.source.count() - 1;
    if (last < 0) return;
    const to = Math.max(0, Math.min(last, index)), key = this.source.keyOf(to);
    const before = this.shown.get(this.active.key);
    this.active = { key, cell };
    if (before) this.mark(before, undefined);
    const top = this.tops[to] + this.body.offsetTop, bottom = this.tops[to + 1] + this.body.offsetTop;
    const head = this.body.offsetTop;
    if (top - head < this.scroller.scrollTop) this.scroller.scrollTop = top - head;
    if (bottom > this.scroller.scrollTop + this.scroller.clientHeight) this.scroller.scrollTop = bottom - this.scroller.clientHeight;
    this.draw();
    const row = this.shown.get(key);
    this.mark(row, key);
    const cells = this.cells(row);
    cells[Math.max(0, Math.min(cell, cells.length - 1))]?.focus({ preventScroll: true });
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = this.shown.get(this.active.key), index = this.index?.get(this.active.key);
    if (!row || index === undefined) return;
    const cells = this.cells(row).length, cell = Math.min(this.active.cell, cells - 1);
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / (this.tops[index + 1] - this.tops[index])) - 1);
    const columns = this.source.columns();
    const moves = {
      ArrowRight: () => (cell + 1 < cells ? this.go(index, cell + 1) : this.go(index + 1, 0)),
      ArrowLeft: () => (cell > 0 ? this.go(index, cell - 1) : index > 0 && this.go(index - 1, Infinity)),
      ArrowDown: () => (cell > 0 && cell + columns < cells ? this.go(index, cell + columns) : this.go(index + 1, cell ? (cell - 1) % columns + 1 : 0)),
      ArrowUp: () => (cell > columns ? this.go(index, cell - columns) : index > 0 && this.go(index - 1, cell)),
      PageDown: () => this.go(index + page, cell),
      PageUp: () => this.go(index - page, cell),
      Home: () => (event.shiftKey ? this.go(index, 0) : this.go(0, 0)),
      End: () => (event.shiftKey ? this.go(index, cells - 1) : this.go(this.source.count() - 1, 0)),
    };
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      document.activeElement.click();
      return;
    }
    if (!moves[event.key]) return;
    event.preventDefault();
    moves[event.key]();
  }
}
