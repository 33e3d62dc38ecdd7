"""What one connection may do, and what it is told. The engine is real; there is no network."""

import pytest

from openbell.gateway import exchange_gateway
from openbell.messages.layouts import as_slots, records
from tests.gateway.floor import Floor, Frame, floor, order


def kinds(frames: list[Frame]) -> list[str]:
    return [frame["type"] for frame in frames]


def test_a_connection_is_greeted_with_the_protocol_and_the_instruments() -> None:
    with floor() as room:
        hello = room.connect().frames[0]
        assert (hello["type"], hello["protocol"], hello["durability"]) == ("hello", 1, "none")
        assert [one["symbol"] for one in hello["instruments"]] == ["ACME", "BELL"]
        assert hello["instruments"][0]["tick"] == "0.05"


def test_two_clients_trade_with_each_other() -> None:
    with floor() as room:
        alice, bob = room.talk("alice"), room.talk("bob")
        (accepted,) = alice.say(**order(1))
        assert (accepted["type"], accepted["client_order_id"], accepted["side"]) == (
            "order_accepted",
            1,
            "BUY",
        )
        answers = bob.say(**order(7, side="SELL", quantity="4", price="99.95"))
        assert kinds(answers) == ["order_accepted", "order_filled"]
        fill = answers[1]
        assert (fill["price"], fill["quantity"], fill["leaves_quantity"]) == ("100.00", "4", "0")
        assert (fill["liquidity"], fill["side"], fill["currency"]) == ("TAKER", "SELL", "USD")
        (maker,) = alice.read()
        assert (maker["type"], maker["liquidity"], maker["leaves_quantity"]) == ("order_filled", "MAKER", "6")
        assert maker["trade_id"] == fill["trade_id"]
        assert maker["sequence"] == fill["sequence"]


def test_private_messages_go_to_their_account_only() -> None:
    with floor() as room:
        alice, bob, second = room.talk("alice"), room.talk("bob"), room.talk("alice")
        alice.say(**order(1))
        assert kinds(second.read()) == ["order_accepted"]
        assert bob.read() == []


def test_the_same_client_order_id_gets_the_first_answer() -> None:
    with floor() as room:
        alice = room.talk("alice")
        (first,) = alice.say(**order(1))
        (again,) = alice.say(**order(1))
        assert again["repeated"] is True
        assert "repeated" not in first
        assert (again["type"], again["order_id"]) == (first["type"], first["order_id"])
        (other,) = alice.say(**order(1, price="101.00"))
        assert (other["type"], other["rule"]) == ("order_denied", "CLIENT_ORDER_ID_MUST_BE_UNIQUE")
        status = alice.say(type="order_status", client_order_id=1)[0]["order"]
        assert (status["state"], status["price"]) == ("ACCEPTED", "100.00")


def test_replace_cancel_and_cancel_all() -> None:
    with floor() as room:
        alice = room.talk("alice")
        for number in (1, 2, 3):
            alice.say(**order(number))
        (replaced,) = alice.say(type="replace", client_order_id=1, price="99.50", quantity="5")
        assert (replaced["type"], replaced["price"], replaced["quantity"]) == ("order_replaced", "99.50", "5")
        (canceled,) = alice.say(type="cancel", client_order_id=2)
        assert (canceled["rule"], canceled["leaves_quantity"]) == ("CANCELED_ON_REQUEST", "10")
        (rejected,) = alice.say(type="cancel", client_order_id=2)
        assert (rejected["type"], rejected["rule"]) == ("cancel_rejected", "ORDER_MUST_BE_OPEN")
        (refused,) = alice.say(type="cancel", client_order_id=99)
        assert (refused["type"], refused["command"]) == ("command_refused", "CancelOrder")
        assert kinds(alice.say(type="cancel_all")) == ["order_canceled"] * 2
        assert alice.say(type="state")[0]["orders"] == []


