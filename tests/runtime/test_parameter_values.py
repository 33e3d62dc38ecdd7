"""Text from a command line or a file becomes what a strategy's parameter is declared as."""

from decimal import Decimal

import pytest

from openbell import ConfigError, Strategy
from openbell.runtime.parameter_values import fitted_parameters


class Typed(Strategy):
    whole: int = 1
    real: float = 1.0
    truth: bool = False
    exact: Decimal = Decimal(1)
    text: str = ""
    maybe: int | None = 5
    many: list[int] = [1]  # noqa: RUF012
    pair: tuple[float, ...] = (1.0,)


CASES = [
    ("whole", "7", 7),
    ("real", "0.5", 0.5),
    ("truth", "yes", True),
    ("truth", "off", False),
    ("exact", "0.10", Decimal("0.10")),
    ("exact", 0.1, Decimal("0.1")),
    ("text", "7", "7"),
    ("maybe", "none", None),
    ("maybe", "3", 3),
    ("many", "1, 2,3", [1, 2, 3]),
    ("pair", "1,2.5", (1.0, 2.5)),
    ("pair", [1.0, 2.5], (1.0, 2.5)),
    ("unknown", "x", "x"),
]


@pytest.mark.parametrize(("name", "given", "wanted"), CASES)
def test_a_value_is_read_as_its_parameter_says(name: str, given: object, wanted: object) -> None:
    fitted = fitted_parameters(Typed, {name: given})[name]
    assert fitted == wanted
    assert type(fitted) is type(wanted)


@pytest.mark.parametrize(
    ("name", "given"), [("whole", "1.5"), ("truth", "maybe"), ("exact", "x"), ("many", "1,x")]
)
def test_text_of_another_type_is_refused_by_name(name: str, given: str) -> None:
    with pytest.raises(ConfigError, match=rf"Typed\.{name} is '{given}'"):
        fitted_parameters(Typed, {name: given})
