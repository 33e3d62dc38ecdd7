"""The command line: one thin file per verb."""


def main() -> None:
    """Entry point of the `openbell` command: runs it and exits with one of the codes in `openbell.model.errors`."""
    from openbell.cli.app import run

    raise SystemExit(run())