def test_an_order_on_its_way_can_be_replaced_at_once() -> None:
    with floor() as room:
        alice = room.talk("alice")
        alice.session.receive('{"type":"submit","client_order_id":1,"instrument":"ACME","side":"BUY",'
                              '"quantity":"10","price":"100.00"}')  # fmt: skip
        answers = alice.say(type="replace", client_order_id=1, price="99.00")
        assert kinds(answers) == ["order_accepted", "order_replaced"]


def test_state_shows_orders_positions_and_cash() -> None:
    with floor() as room:
        alice, bob = room.talk("alice"), room.talk("bob")
        alice.say(**order(1, quantity="10"))
        bob.say(**order(1, side="SELL", quantity="4"))
        alice.read()
        (state,) = alice.say(type="state", request=5)
        assert (state["account"], state["request"], state["cash"]) == ("alice", 5, "999600")
        assert state["positions"] == [{"instrument": "ACME", "quantity": "4"}]
        assert [one["leaves_quantity"] for one in state["orders"]] == ["6"]


@pytest.mark.parametrize(
    ("frame", "code", "field", "told"),
    [
        ("", "FRAME_MUST_BE_JSON", None, "truncated"),
        ("{", "FRAME_MUST_BE_JSON", None, "truncated"),
        ("hello", "FRAME_MUST_BE_JSON", None, "malformed"),
        ("[" * 100_000, "FRAME_MUST_NOT_EXCEED_LIMIT", None, "at most 65536"),
        ("[" * 50_000, "FIELD_MUST_BE_VALID", None, "Expected `object`"),
        (b"{}", "FRAME_MUST_BE_TEXT", None, "binary"),
        ("[]", "FIELD_MUST_BE_VALID", None, "Expected `object`"),
        ("{}", "TYPE_MUST_BE_KNOWN", "type", "login, submit, replace"),
        ('{"type":"buy"}', "TYPE_MUST_BE_KNOWN", "type", "'buy'"),
        ('{"type":7}', "TYPE_MUST_BE_KNOWN", "type", "Expected `str`"),
        ('{"type":"cancel"}', "FIELD_MUST_BE_VALID", "client_order_id", "missing required field"),
        ('{"type":"cancel","client_order_id":"1"}', "FIELD_MUST_BE_VALID", "client_order_id", "Expected `int`"),
        ('{"type":"cancel","client_order_id":1.5}', "FIELD_MUST_BE_VALID", "client_order_id", "Expected `int`"),
        ('{"type":"cancel","client_order_id":true}', "FIELD_MUST_BE_VALID", "client_order_id", "bool"),
        ('{"type":"cancel","client_order_id":0}', "FIELD_MUST_BE_VALID", "client_order_id", ">= 1"),
        ('{"type":"cancel","client_order_id":9223372036854775808}', "FIELD_MUST_BE_VALID", "client_order_id", "<="),
        ('{"type":"cancel","client_order_id":1,"price":"1"}', "FIELD_MUST_BE_VALID", "price", "unknown field"),
        ('{"type":"cancel","client_order_id":NaN}', "FRAME_MUST_BE_JSON", None, "malformed"),
    ],
)  # fmt: skip
def test_a_bad_frame_is_answered_and_not_journaled(
    frame: str | bytes, code: str, field: str | None, told: str
) -> None:
    with floor() as room:
        alice = room.talk("alice")
        _require_refused(room, alice.send(frame), code, field, told)
        assert kinds(alice.say(type="ping")) == ["pong"]


