// The chart of one instrument: price with entries and exits, equity against the benchmark, drawdown, and a pane for indicators that
// are no prices. One lightweight-charts chart with panes, so all of them share one time scale.

const { createChart, CandlestickSeries, HistogramSeries, LineSeries, BaselineSeries, CrosshairMode } = window.LightweightCharts;
const INDICATOR_COLORS = ["series-1", "series-2", "series-3", "series-4"];

class RunChart {
  constructor(host, currency) {
    this.host = host;
    this.currency = currency;
    this.marks = new TradeMarks();
    this.legends = new Legends(host);
    this.logarithmic = false;
    this.benchmarkVisible = true;
  }

  // Shows a view ({time, prices, equity, benchmark, drawdown, indicators} of typed arrays) with its trades.
  show(view, trades) {
    this.view = view;
    this.chart?.remove();
    this.chart = createChart(this.host, this.options());
    this.intraday = view.time.some((seconds) => seconds % 86400 !== 0);
    this.chart.applyOptions({ timeScale: { timeVisible: this.intraday }, localization: { timeFormatter: (time) => timeText(time, this.intraday) } });
    this.panes = [];
    if (view.prices) this.addPrice(view);
    this.addEquity(view);
    this.addDrawdown(view);
    this.addStudies(view);
    this.marks.recolor();
    if (view.prices) this.price.attachPrimitive(this.marks);
    if (view.prices) this.marks.show(trades);
    this.listen();
    this.fit();
  }

  options() {
    return {
      autoSize: true,
      layout: {
        background: { color: color("surface") }, textColor: color("muted"), fontSize: 12, attributionLogo: false,
        fontFamily: getComputedStyle(document.body).fontFamily,
        panes: { separatorColor: color("line"), separatorHoverColor: color("hover") },
      },
      grid: { vertLines: { color: color("grid") }, horzLines: { color: color("grid") } },
      crosshair: { mode: CrosshairMode.Normal },
      rightPriceScale: { borderColor: color("line"), minimumWidth: 64, entireTextOnly: true },
      timeScale: { borderColor: color("line"), minBarSpacing: 0.0005, rightOffset: 0, enableConflation: true, precomputeConflationOnInit: true },
    };
  }

  addPrice({ time, prices, indicators, decimals }) {
    const up = color("up"), down = color("down");
    this.price = this.chart.addSeries(CandlestickSeries, {
      upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false, priceLineVisible: false,
      priceFormat: { type: "price", precision: decimals, minMove: 10 ** -decimals },
    }, 0);
    this.price.setData(candles(time, prices));
    const legend = ["open", "high", "low", "close"].map((name) => (
      { label: name[0].toUpperCase(), wide: name !== "close", value: (candle) => numberText(prices[name][candle], decimals) }));
    legend.push({ label: "Vol", wide: true, value: (candle) => compactText(prices.volume[candle]) });
    this.addVolume(time, prices.volume);
    indicators.filter((indicator) => indicator.overlay).forEach((indicator, index) => {
      legend.push(this.addLine(0, indicator, index, decimals));
    });
    this.pane(this.view.symbol, legend, 5);
  }

  addVolume(time, volume) {
    if (!volume.some((value) => value > 0)) return;
    const series = this.chart.addSeries(HistogramSeries, {
      color: color("volume"), priceScaleId: "volume", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false,
    }, 0);
    series.setData(points(time, volume));
    series.priceScale().applyOptions({ scaleMargins: { top: 0.86, bottom: 0 }, visible: false });
    this.price.setSeriesOrder?.(1);
  }

  addLine(pane, { name, values }, index, decimals) {
    const swatch = INDICATOR_COLORS[index % INDICATOR_COLORS.length];
    const series = this.chart.addSeries(LineSeries, this.line(swatch, 1), pane);
    series.setData(points(this.view.time, values));
    return { label: name, swatch, value: (candle) => numberText(values[candle], decimals) };
  }

  line(name, lineWidth) {
    return { color: color(name), lineWidth, priceLineVisible: false, lastValueVisible: false, crosshairMarkerRadius: 3 };
  }

  addEquity({ time, equity, benchmark }) {
    const pane = this.panes.length, items = [{ label: "Run", swatch: "accent", value: (candle) => numberText(equity[candle], 2) }];
    const format = { priceFormat: { type: "custom", minMove: 0.01, formatter: compactText } };
    if (benchmark) {
      this.benchmark = this.chart.addSeries(LineSeries, { ...this.line("benchmark", 1.5), ...format, visible: this.benchmarkVisible }, pane);
      this.benchmark.setData(points(time, benchmark));
      items.push({ label: "Benchmark", swatch: "benchmark", value: (candle) => numberText(benchmark[candle], 2) });
    }
    this.equity = this.chart.addSeries(LineSeries, { ...this.line("accent", 2), ...format, lastValueVisible: true }, pane);
    this.equity.setData(points(time, equity));
    this.pane(`Equity, ${this.currency}`, items, 2.2);
  }

