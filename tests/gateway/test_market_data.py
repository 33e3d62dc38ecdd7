"""Depth and trades: a snapshot and its changes give the book, a gap can be seen, a slow reader gets less and not wrong."""

import random
from itertools import pairwise

from openbell.gateway.listing import amount_text, money_text
from tests.gateway.floor import Frame, floor, order
from tests.gateway.seeds import campaign_seed


class Book:
    """What a client makes of the depth channel."""

    def __init__(self) -> None:
        self.number = -1
        self.sides: dict[str, dict[str, tuple[str, int]]] = {"bids": {}, "asks": {}}
        self.gaps = 0

    def take(self, message: Frame) -> None:
        if message["type"] == "depth_snapshot":
            self.sides = {"bids": {}, "asks": {}}
        elif message["previous"] != self.number:
            self.gaps += 1
        self.number = message["number"]
        for side, levels in self.sides.items():
            for price, quantity, orders in message.get(side, ()):
                if quantity == "0":
                    levels.pop(price, None)
                else:
                    levels[price] = (quantity, orders)


def fresh_book(room, instrument: str = "ACME") -> Book:
    book = Book()
    reader = room.talk("bob")
    (snapshot,) = reader.say(type="subscribe", channel="depth", instrument=instrument)
    book.take(snapshot)
    reader.session.end()
    return book


def test_a_snapshot_and_its_changes_give_the_book() -> None:
    seed = campaign_seed()
    chance = random.Random(seed)
    with floor(private_messages=100_000, messages_per_second=10**6) as room:
        alice, bob, reader = room.talk("alice"), room.talk("bob"), room.talk("bob")
        book = Book()
        for number in range(1, 400):
            if number == 100:
                reader.say(type="subscribe", channel="depth", instrument="ACME")
            sender = chance.choice((alice, bob))
            price = f"{100 + chance.randint(-8, 8) * 0.05:.2f}"
            sender.say(
                **order(
                    number,
                    side=chance.choice(("BUY", "SELL")),
                    price=price,
                    quantity=str(chance.randint(1, 9)),
                )
            )
            if chance.random() < 0.3:
                sender.say(type="cancel", client_order_id=chance.randint(1, number))
            if chance.random() < 0.2:
                # Nobody reads for a while: what waits is sent in one go.
                reader.read()
        reader.read()
        for frame in reader.only("depth_snapshot") + reader.only("depth"):
            book.take(frame)
        fresh = fresh_book(room)
        assert book.gaps == 0, f"seed {seed}"
        assert book.sides == fresh.sides, f"seed {seed}"
        assert book.number == fresh.number
        assert any(book.sides.values())


def test_a_slow_reader_gets_merged_changes_without_a_gap() -> None:
    with floor() as room:
        alice, reader = room.talk("alice"), room.talk("bob")
        reader.say(type="subscribe", channel="depth", instrument="ACME")
        for number in range(1, 101):
            alice.say(**order(number, quantity="1"))
        changes = [one for one in reader.read() if one["type"] == "depth"]
        assert len(changes) <= 17
        assert (changes[0]["previous"], changes[-1]["number"]) == (0, 100)
        assert changes[-1]["bids"] == [["100.00", "100", 100]]
        for before, after in pairwise(changes):
            assert after["previous"] == before["number"]


def test_trades_are_numbered_and_the_latest_are_in_the_snapshot() -> None:
    with floor(messages_per_second=10**6) as room:
        alice, bob, reader = room.talk("alice"), room.talk("bob"), room.talk("bob")
        (empty,) = reader.say(type="subscribe", channel="trades", instrument="ACME")
        assert (empty["number"], empty["trades"]) == (0, [])
        alice.say(**order(1, quantity="1000"))
        for number in range(1, 151):
            bob.say(**order(number, side="SELL", quantity="1"))
        changes = [one for one in reader.read() if one["type"] == "trades"]
        assert sum(len(one["trades"]) for one in changes) == 150
        assert changes[0]["trades"][0]["side"] == "SELL"
        assert changes[0]["trades"][0]["price"] == "100.00"
        (late,) = alice.say(type="subscribe", channel="trades", instrument="ACME")[-1:]
        assert (late["number"], len(late["trades"])) == (150, 100)
        assert late["trades"][-1] == changes[-1]["trades"][-1]


def test_trades_that_a_slow_reader_was_not_sent_are_counted() -> None:
    with floor(messages_per_second=10**6, private_messages=10_000) as room:
        alice, bob, reader = room.talk("alice"), room.talk("bob"), room.talk("bob")
        reader.say(type="subscribe", channel="trades", instrument="ACME")
        alice.say(**order(1, quantity="3000"))
        for number in range(1, 1_201):
            bob.say(**order(number, side="SELL", quantity="1"))
        changes = [one for one in reader.read() if one["type"] == "trades"]
        missed = sum(one.get("missed", 0) for one in changes)
        assert missed > 0
        assert missed + sum(len(one["trades"]) for one in changes) == 1_200
        assert changes[-1]["number"] == 1_200


def test_who_unsubscribed_hears_nothing_more() -> None:
    with floor() as room:
        alice, reader = room.talk("alice"), room.talk("bob")
        reader.say(type="subscribe", channel="depth", instrument="ACME")
        (over,) = reader.say(type="unsubscribe", channel="depth", instrument="ACME", request=9)
        assert (over["type"], over["request"]) == ("unsubscribed", 9)
        alice.say(**order(1))
        assert reader.read() == []
        (error,) = reader.say(type="unsubscribe", channel="depth", instrument="ACME")
        assert (error["code"], error["field"]) == ("SUBSCRIPTION_MUST_EXIST", "channel")


def test_instruments_are_apart() -> None:
    with floor() as room:
        alice, reader = room.talk("alice"), room.talk("bob")
        reader.say(type="subscribe", channel="depth", instrument="BELL")
        alice.say(**order(1))
        assert reader.read() == []
        alice.say(**order(2, instrument="BELL", price="5.01", quantity="0.002"))
        (change,) = reader.read()
        assert change["bids"] == [["5.01", "0.002", 1]]


def test_amounts_have_the_decimals_of_their_unit() -> None:
    cent, twentieth, hundred, nano = (amount_text(unit) for unit in (10**7, 5 * 10**7, 10**11, 1))
    assert (cent(1050), cent(-5), cent(0)) == ("10.50", "-0.05", "0.00")
    assert twentieth(2001) == "100.05"
    assert hundred(3) == "300"
    assert nano(1) == "0.000000001"
    assert (money_text(1_500_000_000), money_text(-(10**12)), money_text(0)) == ("1.5", "-1000", "0")


def test_a_busy_channel_does_not_starve_another() -> None:
    with floor() as room:
        alice, reader = room.talk("alice"), room.talk("bob")
        for instrument in ("ACME", "BELL"):
            reader.say(type="subscribe", channel="depth", instrument=instrument)
        for number in range(1, 9):
            alice.say(**order(2 * number))
            alice.say(**order(2 * number + 1, instrument="BELL"))
        symbols = [one["instrument"] for one in reader.read()]
        assert symbols[:4] in (["ACME", "BELL", "ACME", "BELL"], ["BELL", "ACME", "BELL", "ACME"])
