//! Where other threads find the published books of a venue.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::book::{DepthPublisher, DepthReader};

/// Readers of published books, by instrument. Handing out a reader takes a lock that the venue takes once per
/// market, when it comes to life; reading a book takes none.
#[derive(Clone, Debug)]
pub struct DepthBoard {
    levels: usize,
    readers: Arc<RwLock<BTreeMap<u32, DepthReader>>>,
}

impl DepthBoard {
    /// For the best `levels` of each side.
    pub fn new(levels: usize) -> Self {
        DepthBoard { levels, readers: Arc::default() }
    }

    /// The reader of an instrument's book; `None` while it has had no order.
    pub fn reader(&self, instrument: u32) -> Option<DepthReader> {
        self.readers.read().unwrap_or_else(PoisonError::into_inner).get(&instrument).cloned()
    }

    /// A publisher whose reader can be found from now on.
    pub(super) fn publisher(&self, instrument: u32) -> DepthPublisher {
        let publisher = DepthPublisher::new(self.levels);
        let mut readers = self.readers.write().unwrap_or_else(PoisonError::into_inner);
        readers.insert(instrument, publisher.reader());
        publisher
    }
}
