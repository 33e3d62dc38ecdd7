// Puts the page together from its content. All text goes in as text, never as markup.

const byId = (id) => document.getElementById(id);
const content = JSON.parse(byId("content").textContent);

function buildHeader() {
  byId("strategy").textContent = content.strategy;
  const symbols = content.views.map((view) => view.symbol).filter(Boolean);
  const shown = symbols.length > 4 ? `${symbols.length} instruments` : symbols.join(", ");
  const period = content.period.map((time) => time.replace("T00:00:00Z", "").replace("T", " ").replace(/:00Z$/, "")).join(" to ");
  byId("subtitle").textContent = [period, shown, content.digest && `digest ${content.digest.slice(0, 12)}`].filter(Boolean).join(" · ");
  for (const { label, text, sign } of content.headline) {
    const tile = element("div", undefined, "tile");
    tile.append(element("span", label), Object.assign(element("b", text, sign > 0 ? "gain" : sign < 0 ? "loss" : ""), { title: text }));
    byId("tiles").append(tile);
  }
}

function list(pairs) {
  const items = element("dl");
  for (const [label, text] of pairs) {
    const line = element("div");
    line.append(element("dt", label), element("dd", text));
    items.append(line);
  }
  return items;
}

function fillCard(id, pairs, className) {
  if (!pairs.length) return byId(id).remove();
  const items = list(pairs);
  if (className) items.className = className;
  byId(id).append(items);
}

function buildStatistics() {
  const groups = element("div", undefined, "groups");
  for (const name of new Set(content.statistics.map(([group]) => group))) {
    const group = element("div", undefined, "group");
    group.append(element("h3", name), list(content.statistics.filter((row) => row[0] === name).map((row) => row.slice(1))));
    groups.append(group);
  }
  byId("statistics").append(groups);
}

function buildCards() {
  buildStatistics();
  fillCard("models", content.models);
  fillCard("parameters", content.parameters);
  fillCard("settings", content.settings);
  fillCard("proof", [...content.proof, ...content.versions], "code");
}

function readView(block, view) {
  const column = (head) => head && readColumn(block, head);
  const prices = Object.keys(view.prices).length
    ? Object.fromEntries(Object.entries(view.prices).map(([name, head]) => [name, column(head)])) : null;
  return {
    symbol: view.symbol, merged: view.merged, prices, decimals: view.decimals,
    time: column(view.time), equity: column(view.equity), benchmark: column(view.benchmark), drawdown: column(view.drawdown),
    indicators: view.indicators.map((indicator) => ({ ...indicator, values: column(indicator.values) })),
  };
}

function readTrades(block) {
  const { symbols, columns } = content.trades;
  const trades = Object.fromEntries(Object.entries(columns).map(([name, head]) => [name, readColumn(block, head)]));
  return { ...trades, symbols, decimals: Math.max(...content.views.map(({ decimals }) => decimals)) };
}

function tradeColumns(trades) {
  const column = (name, label, text, more) => ({ label, key: (row) => trades[name][row], text: (row) => text(trades[name][row]), ...more });
  const price = (value) => numberText(value, trades.decimals);
  const clock = trades.entry_time.some((seconds) => seconds % 86400 !== 0);
  const time = (seconds) => timeText(seconds, clock);
  const columns = [
    column("number", "#", (value) => numberText(value, 0), { left: true }),
    { label: "Instrument", left: true, className: "instrument-cell", key: (row) => trades.instrument[row], text: (row) => trades.symbols[trades.instrument[row]] },
    column("long", "Side", (value) => (value ? "Long" : "Short"), { left: true }),
    column("entry_time", "Entry", time),
    column("entry_price", "Entry price", price),
    { label: "Exit", key: (row) => (trades.open[row] ? NaN : trades.exit_time[row]), text: (row) => (trades.open[row] ? "open" : time(trades.exit_time[row])) },
    column("exit_price", "Exit price", price),
    column("quantity", "Quantity", quantityText),
    column("fees", "Fees", (value) => numberText(value, 2)),
    column("bars", "Bars", (value) => numberText(value, 0)),
    column("return", "Return", percentText, { signed: true }),
    column("profit_and_loss", "P&L", (value) => numberText(value, 2), { signed: true }),
  ];
  return trades.symbols.length > 1 ? columns : columns.filter(({ label }) => label !== "Instrument");
}

function tradesOf(trades, symbol) {
  const of = trades.symbols.indexOf(symbol), found = [];
  for (let row = 0; row < trades.number.length; row++) {
    if (trades.instrument[row] === of && trades.entry_candle[row] >= 0) found.push(tradeMark(trades, row));
  }
  return found;
}

function tradeMark(trades, row) {
  return {
    row, entry: trades.entry_candle[row], exit: trades.exit_candle[row], entryPrice: trades.entry_price[row], exitPrice: trades.exit_price[row],
    long: trades.long[row] === 1, profit: trades.profit_and_loss[row], open: trades.open[row] === 1,
  };
}