@pytest.mark.parametrize(
    ("change", "code", "field", "told"),
    [
        ({"price": "100.01"}, "PRICE_MUST_BE_ON_TICK", "price", "multiple of the tick 0.05"),
        ({"price": 100.01}, "PRICE_MUST_BE_ON_TICK", "price", "found 100.01"),
        ({"price": "100.0000001"}, "PRICE_MUST_BE_ON_TICK", "price", "tick"),
        ({"price": "0"}, "PRICE_MUST_BE_POSITIVE", "price", "more than zero"),
        ({"price": "-5"}, "PRICE_MUST_BE_POSITIVE", "price", "found -5"),
        ({"price": "NaN"}, "FIELD_MUST_BE_VALID", "price", "finite"),
        ({"price": "Infinity"}, "FIELD_MUST_BE_VALID", "price", "finite"),
        ({"price": "1e999999999"}, "FIELD_MUST_BE_VALID", "price", "digits"),
        ({"price": "1e30"}, "FIELD_MUST_BE_VALID", "price", "at most"),
        ({"price": "a lot"}, "FIELD_MUST_BE_VALID", "price", "decimal"),
        ({"price": [1]}, "FIELD_MUST_BE_VALID", "price", "array"),
        ({"price": None}, "FIELD_MUST_BE_VALID", "price", "a LIMIT order needs price"),
        ({"order_type": "MARKET"}, "FIELD_MUST_BE_VALID", "price", "a MARKET order takes no price"),
        ({"order_type": "STOP", "price": None}, "FIELD_MUST_BE_VALID", "stop_price", "needs stop_price"),
        ({"order_type": "ICEBERG"}, "FIELD_MUST_BE_VALID", "order_type", "ICEBERG"),
        ({"quantity": "0.5"}, "QUANTITY_MUST_BE_ON_LOT", "quantity", "multiple of the lot 1"),
        ({"quantity": "0"}, "QUANTITY_MUST_BE_POSITIVE", "quantity", "more than zero"),
        ({"quantity": "-1"}, "QUANTITY_MUST_BE_POSITIVE", "quantity", "found -1"),
        ({"quantity": None}, "FIELD_MUST_BE_VALID", "quantity", "missing"),
        ({"side": "buy"}, "FIELD_MUST_BE_VALID", "side", "buy"),
        ({"instrument": "NOPE"}, "INSTRUMENT_MUST_BE_LISTED", "instrument", "ACME, BELL"),
        ({"time_in_force": "GTD"}, "FIELD_MUST_BE_VALID", "expire_time", "needs expire_time"),
        ({"expire_time": "2030-01-01T00:00:00Z"}, "FIELD_MUST_BE_VALID", "expire_time", "takes no"),
        ({"time_in_force": "GTD", "expire_time": "soon"}, "FIELD_MUST_BE_VALID", "expire_time", "soon"),
        ({"post_only": 1}, "FIELD_MUST_BE_VALID", "post_only", "bool"),
        ({"pric": "1"}, "FIELD_MUST_BE_VALID", "pric", "unknown field"),
    ],
)
def test_a_bad_order_is_answered_with_its_field_and_not_journaled(
    change: dict[str, object], code: str, field: str, told: str
) -> None:
    with floor() as room:
        alice = room.talk("alice")
        (error,) = _require_refused(room, alice.say(request=3, **order(1, **change)), code, field, told)
        assert (error["request"], error["client_order_id"]) == (3, 1)
        assert kinds(alice.say(**order(1))) == ["order_accepted"]


def _require_refused(
    room: Floor, answers: list[Frame], code: str, field: str | None, told: str
) -> list[Frame]:
    assert kinds(answers) == ["error"]
    assert (answers[0]["code"], answers[0].get("field")) == (code, field)
    assert told in answers[0]["message"], answers[0]["message"]
    assert room.node.commands == 0
    return answers


def test_nothing_but_login_and_ping_is_taken_before_login() -> None:
    with floor() as room:
        stranger = room.connect()
        for message in (
            order(1),
            {"type": "state"},
            {"type": "subscribe", "channel": "depth", "instrument": "ACME"},
        ):
            (error,) = stranger.say(**message)
            assert error["code"] == "LOGIN_MUST_COME_FIRST"
        assert kinds(stranger.say(type="ping")) == ["pong"]
        assert room.node.commands == 0


@pytest.mark.parametrize(
    "key", ["", ".", "alice-1", "alice-1.", "nobody.abc", "\ud800.x", "alice-1." + "0" * 64]
)
def test_a_wrong_key_is_refused_and_the_connection_closed(key: str) -> None:
    with floor() as room:
        stranger = room.connect()
        frame = '{"type":"login","key":"' + key.encode("utf-8", "replace").decode() + '"}'
        (error,) = stranger.send(frame)
        assert error["code"] == "KEY_MUST_BE_KNOWN"
        assert stranger.session.closing == (4001, "field 'key': no such key")
        assert stranger.send('{"type":"ping"}') == []


