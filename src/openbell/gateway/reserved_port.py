"""The port of an exchange, taken before anything is opened: a start that somebody else's port refuses touches nothing."""

from __future__ import annotations

import socket

from openbell.model.errors import ConfigError


def reserve(host: str, port: int) -> socket.socket:
    """Take a port, and do not listen yet; port 0 takes a free one. Raises ConfigError where that is not possible."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        reserved = socket.socket(family)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(address)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}"
        ) from error
    return reserved
