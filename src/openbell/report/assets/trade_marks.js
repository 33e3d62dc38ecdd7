// Draws entries and exits over the price: a lightweight-charts series primitive. Only what is in view is drawn. With many trades in
// view each becomes a dot, and with very many none; a strip at the foot of the pane tells winners from losers.

const DETAILED = 240;

class TradeMarks {
  constructor() {
    this.trades = [];
    this.selected = -1;
    this.visible = true;
    this.colors = {};
    const draw = (target) => target.useMediaCoordinateSpace((scope) => this.draw(scope));
    this.views = [{ zOrder: () => "top", renderer: () => ({ draw }) }];
  }

  attached({ chart, series, requestUpdate }) {
    Object.assign(this, { chart, series, requestUpdate });
  }

  paneViews() { return this.views; }
  updateAllViews() {}

  recolor() {
    for (const name of ["buy", "sell", "gain", "loss", "surface", "accent"]) this.colors[name] = color(name);
  }

  // Each: {row, entry, exit, entryPrice, exitPrice, long, profit, open}; entry and exit count candles.
  show(trades) {
    this.trades = trades;
    this.requestUpdate();
  }

  select(row) {
    this.selected = row;
    this.requestUpdate();
  }

  draw({ context, mediaSize }) {
    const range = this.chart.timeScale().getVisibleLogicalRange();
    if (!range || !this.visible) return;
    const seen = this.trades.filter((trade) => trade.exit >= range.from - 1 && trade.entry <= range.to + 1);
    const scale = this.chart.timeScale();
    this.at = (candle) => scale.logicalToCoordinate(candle);
    if (seen.length > DETAILED) this.drawDense(context, mediaSize, seen);
    else for (const trade of seen) this.drawTrade(context, trade);
    const chosen = this.trades.find((trade) => trade.row === this.selected);
    if (chosen) this.drawSelected(context, mediaSize, chosen);
  }

  drawTrade(context, trade) {
    const { x1, y1, x2, y2 } = this.ends(trade);
    context.strokeStyle = trade.profit >= 0 ? this.colors.gain : this.colors.loss;
    context.lineWidth = 1.5;
    context.setLineDash([4, 3]);
    context.beginPath();
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
    context.stroke();
    context.setLineDash([]);
    this.triangle(context, x1, y1, trade.long);
    if (!trade.open) this.triangle(context, x2, y2, !trade.long);
  }

  ends(trade) {
    const price = (value) => this.series.priceToCoordinate(value);
    const last = trade.open ? trade.entryPrice : trade.exitPrice;
    return { x1: this.at(trade.entry), y1: price(trade.entryPrice), x2: this.at(trade.exit), y2: price(last) };
  }

  // A buy points up from below its price, a sell points down from above.
  triangle(context, x, y, isBuy) {
    const size = 5, foot = isBuy ? 10 : -10;
    context.beginPath();
    context.moveTo(x, y + (isBuy ? 1 : -1));
    context.lineTo(x - size, y + foot);
    context.lineTo(x + size, y + foot);
    context.closePath();
    context.fillStyle = isBuy ? this.colors.buy : this.colors.sell;
    context.strokeStyle = this.colors.surface;
    context.lineWidth = 1;
    context.fill();
    context.stroke();
  }

  drawDense(context, { width, height }, seen) {
    const profit = new Map(), dots = new Map();
    for (const trade of seen) {
      const column = Math.round(this.at(trade.exit));
      profit.set(column, (profit.get(column) ?? 0) + trade.profit);
      dots.set(Math.round(this.at(trade.entry)), trade);
    }
    for (const [column, sum] of profit) {
      context.fillStyle = sum >= 0 ? this.colors.gain : this.colors.loss;
      context.fillRect(column, height - 6, 1, 6);
    }
    if (seen.length > width) return; // more than one a pixel would hide the price
    for (const [column, trade] of dots) {
      context.fillStyle = trade.long ? this.colors.buy : this.colors.sell;
      context.fillRect(column - 1, this.series.priceToCoordinate(trade.entryPrice) - 1, 2, 2);
    }
  }

  drawSelected(context, { height }, trade) {
    const { x1, x2 } = this.ends(trade);
    context.fillStyle = withAlpha(this.colors.accent, 0.12);
    context.fillRect(x1 - 1, 0, Math.max(x2 - x1, 0) + 2, height);
    this.drawTrade(context, trade);
  }
}
