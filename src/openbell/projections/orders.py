"""Orders: one row per order in its last state, folded from the events about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from openbell.messages.layouts import REPEATED, Slots
from openbell.model.instrument import Instrument
from openbell.model.terms import OrderState, OrderType, TimeInForce
from openbell.projections.event_rows import event_frame, events_in_order
from openbell.projections.exact import (
    average_nano,
    nano_decimal,
    price_decimal,
    quantity_decimal,
    utc,
    wide,
    with_units,
)

if TYPE_CHECKING:
    import polars as pl

_UNSIZED = 0
_SIZINGS = {0: "UNITS", 1: "PERCENT", 2: "TARGET_PERCENT", 3: "CLOSE_POSITION"}
_HEAD = ("time", "flags", "instrument", "account", "order_id", "client_order_id")
_TERMS = ("side", "order_type", "time_in_force", "sizing", "quantity")
_ENDINGS = {
    "OrderDenied": OrderState.DENIED,
    "OrderRejected": OrderState.REJECTED,
    "OrderCanceled": OrderState.CANCELED,
    "OrderExpired": OrderState.EXPIRED,
}
_STEPS = (
    "OrderPending",
    "OrderAccepted",
    "OrderReplaced",
    "OrderUnknown",
    "CancelRejected",
    "ReplaceRejected",
)


def orders(
    output: Slots, booked: pl.DataFrame, instruments: Sequence[Instrument], rules: Mapping[int, str]
) -> pl.DataFrame:
    """The table of orders, in the order they were submitted; `booked` is `booked_fills` and `rules` names rules by number.

    Columns: `order_id`, `client_order_id`, `account`, `submitted_time`, `instrument`, `side` buy or sell, `order_type`,
    `time_in_force`, `sizing`, `size` (what `sizing` other than UNITS asked for, as a fraction of equity), `quantity` (what
    was asked for, or what was filled of an order sized at its fill), `price`, `stop_price`, `state`, `cumulative_quantity`,
    `average_price`, `fees`, `reason` (the rule that denied, rejected or canceled it) and `last_time` of its last event.
    """
    placed = _placed(output)
    endings = _endings(output)
    table = (
        placed.join(_filled(booked), on="order_id", how="left")
        .join(_replaced(output), on="order_id", how="left")
        .join(endings, on="order_id", how="left")
        .sort("place")
    )
    table = table.with_columns(_states(table, output))
    return _shown(with_units(_resized(table), instruments), rules).sort("submitted_time", "order_id")


def _placed(output: Slots) -> pl.DataFrame:
    """Every order once: submitted ones with their terms, and those denied before they were submitted."""
    import polars as pl

    submitted = event_frame(output, "OrderSubmitted", (*_HEAD, *_TERMS, "price", "stop_price"))
    denied = event_frame(output, "OrderDenied", (*_HEAD, *_TERMS))
    first = pl.concat([_unrepeated(submitted), _unrepeated(denied)], how="diagonal_relaxed")
    return first.sort("place").unique("order_id", keep="first", maintain_order=True)


def _unrepeated(events: pl.DataFrame) -> pl.DataFrame:
    """Without answers that only repeat an earlier one to the same client_order_id."""
    import polars as pl

    return events.filter(pl.col("flags") & REPEATED == 0)


def _filled(booked: pl.DataFrame) -> pl.DataFrame:
    """Per order what it traded: quantity, sum of price x quantity, fees, side and last time."""
    import polars as pl

    return booked.group_by("order_id", maintain_order=True).agg(
        wide("last_quantity").sum().alias("filled"),
        (wide("last_price") * wide("last_quantity")).sum().alias("filled_value"),
        wide("fee_nano").sum().alias("fee"),
        (pl.col("traded").last() > 0).alias("bought"),
        pl.col("time").last().alias("filled_time"),
        pl.col("place").last().alias("filled_place"),
    )


def _replaced(output: Slots) -> pl.DataFrame:
    """Per order the price and total quantity it was last replaced to."""
    import polars as pl

    replaced = event_frame(output, "OrderReplaced", ("order_id", "price", "quantity"))
    return replaced.group_by("order_id").agg(
        pl.col("price").last().alias("new_price"), pl.col("quantity").last().alias("new_quantity")
    )


def _endings(output: Slots) -> pl.DataFrame:
    """Per order the event that ended it other than by filling, with its rule where it has one."""
    import polars as pl

    fields = ("time", "flags", "order_id")
    with_rule = [name for name in _ENDINGS if name != "OrderExpired"]
    ended = pl.concat(
        [
            events_in_order(output, with_rule, (*fields, "rule")),
            events_in_order(output, ["OrderExpired"], fields),
        ],
        how="diagonal_relaxed",
    )
    states = {name: int(state) for name, state in _ENDINGS.items()}
    return (
        _unrepeated(ended)
        .sort("place")
        .group_by("order_id", maintain_order=True)
        .agg(
            pl.col("event").last().replace_strict(states, return_dtype=pl.Int64).alias("ending"),
            pl.col("rule").last(),
            pl.col("time").last().alias("ended_time"),
        )
    )


def _states(table: pl.DataFrame, output: Slots) -> pl.Series:
    """The state of every order: whole, ended, or where its last steps left it."""
    import polars as pl

    total = pl.coalesce("new_quantity", "quantity").cast(pl.Int128)
    is_sized = pl.col("sizing") != _UNSIZED
    is_whole = pl.col("filled").is_not_null() & (is_sized | (pl.col("filled") >= total))
    state = table.select(
        pl.when(is_whole).then(pl.lit(int(OrderState.FILLED))).otherwise(pl.col("ending")).alias("state")
    )["state"].cast(pl.Int64)
    return state if not state.null_count() else state.fill_null(_open_states(table, state, output))


def _open_states(table: pl.DataFrame, state: pl.Series, output: Slots) -> pl.Series:
    """States of orders that have not ended, step by step: there are few of them at any time."""
    import polars as pl

    waiting = table.filter(state.is_null())["order_id"]
    steps = pl.concat(
        [
            _unrepeated(events_in_order(output, _STEPS, ("flags", "order_id"))),
            event_frame(output, "OrderFilled", ("flags", "order_id")).with_columns(
                pl.lit("OrderFilled").alias("event")
            ),
        ]
    ).filter(pl.col("order_id").is_in(waiting.implode()))
    pending = dict(event_frame(output, "OrderPending", ("state",)).iter_rows())
    known: dict[int, list[OrderState]] = {order: [OrderState.SUBMITTED] * 2 for order in waiting}
    for place, order, event in steps.sort("place").select("place", "order_id", "event").iter_rows():
        now, settled = known[order]
        after = OrderState(pending[place]) if event == "OrderPending" else _after(event, now, settled)
        is_settled = after in (OrderState.PENDING_NEW, OrderState.ACCEPTED)
        known[order] = [after, after if is_settled else settled]
    states = {order: int(now) for order, (now, _) in known.items()}
    return table["order_id"].replace_strict(states, default=None, return_dtype=pl.Int64)


def _after(event: str, now: OrderState, settled: OrderState) -> OrderState:
    """The state that `event` leaves an open order in, as the engine decides it. `settled` is its last state without a request."""
    unsure = (OrderState.SUBMITTED, OrderState.PENDING_NEW, OrderState.UNKNOWN)
    match event:
        case "OrderUnknown":
            return OrderState.UNKNOWN
        case "OrderAccepted" | "OrderFilled":
            return OrderState.ACCEPTED if now in unsure else now
        case "OrderReplaced":
            asked = (OrderState.PENDING_REPLACE, OrderState.PENDING_NEW, OrderState.UNKNOWN)
            return OrderState.ACCEPTED if now in asked else now
        case _:  # a request was refused: the order is what it was
            return OrderState.ACCEPTED if settled == OrderState.SUBMITTED else settled


def _resized(table: pl.DataFrame) -> pl.DataFrame:
    """With the terms as they are in the end, by type and sizing."""
    import polars as pl

    has_stop = pl.col("order_type").is_in([OrderType.STOP, OrderType.STOP_LIMIT])
    has_limit = pl.col("order_type").is_in([OrderType.LIMIT, OrderType.STOP_LIMIT])
    is_sized = pl.col("sizing") != _UNSIZED
    filled = pl.col("filled").fill_null(pl.lit(0, pl.Int128))
    # an order that has no limit is replaced by its stop price
    stop = pl.when(has_limit).then(pl.col("stop_price")).otherwise(pl.coalesce("new_price", "stop_price"))
    return table.with_columns(
        pl.when(has_limit).then(pl.coalesce("new_price", "price")).alias("price"),
        pl.when(has_stop & (stop != 0)).then(stop).alias("stop_price"),
        pl.when(is_sized).then(wide("quantity")).alias("size"),
        pl.when(is_sized)
        .then(filled)
        .otherwise(pl.coalesce("new_quantity", "quantity").cast(pl.Int128))
        .alias("quantity"),
        filled.alias("filled"),
        pl.coalesce(pl.col("bought"), pl.col("side") == 1).alias("bought"),
    )


def _shown(table: pl.DataFrame, rules: Mapping[int, str]) -> pl.DataFrame:
    import polars as pl

    def named(column: str, names: Mapping[int, str]) -> pl.Expr:
        numbered = {int(number): name for number, name in names.items()}
        return pl.col(column).cast(pl.Int64).replace_strict(numbered, default=None, return_dtype=pl.String)

    latest = pl.max_horizontal(
        pl.col("time").cast(pl.Int64),
        pl.col("filled_time").cast(pl.Int64),
        pl.col("ended_time").cast(pl.Int64),
    )
    return table.with_columns(latest.alias("last_time")).select(
        "order_id",
        "client_order_id",
        "account",
        utc("time").alias("submitted_time"),
        pl.col("symbol").alias("instrument"),
        pl.when(pl.col("bought"))
        .then(pl.lit("buy"))
        .when(~pl.col("bought"))
        .then(pl.lit("sell"))
        .alias("side"),
        named("order_type", {one: one.name for one in OrderType}).alias("order_type"),
        named("time_in_force", {one: one.name for one in TimeInForce}).alias("time_in_force"),
        named("sizing", _SIZINGS).alias("sizing"),
        nano_decimal(pl.col("size")).alias("size"),
        quantity_decimal(pl.col("quantity")).alias("quantity"),
        price_decimal(pl.col("price")).alias("price"),
        price_decimal(pl.col("stop_price")).alias("stop_price"),
        named("state", {one: one.name for one in OrderState}).alias("state"),
        quantity_decimal(pl.col("filled")).alias("cumulative_quantity"),
        nano_decimal(average_nano(pl.col("filled_value"), pl.col("filled"))).alias("average_price"),
        nano_decimal(pl.col("fee").fill_null(pl.lit(0, pl.Int128))).alias("fees"),
        named("rule", rules).alias("reason"),
        utc("last_time"),
    )
