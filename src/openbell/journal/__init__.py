"""The record of what happened: opening, reading and verifying the journal of a run."""
