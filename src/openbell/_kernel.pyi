"""The compiled engine. Import it through openbell.kernel only."""
