"""A client that trades through every crash of the exchange, and keeps what it was told.

    python -m tests.simulation.kill_client URL KEY SEED TOLD SENT

Every execution goes to the file TOLD as it came, every order to SENT before it is sent. After each reconnect it says where it
was, takes what it missed, and sends again, with the same ids, the orders that were never answered. "finish" on stdin makes it
stop once everything is answered. Exit code 1, with a line on stderr, when the exchange says what it must not.
"""

import asyncio
import json
import os
import random
import sys
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

WINDOW = 12
SYMBOLS = ("ACME", "BELL")


class KillClient:
    def __init__(self, url: str, key: str, seed: int, told: Path, sent: Path) -> None:
        self.url, self.key = url, key
        self.chance = random.Random(seed)
        self.told, self.sent = told.open("a"), sent.open("a")
        self.place: tuple[int, int] | None = None
        self.unanswered: dict[int, str] = {}
        self.open: dict[int, str] = {}
        self.number = 0
        self.is_finishing = False

    async def run(self) -> None:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._finish)
        while not (self.is_finishing and not self.unanswered):
            try:
                async with connect(self.url, compression=None, open_timeout=2) as socket:
                    await self._session(socket)
            except (ConnectionClosed, OSError, InvalidHandshake, TimeoutError, EOFError):
                await asyncio.sleep(0.01)

    def _finish(self) -> None:
        if not sys.stdin.readline():
            os._exit(2)  # the campaign is gone
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        self.is_finishing = True

    async def _session(self, socket: ClientConnection) -> None:
        login: dict[str, object] = {"type": "login", "key": self.key}
        if self.place is not None:
            login |= {"resume_from": self.place[0], "resume_index": self.place[1]}
        await socket.send(json.dumps(login))
        missing = 0
        while True:
            message = json.loads(await socket.recv())
            if message["type"] == "hello":
                continue
            self._require(message["type"] == "welcome", f"login answered by {message}")
            self._require(self.place is None or message["resumed"], f"not resumed at {self.place}: {message}")
            missing = message["resent"]
            self.place = self.place or (message["sequence"], message["index"])
            break
        for _ in range(missing):
            self._take(str(await socket.recv()))
        for frame in tuple(self.unanswered.values()):
            await socket.send(frame)
        await self._trade(socket)

    async def _trade(self, socket: ClientConnection) -> None:
        while self.unanswered or not self.is_finishing:
            while len(self.unanswered) < WINDOW and not self.is_finishing:
                await self._ask(socket)
            self._take(str(await socket.recv()))

    async def _ask(self, socket: ClientConnection) -> None:
        if self.open and self.chance.random() < 0.4:
            await socket.send(self._change())
        self.number += 1
        frame = json.dumps(self._order(self.number))
        self.unanswered[self.number] = frame
        self.sent.write(frame + "\n")
        self.sent.flush()
        await socket.send(frame)

    def _order(self, number: int) -> dict[str, object]:
        chance = self.chance
        ticks = chance.randint(-10, 10)
        return {
            "type": "submit",
            "client_order_id": number,
            "instrument": chance.choice(SYMBOLS),
            "side": chance.choice(("BUY", "SELL")),
            "quantity": str(chance.randint(1, 9)),
            "price": f"{100 + ticks * 0.05:.2f}",
            "time_in_force": chance.choice(("GTC", "GTC", "GTC", "IOC", "FOK")),
        }

    def _change(self) -> str:
        chance = self.chance
        number = chance.choice(tuple(self.open))
        if chance.random() < 0.7:
            return json.dumps({"type": "cancel", "client_order_id": number})
        price = f"{100 + chance.randint(-10, 10) * 0.05:.2f}"
        return json.dumps({"type": "replace", "client_order_id": number, "price": price})

    def _take(self, frame: str) -> None:
        message = json.loads(frame)
        kind = message["type"]
        self._require(kind != "state", f"what was missed was not sent again: {message}")
        if kind == "error":
            # A replace of an order that was closed long ago is no fault of anybody.
            self._require(message["code"] == "ORDER_MUST_EXIST", f"refused: {message}")
            return
        if "index" not in message:
            return
        place = (message["sequence"], message["index"])
        self._require(self.place is None or place > self.place, f"{place} came after {self.place}")
        self.place = place
        self.told.write(frame + "\n")
        self.told.flush()
        number = message.get("client_order_id", 0)
        if kind in ("order_accepted", "order_denied", "order_rejected"):
            self.unanswered.pop(number, None)
        if kind == "order_accepted" and not message.get("repeated"):
            self.open[number] = frame
        if kind in ("order_canceled", "order_expired") or message.get("leaves_quantity") == "0":
            self.open.pop(number, None)

    def _require(self, holds: bool, told: str) -> None:
        if not holds:
            print(told, file=sys.stderr, flush=True)
            sys.exit(1)


if __name__ == "__main__":
    url, key, seed, told, sent = sys.argv[1:]
    asyncio.run(KillClient(url, key, int(seed), Path(told), Path(sent)).run())