  addDrawdown({ time, drawdown }) {
    const loss = color("loss");
    const series = this.chart.addSeries(BaselineSeries, {
      baseValue: { type: "price", price: 0 }, bottomLineColor: loss, bottomFillColor1: withAlpha(loss, 0.06), bottomFillColor2: withAlpha(loss, 0.3),
      topLineColor: loss, topFillColor1: "transparent", topFillColor2: "transparent", lineWidth: 1, autoscaleInfoProvider: fromZero,
      priceLineVisible: false, lastValueVisible: false, crosshairMarkerRadius: 3,
      priceFormat: { type: "custom", minMove: 0.0001, formatter: percentText },
    }, this.panes.length);
    series.setData(points(time, drawdown));
    this.pane("Drawdown", [{ label: "", swatch: "loss", value: (candle) => percentText(drawdown[candle]) }], 1.4);
  }

  addStudies({ indicators }) {
    const studies = indicators.filter((indicator) => !indicator.overlay);
    if (!studies.length) return;
    const pane = this.panes.length;
    this.pane("", studies.map((indicator, index) => this.addLine(pane, indicator, index, 4)), 1.6);
  }

  pane(title, items, stretch) {
    this.panes.push({ title, items });
    const pane = this.chart.panes()[this.panes.length - 1];
    pane.setStretchFactor(stretch);
    const first = this.panes.length === 1; // room for the legend above, and for volume below the first pane
    pane.priceScale("right").applyOptions({ scaleMargins: first ? { top: 0.1, bottom: 0.16 } : { top: 0.28, bottom: 0.06 } });
  }

  listen() {
    this.legends.define(this.panes);
    const last = this.view.time.length - 1;
    this.legends.update(last);
    this.chart.subscribeCrosshairMove(({ logical }) => {
      this.legends.update(logical === undefined || logical === null ? last : Math.max(0, Math.min(last, Math.round(logical))));
    });
    this.observer?.disconnect();
    this.observer = new ResizeObserver(() => this.placeLegends());
    this.observer.observe(this.host);
    this.host.onpointerup = () => this.placeLegends(); // panes can be resized by dragging their border
    requestAnimationFrame(() => this.placeLegends());
  }

  placeLegends() {
    let top = 0;
    this.legends.place(this.chart.panes().map((pane) => {
      const here = top;
      top += pane.getHeight() + 1;
      return here;
    }));
  }

  range() { return this.chart.timeScale().getVisibleLogicalRange(); }

  setRange(from, to) { this.chart.timeScale().setVisibleLogicalRange({ from, to }); }

  fit() { this.setRange(-0.5, this.view.time.length - 0.5); }

  // Shows the last `seconds` of the run.
  fitLast(seconds) {
    const { time } = this.view, since = time[time.length - 1] - seconds;
    this.setRange(time.findIndex((value) => value >= since) - 0.5, time.length - 0.5);
  }

  // Brings one trade into view with room on both sides, and marks it.
  zoomTo(trade) {
    const margin = Math.max(20, 1.5 * (trade.exit - trade.entry));
    this.marks.select(trade.row);
    this.setRange(trade.entry - margin, trade.exit + margin);
  }

  setLogarithmic(on) {
    this.logarithmic = on;
    this.price?.priceScale().applyOptions({ mode: on ? 1 : 0 });
  }

  setBenchmarkVisible(on) {
    this.benchmarkVisible = on;
    this.benchmark?.applyOptions({ visible: on });
  }

  setTradesVisible(on) {
    this.marks.visible = on;
    this.marks.requestUpdate();
  }
}

// A drawdown pane always shows zero, and never less than a percent below it.
function fromZero(original) {
  const scale = original();
  const least = Math.min(-0.01, scale?.priceRange?.minValue ?? 0);
  return { priceRange: { minValue: least, maxValue: 0 } };
}

function candles(time, { open, high, low, close }) {
  const data = new Array(time.length);
  for (let index = 0; index < time.length; index++) {
    data[index] = { time: time[index], open: open[index], high: high[index], low: low[index], close: close[index] };
  }
  return data;
}

function points(time, values) {
  const data = new Array(time.length);
  for (let index = 0; index < time.length; index++) {
    data[index] = Number.isNaN(values[index]) ? { time: time[index] } : { time: time[index], value: values[index] };
  }
  return data;
}
