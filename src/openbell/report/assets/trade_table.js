// The trade table: any number of rows, only those in sight are in the document.

const ROW_HEIGHT = 33, SPARE_ROWS = 8;

class TradeTable {
  constructor(scroll, table, trades, columns, onSelect) {
    Object.assign(this, { scroll, trades, columns, onSelect, sortedBy: 0, descending: false, selected: -1 });
    this.head = table.tHead;
    this.body = table.tBodies[0];
    this.all = trades.number.map((_, row) => row);
    this.buildHead();
    scroll.addEventListener("scroll", () => this.render(), { passive: true });
    this.body.addEventListener("click", (event) => {
      const line = event.target.closest("tr[data-trade]");
      if (line) this.select(Number(line.dataset.trade));
    });
    scroll.addEventListener("keydown", (event) => this.step(event));
    this.filter(() => true);
  }

  buildHead() {
    const line = this.head.insertRow();
    this.columns.forEach((column, index) => {
      const cell = element("th", undefined, column.left ? "left" : "");
      const button = element("button", column.label);
      button.type = "button";
      button.addEventListener("click", () => this.sort(index));
      cell.append(button);
      line.append(cell);
    });
  }

  filter(keep) {
    this.rows = Array.from(this.all).filter(keep);
    this.order();
  }

  sort(index) {
    this.descending = this.sortedBy === index ? !this.descending : !this.columns[index].left;
    this.sortedBy = index;
    this.order();
  }

  order() {
    const { key } = this.columns[this.sortedBy], sign = this.descending ? -1 : 1;
    this.rows.sort((a, b) => {
      const x = key(a), y = key(b);
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || a - b; // what is missing comes last
      return x < y ? -sign : x > y ? sign : a - b;
    });
    Array.from(this.head.rows[0].cells).forEach((cell, index) => {
      cell.removeAttribute("aria-sort");
      if (index === this.sortedBy) cell.setAttribute("aria-sort", this.descending ? "descending" : "ascending");
    });
    this.first = -1;
    this.scroll.scrollTop = 0;
    this.scroll.classList.toggle("short", this.rows.length < 12);
    this.render();
  }

  render() {
    const inSight = Math.ceil((this.scroll.clientHeight || 430) / ROW_HEIGHT);
    const first = Math.max(0, Math.floor(this.scroll.scrollTop / ROW_HEIGHT) - SPARE_ROWS);
    const last = Math.min(this.rows.length, first + inSight + 2 * SPARE_ROWS);
    if (first === this.first && last === this.last) return;
    Object.assign(this, { first, last });
    const lines = this.rows.slice(first, last).map((row) => this.line(row));
    this.body.replaceChildren(gapLine(first), ...lines, gapLine(this.rows.length - last));
  }

  line(row) {
    const line = element("tr", undefined, row === this.selected ? "selected" : "");
    line.dataset.trade = row;
    for (const column of this.columns) {
      const value = column.key(row);
      const tone = column.signed && value ? (value > 0 ? " gain" : " loss") : "";
      line.append(element("td", column.text(row), (column.left ? "left " : "") + (column.className ?? "") + tone));
    }
    return line;
  }

  select(row) {
    this.selected = row;
    this.first = -1;
    this.render();
    this.onSelect(row);
  }

  // Arrow keys walk from trade to trade.
  step(event) {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!move || !this.rows.length) return;
    event.preventDefault();
    const place = Math.max(0, Math.min(this.rows.length - 1, this.rows.indexOf(this.selected) + move));
    const top = place * ROW_HEIGHT, room = this.scroll.clientHeight - 2 * ROW_HEIGHT;
    if (top < this.scroll.scrollTop || top > this.scroll.scrollTop + room) this.scroll.scrollTop = top - room / 2;
    this.select(this.rows[place]);
  }
}

function gapLine(rows) {
  const line = element("tr", undefined, "gap");
  line.append(Object.assign(element("td"), { colSpan: 99, style: `height:${rows * ROW_HEIGHT}px` }));
  return line;
}
