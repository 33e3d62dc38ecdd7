"""Positions, cash and equity as the engine keeps them, in the words of the model."""
