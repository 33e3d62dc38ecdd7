"""The published language: what the kernel's records and events look like from Python.

Numbers, names and fields come from the kernel's registry, so nothing is said twice.
"""
