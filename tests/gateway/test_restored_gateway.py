"""A gateway that begins where a journal ends knows what the one before it knew."""

import random

import numpy as np
import pytest

from openbell.gateway.exchange_gateway import ExchangeGateway
from openbell.gateway.past import Past, Standing
from openbell.messages.layouts import HEAD_DTYPE
from tests.gateway.floor import LISTING, Floor, floor, order
from tests.gateway.seeds import campaign_seed


def traded(room: Floor, chance: random.Random, orders: int) -> None:
    """Let alice and bob trade in both instruments, with every kind of answer."""
    talks = [room.talk("alice"), room.talk("bob")]
    for number in range(1, orders + 1):
        talk = chance.choice(talks)
        price = f"{100 + chance.randint(-4, 4) * 0.05:.2f}"
        terms: dict[str, object] = {
            "instrument": chance.choice(("ACME", "BELL")),
            "side": chance.choice(("BUY", "SELL")),
            "price": price,
            "quantity": str(chance.randint(1, 9)),
            "time_in_force": chance.choice(("GTC", "GTC", "IOC", "FOK")),
        }
        if chance.random() < 0.1:
            terms |= {"order_type": "STOP_LIMIT", "stop_price": price, "time_in_force": "GTC"}
        talk.say(**order(number, **terms))
        known = chance.randint(1, number)
        if chance.random() < 0.3:
            talk.say(type="cancel", client_order_id=known)
        if chance.random() < 0.2:
            talk.say(type="replace", client_order_id=known, quantity=str(chance.randint(1, 20)))
    for talk in talks:
        talk.session.end()


def restored(room: Floor, chance: random.Random) -> ExchangeGateway:
    """A new gateway from the same events, handed over in pieces of any size."""
    gateway = room.new_gateway()
    past = gateway.empty_past()
    history = room.node.history
    cuts = sorted(chance.sample(range(1, len(history)), chance.randint(0, 5)))
    for start, end in zip((0, *cuts), (*cuts, len(history)), strict=True):
        past.add(np.concatenate(history[start:end]))
    gateway.restore(past, standing(room))
    return gateway


def standing(room: Floor) -> Standing:
    return Standing.of(room.node.node, LISTING.accounts)


@pytest.mark.parametrize("kept", [1, 20, 100_000])
def test_a_restored_gateway_knows_orders_books_trades_and_executions(kept: int) -> None:
    seed = campaign_seed()
    chance = random.Random(seed)
    with floor(messages_per_second=10**6, private_messages=kept) as room:
        traded(room, chance, 300)
        before, after = room.gateway, restored(room, chance)
        place = max(before.place, after.place)
        for number in LISTING.accounts:
            old, new = before.accounts[number], after.accounts[number]
            assert old.state(place) == new.state(place), f"seed {seed}"
            _compare_executions(before, after, number, seed)
            if kept > 1_000:
                for client_order_id in range(1, 301):
                    assert old.order(client_order_id) == new.order(client_order_id), f"seed {seed}"
        for number in LISTING.instruments:
            assert before.depths[number].levels == after.depths[number].levels, f"seed {seed}"
            assert _trades(before, number) == _trades(after, number), f"seed {seed}"


def _compare_executions(before: ExchangeGateway, after: ExchangeGateway, account: int, seed: int) -> None:
    wholly_compared = 0
    for place in ((sequence, index) for sequence in range(before.place[0] + 1) for index in (0, 2, 2**16)):
        old = before.accounts[account].messages_after(place)
        new = after.accounts[account].messages_after(place)
        assert (old is None) == (new is None), f"seed {seed}, place {place}"
        if old is None or new is None:
            continue
        assert len(old) == len(new), f"seed {seed}, place {place}"
        if not wholly_compared:
            assert list(old) == [after.written(one) for one in new], f"seed {seed}, place {place}"
            wholly_compared += 1
    assert wholly_compared


def _trades(gateway: ExchangeGateway, instrument: int) -> object:
    return list(gateway.trades[instrument]._latest)


def test_an_empty_past_is_an_empty_exchange() -> None:
    with floor() as room:
        gateway = room.new_gateway()
        gateway.restore(gateway.empty_past(), standing(room))
        assert gateway.place == (0, 0)
        assert gateway.accounts[1].messages_after((0, 0)) == []


def test_a_past_that_begins_at_a_snapshot_has_forgotten_what_was_before() -> None:
    with floor() as room:
        room.talk("alice").say(**order(1, price="100.00"))
        begin = room.gateway.place[0]
        gateway = room.new_gateway()
        gateway.restore(gateway.empty_past(begin), standing(room))
        assert gateway.place[0] == begin
        assert gateway.accounts[1].messages_after((begin - 1, 0)) is None
        assert gateway.accounts[1].messages_after(gateway.place) == []
        assert gateway.accounts[1].state(gateway.place) == room.gateway.accounts[1].state(gateway.place)
        assert gateway.depths[1].levels == room.gateway.depths[1].levels != {}


@pytest.mark.parametrize("kept", [1, 20, 100_000])
def test_what_came_before_the_snapshot_is_told_to_those_who_ask(kept: int) -> None:
    seed = campaign_seed()
    chance = random.Random(seed)
    with floor(messages_per_second=10**6, private_messages=kept) as room:
        traded(room, chance, 150)
        slots = np.concatenate(room.node.history)
        begin = chance.randint(1, room.gateway.place[0])
        is_early = slots.view(HEAD_DTYPE)["sequence"] <= begin
        gateway, looks = room.new_gateway(), list[int]()
        earlier, past = gateway.empty_past(), gateway.empty_past(begin)
        earlier.add(slots.reshape(-1, 64)[is_early].reshape(-1))
        past.add(slots.reshape(-1, 64)[~is_early].reshape(-1))

        def look() -> Past:
            looks.append(1)
            return earlier

        past.earlier = look
        gateway.restore(past, standing(room))
        for number in LISTING.accounts:
            assert gateway.accounts[number].messages_after(gateway.place) == [], f"seed {seed}"
            assert not looks, "what came after the snapshot needs no look at what was before"
            _compare_executions(room.gateway, gateway, number, seed)
            looks.clear()
        for number in LISTING.instruments:
            gateway.subscribe(gateway.open_session(lambda: None), "trades", number)
            assert _trades(room.gateway, number) == _trades(gateway, number), f"seed {seed}"


def test_an_earlier_past_that_was_removed_is_forgotten() -> None:
    with floor() as room:
        room.talk("alice").say(**order(1, price="100.00"))
        begin = room.gateway.place[0]
        gateway = room.new_gateway()
        past = gateway.empty_past(begin)
        past.earlier = lambda: None
        gateway.restore(past, standing(room))
        assert gateway.accounts[1].messages_after((begin - 1, 0)) is None
        assert gateway.accounts[1].messages_after(gateway.place) == []
