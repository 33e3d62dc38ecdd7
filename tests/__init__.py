"""The tests of the Python side; `tests/model` holds slow, obvious twins of the engine."""
