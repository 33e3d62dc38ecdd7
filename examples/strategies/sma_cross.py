"""Trend following on each stock by itself: long while the fast average is above the slow one, else flat."""

from openbell import Bar, Strategy, crossover, param


class SmaCross(Strategy):
    """An equal part of the equity goes into every stock whose fast average is above its slow one."""

    fast: int = param(20, minimum=2, doc="bars of the fast average")
    slow: int = param(100, minimum=3, doc="bars of the slow average")

    def on_start(self) -> None:
        """Averages are streamed by the engine, one of each for every instrument."""
        self.fast_average = self.sma(self.fast)
        self.slow_average = self.sma(self.slow)

    def on_bar(self, bar: Bar) -> None:
        """Orders sent here are filled at the next open."""
        fast, slow = self.fast_average[bar.instrument], self.slow_average[bar.instrument]
        if crossover(fast, slow):
            self.target_percent(bar.instrument, 0.95 / len(self.instruments))
        elif crossover(slow, fast):
            self.close(bar.instrument)
