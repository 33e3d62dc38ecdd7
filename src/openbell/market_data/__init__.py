"""Market data as the engine takes it: bars read from files and frames, checked and counted in integers."""
