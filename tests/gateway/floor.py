"""A small exchange to talk to: two instruments, two accounts, and sessions without a network."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from openbell.gateway.exchange_gateway import ExchangeGateway
from openbell.gateway.keys import ApiKey, new_key
from openbell.gateway.listing import Listing
from openbell.gateway.session import Session, SessionLimits
from openbell.model.instrument import Instrument
from tests.gateway.inline_node import InlineNode

Frame = dict[str, Any]
LISTING = Listing(
    [Instrument("ACME", "USD", tick="0.05", lot="1"), Instrument("BELL", "USD", tick="0.01", lot="0.001")],
    [("alice", "USD"), ("bob", "USD")],
)


@dataclass
class Talk:
    """One session and what it has been sent so far."""

    floor: "Floor"
    session: Session
    frames: list[Frame] = field(default_factory=list)

    def say(self, **message: object) -> list[Frame]:
        """Send a message, let the exchange work, and return what came back."""
        return self.send(msgspec.json.encode(message).decode())

    def send(self, frame: str | bytes) -> list[Frame]:
        self.session.receive(frame)
        self.floor.gateway.pump()
        return self.read()

    def read(self) -> list[Frame]:
        new = [msgspec.json.decode(frame) for frame in self.session.frames()]
        self.frames += new
        return new

    def only(self, kind: str) -> list[Frame]:
        return [frame for frame in self.frames if frame["type"] == kind]


class Floor:
    """The exchange, its node and its clock."""

    def __init__(self, limits: SessionLimits) -> None:
        self.seconds = 0.0
        self.keys: dict[str, str] = {}
        self.known: list[ApiKey] = []
        for number, account in LISTING.accounts.items():
            self.keys[account.name], sha256 = new_key(f"{account.name}-1")
            self.known.append(ApiKey(f"{account.name}-1", number, sha256))
        self.node = InlineNode(LISTING, [1_000_000, 1_000_000])
        self.limits = limits
        self.gateway = self.new_gateway()
        self.gateway.pump()

    def new_gateway(self) -> ExchangeGateway:
        return ExchangeGateway(
            self.node, LISTING, self.known, "none", self.limits, "openbell test", lambda: self.seconds
        )

    def connect(self, wake: Callable[[], None] = lambda: None) -> Talk:
        talk = Talk(self, self.gateway.open_session(wake))
        talk.read()
        return talk

    def talk(self, name: str, **login: object) -> Talk:
        """A session that is logged in."""
        talk = self.connect()
        answer = talk.say(type="login", key=self.keys[name], **login)
        assert answer[0]["type"] == "welcome", answer
        return talk


@contextmanager
def floor(**limits: Any) -> Iterator[Floor]:
    made = Floor(SessionLimits(**limits))
    try:
        yield made
    finally:
        made.node.close()


def order(client_order_id: int, **other: object) -> Frame:
    """A limit order to buy ten ACME at 100.00, unless said otherwise."""
    message: Frame = {
        "type": "submit",
        "client_order_id": client_order_id,
        "instrument": "ACME",
        "side": "BUY",
        "quantity": "10",
        "price": "100.00",
    }
    message.update(other)
    return {name: value for name, value in message.items() if value is not None}
