"""Numbers, names and layouts of messages and rules, as the engine has them; `openbell.messages` makes dtypes of them."""

from openbell._kernel import body_layouts, message_registry, payload_layouts, rule_registry

__all__ = ["body_layouts", "message_registry", "payload_layouts", "rule_registry"]
