"""Rotation: once a month, into the stocks that rose most over the last half year."""

from datetime import UTC, datetime

from openbell import Bar, Strategy, param


class Momentum(Strategy):
    """Holds the `hold` strongest stocks in equal parts, those only that rose at all; the rest stays in cash."""

    lookback: int = param(126, minimum=2, doc="bars over which the rise is measured")
    hold: int = param(2, minimum=1, doc="stocks held at most")

    def on_start(self) -> None:
        """Nothing to ask for: the past is read with `history`."""
        self.month = 0

    def on_bars(self, bars: list[Bar]) -> None:
        """Called once with all bars that closed together."""
        month = datetime.fromtimestamp(bars[0].open_time / 1e9, UTC).month
        if month == self.month:
            return
        self.month = month
        rises = {bar.instrument.symbol: self.rise(bar) for bar in bars}
        strongest = sorted(rises, key=lambda symbol: rises[symbol], reverse=True)[: self.hold]
        chosen = [symbol for symbol in strongest if rises[symbol] > 0]
        for symbol, rise in rises.items():
            self.record(f"rise {symbol}", rise)
        self.target_weights({symbol: 0.95 / self.hold if symbol in chosen else 0.0 for symbol in rises})

    def rise(self, bar: Bar) -> float:
        """Change of the close over the lookback; below zero where there are not yet enough bars."""
        closes = self.history(bar.instrument, self.lookback + 1)["close"]
        return float(closes[-1] / closes[0] - 1) if len(closes) > self.lookback else -1.0
