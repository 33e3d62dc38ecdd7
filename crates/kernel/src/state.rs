//! How kernel state is written, read back and hashed. One byte form serves snapshots and hashes, so a
//! restored state has the same hash because it has the same bytes.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

/// Every kernel state type writes, reads and hashes itself.
pub trait State: Sized {
    /// Appends this state in a form that depends on its logical value only: no memory slots, no capacity.
    fn write(&self, out: &mut StateWriter);

    /// Reads what [`State::write`] wrote.
    ///
    /// # Errors
    /// [`StateError`] when the bytes end early or name something impossible.
    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StateError {
    #[error("the state ends {missing} bytes early at byte {at}")]
    EndsEarly { at: usize, missing: usize },
    #[error("byte {at} holds {found}, not a valid {what}")]
    Invalid { at: usize, what: &'static str, found: u64 },
    #[error("{left} bytes are left over after the state")]
    LeftOver { left: usize },
}

/// Where a state goes that is not to lie in memory as a whole, piece by piece.
pub trait StateSink: Send {
    /// Takes the next piece. What it cannot do it keeps to itself until it is asked.
    fn take(&mut self, piece: &[u8]);
}

/// Lets `write` write to `sink` and gives that back.
pub fn stream_to<S: StateSink + 'static>(sink: S, write: impl FnOnce(&mut StateWriter)) -> Option<S> {
    struct Shared<S>(Arc<Mutex<S>>);
    impl<S: StateSink> StateSink for Shared<S> {
        fn take(&mut self, piece: &[u8]) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).take(piece);
        }
    }
    let shared = Arc::new(Mutex::new(sink));
    let mut out = StateWriter::to(Box::new(Shared(shared.clone())));
    write(&mut out);
    out.end();
    Some(Arc::into_inner(shared)?.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Bytes that a writer with a sink keeps before it hands them on.
const PIECE_SIZE: usize = 256 << 10;

#[derive(Default)]
pub struct StateWriter {
    bytes: Vec<u8>,
    /// Without one, everything stays here.
    sink: Option<Box<dyn StateSink>>,
}

macro_rules! write_integers {
    ($($name:ident: $type:ty),*) => {
        $(#[inline]
        pub fn $name(&mut self, value: $type) { self.put(&value.to_le_bytes()); })*
    };
}

impl fmt::Debug for StateWriter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "StateWriter({} bytes at hand)", self.bytes.len())
    }
}

impl StateWriter {
    write_integers!(u8: u8, u16: u16, u32: u32, u64: u64, i64: i64, u128: u128, i128: i128);

    pub fn new() -> Self {
        Self::default()
    }

    /// A writer that hands everything on to `sink`; [`StateWriter::end`] hands on the rest.
    pub fn to(sink: Box<dyn StateSink>) -> Self {
        StateWriter { bytes: Vec::with_capacity(PIECE_SIZE), sink: Some(sink) }
    }

    /// Hands the last piece on.
    pub fn end(mut self) {
        self.hand_on();
    }

    #[inline]
    fn put(&mut self, value: &[u8]) {
        if self.bytes.capacity() - self.bytes.len() < value.len() {
            self.hand_on();
        }
        self.bytes.extend_from_slice(value);
    }

    #[cold]
    fn hand_on(&mut self) {
        if let Some(sink) = &mut self.sink {
            sink.take(&self.bytes);
            self.bytes.clear();
        }
    }

    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    /// Bit pattern of a float: indicators only, money is never a float.
    pub fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    pub fn option_u64(&mut self, value: Option<u64>) {
        self.bool(value.is_some());
        self.u64(value.unwrap_or(0));
    }

    pub fn option_i64(&mut self, value: Option<i64>) {
        self.bool(value.is_some());
        self.i64(value.unwrap_or(0));
    }

    /// Several words in one piece.
    #[inline]
    pub fn words(&mut self, words: &[u64]) {
        self.put(zerocopy::IntoBytes::as_bytes(words));
    }

    #[inline]
    pub fn length(&mut self, len: usize) {
        self.u64(len as u64);
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.put(bytes);
    }

