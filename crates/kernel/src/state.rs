//! How kernel state is written, read back and hashed. One byte form serves snapshots and hashes, so a
//! restored state has the same hash because it has the same bytes.

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

#[derive(Clone, Debug, Default)]
pub struct StateWriter {
    bytes: Vec<u8>,
}

macro_rules! write_integers {
    ($($name:ident: $type:ty),*) => {
        $(#[inline]
        pub fn $name(&mut self, value: $type) { self.bytes.extend_from_slice(&value.to_le_bytes()); })*
    };
}

impl StateWriter {
    write_integers!(u8: u8, u16: u16, u32: u32, u64: u64, i64: i64, u128: u128, i128: i128);

    pub fn new() -> Self {
        Self::default()
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
        self.bytes.extend_from_slice(zerocopy::IntoBytes::as_bytes(words));
    }

    #[inline]
    pub fn length(&mut self, len: usize) {
        self.u64(len as u64);
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.bytes.extend_from_slice(bytes);
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
        StateWriter { bytes: buffer }
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
    }
}

#[derive(Debug)]
pub struct StateReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

macro_rules! read_integers {
    ($($name:ident: $type:ty),*) => {
        $(pub fn $name(&mut self) -> Result<$type, StateError> { Ok(<$type>::from_le_bytes(self.take()?)) })*
    };
}

impl<'a> StateReader<'a> {
    read_integers!(u8: u8, u16: u16, u32: u32, u64: u64, i64: i64, u128: u128, i128: i128);

    pub fn new(bytes: &'a [u8]) -> Self {
        StateReader { bytes, at: 0 }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let mut value = [0; N];
        value.copy_from_slice(self.slice(N)?);
        Ok(value)
    }

    fn slice(&mut self, len: usize) -> Result<&'a [u8], StateError> {
        let left = self.bytes.len() - self.at;
        if len > left {
            return Err(StateError::EndsEarly { at: self.at, missing: len - left });
        }
        let slice = &self.bytes[self.at..self.at + len];
        self.at += len;
        Ok(slice)
    }

    pub fn invalid(&self, what: &'static str, found: u64) -> StateError {
        StateError::Invalid { at: self.at, what, found }
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
        let left = (self.bytes.len() - self.at) as u64;
        if len > left { Err(self.invalid("length", len)) } else { Ok(len as usize) }
    }

    pub fn bytes(&mut self) -> Result<&'a [u8], StateError> {
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
        let left = self.bytes.len() - self.at;
        if left == 0 { Ok(()) } else { Err(StateError::LeftOver { left }) }
    }
}
