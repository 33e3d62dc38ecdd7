"""Measurements: ours, the plain reference that marks the limit, and peers, as ratios in one run."""
