"""The published language: commands, observations and events, one file per stream."""
