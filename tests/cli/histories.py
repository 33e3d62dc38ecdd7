"""Small histories for the tools to look at: a session of an exchange, and backtests."""

from pathlib import Path
from typing import Any, Literal

from openbell import Backtest, Run
from openbell.kernel import NewJournal, Node
from tests.runtime.wild import Wild, wild_markets

BUY, SELL, MARKET, LIMIT, GTC, IOC = 1, 2, 1, 2, 2, 4
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
MAX_ORDER_QUANTITY = 1


def exchange(
    folder: Path, *, rounds: int = 1, close: bool = True, durability: Literal["batch", "none"] = "none"
) -> Path:
    """A session of an exchange of our own: two instruments, three accounts, trades, a cancel, a replace and refusals."""
    folder.mkdir(parents=True, exist_ok=True)
    node = Node(
        journal=NewJournal(
            folder / "journal",
            epoch=7,
            created_time=START,
            created_by="openbell tests",
            durability=durability,
        )
    )
    _set_up(node)
    for turn in range(rounds):
        _trade(node, START + (turn + 1) * 10 * SECOND, 100 * turn)
    if close:
        node.close()
    return folder


def canceled_together(folder: Path) -> Path:
    """Two orders of an account, taken back by two mass cancels: its own for one side, and one for all."""
    folder.mkdir(parents=True)
    journal = NewJournal(
        folder / "journal", epoch=7, created_time=START, created_by="openbell tests", durability="none"
    )
    node = Node(journal=journal)
    _set_up(node)
    for client, side, price in ((1, SELL, 10_050), (2, BUY, 9_950)):
        node.submit_order(0, 1, 1, client, side, LIMIT, GTC, 10, price=price)
    node.mass_cancel(0, 1, 1, SELL)
    node.mass_cancel(0)
    node.run(None, None, [])
    node.close()
    return folder


def _set_up(node: Node) -> None:
    node.advance_clock(START)
    node.define_currency(1, "USD")
    node.configure_venue(0, 1)
    for number, symbol in ((1, "ACME"), (2, "BOLT")):
        node.list_instrument(
            number,
            symbol,
            currency=1,
            price_unit_nano=10_000_000,
            quantity_unit_nano=10**9,
            multiplier_nano=10**9,
            tick=5,
            lot=1,
            venue=0,
        )
    for account in (1, 2, 3):
        node.open_account(account, 1, shorting=account != 3)
        node.deposit_cash(account, 1_000_000 * 10**9, 1)
    node.set_fee_schedule(0, 0, maker_rate=0, taker_rate=1_000_000)
    node.set_risk_limit(2, 0, MAX_ORDER_QUANTITY, 500)
    node.run(None, None, [])


def _trade(node: Node, time: int, first: int) -> None:
    def submit(account: int, client: int, side: int, quantity: int, price: int, **terms: Any) -> None:
        instrument = terms.pop("instrument", 1)
        kind = terms.pop("order_type", LIMIT)
        node.submit_order(
            0,
            account,
            instrument,
            first + client,
            side,
            kind,
            terms.pop("time_in_force", GTC),
            quantity,
            price=price,
            **terms,
        )
        node.run(None, None, [])

    node.advance_clock(time)
    submit(1, 1, SELL, 10, 10_050)
    submit(1, 2, SELL, 20, 10_055)
    node.advance_clock(time + SECOND)
    submit(2, 1, BUY, 15, 10_055)  # 10 at 100.50, then 5 at 100.55
    submit(2, 2, BUY, 501, 10_000)  # more than account 2 may order at once
    submit(2, 3, BUY, 5, 10_002)  # off tick
    node.advance_clock(time + 2 * SECOND)
    submit(2, 4, BUY, 7, 10_000)
    submit(1, 3, BUY, 4, 10_000)
    node.replace_order(0, 2, first + 4, price=9_995, quantity=9)
    node.cancel_order(0, 1, first + 3)
    node.cancel_order(0, 1, first + 99)  # no such order
    node.run(None, None, [])
    submit(3, 1, SELL, 1, 20_000, instrument=2)  # account 3 has nothing to sell
    submit(3, 2, BUY, 3, 20_000, instrument=2, time_in_force=IOC)


def wild_run(folder: Path, *, seed: int = 11, bars: int = 200, **options: object) -> Run:
    """A backtest that sends every kind of order, in a folder below `folder`."""
    return Backtest(
        Wild(),
        wild_markets(7, bars),
        cash=100_000,
        fees=("0.02%", "0.05%"),
        slippage="0.01%",
        latency="1s",
        leverage=2,
        seed=seed,
        **options,  # type: ignore[arg-type]
    ).run(out=folder)
