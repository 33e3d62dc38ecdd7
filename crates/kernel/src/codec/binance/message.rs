//! The JSON messages of Binance, spot and futures, borrowed from the line they stand in.

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::codec::error::{Defect, FieldError, quoted};

/// One message, its numbers still text.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// Answer of the REST endpoint `depth`.
    Snapshot(DepthSnapshot<'a>),
    Depth(DepthUpdate<'a>),
    Ticker(BookTicker<'a>),
    Trade(Trade<'a>),
    /// Valid, but of a stream that is not decoded; by its event name.
    Unused(&'a str),
}

#[derive(Clone, Copy, Debug)]
pub struct DepthSnapshot<'a> {
    pub last_update_id: u64,
    pub exchange_time: u64,
    pub bids: Levels<'a>,
    pub asks: Levels<'a>,
}

/// Stream `depth`: the new quantities of the levels that changed in updates `first..=last`. Futures also name
/// the last update of the message before.
#[derive(Clone, Copy, Debug)]
pub struct DepthUpdate<'a> {
    pub symbol: &'a str,
    pub exchange_time: u64,
    pub first: u64,
    pub last: u64,
    pub previous: Option<u64>,
    pub bids: Levels<'a>,
    pub asks: Levels<'a>,
}

/// Stream `bookTicker`: best bid and offer after update `update_id`.
#[derive(Clone, Copy, Debug)]
pub struct BookTicker<'a> {
    pub symbol: &'a str,
    pub update_id: u64,
    /// 0 on spot, which sends none.
    pub exchange_time: u64,
    pub bid_price: &'a str,
    pub bid_quantity: &'a str,
    pub ask_price: &'a str,
    pub ask_quantity: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradeStream {
    Single,
    Aggregated,
}

/// Streams `trade` and `aggTrade`.
#[derive(Clone, Copy, Debug)]
pub struct Trade<'a> {
    pub symbol: &'a str,
    pub stream: TradeStream,
    pub exchange_time: u64,
    pub trade_id: u64,
    pub price: &'a str,
    pub quantity: &'a str,
    pub buyer_is_maker: bool,
    /// False for insurance fund and deleveraging entries of futures, which never met the book.
    pub in_market: bool,
}

/// The fields of a message by their one-letter names, wherever in the envelope they stand.
#[derive(Clone, Copy, Debug, Default)]
struct Fields<'a> {
    stream: Option<&'a RawValue>,
    last_update_id: Option<&'a RawValue>,
    bids: Option<&'a RawValue>,
    asks: Option<&'a RawValue>,
    is_array: bool,
    answers: bool,
    e: Option<&'a RawValue>,
    event_time: Option<&'a RawValue>,
    transaction_time: Option<&'a RawValue>,
    s: Option<&'a RawValue>,
    first: Option<&'a RawValue>,
    u: Option<&'a RawValue>,
    pu: Option<&'a RawValue>,
    b: Option<&'a RawValue>,
    bid_quantity: Option<&'a RawValue>,
    a: Option<&'a RawValue>,
    ask_quantity: Option<&'a RawValue>,
    p: Option<&'a RawValue>,
    q: Option<&'a RawValue>,
    t: Option<&'a RawValue>,
    m: Option<&'a RawValue>,
    x: Option<&'a RawValue>,
}

/// Fills [`Fields`] from an object, going into `data` of the combined-stream envelope.
struct FieldSeed<'f, 'a>(&'f mut Fields<'a>);

