//! Raw captures of Binance, spot and futures: WebSocket messages and REST depth snapshots, one per line, each
//! after the local time in nanoseconds at which it came.
//!
//! The decoder does with the updates of a book what the exchange's manual asks of a client ("How to manage a
//! local order book correctly"): it holds what comes before a snapshot, drops what the snapshot contains,
//! goes on with the first update that reaches beyond it, and tells when one is missing. Quantities are
//! absolute, so updates that overlap lose nothing; a gap is where the next message begins after the update
//! that is due.

mod book;
mod counts;
pub mod message;
mod scan;

pub use counts::Counts;
pub use scan::UnitScan;

use self::book::{BookSync, HELD_MESSAGES, Level};
use self::message::{BookTicker, DepthSnapshot, DepthUpdate, Levels, Message, Trade, TradeStream};
use super::decimal::{DecimalError, DecimalUnit};
use super::error::{DecodeError, Defect, FieldError, quoted};
use super::lines::Lines;
use crate::observation::{QuoteObserved, QuotePayload, TradeObserved};
use crate::record::{RecordBuffer, Slot, flags};

/// What to decode and into which units.
#[derive(Clone, Debug)]
pub struct BinanceConfig {
    /// Goes into the records' heads.
    pub instrument: u32,
    pub source: u16,
    pub price_unit: DecimalUnit,
    pub quantity_unit: DecimalUnit,
    /// Messages of other symbols are counted and left out. `None`: the first symbol is the only one allowed.
    pub symbol: Option<String>,
    /// Count lines that cannot be used instead of stopping at the first.
    pub lenient: bool,
    /// Records begin here, with the book as it stands then, and end before `end_time`.
    pub start_time: u64,
    pub end_time: u64,
}

/// Incremental decoder: bytes in, records out.
#[derive(Debug)]
pub struct BinanceDecoder {
    config: BinanceConfig,
    lines: Lines,
    core: Core,
}

/// The decoder without its line buffer, so that a line can be decoded while the buffer is borrowed.
#[derive(Debug)]
struct Core {
    book: BookSync,
    /// First symbol seen.
    symbol: String,
    trade_stream: Option<TradeStream>,
    last_time: u64,
    started: bool,
    ended: bool,
    aside: Vec<Slot>,
    levels: Vec<Level>,
    counts: Counts,
}

impl BinanceDecoder {
    pub fn new(config: BinanceConfig) -> Self {
        let core = Core {
            book: BookSync::new(),
            symbol: config.symbol.clone().unwrap_or_default(),
            trade_stream: None,
            last_time: 0,
            started: false,
            ended: false,
            aside: Vec::new(),
            levels: Vec::new(),
            counts: Counts::default(),
        };
        BinanceDecoder { config, lines: Lines::default(), core }
    }

    pub fn counts(&self) -> &Counts {
        &self.core.counts
    }

    /// The symbol decoded; empty before the first message.
    pub fn symbol(&self) -> &str {
        &self.core.symbol
    }

    /// True once a line at or after `end_time` has come: nothing more will.
    pub fn ended(&self) -> bool {
        self.core.ended
    }

    /// Appends to `out` the records of the lines that end in `bytes`; the unfinished last line waits.
    ///
    /// # Errors
    /// In strict decoding the first line that cannot be used; the records before it are in `out`.
    pub fn decode(&mut self, bytes: &[u8], out: &mut Vec<Slot>) -> Result<(), DecodeError> {
        let (config, core) = (&self.config, &mut self.core);
        self.lines.feed(bytes, |number, line| core.line(config, number, line, out))
    }

    /// Ends one file: decodes a last line without line feed and counts lines from 1 again. The book goes on,
    /// so that a capture cut into several files can be read as one.
    ///
    /// # Errors
    /// As [`BinanceDecoder::decode`].
    pub fn finish_file(&mut self, out: &mut Vec<Slot>) -> Result<(), DecodeError> {
        let (config, core) = (&self.config, &mut self.core);
        self.lines.finish(|number, line| core.line(config, number, line, out))
    }

