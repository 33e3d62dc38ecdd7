"""The exception tree."""

import pickle

import pytest

from openbell.model import errors


def test_every_error_has_its_exit_code():
    codes = {
        name: getattr(errors, name).exit_code
        for name in dir(errors)
        if isinstance(getattr(errors, name), type)
    }
    assert {n: c for n, c in codes.items() if n not in ("ClassVar",)} == {
        "OpenbellError": 1, "ConfigError": 2, "InputError": 3,
        "StrategyError": 4, "JournalError": 5, "DivergenceError": 6, "EngineStopped": 7,
    }  # fmt: skip
    for name in codes:
        assert issubclass(getattr(errors, name), errors.OpenbellError)


def test_an_input_error_is_one_line_naming_all_it_knows():
    error = errors.InputError(
        "off the\n tick", source="a.csv", row=3, field="open", value="1.005", expected="a multiple of 0.01"
    )
    assert (
        str(error) == "a.csv, row 3, field 'open': off the tick, found '1.005', expected a multiple of 0.01"
    )
    assert str(errors.InputError("empty file")) == "empty file"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_input_error_crosses_processes_whole(protocol):
    error = errors.InputError("bad", source="a.csv", row=3, field="open", value=1, expected="2")
    back = pickle.loads(pickle.dumps(error, protocol))
    assert str(back) == str(error) and back.row == 3