impl<'a> DeserializeSeed<'a> for FieldSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for FieldSeed<'_, 'a> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let fields = self.0;
        while let Some(key) = map.next_key::<&'a str>()? {
            let place = match key {
                "data" => {
                    map.next_value_seed(FieldSeed(fields))?;
                    continue;
                }
                "stream" => &mut fields.stream,
                "lastUpdateId" => &mut fields.last_update_id,
                "bids" => &mut fields.bids,
                "asks" => &mut fields.asks,
                "e" => &mut fields.e,
                "E" => &mut fields.event_time,
                "T" => &mut fields.transaction_time,
                "s" => &mut fields.s,
                "U" => &mut fields.first,
                "u" => &mut fields.u,
                "pu" => &mut fields.pu,
                "b" => &mut fields.b,
                "B" => &mut fields.bid_quantity,
                "a" => &mut fields.a,
                "A" => &mut fields.ask_quantity,
                "p" => &mut fields.p,
                "q" => &mut fields.q,
                "t" => &mut fields.t,
                "m" => &mut fields.m,
                "X" => &mut fields.x,
                other => {
                    fields.answers |= matches!(other, "result" | "id" | "error" | "code");
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if place.is_some() {
                return Err(A::Error::custom(format_args!("field {key} twice")));
            }
            *place = Some(map.next_value()?);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.is_array = true;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// Reads the message in `json`.
///
/// # Errors
/// [`FieldError`] names the field, what was found in it and what was expected.
pub fn parse(json: &[u8]) -> Result<Message<'_>, FieldError> {
    let text = std::str::from_utf8(json)
        .map_err(|error| FieldError::new(Defect::Json, "JSON", error.to_string(), "UTF-8 text"))?;
    let mut fields = Fields::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    FieldSeed(&mut fields)
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .map_err(|error| json_error(text, &error))?;
    fields.message(text)
}

fn json_error(text: &str, error: &serde_json::Error) -> FieldError {
    let reason = error.to_string();
    let reason = reason.split(" at line ").next().unwrap_or_default();
    // serde counts bytes; a cut inside a character is moved to its start.
    let at = (0..=error.column().min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let from = (0..=at.saturating_sub(30)).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let near = quoted(&text[from..at]);
    let found = if error.is_eof() {
        format!("a line cut off after {near}")
    } else {
        format!("{reason} at byte {at} after {near}")
    };
    FieldError::new(Defect::Json, "JSON", found, "one complete JSON object")
}

impl<'a> Fields<'a> {
    fn message(&self, text: &'a str) -> Result<Message<'a>, FieldError> {
        if self.is_array {
            return Ok(Message::Unused("array"));
        }
        if self.last_update_id.is_some() {
            return self.snapshot();
        }
        let event = match self.e {
            Some(raw) => string("e", Some(raw))?,
            None if self.u.is_some() && self.bid_quantity.is_some() => "bookTicker",
            None if self.answers => return Ok(Message::Unused("answer")),
            None => {
                let expected =
                    "a depth snapshot or a message of the streams depth, trade, aggTrade or bookTicker";
                return Err(FieldError::new(Defect::Kind, "message", quoted(text), expected));
            }
        };
        match event {
            "depthUpdate" => self.depth().map(Message::Depth),
            "bookTicker" => self.ticker().map(Message::Ticker),
            "trade" => self.trade(TradeStream::Single, "t", self.t).map(Message::Trade),
            "aggTrade" => self.trade(TradeStream::Aggregated, "a", self.a).map(Message::Trade),
            other => Ok(Message::Unused(other)),
        }
    }

    /// A snapshot that came over a stream holds the best 5 to 20 levels only: no base for diffs, so not used.
    fn snapshot(&self) -> Result<Message<'a>, FieldError> {
        if self.stream.is_some() {
            return Ok(Message::Unused("partial depth"));
        }
        Ok(Message::Snapshot(DepthSnapshot {
            last_update_id: integer("lastUpdateId", self.last_update_id)?,
            exchange_time: self.exchange_time()?.unwrap_or(0),
            bids: levels("bids", self.bids)?,
            asks: levels("asks", self.asks)?,
        }))
    }

    fn depth(&self) -> Result<DepthUpdate<'a>, FieldError> {
        let (first, last) = (integer("U", self.first)?, integer("u", self.u)?);
        if first > last {
            return Err(FieldError::new(
                Defect::BadField,
                "U",
                first.to_string(),
                format!("at most u = {last}"),
            ));
        }
        Ok(DepthUpdate {
            symbol: string("s", self.s)?,
            exchange_time: self.required_exchange_time("E")?,
            first,
            last,
            previous: self.pu.map(|raw| integer("pu", Some(raw))).transpose()?,
            bids: levels("b", self.b)?,
            asks: levels("a", self.a)?,
        })
    }

    fn ticker(&self) -> Result<BookTicker<'a>, FieldError> {
        Ok(BookTicker {
            symbol: string("s", self.s)?,
            update_id: integer("u", self.u)?,
            exchange_time: self.exchange_time()?.unwrap_or(0),
            bid_price: string("b", self.b)?,
            bid_quantity: string("B", self.bid_quantity)?,
            ask_price: string("a", self.a)?,
            ask_quantity: string("A", self.ask_quantity)?,
        })
    }

    fn trade(
        &self,
        stream: TradeStream,
        id_name: &str,
        id: Option<&'a RawValue>,
    ) -> Result<Trade<'a>, FieldError> {
        let in_market = match self.x {
            Some(raw) => string("X", Some(raw))? == "MARKET",
            None => true,
        };
        Ok(Trade {
            symbol: string("s", self.s)?,
            stream,
            exchange_time: self.required_exchange_time("T")?,
            trade_id: integer(id_name, id)?,
            price: string("p", self.p)?,
            quantity: string("q", self.q)?,
            buyer_is_maker: boolean("m", self.m)?,
            in_market,
        })
    }

    /// When it happened at the exchange (`T`), or else when the message was made (`E`).
    fn exchange_time(&self) -> Result<Option<u64>, FieldError> {
        match (self.transaction_time, self.event_time) {
            (Some(raw), _) => time("T", raw).map(Some),
            (None, Some(raw)) => time("E", raw).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn required_exchange_time(&self, name: &str) -> Result<u64, FieldError> {
        self.exchange_time()?.ok_or_else(|| missing(name, "a time in milliseconds"))
    }
}

fn missing(name: &str, expected: &str) -> FieldError {
    FieldError::new(Defect::MissingField, name, "no such field", expected)
}

fn wrong(name: &str, raw: &str, expected: &str) -> FieldError {
    FieldError::new(Defect::BadField, name, quoted(raw), expected)
}

/// The content of a JSON string. Binance escapes nothing in the strings read here.
fn string<'a>(name: &str, raw: Option<&'a RawValue>) -> Result<&'a str, FieldError> {
    const EXPECTED: &str = "a string";
    let text = raw.ok_or_else(|| missing(name, EXPECTED))?.get();
    text.strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .filter(|inner| !inner.contains('\\'))
        .ok_or_else(|| wrong(name, text, EXPECTED))
}

