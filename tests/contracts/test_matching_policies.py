"""What every matching policy in Python must keep, and what becomes of one that does not: in a book, and in a backtest."""

import importlib.util
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from openbell import MatchingPolicy, OrderBook
from openbell.kernel.order_book import BookTrade
from openbell.venue.matching_policy import asked_shares
from tests.runtime.market_history import History

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "matching_policies"


class ByAge(MatchingPolicy):
    """First come, first served: what the kernel does anyway."""

    def allocate(self, incoming, resting_quantities):
        shares = []
        for wanted in resting_quantities:
            shares.append(min(wanted, incoming))
            incoming -= shares[-1]
        return shares


def examples():
    for path in sorted(EXAMPLES.glob("*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found = [
            one for one in vars(module).values() if isinstance(one, type) and one.__module__ == path.stem
        ]
        assert found, path
        yield from found


POLICIES = [*examples(), ByAge]
levels = some.tuples(some.integers(1, 10**9), some.lists(some.integers(1, 10**8), min_size=1, max_size=40))


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)
@given(level=levels)
def test_shares_add_up_within_their_bounds_and_are_the_same_when_asked_again(policy, level):
    incoming, resting = level
    shares = asked_shares(policy())(incoming, resting)
    assert len(shares) == len(resting)
    assert all(0 <= share <= wanted for share, wanted in zip(shares, resting, strict=True))
    assert sum(shares) == min(incoming, sum(resting))
    assert asked_shares(policy())(incoming, resting) == shares


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)
@pytest.mark.parametrize(
    ("incoming", "resting"), [(7, [5, 5]), (3, [1, 1, 1, 1]), (25, [10, 2, 30, 4]), (50, [9, 9])]
)
def test_a_book_and_a_backtest_share_a_level_alike(policy, incoming, resting):
    book = OrderBook(tick="0.01", lot="1", policy=policy())
    for order_id, quantity in enumerate(resting, start=1):
        book.submit("SELL", "100", quantity, order_id=order_id)
    trades = book.submit("BUY", "100", incoming, order_id=99)
    in_book = {one.maker_order_id: int(one.quantity) for one in trades if isinstance(one, BookTrade)}
    history = History()
    for order_id, quantity in enumerate(resting, start=1):
        history.add("SELL", "100", quantity, order_id)
    history.take("BUY", "100", incoming)
    assert (
        history.trades(policy())
        == in_book
        == {
            number: share
            for number, share in enumerate(policy().allocate(incoming, resting), start=1)
            if share
        }
    )
