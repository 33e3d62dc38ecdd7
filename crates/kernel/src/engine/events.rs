//! The events of the record being applied, and whom they go to.

use crate::book::LevelChange;
use crate::event::{AccountChanged, BookLevelChanged};
use crate::message::Message;
use crate::record::{Body, Continuation, Payload, RecordBuffer, Slot, flags, stamp};
use crate::terms::Side;

/// Events in the order in which they came about. Reused from record to record.
#[derive(Clone, Debug, Default)]
pub struct Events {
    slots: Vec<Slot>,
    /// (offset of the event, participant it concerns).
    addressed: Vec<(u32, u16)>,
    cause: u64,
    time: u64,
    index: u16,
}

/// What an event's head says besides its body.
#[derive(Clone, Copy, Debug, Default)]
pub struct About {
    pub instrument: u32,
    pub account: u32,
    pub flags: u16,
    /// Participant that is to hear of it; 0 = none in particular.
    pub participant: u16,
}

impl Events {
    pub fn begin(&mut self, cause: u64, time: u64) {
        self.slots.clear();
        self.addressed.clear();
        (self.cause, self.time, self.index) = (cause, time, 0);
    }

    #[inline]
    pub fn emit<B: Body>(&mut self, about: About, body: B) {
        self.push_head(about, Slot::new(body));
    }

    #[inline]
    pub fn emit_with<B: Body, P: Payload>(&mut self, about: About, body: B, payload: P) {
        self.push_head(about, Slot { slots: 2, ..Slot::new(body) });
        let continuation = Continuation {
            sequence: self.cause,
            time: self.time,
            message: Message::Continuation as u16,
            index: 1,
            version: 0,
            tag: P::TAG,
            source: 0,
            payload: payload.to_words(),
        };
        self.slots.push(continuation.as_slot());
    }

    #[inline]
    pub fn emit_level(&mut self, instrument: u32, level: &LevelChange) {
        let LevelChange { side, price, quantity, orders } = *level;
        let body = BookLevelChanged { price, quantity, orders: u64::from(orders), reserved: 0 };
        self.emit(About { instrument, ..About::NOTHING }.sold(side == Side::Sell), body);
    }

    /// The cash of an account after a change.
    #[inline]
    pub fn emit_cash(&mut self, account: u32, currency: u32, after: i128, change_nano: i64) {
        let [cash_low, cash_high] = [after as u64, (after >> 64) as u64];
        let (cash_high, currency) = (cash_high as i64, u64::from(currency));
        let body = AccountChanged { cash_low, cash_high, change_nano, currency };
        self.emit(About { account, ..About::NOTHING }, body);
    }

    /// An event that is built by its caller: a body and as many payloads as it needs.
    pub fn emit_record(&mut self, about: About, mut event: RecordBuffer) {
        stamp(event.slots_mut(), self.cause, self.time);
        let [head, rest @ ..] = event.slots() else { return };
        self.push_head(about, *head);
        self.slots.extend_from_slice(rest);
    }

    /// Straight into its place: most records cause several events.
    #[inline]
    fn push_head(&mut self, about: About, head: Slot) {
        if about.participant != 0 {
            self.addressed.push((self.slots.len() as u32, about.participant));
        }
        self.slots.push(Slot {
            sequence: self.cause,
            time: self.time,
            flags: about.flags,
            source: self.index,
            instrument: about.instrument,
            account: about.account,
            ..head
        });
        // The low 16 bits: position among the events of one cause is what counts, and it is kept by order.
        self.index = self.index.wrapping_add(1);
    }

    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub fn addressed(&self) -> impl Iterator<Item = (u16, &[Slot])> {
        self.addressed.iter().map(|&(offset, participant)| {
            let event = &self.slots[offset as usize..];
            (participant, &event[..usize::from(event[0].slots)])
        })
    }
}

impl About {
    pub const NOTHING: About = About { instrument: 0, account: 0, flags: 0, participant: 0 };

    pub fn flagged(self, flag: u16, is_set: bool) -> Self {
        About { flags: if is_set { self.flags | flag } else { self.flags }, ..self }
    }

    pub fn sold(self, is_sell: bool) -> Self {
        self.flagged(flags::SELL, is_sell)
    }
}
