"""Two clients trade with each other at an exchange, and one of them comes back after it lost its connection.

openbell exchange --demo
python examples/exchange/two_clients.py ws://127.0.0.1:8700/ws KEY_OF_ALICE KEY_OF_BOB
"""

import asyncio
import sys
import time

from openbell.gateway import protocol
from openbell.gateway.client import ExchangeClient


async def main(url: str, alice_key: str, bob_key: str) -> None:
    # An id is used once per account; a real client counts on from the last one it used.
    first = time.time_ns() // 1_000

    async with ExchangeClient(url, bob_key) as bob:
        alice = ExchangeClient(url, alice_key)
        await alice.connect()
        await bob.subscribe("trades", "ACME")
        await bob.market()  # the latest trades so far

        await alice.submit(first, "ACME", "BUY", 10, price="100.25")
        print("alice:", told(await alice.execution(first)))
        await alice.close()  # she is gone, her order is not

        await bob.submit(first, "ACME", "SELL", 4, price="100.00")
        print("bob:  ", told(await bob.execution(first)))
        print("bob:  ", told(await bob.execution(first)))
        trades = await bob.market()
        assert isinstance(trades, protocol.Trades)
        print("tape: ", *(f"{trade.quantity} at {trade.price}" for trade in trades.trades))

        async with ExchangeClient(url, alice_key, resume_from=alice.place) as back:
            print("alice:", told(await back.execution(first)), "(while she was away)")
            await back.cancel(first)
            print("alice:", told(await back.execution(first)))
            state = await back.state()
            held = ", ".join(f"{one.quantity} {one.instrument}" for one in state.positions)
            print(f"alice has {state.cash} {state.currency} and {held or 'no positions'}")


def told(execution: protocol.Execution) -> str:
    """What happened, in a line."""
    match execution:
        case protocol.OrderAccepted():
            return f"order {execution.order_id} is in the book, durable as '{execution.durability}'"
        case protocol.OrderFilled():
            verb = "bought" if execution.side == "BUY" else "sold"
            return f"{verb} {execution.quantity} at {execution.price}, {execution.leaves_quantity} left"
        case protocol.OrderCanceled():
            return f"canceled, {execution.leaves_quantity} did not trade"
    return repr(execution)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
