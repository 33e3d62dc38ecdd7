"""Market data as users have it, read into bars and records that the engine takes."""