    /// Ends the last file.
    ///
    /// # Errors
    /// In strict decoding, depth updates for which no snapshot ever came.
    pub fn finish(&mut self) -> Result<(), DecodeError> {
        let waiting = self.core.book.waiting();
        if waiting == 0 || self.core.ended {
            return Ok(());
        }
        if self.config.lenient {
            self.core.counts.skip(Defect::NoSnapshot, waiting as u64);
            return Ok(());
        }
        Err(no_snapshot("the end of the data").at_line(self.core.counts.lines))
    }
}

fn no_snapshot(place: &str) -> FieldError {
    FieldError::new(
        Defect::NoSnapshot,
        "depthUpdate",
        format!("depth updates, but no snapshot up to {place}"),
        "a line with a REST depth snapshot (lastUpdateId, bids, asks), in this file or one read before it",
    )
}

impl Core {
    /// Decodes one line; a defect is an error or, lenient, a count.
    fn line(
        &mut self,
        config: &BinanceConfig,
        number: u64,
        line: &[u8],
        out: &mut Vec<Slot>,
    ) -> Result<(), DecodeError> {
        if self.ended {
            return Ok(());
        }
        self.counts.lines += 1;
        let line = line.trim_ascii();
        if line.is_empty() {
            self.counts.blank += 1;
            return Ok(());
        }
        match self.content(config, line, out) {
            Err(error) if config.lenient => {
                self.counts.skip(error.defect, 1);
                Ok(())
            }
            result => result.map_err(|error| error.at_line(number)),
        }
    }

    fn content(
        &mut self,
        config: &BinanceConfig,
        line: &[u8],
        out: &mut Vec<Slot>,
    ) -> Result<(), FieldError> {
        let (time, json) = split_line(line)?;
        let message = message::parse(json)?;
        let time = self.ordered_time(config, time)?;
        if time >= config.end_time {
            self.ended = true;
            return Ok(());
        }
        if time < config.start_time {
            return self.before_start(config, time, message);
        }
        if !self.started {
            self.started = true;
            self.book.begin(&Stamp { config, time }, out);
        }
        let from = out.len();
        self.message(&Stamp { config, time }, message, out)?;
        self.counts.records += out[from..].iter().filter(|slot| !is_continuation(slot)).count() as u64;
        Ok(())
    }

    /// The book is kept up to date, but nothing is given out.
    fn before_start(
        &mut self,
        config: &BinanceConfig,
        time: u64,
        message: Message<'_>,
    ) -> Result<(), FieldError> {
        let mut aside = std::mem::take(&mut self.aside);
        let result = self.message(&Stamp { config, time }, message, &mut aside);
        self.book.absorb(&aside);
        aside.clear();
        self.aside = aside;
        self.counts.before_start += 1;
        result
    }

    /// Records must come in order of time. Lenient decoding holds the time still where the clock stepped back.
    fn ordered_time(&mut self, config: &BinanceConfig, time: u64) -> Result<u64, FieldError> {
        if time < self.last_time {
            if !config.lenient {
                let expected = format!("no time before that of the line above, {}", self.last_time);
                return Err(FieldError::new(Defect::TimeStepsBack, "local time", time.to_string(), expected));
            }
            self.counts.skip(Defect::TimeStepsBack, 1);
        }
        self.last_time = self.last_time.max(time);
        Ok(self.last_time)
    }

    fn message(
        &mut self,
        stamp: &Stamp<'_>,
        message: Message<'_>,
        out: &mut Vec<Slot>,
    ) -> Result<(), FieldError> {
        match message {
            Message::Snapshot(snapshot) => self.snapshot(stamp, &snapshot, out),
            Message::Depth(update) => self.depth(stamp, &update, out),
            Message::Ticker(ticker) => self.ticker(stamp, &ticker, out),
            Message::Trade(trade) => self.trade(stamp, &trade, out),
            Message::Unused(kind) => {
                self.counts.unused(kind);
                Ok(())
            }
        }
    }

