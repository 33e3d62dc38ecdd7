"""What holding would have brought."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openbell.market_data.bars import Bars
from openbell.model.errors import ConfigError

BUY_AND_HOLD = "buy_and_hold"


def benchmark_equity(
    bars: Bars, benchmark: str, cash: float, start_ns: int, times: NDArray[np.uint64]
) -> NDArray[np.float64]:
    """Equity of `cash` held in one symbol, or for "buy_and_hold" in equal parts in all, at each of `times`.

    Bought at the first open from `start_ns` on, without costs; the part of an instrument that lists later stays cash until
    its first open.
    """
    held = bars.series if benchmark == BUY_AND_HOLD else (bars[benchmark],)
    growth = np.zeros(len(times))
    for one in held:
        first = int(np.searchsorted(one.open_time, start_ns))
        close_time, close = one.close_time[first:], one.values("close")[first:]
        bought = one.values("open")[first:][:1]
        if len(bought) and bought[0] <= 0:
            raise ConfigError(
                f"benchmark={benchmark!r} cannot hold {one.symbol}: its first open is {bought[0]:g}, and cash buys nothing there"
            )
        ratio = np.concatenate(([1.0], close / bought if len(bought) else close))
        growth += ratio[np.searchsorted(close_time, times.astype(np.int64), side="right")] / len(held)
    return growth * cash