function buttons(host, labels, onPress, pressed) {
  labels.forEach((label, index) => {
    const button = element("button", label);
    button.type = "button";
    if (pressed !== undefined) button.setAttribute("aria-pressed", index === pressed);
    button.addEventListener("click", () => {
      if (pressed !== undefined) for (const other of host.children) other.setAttribute("aria-pressed", other === button);
      onPress(index);
    });
    host.append(button);
  });
}

function toggle(id, onChange) {
  const button = byId(id);
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", on);
    onChange(on);
  });
}

class Page {
  constructor(block) {
    this.block = block;
    this.trades = readTrades(block);
    this.chart = new RunChart(byId("chart"), content.currency);
    this.shown = -1;
    this.buildToolbar();
    this.showInstrument(this.busiest());
    this.buildTable();
    darkScheme.addEventListener("change", () => this.redraw());
  }

  // The instrument with most trades opens first.
  busiest() {
    const counts = content.views.map(({ symbol }) => tradesOf(this.trades, symbol).length);
    return counts.indexOf(Math.max(...counts));
  }

  buildToolbar() {
    const select = byId("instrument");
    content.views.forEach(({ symbol }, index) => select.append(new Option(symbol, index)));
    byId("instrument-label").hidden = content.views.length < 2;
    select.addEventListener("change", () => this.showInstrument(Number(select.value)));
    if (!Object.keys(content.views[0].prices).length) {
      for (const id of ["log-scale", "show-trades", "legend-key"]) byId(id).hidden = true;
    }
    toggle("log-scale", (on) => this.chart.setLogarithmic(on));
    toggle("show-trades", (on) => this.chart.setTradesVisible(on));
    byId("show-benchmark").hidden = !content.views[0].benchmark;
    toggle("show-benchmark", (on) => this.chart.setBenchmarkVisible(on));
  }

  showInstrument(index) {
    if (index === this.shown) return;
    this.shown = index;
    byId("instrument").value = index;
    this.view = readView(this.block, content.views[index]);
    this.marks = tradesOf(this.trades, this.view.symbol);
    this.chart.show(this.view, this.marks);
    this.chart.setLogarithmic(this.chart.logarithmic);
    byId("chart-note").textContent = this.note();
    this.buildRanges();
  }

  note() {
    const { time, merged, prices } = this.view;
    const word = prices ? "bars" : "valuations";
    if (merged === 1) return `${numberText(time.length, 0)} ${word}`;
    return `each candle merges ${merged} ${word} to keep this file small`;
  }

  buildRanges() {
    const day = 86400, { time } = this.view, span = time[time.length - 1] - time[0];
    const ranges = [["1D", day], ["1W", 7 * day], ["1M", 31 * day], ["1Y", 366 * day], ["5Y", 1827 * day]];
    const fitting = ranges.filter(([, seconds]) => seconds < span * 0.9 && seconds > span / (time.length / 20));
    byId("ranges").replaceChildren();
    buttons(byId("ranges"), ["All", ...fitting.map(([label]) => label)], (index) => {
      if (index === 0) this.chart.fit();
      else this.chart.fitLast(fitting[index - 1][1]);
    });
  }

  buildTable() {
    const { trades } = this;
    byId("trade-count").textContent = numberText(trades.number.length, 0);
    if (!trades.number.length) {
      for (const id of ["trade-filter", "trade-note", "legend-key", "show-trades"]) byId(id).hidden = true;
      return byId("trade-scroll").replaceWith(element("p", "No trades were made.", "empty"));
    }
    this.table = new TradeTable(byId("trade-scroll"), byId("trades"), trades, tradeColumns(trades), (row) => this.zoomTo(row));
    const filters = [["All", () => true], ["Winners", (row) => trades.profit_and_loss[row] > 0], ["Losers", (row) => trades.profit_and_loss[row] < 0]];
    buttons(byId("trade-filter"), filters.map(([label]) => label), (index) => this.table.filter(filters[index][1]), 0);
  }

  zoomTo(row) {
    const symbol = this.trades.symbols[this.trades.instrument[row]];
    const index = content.views.findIndex((view) => view.symbol === symbol);
    if (index < 0) return;
    this.showInstrument(index);
    const trade = this.marks.find((mark) => mark.row === row);
    if (!trade) return;
    this.chart.zoomTo(trade);
    byId("chart").scrollIntoView({ behavior: "smooth", block: "nearest" });
  }

  redraw() {
    const range = this.chart.range();
    this.chart.show(this.view, this.marks);
    this.chart.setLogarithmic(this.chart.logarithmic);
    if (range) this.chart.setRange(range.from, range.to);
  }
}

async function open() {
  buildHeader();
  buildCards();
  const page = new Page(await readBlock(byId("columns").textContent));
  window.openbellReport = { page, visibleRange: () => page.chart.range() };
  document.documentElement.dataset.ready = "true";
}

open().catch((error) => {
  document.body.prepend(element("p", `This report could not be drawn: ${error.message}. It needs a browser of 2023 or later.`, "failed"));
  throw error;
});
