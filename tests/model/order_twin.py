"""The words of the engine's twin: commands as they are sent, orders as they live, refusals."""

from __future__ import annotations

from dataclasses import dataclass, field

GTC, DAY, GTD, IOC, FOK = "GTC", "DAY", "GTD", "IOC", "FOK"
MARKET, LIMIT, STOP, STOP_LIMIT = "MARKET", "LIMIT", "STOP", "STOP_LIMIT"
UNITS, PERCENT, TARGET, CLOSE = "UNITS", "PERCENT", "TARGET_PERCENT", "CLOSE_POSITION"

OPEN_STATES = ("SUBMITTED", "PENDING_NEW", "ACCEPTED", "PENDING_REPLACE", "PENDING_CANCEL")
PENDING_STATES = ("PENDING_NEW", "PENDING_REPLACE", "PENDING_CANCEL")

Event = tuple[object, ...]


class RefusedError(Exception):
    """A rule that was broken, what it allows and what was asked."""

    def __init__(self, rule: str, limit: int = 0, actual: int = 0) -> None:
        super().__init__(rule, limit, actual)
        self.rule, self.limit, self.actual = rule, limit, actual

    @property
    def words(self) -> tuple[str, int, int]:
        """Rule, limit and actual, as an event tells them."""
        return self.rule, self.limit, self.actual


@dataclass(frozen=True)
class Submit:
    """A new order."""

    account: int
    client_id: int
    instrument: int
    side: int
    """+1 buys, -1 sells."""
    kind: str
    quantity: int
    price: int = 0
    stop: int = 0
    time_in_force: str = GTC
    sizing: str = UNITS
    post_only: bool = False
    reduce_only: bool = False
    expire_time: int = 0
    parent: int = 0
    partner: int = 0
    offset: int = 0


@dataclass(frozen=True)
class Replace:
    """New terms; 0 keeps the old one."""

    account: int
    client_id: int
    price: int = 0
    quantity: int = 0
    stop: int = 0


@dataclass(frozen=True)
class Cancel:
    """Takes one order back."""

    account: int
    client_id: int


@dataclass(frozen=True)
class CancelAll:
    """Takes all orders of an account back."""

    account: int
    instrument: int = 0


@dataclass(frozen=True)
class Kill:
    """Stops an account, 0 everybody."""

    account: int


@dataclass(frozen=True)
class Release:
    """Lets it trade again."""

    account: int


@dataclass(frozen=True)
class SetLimit:
    """Bounds an account (0 = all) in an instrument (0 = all)."""

    account: int
    instrument: int
    kind: str
    value: int


@dataclass(frozen=True)
class Pass:
    """Time goes by; something is observed that concerns nobody."""

    duration_ns: int


@dataclass(frozen=True)
class CloseSession:
    """The trading day ends now."""


@dataclass(frozen=True)
class Bars:
    """Bars that close together: (instrument, open, high, low, close)."""

    rows: tuple[tuple[int, int, int, int, int], ...]


@dataclass(frozen=True)
class EndRun:
    """The data ended."""


Command = (
    Submit | Replace | Cancel | CancelAll | Kill | Release | SetLimit | Pass | CloseSession | Bars | EndRun
)


@dataclass(frozen=True)
class Terms:
    """What a replace can change; `quantity` is the total."""

    price: int
    quantity: int
    stop: int


@dataclass
class Order:
    """An order from its submission on."""

    order_id: int
    request: Submit
    terms: Terms
    state: str = "SUBMITTED"
    filled: int = 0
    value: int = 0
    acknowledged: bool = False
    accepted: bool = False
    held: bool = False
    pending: Terms | None = None
    wanted: int | None = None
    partner: Order | None = None
    children: list[Order] = field(default_factory=list)
    refusal: tuple[str, int, int] | None = None

    @property
    def is_open(self) -> bool:
        """Something may still come of it."""
        return self.state in OPEN_STATES

    @property
    def leaves(self) -> int:
        """What is still to trade; nothing as long as the size is not known."""
        return max(self.terms.quantity - self.filled, 0) if self.request.sizing == UNITS else 0

    @property
    def only_reduces(self) -> bool:
        """It can bring the position nearer to zero only."""
        return self.request.reduce_only or self.request.sizing == CLOSE