    fn snapshot(
        &mut self,
        stamp: &Stamp<'_>,
        snapshot: &DepthSnapshot<'_>,
        out: &mut Vec<Slot>,
    ) -> Result<(), FieldError> {
        read_levels(stamp.config, snapshot.bids, snapshot.asks, &mut self.levels)?;
        self.counts.snapshots += 1;
        let (id, time) = (snapshot.last_update_id, snapshot.exchange_time);
        self.book.snapshot(stamp, id, time, &self.levels, &mut self.counts, out);
        Ok(())
    }

    fn depth(
        &mut self,
        stamp: &Stamp<'_>,
        update: &DepthUpdate<'_>,
        out: &mut Vec<Slot>,
    ) -> Result<(), FieldError> {
        if !self.is_wanted(stamp.config, update.symbol)? {
            return Ok(());
        }
        read_levels(stamp.config, update.bids, update.asks, &mut self.levels)?;
        self.counts.depth_updates += 1;
        let dropped = self.book.update(stamp, update, &self.levels, &mut self.counts, out);
        if dropped && !stamp.config.lenient {
            return Err(no_snapshot(&format!("the {HELD_MESSAGES}th update")));
        }
        if dropped {
            self.counts.skip(Defect::NoSnapshot, 1);
        }
        Ok(())
    }

    fn ticker(
        &mut self,
        stamp: &Stamp<'_>,
        ticker: &BookTicker<'_>,
        out: &mut Vec<Slot>,
    ) -> Result<(), FieldError> {
        if !self.is_wanted(stamp.config, ticker.symbol)? {
            return Ok(());
        }
        let (price_unit, quantity_unit) = (&stamp.config.price_unit, &stamp.config.quantity_unit);
        let quote = QuoteObserved {
            bid_price: number(price_unit, "b", ticker.bid_price)?,
            bid_quantity: number(quantity_unit, "B", ticker.bid_quantity)?,
            ask_price: number(price_unit, "a", ticker.ask_price)?,
            ask_quantity: number(quantity_unit, "A", ticker.ask_quantity)?,
        };
        let (update_id, exchange_time) = (ticker.update_id, ticker.exchange_time);
        let mut record = RecordBuffer::new(quote);
        record.push(QuotePayload { update_id, exchange_time, reserved: [0; 3] });
        *record.head_mut() = stamp.on(*record.head_mut(), flags::LAST_OF_MESSAGE);
        for slot in record.slots_mut() {
            slot.time = stamp.time;
        }
        out.extend_from_slice(record.slots());
        self.counts.quotes += 1;
        Ok(())
    }

    fn trade(&mut self, stamp: &Stamp<'_>, trade: &Trade<'_>, out: &mut Vec<Slot>) -> Result<(), FieldError> {
        if !self.is_wanted(stamp.config, trade.symbol)? {
            return Ok(());
        }
        // `trade` and `aggTrade` tell the same trades: whichever comes first is used, the other would double them.
        if *self.trade_stream.get_or_insert(trade.stream) != trade.stream {
            self.counts.unused("second trade stream");
            return Ok(());
        }
        if !trade.in_market {
            self.counts.unused("trade outside the market");
            return Ok(());
        }
        let body = TradeObserved {
            price: positive(&stamp.config.price_unit, "p", trade.price)?,
            quantity: positive(&stamp.config.quantity_unit, "q", trade.quantity)?,
            trade_id: trade.trade_id,
            exchange_time: trade.exchange_time,
        };
        let side = if trade.buyer_is_maker { flags::SELL } else { 0 };
        out.push(stamp.on(Slot::new(body), side | flags::LAST_OF_MESSAGE));
        self.counts.trades += 1;
        Ok(())
    }

