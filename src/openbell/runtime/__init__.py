"""The only place where parts are chosen: backtest and replay, as files to compare."""
