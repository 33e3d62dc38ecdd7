//! What is under way: requests to the venue, reports back from it.

use std::collections::VecDeque;

use crate::state::{State, StateError, StateReader, StateWriter};
use crate::venue::{Outcome, VenueReport, VenueRequest};

use super::trail::Trail;

/// Something that reaches the venue at a known time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    pub time: u64,
    pub what: Arriving,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arriving {
    Request(VenueRequest),
    /// Of a trailing stop, with the trail it is to have from then on.
    Trailing(VenueRequest, Trail),
    /// 0 = every instrument.
    SessionClose {
        instrument: u32,
    },
}

impl Arrival {
    /// The instrument it is about; 0 = all.
    pub fn instrument(&self) -> u32 {
        match self.what {
            Arriving::Request(ref request) | Arriving::Trailing(ref request, _) => match *request {
                VenueRequest::Submit(ref order) => order.instrument,
                VenueRequest::Replace { instrument, .. }
                | VenueRequest::Cancel { instrument, .. }
                | VenueRequest::Query { instrument, .. } => instrument,
            },
            Arriving::SessionClose { instrument } => instrument,
        }
    }
}

impl State for Arrival {
    fn write(&self, out: &mut StateWriter) {
        out.u64(self.time);
        match self.what {
            Arriving::Request(ref request) => {
                out.u8(1);
                request.write(out);
            }
            Arriving::Trailing(ref request, ref trail) => {
                out.u8(2);
                request.write(out);
                trail.write(out);
            }
            Arriving::SessionClose { instrument } => {
                out.u8(0);
                out.u32(instrument);
            }
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let time = input.u64()?;
        let what = match input.u8()? {
            0 => Arriving::SessionClose { instrument: input.u32()? },
            1 => Arriving::Request(VenueRequest::read(input)?),
            2 => Arriving::Trailing(VenueRequest::read(input)?, Trail::read(input)?),
            found => return Err(input.invalid("arrival", u64::from(found))),
        };
        Ok(Arrival { time, what })
    }
}

/// Arrivals in order of time, then of sending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Inbox {
    arrivals: VecDeque<Arrival>,
}

impl Inbox {
    pub fn push(&mut self, arrival: Arrival) {
        let place = self.arrivals.partition_point(|other| other.time <= arrival.time);
        self.arrivals.insert(place, arrival);
    }

    /// The first arrival that `blocked` lets through.
    pub fn first_open(&self, blocked: impl Fn(&Arrival) -> bool) -> Option<(usize, u64)> {
        let place = self.arrivals.iter().position(|arrival| !blocked(arrival))?;
        Some((place, self.arrivals[place].time))
    }

    pub fn take(&mut self, place: usize) -> Option<Arrival> {
        self.arrivals.remove(place)
    }

    pub fn take_all(&mut self) -> VecDeque<Arrival> {
        std::mem::take(&mut self.arrivals)
    }
}

impl State for Inbox {
    fn write(&self, out: &mut StateWriter) {
        out.list(self.arrivals.iter());
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Inbox { arrivals: input.list()?.into() })
    }
}

/// A report on its way to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Departure {
    release: u64,
    account: u32,
    report: VenueReport,
}

impl Departure {
    fn is_fill(&self) -> bool {
        matches!(self.report.outcome, Outcome::Filled { .. })
    }
}

impl State for Departure {
    fn write(&self, out: &mut StateWriter) {
        out.u64(self.release);
        out.u32(self.account);
        self.report.write(out);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Departure { release: input.u64()?, account: input.u32()?, report: VenueReport::read(input)? })
    }
}

/// Reports in the order they were made, which is also the order of their release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outbox {
    departures: VecDeque<Departure>,
    /// Closed orders by the time until which a request sent in ignorance of that may still arrive.
    closed: VecDeque<(u64, u64)>,
    next_trade_id: u64,
    order_latency_ns: u64,
    report_latency_ns: u64,
    /// The latest time the engine has shown.
    pub now: u64,
}

impl Outbox {
    pub fn new(order_latency_ns: u64, report_latency_ns: u64) -> Self {
        Outbox { next_trade_id: 1, order_latency_ns, report_latency_ns, ..Outbox::default() }
    }

    /// Sends a report about what happened at `venue_time`. It leaves no earlier than now (a bar is known only
    /// at its close) and never overtakes the one before it.
    pub fn send(&mut self, account: u32, order_id: u64, venue_time: u64, outcome: Outcome) {
        let release = venue_time.saturating_add(self.report_latency_ns).max(self.now);
        let report = VenueReport { order_id, venue_time, outcome };
        self.departures.push_back(Departure { release, account, report });
    }

    /// As [`Outbox::send`], for the last report of an order.
    pub fn send_last(&mut self, account: u32, order_id: u64, venue_time: u64, outcome: Outcome) {
        self.send(account, order_id, venue_time, outcome);
        let release = self.departures.back().map_or(self.now, |departure| departure.release);
        self.closed.push_back((release.saturating_add(self.order_latency_ns), order_id));
    }

    pub fn new_trade_id(&mut self) -> u64 {
        let id = self.next_trade_id;
        self.next_trade_id += 1;
        id
    }

    /// The order was open not long ago: who asks about it could not know that it is closed.
    pub fn has_closed(&self, order_id: u64) -> bool {
        self.closed.iter().any(|&(_, closed)| closed == order_id)
    }

    /// A fill of `account` is under way, so what the engine says about the account is out of date.
    pub fn has_fill_of(&self, account: u32) -> bool {
        self.departures.iter().any(|departure| departure.account == account && departure.is_fill())
    }

    pub fn has_fill(&self) -> bool {
        self.departures.iter().any(Departure::is_fill)
    }

    pub fn advance(&mut self, time: u64) {
        self.now = self.now.max(time);
        while self.closed.front().is_some_and(|&(until, _)| until < self.now) {
            self.closed.pop_front();
        }
    }

    /// The next report, if it may leave by now.
    pub fn release(&mut self) -> Option<VenueReport> {
        let due = self.departures.front().is_some_and(|departure| departure.release <= self.now);
        if due { self.departures.pop_front().map(|departure| departure.report) } else { None }
    }

    pub fn next_release(&self) -> Option<u64> {
        self.departures.front().map(|departure| departure.release)
    }

    /// The run ends at `time`: nothing travels any longer.
    pub fn finish(&mut self, time: u64) {
        self.advance(time);
        (self.order_latency_ns, self.report_latency_ns) = (0, 0);
        for departure in &mut self.departures {
            departure.release = departure.release.min(self.now);
        }
    }
}

impl State for Outbox {
    fn write(&self, out: &mut StateWriter) {
        out.list(self.departures.iter());
        out.length(self.closed.len());
        for &(until, order_id) in &self.closed {
            out.u64(until);
            out.u64(order_id);
        }
        out.u64(self.next_trade_id);
        out.u64(self.order_latency_ns);
        out.u64(self.report_latency_ns);
        out.u64(self.now);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let departures = input.list()?.into();
        let len = input.length()?;
        let closed = (0..len).map(|_| Ok((input.u64()?, input.u64()?))).collect::<Result<_, StateError>>()?;
        Ok(Outbox {
            departures,
            closed,
            next_trade_id: input.u64()?,
            order_latency_ns: input.u64()?,
            report_latency_ns: input.u64()?,
            now: input.u64()?,
        })
    }
}