    /// Bytes that were written by another writer.
    pub fn written(&mut self, bytes: &[u8]) {
        bytes.chunks(PIECE_SIZE).for_each(|piece| self.put(piece));
    }

    /// A list: its length, then its items.
    pub fn list<'a, T: State + 'a>(&mut self, items: impl ExactSizeIterator<Item = &'a T>) {
        self.length(items.len());
        items.for_each(|item| item.write(self));
    }

    /// An optional item: whether it is there, then the item.
    pub fn option<T: State>(&mut self, item: Option<&T>) {
        self.bool(item.is_some());
        if let Some(item) = item {
            item.write(self);
        }
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// A writer that reuses `buffer`'s memory.
    pub fn from_buffer(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        StateWriter { bytes: buffer, sink: None }
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
    }
}

/// Where a state comes from that does not lie in memory as a whole.
pub trait StateSource {
    /// Appends the next piece to `bytes`; `false`, and nothing, at the end or where it cannot go on.
    fn give(&mut self, bytes: &mut Vec<u8>) -> bool;
}

pub struct StateReader<'a> {
    /// What is at hand.
    bytes: Cow<'a, [u8]>,
    /// Where in it reading goes on.
    at: usize,
    /// Bytes before what is at hand, and of all.
    before: usize,
    length: usize,
    source: Option<&'a mut dyn StateSource>,
}

impl fmt::Debug for StateReader<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "StateReader(byte {} of {})", self.before + self.at, self.length)
    }
}

macro_rules! read_integers {
    ($($name:ident: $type:ty),*) => {
        $(pub fn $name(&mut self) -> Result<$type, StateError> { Ok(<$type>::from_le_bytes(self.take()?)) })*
    };
}

impl<'a> StateReader<'a> {
    read_integers!(u8: u8, u16: u16, u32: u32, u64: u64, i64: i64, u128: u128, i128: i128);

    pub fn new(bytes: &'a [u8]) -> Self {
        StateReader { length: bytes.len(), bytes: Cow::Borrowed(bytes), at: 0, before: 0, source: None }
    }

    /// A state of `length` bytes that `source` gives piece by piece.
    pub fn from_source(source: &'a mut dyn StateSource, length: usize) -> Self {
        StateReader { length, bytes: Cow::Owned(Vec::new()), at: 0, before: 0, source: Some(source) }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let mut value = [0; N];
        value.copy_from_slice(self.slice(N)?);
        Ok(value)
    }

    fn slice(&mut self, len: usize) -> Result<&[u8], StateError> {
        if len > self.bytes.len() - self.at {
            self.fetch(len)?;
        }
        let from = self.at;
        self.at += len;
        Ok(&self.bytes[from..self.at])
    }

    /// Has `len` bytes at hand, or says how many are missing.
    #[cold]
    fn fetch(&mut self, len: usize) -> Result<(), StateError> {
        if let Some(source) = &mut self.source {
            let bytes = self.bytes.to_mut();
            bytes.drain(..self.at);
            self.before += std::mem::take(&mut self.at);
            while bytes.len() < len && source.give(bytes) {}
        }
        let left = self.bytes.len() - self.at;
        let missing = len.saturating_sub(left);
        if missing == 0 { Ok(()) } else { Err(StateError::EndsEarly { at: self.before + self.at, missing }) }
    }

    fn left(&self) -> usize {
        self.length - (self.before + self.at).min(self.length)
    }

    pub fn invalid(&self, what: &'static str, found: u64) -> StateError {
        StateError::Invalid { at: self.before + self.at, what, found }
    }

