"""The same run in processes that differ in everything that must not matter: the same events, state and commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from openbell import Backtest, Strategy
from tests.runtime.wild import walk

ROOT = Path(__file__).resolve().parents[2]

RUN = """
import hashlib, json, sys
sys.path.insert(0, {root!r})
from openbell import Backtest
from tests.runtime.wild import Wild, wild_markets
kept = []
class Kept(Wild):
    def on_start(self):
        kept.append(self)
        super().on_start()
result = Backtest(
    Kept(), wild_markets(7, 400), cash=100_000, fees=("0.02%", "0.05%"), slippage="0.01%", latency="1s", leverage=2, seed=11
).prepare().execute(None)
diary = hashlib.sha256(repr(kept[0].diary).encode()).hexdigest()
figures = hashlib.sha256(repr(result.indicators["ABC"].rows()).encode()).hexdigest()
print(json.dumps([result.sequence, hex(result.output_hash), hex(result.state_hash), diary, figures, len(kept[0].orders)]))
"""

SURROUNDINGS = {
    "plain": {},
    "hash seed 1, New York, Turkish": {
        "PYTHONHASHSEED": "1",
        "TZ": "America/New_York",
        "LC_ALL": "tr_TR.UTF-8",
    },
    "hash seed 4294967295, Kathmandu, German": {
        "PYTHONHASHSEED": "4294967295",
        "TZ": "Asia/Kathmandu",
        "LC_ALL": "de_DE.UTF-8",
    },
    "no hash randomization, C locale, optimized": {
        "PYTHONHASHSEED": "0",
        "LC_ALL": "C",
        "PYTHONOPTIMIZE": "2",
    },
}


def in_fresh_process(code, surroundings):
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONHASHSEED", "TZ", "LC_ALL")
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | surroundings,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_hash_seed_time_zone_locale_and_optimization_change_nothing():
    outcomes = {
        name: in_fresh_process(RUN.format(root=str(ROOT)), around) for name, around in SURROUNDINGS.items()
    }
    assert outcomes["plain"][-1] > 50, "the strategy did send orders"
    assert {name: outcome for name, outcome in outcomes.items() if outcome != outcomes["plain"]} == {}


class Daily(Strategy):
    """Random orders, a timer from the start on, and an answer to the end of the run."""

    def on_start(self):
        self.average = self.sma(5)
        self.schedule("week", every="7d")
        self.week = 0

    def on_timer(self, name):
        self.week += 1
        self.cancel_all()

    def on_bar(self, bar):
        one = bar.instrument
        if self.random.random() < 0.2:
            self.bracket(one, self.random.randrange(1, 9) + self.week % 2, stop="-2%", target="+3%")
        if bar.close < self.average.value and self.random.random() < 0.3:
            self.close(one)

    def on_order(self, order):
        if order.state.name == "CANCELED" and self.random.random() < 0.5:
            self.buy(order.instrument, 1)


REPLAY = """
import json, sys
from openbell import replay
report = replay({folder!r})
print(json.dumps([report.digest, report.commands, report.state_hash]))
"""


@pytest.mark.parametrize("journal", ["full", "by_reference"])
def test_a_saved_run_replays_with_its_strategy_in_another_process_with_other_surroundings(tmp_path, journal):
    data = tmp_path / "ABC.csv"
    days = (f"2021-{1 + number // 28:02}-{1 + number % 28:02}" for number in range(300))
    rows = [f"{day},{','.join(map(str, row))}" for day, row in zip(days, walk(3, 300), strict=True)]
    data.write_text("date,open,high,low,close,volume\n" + "\n".join(rows))
    run = Backtest(Daily(), str(data), cash=100_000, fees="0.1%", seed=5, journal=journal).run(
        out=tmp_path / "runs"
    )
    code = REPLAY.format(folder=str(run.folder))
    digest, commands, state_hash = in_fresh_process(code, SURROUNDINGS["hash seed 1, New York, Turkish"])
    assert (digest, state_hash) == (run.digest, f"{run.state_hash:032x}")
    assert commands is not None and commands > 30
