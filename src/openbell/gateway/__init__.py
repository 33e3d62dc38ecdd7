"""How the outside reaches an exchange: sessions over WebSocket, keys, executions, depth and trades.

| to find | look in |
|---|---|
| the messages, in both directions | `protocol.py`; for people: docs/protocol.md |
| keys and their hashes | `keys.py` |
| an order as a client writes it, checked and in units | `order_codec.py` |
| events of the engine as messages of the protocol | `event_codec.py` |
| orders, positions, cash and past messages of an account | `account_projection.py` |
| books, trades, their deltas and what a slow reader gets | `market_projection.py` |
| what one connection may do, and what it is sent | `session.py` |
| all sessions, one node | `exchange_gateway.py` |
| what a gateway needs of a node | `node_port.py` |
| the port, before anything is opened | `reserved_port.py` |
| HTTP and WebSocket | `websocket.py` |
| the other end | `client.py` |

Only `websocket.py`, `server.py`, `reserved_port.py` and `client.py` do input and output; the rest is called by them and can be
tested without a network.
"""