    pub fn bool(&mut self) -> Result<bool, StateError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(self.invalid("boolean", u64::from(found))),
        }
    }

    pub fn f64(&mut self) -> Result<f64, StateError> {
        Ok(f64::from_bits(self.u64()?))
    }

    pub fn option_u64(&mut self) -> Result<Option<u64>, StateError> {
        let some = self.bool()?;
        let value = self.u64()?;
        Ok(some.then_some(value))
    }

    pub fn option_i64(&mut self) -> Result<Option<i64>, StateError> {
        let some = self.bool()?;
        let value = self.i64()?;
        Ok(some.then_some(value))
    }

    /// A length no larger than the bytes that are left could hold.
    pub fn length(&mut self) -> Result<usize, StateError> {
        let len = self.u64()?;
        let left = self.left() as u64;
        if len > left { Err(self.invalid("length", len)) } else { Ok(len as usize) }
    }

    pub fn bytes(&mut self) -> Result<&[u8], StateError> {
        let len = self.length()?;
        self.slice(len)
    }

    pub fn option<T: State>(&mut self) -> Result<Option<T>, StateError> {
        if self.bool()? { T::read(self).map(Some) } else { Ok(None) }
    }

    pub fn list<T: State>(&mut self) -> Result<Vec<T>, StateError> {
        let len = self.length()?;
        (0..len).map(|_| T::read(self)).collect()
    }

    /// Ends the reading: every byte must have been used.
    pub fn finish(self) -> Result<(), StateError> {
        let left = self.left();
        if left == 0 { Ok(()) } else { Err(StateError::LeftOver { left }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Pieces(Vec<Vec<u8>>);

    impl StateSink for Pieces {
        fn take(&mut self, piece: &[u8]) {
            self.0.push(piece.to_vec());
        }
    }

    impl StateSource for Pieces {
        fn give(&mut self, bytes: &mut Vec<u8>) -> bool {
            let is_there = !self.0.is_empty();
            if is_there {
                bytes.extend(self.0.remove(0));
            }
            is_there
        }
    }

    fn write(out: &mut StateWriter) {
        out.list([3_u64, 4].iter());
        for number in 0..200_000 {
            out.u64(number);
            out.u8(1);
        }
        out.bytes(&[9; 3 * PIECE_SIZE]);
        out.option_i64(Some(-1));
    }

    impl State for u64 {
        fn write(&self, out: &mut StateWriter) {
            out.u64(*self);
        }

        fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
            input.u64()
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<(), StateError> {
        assert_eq!(input.list::<u64>()?, [3, 4]);
        for number in 0..200_000 {
            assert_eq!((input.u64()?, input.u8()?), (number, 1));
        }
        assert_eq!(input.bytes()?, [9; 3 * PIECE_SIZE]);
        assert_eq!(input.option_i64()?, Some(-1));
        Ok(())
    }

    #[test]
    fn a_streamed_state_is_the_one_in_memory_and_reads_back_from_pieces_of_any_size() {
        let mut whole = StateWriter::new();
        write(&mut whole);
        let whole = whole.into_bytes();
        let streamed = stream_to(Pieces::default(), write).unwrap();
        assert!(streamed.0.len() > 5);
        assert_eq!(streamed.0.concat(), whole);
        for size in [1_000, 7, PIECE_SIZE, whole.len()] {
            let mut pieces = Pieces(whole.chunks(size).map(<[u8]>::to_vec).collect());
            if size < 100 {
                pieces.0.truncate(100); // the rest would take a while
                let mut input = StateReader::from_source(&mut pieces, whole.len());
                let expected = StateError::EndsEarly { at: 700, missing: 8 };
                let found =
                    (0..2).try_for_each(|_| input.u64().map(|_| ())).and_then(|()| read_some(&mut input));
                assert_eq!(found, Err(expected));
                continue;
            }
            let mut input = StateReader::from_source(&mut pieces, whole.len());
            read(&mut input).unwrap();
            input.finish().unwrap();
        }
        let mut longer = Pieces(vec![whole.clone()]);
        let mut input = StateReader::from_source(&mut longer, whole.len() + 1);
        read(&mut input).unwrap();
        assert_eq!(input.finish(), Err(StateError::LeftOver { left: 1 }));
    }

    /// Numbers until the bytes end.
    fn read_some(input: &mut StateReader<'_>) -> Result<(), StateError> {
        loop {
            input.u64()?;
            input.u8()?;
        }
    }
}