    fn is_wanted(&mut self, config: &BinanceConfig, symbol: &str) -> Result<bool, FieldError> {
        if self.symbol == symbol {
            return Ok(true);
        }
        if self.symbol.is_empty() {
            self.symbol.push_str(symbol);
            return Ok(true);
        }
        if config.symbol.is_some() {
            self.counts.other_symbol += 1;
            return Ok(false);
        }
        Err(second_symbol(symbol, &self.symbol))
    }
}

/// What every record of one line has in common.
struct Stamp<'c> {
    config: &'c BinanceConfig,
    time: u64,
}

impl Stamp<'_> {
    fn on(&self, slot: Slot, flags: u16) -> Slot {
        Slot {
            time: self.time,
            flags,
            source: self.config.source,
            instrument: self.config.instrument,
            ..slot
        }
    }
}

fn is_continuation(slot: &Slot) -> bool {
    slot.message == crate::message::Message::Continuation as u16
}

fn second_symbol(found: &str, first: &str) -> FieldError {
    let expected = format!("{first:?} as in the lines above (or name the symbol to decode)");
    FieldError::new(Defect::OtherSymbol, "s", quoted(found), expected)
}

/// `<local time in nanoseconds> <JSON>`.
fn split_line(line: &[u8]) -> Result<(u64, &[u8]), FieldError> {
    let end = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
    let (head, json) = line.split_at(end);
    let wrong = |expected: &str| {
        FieldError::new(Defect::Line, "local time", quoted(&String::from_utf8_lossy(head)), expected)
    };
    let time = std::str::from_utf8(head).ok().and_then(|text| text.parse::<u64>().ok());
    let time = time.ok_or_else(|| wrong("UTC nanoseconds, a space, then JSON"))?;
    // 10^17 ns is 1973: a smaller figure counts milliseconds or seconds.
    if !(100_000_000_000_000_000..=i64::MAX as u64).contains(&time) {
        return Err(wrong("UTC nanoseconds, 18 or 19 digits"));
    }
    if json.is_empty() {
        return Err(FieldError::new(Defect::Line, "JSON", "nothing", "a JSON object after the local time"));
    }
    Ok((time, &json[1..]))
}

/// Both sides of a message, bids first. Nothing is used of a message with one bad level.
fn read_levels(
    config: &BinanceConfig,
    bids: Levels<'_>,
    asks: Levels<'_>,
    levels: &mut Vec<Level>,
) -> Result<(), FieldError> {
    levels.clear();
    for (side, sell) in [(bids, false), (asks, true)] {
        let name = side.name;
        for (index, pair) in side.enumerate() {
            let (price, quantity) = pair?;
            let at =
                |error: FieldError| FieldError { field: format!("{name}[{index}].{}", error.field), ..error };
            levels.push(Level {
                sell,
                price: positive(&config.price_unit, "price", price).map_err(at)?,
                quantity: number(&config.quantity_unit, "quantity", quantity).map_err(at)?,
            });
        }
    }
    Ok(())
}

fn number(unit: &DecimalUnit, name: &str, text: &str) -> Result<i64, FieldError> {
    unit.parse(text).map_err(|error| {
        let (defect, expected) = match error {
            DecimalError::NotANumber => (Defect::BadField, "a decimal number".to_string()),
            DecimalError::OffUnit => (Defect::OffUnit, format!("a multiple of {}", unit.name())),
            DecimalError::TooLarge => (Defect::OffUnit, format!("at most 2^56 units of {}", unit.name())),
        };
        FieldError::new(defect, name, quoted(text), expected)
    })
}

fn positive(unit: &DecimalUnit, name: &str, text: &str) -> Result<i64, FieldError> {
    match number(unit, name, text)? {
        0 => Err(FieldError::new(Defect::BadField, name, quoted(text), "a number above 0")),
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests;
