"""Decoders, the book they rebuild and streaming indicators, as the engine has them."""

from openbell._kernel import BinanceDecoder, BinanceUnitScan, DecodeError, Depth, Indicator

__all__ = ["BinanceDecoder", "BinanceUnitScan", "DecodeError", "Depth", "Indicator"]
