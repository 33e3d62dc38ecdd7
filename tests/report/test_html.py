"""The report page as text: complete, closed to the network, and deaf to what hides in names. Opened in tests/browser."""

import hashlib
import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import openbell.report.html as page
from openbell.report.html import inert_json, report_html, write_report
from tests.report.run_tables import equity_tables, synthetic_tables

SURROGATE = "\ud800"  # text that cannot be written as UTF-8; polars refuses it already
HOSTILE = '</script><script>alert(1)</script><img src=x onerror="alert(2)">\u2028@@STYLE@@' + SURROGATE


def content_of(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="content">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_the_page_names_models_digest_parameters_and_versions() -> None:
    content = content_of(report_html(synthetic_tables(300, 10)))
    assert dict(content["models"])["Fees"] == "0.04 % of notional"
    assert [label for label, _ in content["models"]] == ["Fees", "Fills", "Queue", "Latency", "Slippage"]
    assert content["proof"] == [["Digest", "9f2d5a71c3e84b06a1d7f0e92b58c4d3"]]
    assert ["fast", "10"] in content["parameters"]
    assert ["python", "3.11.7"] in content["versions"]


def test_a_model_that_was_not_stated_is_said_to_be_so() -> None:
    content = content_of(report_html(equity_tables(np.array([0, 1]), np.array([1.0, 2.0]))))
    assert {text for _, text in content["models"]} == {"not stated"}


def test_the_page_refers_to_nothing_outside() -> None:
    text = report_html(synthetic_tables(300, 10))
    assert not re.search(r'(?:src|href)="(?!https://www\.tradingview\.com/")', text.split("<script>")[0])
    assert "default-src 'none'" in text
    assert "connect-src" not in text


@pytest.mark.parametrize("place", ["strategy", "parameters", "fee_model", "digest", "symbol", "indicator"])
def test_a_hostile_name_opens_no_element(place: str) -> None:
    tables = synthetic_tables(
        300, 10, symbols=(HOSTILE.removesuffix(SURROGATE),) if place == "symbol" else ("X",)
    )
    if place == "indicator":
        frame = tables.bars["X"].select("time", "close").rename({"close": HOSTILE.removesuffix(SURROGATE)})
        object.__setattr__(tables, "indicators", {"X": frame})
    elif place != "symbol":
        value = {HOSTILE: HOSTILE} if place == "parameters" else HOSTILE
        object.__setattr__(tables, "settings", {**tables.settings, place: value})
    text, plain = report_html(tables), report_html(synthetic_tables(300, 10, symbols=("X",)))
    assert text.count("<script") == plain.count("<script")
    assert text.count("<style") == plain.count("<style")
    assert "<img" not in text
    assert "\u2028" not in text[text.index('id="content"') :].split("<script>")[0]
    text.encode("utf-8")
    content_of(text)


def test_inert_json_reads_back_as_it_was() -> None:
    value = {"a": "</script>&<!--\u2028\u2029", "b": [1, 2.5, None]}
    assert json.loads(inert_json(value)) == value
    assert not set(inert_json(value)) & set("<>&\u2028\u2029")


def test_the_same_run_gives_the_same_page() -> None:
    assert report_html(synthetic_tables(300, 10)) == report_html(synthetic_tables(300, 10))


def test_a_report_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = write_report(tmp_path / "report.html", synthetic_tables(300, 10))
    before = target.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    monkeypatch.setattr(page, "report_html", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(target, synthetic_tables(300, 10))
    assert target.read_bytes() == before


def test_a_hundred_thousand_bars_and_five_thousand_trades_stay_small() -> None:
    tables = synthetic_tables(100_000, 5_000)
    started = time.perf_counter()
    size = len(report_html(tables))
    print(f"{size / 1e6:.2f} MB in {time.perf_counter() - started:.2f} s")
    assert size < 4_000_000


def test_the_chart_library_is_the_released_file_with_its_license() -> None:
    assets = Path(page.__file__).parent / "assets"
    library = (assets / page.CHART_LIBRARY).read_bytes()
    assert b"Licensed under Apache License 2.0" in library[:300]
    assert hashlib.sha256(library).hexdigest() == page.CHART_LIBRARY_SHA256
    assert "Apache License" in (assets / "lightweight-charts.LICENSE").read_text()
