"""docs/protocol.md names every message, every field, every error and every close code that the code has."""

import re
from pathlib import Path

import msgspec
import pytest

from openbell.gateway import protocol

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "protocol.md").read_text()
MESSAGES = [*protocol.Received.__args__, *protocol.Sent.__args__]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda one: one.__struct_config__.tag)
def test_a_message_and_its_fields_are_described(message: type[msgspec.Struct]) -> None:
    assert f"`{message.__struct_config__.tag}`" in DOCUMENT
    for field in msgspec.structs.fields(message):
        assert re.search(rf"\b{field.name}\b", DOCUMENT), field.name


def test_every_error_is_described() -> None:
    sources = [path.read_text() for path in (ROOT / "src" / "openbell" / "gateway").glob("*.py")]
    codes = dict.fromkeys(re.findall(r'"([A-Z]+_MUST_[A-Z_]+)"', "".join(sources)))
    assert len(codes) > 15
    assert [code for code in codes if f"`{code}`" not in DOCUMENT] == []


def test_every_close_code_is_described() -> None:
    codes = [value for name, value in vars(protocol.Close).items() if name.isupper()]
    assert [code for code in codes if f"| {code} |" not in DOCUMENT] == []


def test_the_examples_can_be_read() -> None:
    frames = re.findall(r"^\{.*?\}$", DOCUMENT, re.MULTILINE | re.DOTALL)
    read = [_read(" ".join(frame.split())) for frame in frames]
    assert len(read) >= 7


def _read(frame: str) -> object:
    try:
        return protocol.decode_request(frame)
    except protocol.ProtocolError:
        return protocol.decode_answer(frame)
