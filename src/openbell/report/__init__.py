"""Statistics and the tear sheet of a run."""
