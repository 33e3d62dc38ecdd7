"""Fee, fill and latency models of simulated venues."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Literal

from openbell.kernel import Fill
from openbell.model.errors import ConfigError, InputError
from openbell.model.quantities import Money, Number, exact_decimal
from openbell.model.time import duration, duration_ns

NANO = 10**9
LIMIT_FILLS_ON_TOUCH = 1 << 0
CLOSE_OUT_AT_OPEN = 1 << 1
"""Bits of the venue's options; see crates/kernel/src/venue/simulated/mod.rs."""


class FeeModel(ABC):
    """What a fill costs, decided in Python: derive and write `fee`.

    The answer is written to the journal before it is used, so a journal replays without this code; a rerun asks again and
    compares. It costs one call per fill. `sizing_rate` is the fraction of the value that orders sized by percent of equity
    keep back for fees, since the fee is not known before the fill.
    """

    sizing_rate: ClassVar[Decimal | float | str] = 0

    @abstractmethod
    def fee(self, fill: Fill) -> Money:
        """Return the fee of one fill, in the currency of its instrument; below zero is a rebate."""

    def describe(self) -> str:
        """One line for the report."""
        return type(self).__name__


@dataclass(frozen=True, slots=True, init=False)
class PercentageFee:
    """A share of the value of each fill, and a flat part per fill. Rates are fractions: 0.001 is 0.1 %, as is "0.1%"."""

    maker: Decimal
    taker: Decimal
    flat: Decimal

    def __init__(self, maker: Number = 0, taker: Number = 0, flat: Number = 0) -> None:
        for name, value in (("maker", maker), ("taker", taker), ("flat", flat)):
            object.__setattr__(self, name, fraction(value, f"fees {name}"))
        for rate in (self.maker, self.taker):
            if not -1 < rate < 1:
                raise ConfigError(f"fees has the rate {rate}; it lies between -1 and 1, where 0.001 is 0.1 %")

    def describe(self) -> str:
        """One line for the report."""
        if not (self.maker or self.taker or self.flat):
            return "no fees"
        rates = f"{_percent(self.maker)} of value"
        if self.maker != self.taker:
            rates = f"maker {_percent(self.maker)}, taker {_percent(self.taker)} of value"
        return f"{rates} + {self.flat} per fill" if self.flat else rates


def _percent(rate: Decimal) -> str:
    return f"{(rate * 100).normalize():f} %"


def fraction(value: object, name: str) -> Decimal:
    """A fraction given as number (0.001) or text ("0.1%", "10bps"). Raises ConfigError naming the argument."""
    text = value.strip() if isinstance(value, str) else value
    scale = 0
    if isinstance(text, str):
        for suffix, digits in (("%", -2), ("bps", -4), ("bp", -4)):
            if text.endswith(suffix):
                text, scale = text[: -len(suffix)].strip(), digits
                break
    try:
        return exact_decimal(text).scaleb(scale)  # type: ignore[arg-type]
    except InputError:
        raise ConfigError(
            f'{name} is {value!r}; it must be a fraction such as 0.001, or text such as "0.1%"'
        ) from None


def fee_model(fees: object) -> FeeModel | PercentageFee:
    """What `Backtest(fees=...)` takes: a FeeModel, a rate for all fills, or (maker, taker)."""
    if isinstance(fees, (FeeModel, PercentageFee)):
        return fees
    if isinstance(fees, type) and issubclass(fees, FeeModel):
        raise ConfigError(f"fees is the class {fees.__name__}; give an instance: {fees.__name__}()")
    pair = fees if isinstance(fees, (tuple, list)) else (fees, fees)
    if len(pair) != 2:
        raise ConfigError(f"fees is {fees!r}; a pair is (maker, taker)")
    maker, taker = (fraction(rate, "fees") for rate in pair)
    return PercentageFee(maker, taker)


@dataclass(frozen=True, slots=True)
class LatencyModel:
    """Constant delays in nanoseconds: our order to the venue, its report back to us, market data to us."""

    order_ns: int = 0
    report_ns: int = 0
    feed_ns: int = 0

    def __post_init__(self) -> None:
        for name in ("order_ns", "report_ns", "feed_ns"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ConfigError(
                    f"latency {name} is {value!r}; it must be a whole number of nanoseconds, not below 0"
                )

    def describe(self) -> str:
        """One line for the report."""
        if not (self.order_ns or self.report_ns or self.feed_ns):
            return "none"
        parts = (("order", self.order_ns), ("report", self.report_ns), ("feed", self.feed_ns))
        return ", ".join(f"{name} {duration(value) if value else 'none'}" for name, value in parts)


def latency_model(latency: object) -> LatencyModel:
    """What `Backtest(latency=...)` takes: a LatencyModel, or one delay for all three ("50ms")."""
    if latency is None:
        return LatencyModel()
    if isinstance(latency, LatencyModel):
        return latency
    if isinstance(latency, type):
        raise ConfigError(f"latency is the class {latency.__name__}; give an instance: {latency.__name__}()")
    if isinstance(latency, str):
        try:
            each = duration_ns(latency)
        except InputError as error:
            raise ConfigError(f"latency: {error}") from None
        return LatencyModel(each, each, each)
    raise ConfigError(f'latency is {latency!r}; give a LatencyModel or text such as "50ms"')


@dataclass(frozen=True, slots=True, init=False)
class FillModel:
    """When and at what price a simulated venue fills; `docs/fills.md` has every rule.

    `limit_fills`: a resting limit order fills when the market trades `through` its price (the default, pessimistic) or already
    on `touch`. `slippage`: fraction of the price against whoever takes, as 0.0005 or "0.05%". `volume_share`: the largest part
    of a bar's volume one order may take, as 0.1 or "10%"; None is no limit.
    """

    limit_fills: Literal["through", "touch"]
    slippage: Decimal
    volume_share: Decimal | None

    def __init__(
        self,
        limit_fills: Literal["through", "touch"] = "through",
        slippage: Number = 0,
        volume_share: Number | None = None,
    ) -> None:
        share = None if volume_share is None else fraction(volume_share, "volume_share")
        given = {
            "limit_fills": limit_fills,
            "slippage": fraction(slippage, "slippage"),
            "volume_share": share,
        }
        for name, value in given.items():
            object.__setattr__(self, name, value)
        if self.limit_fills not in ("through", "touch"):
            raise ConfigError(f"limit_fills is {self.limit_fills!r}; it must be 'through' or 'touch'")
        if not 0 <= self.slippage < 1:
            raise ConfigError(f"slippage is {self.slippage}; it must be a fraction from 0 up to 1")
        if self.volume_share is not None and not 0 < self.volume_share <= 1:
            raise ConfigError(
                f"volume_share is {self.volume_share}; it must be a fraction above 0, at most 1"
            )

    def describe(self) -> str:
        """One line for the report."""
        text = f"next open; limits fill when traded {self.limit_fills}; worse of stop and target"
        if self.volume_share is not None:
            text += f"; at most {_percent(self.volume_share)} of a bar's volume"
        return text

    def describe_queue(self) -> str:
        """One line for the report."""
        when = "when traded through" if self.limit_fills == "through" else "when touched"
        return f"no queue: resting orders fill {when}"

    def describe_slippage(self) -> str:
        """One line for the report."""
        return f"{_percent(self.slippage)} of the price against the taker" if self.slippage else "none"