def test_a_second_login_is_refused() -> None:
    with floor() as room:
        (error,) = room.talk("alice").say(type="login", key=room.keys["bob"])
        assert error["code"] == "LOGIN_MUST_COME_ONCE"


def test_an_account_has_a_bounded_number_of_sessions() -> None:
    with floor(sessions_per_account=2) as room:
        first = room.talk("alice")
        room.talk("alice")
        (error,) = room.connect().say(type="login", key=room.keys["alice"])
        assert error["code"] == "SESSIONS_MUST_NOT_EXCEED_LIMIT"
        first.session.end()
        room.talk("alice")


def test_messages_over_the_rate_are_left_out_and_cancels_are_not_held_back_by_orders() -> None:
    with floor(messages_per_second=5) as room:
        alice = room.talk("alice")
        for number in range(1, 5):
            assert kinds(alice.say(**order(number))) == ["order_accepted"]
        (error,) = alice.say(**order(5))
        assert (error["code"], error["client_order_id"]) == ("RATE_MUST_NOT_EXCEED_LIMIT", 5)
        assert kinds(alice.say(type="cancel", client_order_id=1)) == ["order_canceled"]
        room.seconds += 0.2
        assert kinds(alice.say(**order(5))) == ["order_accepted"]


def test_who_floods_on_is_disconnected() -> None:
    with floor(messages_per_second=5) as room:
        alice = room.talk("alice")
        for _ in range(1_010):
            alice.send("{")
        assert alice.session.closing is not None
        assert alice.session.closing[0] == 4029


def test_a_busy_engine_is_told_and_loses_nothing() -> None:
    with floor() as room:
        alice = room.talk("alice")
        room.node.taken = False
        (error,) = alice.say(**order(1))
        assert (error["code"], error["client_order_id"]) == ("ENGINE_MUST_NOT_BE_BUSY", 1)
        room.node.taken = True
        assert kinds(alice.say(**order(1))) == ["order_accepted"]


def test_a_full_disk_is_told_and_is_no_execution() -> None:
    with floor() as room:
        alice = room.talk("alice")
        denied = records("OrderDenied", 1)
        denied["account"], denied["instrument"], denied["client_order_id"] = 1, 1, 8
        refused = records("CommandRefused", 1)
        refused["account"] = 1
        room.node.answers = [as_slots(denied), as_slots(refused)]
        errors = alice.say(type="ping")[1:]
        assert [(one["code"], one.get("client_order_id")) for one in errors] == [
            ("JOURNAL_MUST_HAVE_ROOM", 8),
            ("JOURNAL_MUST_HAVE_ROOM", None),
        ]
        back = room.connect().say(type="login", key=room.keys["alice"], resume_from=0)
        assert kinds(back) == ["welcome"]


def test_cancel_on_disconnect_takes_back_what_this_session_sent() -> None:
    with floor() as room:
        other = room.talk("alice")
        other.say(**order(1))
        leaving = room.talk("alice", cancel_on_disconnect=True)
        for number in (2, 3, 4):
            leaving.say(**order(number))
        leaving.say(type="cancel", client_order_id=3)
        leaving.session.receive(
            '{"type":"submit","client_order_id":5,"instrument":"ACME","side":"BUY","quantity":"1","price":"90"}'
        )
        other.read()
        leaving.session.end()
        room.gateway.pump()
        canceled = [one["client_order_id"] for one in other.read() if one["type"] == "order_canceled"]
        assert canceled == [2, 4, 5]
        assert [one["client_order_id"] for one in other.say(type="state")[0]["orders"]] == [1]


