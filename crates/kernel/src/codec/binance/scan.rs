//! Finds the units of a capture before it is decoded: the finest price and quantity in it.

use super::message::{Levels, Message};
use super::{second_symbol, split_line};
use crate::codec::decimal::{MAX_DECIMALS, significant_decimals};
use crate::codec::error::{DecodeError, Defect, FieldError, quoted};
use crate::codec::lines::Lines;

/// Reads a capture once and remembers the decimals of its numbers, trailing zeros left out.
#[derive(Debug, Default)]
pub struct UnitScan {
    lines: Lines,
    finest: Finest,
    symbol: Option<String>,
    lenient: bool,
}

/// Most digits after the point; `None` before the first number.
#[derive(Debug, Default)]
struct Finest {
    price: Option<u32>,
    quantity: Option<u32>,
    symbol: String,
}

impl UnitScan {
    /// With a symbol, messages of others are not looked at.
    pub fn new(symbol: Option<String>, lenient: bool) -> Self {
        UnitScan { symbol, lenient, ..Self::default() }
    }

    /// First symbol seen; empty when there was none.
    pub fn symbol(&self) -> &str {
        &self.finest.symbol
    }

    pub fn price_decimals(&self) -> Option<u32> {
        self.finest.price
    }

    pub fn quantity_decimals(&self) -> Option<u32> {
        self.finest.quantity
    }

    /// Looks at the lines that end in `bytes`.
    ///
    /// # Errors
    /// In strict reading the first line that cannot be used.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let (finest, wanted, lenient) = (&mut self.finest, self.symbol.as_deref(), self.lenient);
        self.lines.feed(bytes, |number, line| finest.line(number, line, wanted, lenient))
    }

    /// Ends one file.
    ///
    /// # Errors
    /// As [`UnitScan::feed`], for a last line without line feed.
    pub fn finish_file(&mut self) -> Result<(), DecodeError> {
        let (finest, wanted, lenient) = (&mut self.finest, self.symbol.as_deref(), self.lenient);
        self.lines.finish(|number, line| finest.line(number, line, wanted, lenient))
    }
}

impl Finest {
    fn line(
        &mut self,
        number: u64,
        line: &[u8],
        wanted: Option<&str>,
        lenient: bool,
    ) -> Result<(), DecodeError> {
        let line = line.trim_ascii();
        match if line.is_empty() { Ok(()) } else { self.content(line, wanted) } {
            Err(_) if lenient => Ok(()),
            result => result.map_err(|error| error.at_line(number)),
        }
    }

    fn content(&mut self, line: &[u8], wanted: Option<&str>) -> Result<(), FieldError> {
        let (_, json) = split_line(line)?;
        let message = super::message::parse(json)?;
        let symbol = match message {
            Message::Depth(update) => update.symbol,
            Message::Ticker(ticker) => ticker.symbol,
            Message::Trade(trade) => trade.symbol,
            Message::Snapshot(_) => return self.numbers(message),
            Message::Unused(_) => return Ok(()),
        };
        if wanted.is_some_and(|wanted| wanted != symbol) {
            return Ok(());
        }
        if self.symbol.is_empty() {
            self.symbol.push_str(symbol);
        }
        if self.symbol != symbol {
            return Err(second_symbol(symbol, &self.symbol));
        }
        self.numbers(message)
    }

    fn numbers(&mut self, message: Message<'_>) -> Result<(), FieldError> {
        match message {
            Message::Snapshot(snapshot) => {
                self.levels(snapshot.bids)?;
                self.levels(snapshot.asks)
            }
            Message::Depth(update) => {
                self.levels(update.bids)?;
                self.levels(update.asks)
            }
            Message::Ticker(ticker) => {
                note(&mut self.price, "b", ticker.bid_price)?;
                note(&mut self.price, "a", ticker.ask_price)?;
                note(&mut self.quantity, "B", ticker.bid_quantity)?;
                note(&mut self.quantity, "A", ticker.ask_quantity)
            }
            Message::Trade(trade) => {
                note(&mut self.price, "p", trade.price)?;
                note(&mut self.quantity, "q", trade.quantity)
            }
            Message::Unused(_) => Ok(()),
        }
    }

    fn levels(&mut self, levels: Levels<'_>) -> Result<(), FieldError> {
        let name = levels.name;
        for (index, pair) in levels.enumerate() {
            let (price, quantity) = pair?;
            let at =
                |error: FieldError| FieldError { field: format!("{name}[{index}].{}", error.field), ..error };
            note(&mut self.price, "price", price).map_err(at)?;
            note(&mut self.quantity, "quantity", quantity).map_err(at)?;
        }
        Ok(())
    }
}

fn note(finest: &mut Option<u32>, name: &str, text: &str) -> Result<(), FieldError> {
    let (defect, expected) = match significant_decimals(text) {
        Some(decimals) if decimals <= MAX_DECIMALS => {
            *finest = (*finest).max(Some(decimals));
            return Ok(());
        }
        Some(_) => (Defect::OffUnit, "at most 9 digits after the point"),
        None => (Defect::BadField, "a decimal number"),
    };
    Err(FieldError::new(defect, name, quoted(text), expected))
}
