"""The node live: `LiveNode` on its threads, `Commands` to configure it and to submit, `LiveHealth` to look at.

`RestartedNode` is a node before it goes on, `RecentEvents` what was picked out of the events on the way there.

Outputs come as arrays of slots, as from `Node.take_output`; `openbell.messages.layouts` makes sense of them.
"""

from openbell._kernel import (
    Commands,
    LiveHealth,
    LiveNode,
    RecentEvents,
    RestartedNode,
    durability_of,
)

__all__ = ["Commands", "LiveHealth", "LiveNode", "RecentEvents", "RestartedNode", "durability_of"]
