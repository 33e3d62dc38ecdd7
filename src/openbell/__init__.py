"""Openbell: an event-driven trading platform with one deterministic engine."""
