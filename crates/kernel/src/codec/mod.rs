//! Decoders from the bytes of feeds and files to records.

pub mod binance;
pub mod decimal;
pub mod error;
pub mod lines;