def test_a_session_takes_back_what_it_entered_by_the_number_it_was_given() -> None:
    with floor() as room:
        first, second, bob = room.talk("alice"), room.talk("alice"), room.talk("bob")
        number, other = (talk.frames[-1]["session"] for talk in (first, second))
        assert (number, other, bob.frames[-1]["session"]) == (1, 2, 1)
        first.say(**order(1))
        first.say(**order(2, side="SELL", price="101.00"))
        first.say(**order(3, instrument="BELL"))
        second.say(**order(4))
        bob.say(**order(1))
        assert [one["session"] for one in second.say(type="state")[0]["orders"]] == [1, 1, 1, 2]
        first.read()
        done = first.say(type="mass_cancel", session=number, side="BUY", instrument="ACME")
        assert kinds(done) == ["order_canceled", "orders_mass_canceled"]
        assert (done[0]["client_order_id"], done[1]["orders"], done[1]["session"]) == (1, 1, 1)
        assert kinds(first.say(type="mass_cancel", session=other)) == [
            "order_canceled",
            "orders_mass_canceled",
        ]
        assert kinds(first.say(type="mass_cancel", session=number))[:2] == ["order_canceled"] * 2
        assert first.say(type="mass_cancel", session=9)[0]["orders"] == 0
        for wrong in (0, 65_536, "1"):
            (refused,) = first.say(type="mass_cancel", session=wrong)
            assert (refused["code"], refused["field"]) == ("FIELD_MUST_BE_VALID", "session")
        assert [one["client_order_id"] for one in bob.say(type="state")[0]["orders"]] == [1]


def test_numbers_of_sessions_go_round_and_pass_over_those_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange_gateway, "MOST_SESSION_NUMBERS", 4)
    with floor() as room:
        staying = room.talk("alice")
        leaving = room.talk("alice")
        leaving.say(**order(1))
        leaving.session.end()
        for expected in (3, 4, 3, 4):
            talk = room.talk("alice")
            assert talk.session.number == expected
            talk.session.end()
        held = [room.talk("alice"), room.talk("alice")]
        assert sorted(talk.session.number for talk in (staying, *held)) == [1, 3, 4]
        (refused,) = room.connect().say(type="login", key=room.keys["alice"])
        assert refused["code"] == "SESSIONS_MUST_NOT_EXCEED_LIMIT"


def test_a_session_that_is_lost_is_canceled_as_one_act() -> None:
    """Canceled one by one, the first would lift the best offer to where the stop waits, and that would trade."""
    with floor() as room:
        bob, leaving = room.talk("bob"), room.talk("alice", cancel_on_disconnect=True)
        bob.say(**order(1, quantity="1"))
        leaving.say(**order(1, side="SELL", quantity="1"))
        leaving.say(**order(2, side="SELL", price="100.50"))
        stop = {"order_type": "STOP", "stop_price": "100.70", "trigger_by": "OPPOSITE_BEST", "price": None}
        leaving.say(**order(3, quantity="5", **stop))
        leaving.say(**order(4, side="SELL", price="100.80"))
        bob.say(**order(2, side="SELL", price="102.00"))
        watching = room.talk("alice")
        leaving.session.end()
        room.gateway.pump()
        told = watching.read()
        assert kinds(told) == ["order_canceled"] * 3 + ["orders_mass_canceled"]
        assert (told[-1]["orders"], told[-1]["session"]) == (3, 1)


def test_cancels_of_a_lost_session_wait_while_the_engine_is_busy() -> None:
    with floor() as room:
        leaving = room.talk("alice", cancel_on_disconnect=True)
        leaving.say(**order(1))
        room.node.taken = False
        leaving.session.end()
        room.gateway.pump()
        assert room.gateway.accounts[1].is_open(1)
        room.node.taken = True
        room.gateway.beat()
        room.gateway.pump()
        assert not room.gateway.accounts[1].is_open(1)


