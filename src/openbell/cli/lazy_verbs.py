"""Verbs that are imported when they are called, so that `openbell --help` stays quick."""

from __future__ import annotations

from collections.abc import Mapping

from cyclopts import App


def add_verbs(app: App, verbs: Mapping[str, tuple[str, str]]) -> None:
    """Give `app` verbs, in their order: by name the place `module:function` below openbell.cli, and one line of help."""
    for order, (name, (function, about)) in enumerate(verbs.items()):
        app.command(f"openbell.cli.{function}", name=name, help=about, sort_key=order)
