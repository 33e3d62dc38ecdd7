"""`python -m openbell`, the same as the `openbell` command."""

from openbell.cli import main

main()