def test_a_client_that_returns_is_sent_what_it_missed_and_nothing_twice() -> None:
    with floor() as room:
        alice, bob = room.talk("alice"), room.talk("bob")
        (accepted,) = alice.say(**order(1))
        alice.session.end()
        bob.say(**order(1, side="SELL", quantity="3"))
        bob.say(**order(2, side="SELL", quantity="4"))
        back = room.connect()
        answers = back.say(
            type="login",
            key=room.keys["alice"],
            resume_from=accepted["sequence"],
            resume_index=accepted["index"],
        )
        assert kinds(answers) == ["welcome", "order_filled", "order_filled"]
        assert (answers[0]["resumed"], answers[0]["resent"]) == (True, 2)
        assert [one["leaves_quantity"] for one in answers[1:]] == ["7", "3"]
        whole = room.connect().say(type="login", key=room.keys["alice"], resume_from=0)
        assert kinds(whole) == ["welcome", "order_accepted", "order_filled", "order_filled"]
        assert whole[1] == accepted
        last = answers[-1]
        none = room.connect().say(type="login", key=room.keys["alice"], resume_from=last["sequence"])
        assert (kinds(none), none[0]["resent"]) == (["welcome"], 0)


def test_who_was_away_too_long_gets_the_state_instead() -> None:
    with floor(private_messages=5) as room:
        alice = room.talk("alice")
        for number in range(1, 9):
            alice.say(**order(number))
        fourth = alice.only("order_accepted")[3]
        places = {"resume_from": fourth["sequence"], "resume_index": fourth["index"]}
        answers = room.connect().say(type="login", key=room.keys["alice"], resume_from=1)
        assert kinds(answers) == ["welcome", "state"]
        assert answers[0]["resumed"] is False
        assert len(answers[1]["orders"]) == 8
        just_enough = room.connect().say(type="login", key=room.keys["alice"], **places)
        assert (just_enough[0]["resumed"], just_enough[0]["resent"]) == (True, 4)


def test_a_place_that_was_never_reached_is_told() -> None:
    with floor() as room:
        answers = room.connect().say(type="login", key=room.keys["alice"], resume_from=10_000)
        assert kinds(answers) == ["error", "welcome", "state"]
        assert answers[0]["code"] == "SEQUENCE_MUST_BE_REACHED"


def test_who_does_not_read_its_executions_is_disconnected_and_loses_nothing() -> None:
    with floor(private_messages=10) as room:
        alice, lazy = room.talk("alice"), room.talk("alice")
        for number in range(1, 23):
            alice.say(**order(number))
        assert lazy.session.closing is not None
        assert lazy.session.closing[0] == 4009
        assert lazy.read() == []
        twelfth = alice.only("order_accepted")[11]
        back = room.connect().say(type="login", key=room.keys["alice"], resume_from=twelfth["sequence"])
        assert back[0]["resent"] == 10


def test_who_asks_and_does_not_read_the_answers_is_disconnected() -> None:
    with floor(private_messages=10, messages_per_second=10**6) as room:
        lazy = room.talk("alice")
        for _ in range(1_000):
            lazy.session.receive('{"type": "ping"}')
            assert len(lazy.session._private) <= 20
        assert lazy.session.closing is not None
        assert lazy.session.closing[0] == 4009
        assert lazy.session._waiting_characters == sum(map(len, lazy.session._private))


def test_long_answers_count_by_their_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openbell.gateway.session.MOST_WAITING_CHARACTERS", 10_000)
    with floor() as room:
        alice, lazy = room.talk("alice"), room.talk("alice")
        for number in range(1, 21):
            alice.say(**order(number))
        lazy.read()
        for _ in range(10):
            lazy.session.receive('{"type": "state"}')
            assert lazy.session._waiting_characters <= 10_000
        assert lazy.session.closing is not None
        assert lazy.session.closing[0] == 4009


def test_a_quiet_session_hears_a_heartbeat() -> None:
    with floor() as room:
        alice = room.talk("alice")
        room.gateway.beat()
        assert alice.read() == []
        room.gateway.beat()
        assert kinds(alice.read()) == ["heartbeat"]


def test_a_connection_that_does_not_log_in_is_closed() -> None:
    with floor() as room:
        stranger, alice = room.connect(), room.talk("alice")
        for one in (stranger, alice):
            one.session.require_login()
        assert stranger.session.closing == (4002, "no login within 10 seconds")
        assert alice.session.closing is None
