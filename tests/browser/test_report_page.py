"""The report page, opened in Chromium: it draws, it pans, it sorts, and it asks nobody for anything."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openbell.report.html import write_report
from openbell.report.tables import RunTables
from tests.report.run_tables import equity_tables, synthetic_tables

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.browser

# Counts frames while something happens; headless Chromium without a GPU draws at most 60 a second.
COUNT_FRAMES = """() => {
  window.frames_ = []; let last = performance.now();
  const count = (now) => { window.frames_.push(now - last); last = now; window.counting = requestAnimationFrame(count); };
  window.counting = requestAnimationFrame(count);
}"""
STOP_COUNTING = "() => { cancelAnimationFrame(window.counting); return window.frames_.slice(1); }"
INKED = """() => Array.from(document.querySelectorAll("#chart canvas")).map((canvas) => {
  if (!canvas.width || !canvas.height) return 0;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
})"""


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    arguments = ["--no-sandbox", "--disable-gpu", "--headless"]
    with playwright_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield running
        running.close()


class OpenedReport:
    """A report in a tab, with everything the page said and asked for."""

    def __init__(self, browser: Any, path: Path, **context: Any) -> None:
        options = {"viewport": {"width": 1280, "height": 900}, **context}
        self.page = browser.new_context(**options).new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(dialog.message))
        self.page.on("request", lambda request: self.asked.append(request.url))
        started = time.perf_counter()
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready=true]")
        self.seconds = time.perf_counter() - started

    def range(self) -> tuple[float, float]:
        found = self.page.evaluate("openbellReport.visibleRange()")
        return found["from"], found["to"]

    def drag(self, distance: int) -> list[float]:
        """Drag the chart sideways and back; returns the milliseconds of each frame."""
        box = self.page.locator("#chart").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + 150
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.evaluate(COUNT_FRAMES)
        for step in range(40):
            self.page.mouse.move(x + distance * step / 40, y)
        frames: list[float] = self.page.evaluate(STOP_COUNTING)
        self.page.mouse.up()
        return frames

    def column(self, index: int) -> list[str]:
        texts: list[str] = self.page.locator(
            f"#trades tbody tr[data-trade] td:nth-child({index})"
        ).all_inner_texts()
        return texts

    def sort_by(self, label: str) -> None:
        self.page.locator("#trades th button", has_text=label).first.click()


@pytest.fixture(scope="module")
def big(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> OpenedReport:
    path = write_report(tmp_path_factory.mktemp("report") / "report.html", synthetic_tables(100_000, 5_000))
    return OpenedReport(browser, path)


def opened(browser: Any, folder: Path, tables: RunTables, **context: Any) -> OpenedReport:
    return OpenedReport(browser, write_report(folder / "report.html", tables), **context)


def numbers(texts: list[str]) -> list[float]:
    return [float(text.replace(",", "").removesuffix(" %")) for text in texts]


def test_a_hundred_thousand_bars_and_five_thousand_trades_open_without_a_word(big: OpenedReport) -> None:
    print(f"opened in {big.seconds:.2f} s")
    assert big.said == []
    assert [url for url in big.asked if not url.startswith("file:")] == []
    assert len(big.asked) == 1
    assert big.page.locator("#chart-note").inner_text() == "100,000 bars"
    assert big.page.locator("#trade-count").inner_text() == "5,000"


def test_every_pane_of_the_chart_is_drawn(big: OpenedReport) -> None:
    big.page.get_by_role("button", name="All").first.click()
    colors = big.page.evaluate(INKED)
    assert sum(1 for count in colors if count > 5) >= 6  # three panes and their price axes
    legends = big.page.locator(".legend").all_inner_texts()
    expected = ("BTCUSDT", "Equity, USDT", "Drawdown")
    assert [text.startswith(name) for text, name in zip(legends, expected, strict=True)] == [True] * 3


@pytest.mark.parametrize("bars", [100_000, 5_000, 200])
def test_dragging_pans_the_chart(big: OpenedReport, bars: int) -> None:
    big.page.evaluate(f"openbellReport.page.chart.setRange({50_000 - bars / 2}, {50_000 + bars / 2})")
    big.page.wait_for_timeout(500)
    before = big.range()
    frames = big.drag(-300)
    after = big.range()
    print(
        f"{bars} bars in view: {1000 * len(frames) / sum(frames):.0f} frames per second, longest {max(frames):.0f} ms"
    )
    assert after[0] - before[0] == pytest.approx(bars * 300 / 1_100, rel=0.3)
    assert after[1] - after[0] == pytest.approx(before[1] - before[0], rel=0.01)
    assert big.said == []


def test_the_wheel_zooms(big: OpenedReport) -> None:
    big.page.get_by_role("button", name="All").first.click()
    big.page.locator("#chart").hover()
    before = big.range()
    for _ in range(5):
        big.page.mouse.wheel(0, -300)
    big.page.wait_for_timeout(300)
    after = big.range()
    assert after[1] - after[0] < 0.9 * (before[1] - before[0])


def test_the_table_sorts_by_any_column_both_ways(big: OpenedReport) -> None:
    profit = synthetic_tables(100_000, 5_000).trades["profit_and_loss"].sort(descending=True)
    big.sort_by("P&L")
    shown = numbers(big.column(11))
    assert shown == pytest.approx(profit.head(len(shown)).to_list(), abs=0.006)
    big.sort_by("P&L")
    shown = numbers(big.column(11))
    assert shown == pytest.approx(profit.reverse().head(len(shown)).to_list(), abs=0.006)
    assert big.page.locator("#trades th[aria-sort=ascending]").inner_text().startswith("P&L")
    big.sort_by("#")
    assert numbers(big.column(1))[:3] == [1, 2, 3]


def test_only_rows_in_sight_are_in_the_document_and_scrolling_reaches_the_last(big: OpenedReport) -> None:
    assert big.page.locator("#trades tbody tr").count() < 60
    big.page.evaluate("document.getElementById('trade-scroll').scrollTop = 1e9")
    big.page.wait_for_timeout(200)
    assert numbers(big.column(1))[-1] == 5_000
    big.page.evaluate("document.getElementById('trade-scroll').scrollTop = 0")
    big.page.wait_for_timeout(200)
    assert numbers(big.column(1))[0] == 1


def test_the_filter_shows_winners_only(big: OpenedReport) -> None:
    big.page.get_by_role("button", name="Winners").click()
    assert min(numbers(big.column(11))) > 0
    big.page.locator("#trade-filter").get_by_role("button", name="All").click()


def test_a_click_on_a_trade_brings_it_into_view(big: OpenedReport) -> None:
    big.page.locator("#trades tbody tr[data-trade='4']").click()
    trade = big.page.evaluate("openbellReport.page.marks.find((mark) => mark.row === 4)")
    low, high = big.range()
    assert low < trade["entry"] <= trade["exit"] < high
    assert high - low < 500
    assert big.page.locator("#trades tr.selected").get_attribute("data-trade") == "4"


def test_arrow_keys_walk_from_trade_to_trade(big: OpenedReport) -> None:
    big.page.locator("#trades tbody tr[data-trade='4']").click()
    big.page.locator("#trade-scroll").press("ArrowDown")
    assert big.page.locator("#trades tr.selected").get_attribute("data-trade") == "5"


def test_what_python_packed_is_what_the_page_reads(browser: Any, tmp_path: Path) -> None:
    tables = synthetic_tables(3_000, 40)
    report = opened(browser, tmp_path, tables)
    bars = tables.bars["BTCUSDT"]
    for name in ("open", "high", "low", "close", "volume"):
        read = report.page.evaluate(f"Array.from(openbellReport.page.view.prices.{name})")
        assert read == bars[name].to_list()
    times = report.page.evaluate("Array.from(openbellReport.page.view.time)")
    assert times == [time_ns / 1e9 for time_ns in bars["time"].to_physical()]
    equity = report.page.evaluate("Array.from(openbellReport.page.view.equity)")
    assert equity == pytest.approx(tables.equity["equity"].to_list(), rel=1e-8)
    profit = report.page.evaluate("Array.from(openbellReport.page.trades.profit_and_loss)")
    assert profit == pytest.approx(tables.trades["profit_and_loss"].to_list(), rel=1e-6)


def test_hostile_names_are_shown_and_stay_inert(browser: Any, tmp_path: Path) -> None:
    name = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    tables = synthetic_tables(
        500, 20, symbols=(name, "B"), strategy=name, parameters={name: name}, fee_model=name
    )
    report = opened(browser, tmp_path, tables)
    assert report.said == []
    assert len(report.asked) == 1
    assert report.page.locator("h1").inner_text() == name
    assert name in report.page.locator("#models").inner_text()
    assert report.page.locator("#instrument option").first.inner_text() == name
    assert name in report.page.locator("#trades").inner_text()
    assert report.page.locator("img").count() == 0


def test_a_script_that_got_in_would_not_run(browser: Any, tmp_path: Path) -> None:
    path = write_report(tmp_path / "report.html", synthetic_tables(100, 4))
    path.write_text(path.read_text().replace("</body>", "<script>document.title = 'owned'</script></body>"))
    report = OpenedReport(browser, path)
    assert report.page.title() != "owned"
    assert any("Content Security Policy" in text for text in report.said)


def test_the_instrument_selector_changes_the_chart_and_a_trade_chooses_its_instrument(
    browser: Any, tmp_path: Path
) -> None:
    report = opened(browser, tmp_path, synthetic_tables(500, 40, symbols=("AAPL", "MSFT")))
    report.page.locator("#instrument").select_option("MSFT")
    assert report.page.locator(".legend").first.inner_text().startswith("MSFT")
    report.page.locator("#trades tr[data-trade]", has_text="AAPL").first.click()
    assert report.page.locator(".legend").first.inner_text().startswith("AAPL")
    assert report.page.locator("#instrument").input_value() == "0"


def test_a_run_without_trades_or_bars_says_so(browser: Any, tmp_path: Path) -> None:
    tables = equity_tables(np.arange(30) * 86_400_000_000_000, np.linspace(100, 130, 30))
    report = opened(browser, tmp_path, tables)
    assert report.said == []
    assert report.page.get_by_text("No trades were made.").is_visible()
    assert len(report.page.locator(".legend").all()) == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_its_window_in_both_color_schemes(
    browser: Any, tmp_path: Path, width: int, scheme: str
) -> None:
    viewport = {"width": width, "height": 844}
    report = opened(browser, tmp_path, synthetic_tables(2_000, 60), viewport=viewport, color_scheme=scheme)
    assert report.page.evaluate("document.documentElement.scrollWidth") <= width
    ground = report.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(12, 15, 20)") == (scheme == "dark")
    assert len(report.page.locator("#chart").screenshot()) > 5_000


def test_the_chart_follows_a_change_of_color_scheme(browser: Any, tmp_path: Path) -> None:
    report = opened(browser, tmp_path, synthetic_tables(500, 20))
    report.page.evaluate("openbellReport.page.chart.setRange(100, 200)")
    report.page.emulate_media(color_scheme="dark")
    report.page.wait_for_timeout(500)
    assert report.range() == pytest.approx((100, 200))
    assert (
        report.page.evaluate("openbellReport.page.chart.chart.options().layout.background.color") == "#14181f"
    )
    assert report.said == []


def test_logarithmic_prices_and_hidden_trades_change_the_picture(browser: Any, tmp_path: Path) -> None:
    report = opened(browser, tmp_path, synthetic_tables(500, 20))
    chart = report.page.locator("#chart")
    pictures = [chart.screenshot()]
    for name in ("Log", "Trades", "Benchmark"):
        report.page.get_by_role("button", name=name).click()
        report.page.mouse.move(0, 0)
        report.page.wait_for_timeout(300)
        pictures.append(chart.screenshot())
    assert len({io.BytesIO(picture).getvalue() for picture in pictures}) == 4