fn integer(name: &str, raw: Option<&RawValue>) -> Result<u64, FieldError> {
    const EXPECTED: &str = "a whole number";
    let text = raw.ok_or_else(|| missing(name, EXPECTED))?.get();
    text.parse().map_err(|_| wrong(name, text, EXPECTED))
}

fn boolean(name: &str, raw: Option<&RawValue>) -> Result<bool, FieldError> {
    const EXPECTED: &str = "true or false";
    match raw.ok_or_else(|| missing(name, EXPECTED))?.get() {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(wrong(name, other, EXPECTED)),
    }
}

/// Milliseconds, or microseconds where the client asked for them, as nanoseconds.
fn time(name: &str, raw: &RawValue) -> Result<u64, FieldError> {
    const MICROSECONDS_FROM: u64 = 100_000_000_000_000;
    const TOO_LATE: u64 = 9_000_000_000_000_000;
    let value = integer(name, Some(raw))?;
    match value {
        0..MICROSECONDS_FROM => Ok(value * 1_000_000),
        MICROSECONDS_FROM..TOO_LATE => Ok(value * 1_000),
        _ => Err(wrong(name, raw.get(), "a time in milliseconds or microseconds")),
    }
}

fn levels<'a>(name: &'static str, raw: Option<&'a RawValue>) -> Result<Levels<'a>, FieldError> {
    const EXPECTED: &str = "a list of levels";
    let text = raw.ok_or_else(|| missing(name, EXPECTED))?.get();
    let rest = text.strip_prefix('[').ok_or_else(|| wrong(name, text, EXPECTED))?;
    Ok(Levels { name, rest, index: 0 })
}

/// The `["price","quantity"]` pairs of one side, read as they are asked for. The text is valid JSON already;
/// what is tested here is that it has this shape.
#[derive(Clone, Copy, Debug)]
pub struct Levels<'a> {
    pub name: &'static str,
    rest: &'a str,
    index: usize,
}

impl<'a> Levels<'a> {
    /// Goes past `byte` and the white space before it.
    fn skip(&mut self, byte: u8) -> bool {
        let trimmed = self.rest.trim_ascii_start();
        let found = trimmed.as_bytes().first() == Some(&byte);
        self.rest = if found { &trimmed[1..] } else { trimmed };
        found
    }

    fn text(&mut self) -> Option<&'a str> {
        if !self.skip(b'"') {
            return None;
        }
        let end = self.rest.bytes().position(|byte| byte == b'"')?;
        let text = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(text)
    }

    fn pair(&mut self) -> Option<(&'a str, &'a str)> {
        if self.index > 0 && !self.skip(b',') || !self.skip(b'[') {
            return None;
        }
        let price = self.text()?;
        let quantity = if self.skip(b',') { self.text()? } else { return None };
        self.skip(b']').then_some((price, quantity))
    }
}

impl<'a> Iterator for Levels<'a> {
    type Item = Result<(&'a str, &'a str), FieldError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() || self.skip(b']') {
            return None;
        }
        let before = self.rest;
        let pair = self.pair().ok_or_else(|| {
            let field = format!("{}[{}]", self.name, self.index);
            wrong(&field, before, "[\"price\", \"quantity\"]")
        });
        self.index += 1;
        if pair.is_err() {
            self.rest = "";
        }
        Some(pair)
    }
}
