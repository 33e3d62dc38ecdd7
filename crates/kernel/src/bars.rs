//! Bars, and their aggregation to a longer interval.

use crate::observation::{BarObserved, BarPayload};
use crate::record::{Body, RecordBuffer, Slot, payload};
use crate::rules::{Refusal, Rule};
use crate::state::{State, StateError, StateReader, StateWriter};

const DAY_NS: u64 = 86_400_000_000_000;
const WEEK_NS: u64 = 7 * DAY_NS;
/// 1970-01-05, the first Monday: weeks begin there, every other interval at the epoch.
const FIRST_MONDAY_NS: u64 = 4 * DAY_NS;

/// One closed bar. Prices in price units, volume in quantity units, times in UTC nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bar {
    pub open: i64,
    pub high: i64,
    pub low: i64,
    pub close: i64,
    pub volume: i64,
    pub open_time: u64,
    pub close_time: u64,
    pub interval_ns: u64,
    pub trades: u64,
}

impl Bar {
    /// The bar in a `BarObserved` or `BarClosed` record; `None` where its continuation is missing.
    pub fn from_record(record: &[Slot]) -> Option<Bar> {
        let body = BarObserved::of(record.first()?);
        let rest: BarPayload = payload(record)?;
        Some(Bar {
            open: body.open,
            high: body.high,
            low: body.low,
            close: body.close,
            volume: rest.volume,
            open_time: rest.open_time,
            close_time: rest.close_time,
            interval_ns: rest.interval_ns,
            trades: rest.trades,
        })
    }

    /// The bar as a `BarObserved` record, to be stamped by the sequencer.
    pub fn to_record(&self, instrument: u32) -> RecordBuffer {
        let (open, high, low, close) = (self.open, self.high, self.low, self.close);
        let mut record = RecordBuffer::new(BarObserved { open, high, low, close });
        record.head_mut().instrument = instrument;
        record.push(self.payload());
        record
    }

    /// The part of the bar that does not fit a head.
    pub fn payload(&self) -> BarPayload {
        BarPayload {
            volume: self.volume,
            open_time: self.open_time,
            close_time: self.close_time,
            interval_ns: self.interval_ns,
            trades: self.trades,
        }
    }

    /// When the bar's time is over. Some sources stamp the close one tick of their clock early (…59.999),
    /// so the interval counts too.
    fn end_time(&self) -> u64 {
        self.close_time.max(self.open_time.saturating_add(self.interval_ns))
    }
}

impl State for Bar {
    fn write(&self, out: &mut StateWriter) {
        for value in [self.open, self.high, self.low, self.close, self.volume] {
            out.i64(value);
        }
        for value in [self.open_time, self.close_time, self.interval_ns, self.trades] {
            out.u64(value);
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Bar {
            open: input.i64()?,
            high: input.i64()?,
            low: input.i64()?,
            close: input.i64()?,
            volume: input.i64()?,
            open_time: input.u64()?,
            close_time: input.u64()?,
            interval_ns: input.u64()?,
            trades: input.u64()?,
        })
    }
}

/// The bars one update closed, oldest first: at most the bucket before and the bar's own.
pub type ClosedBars = std::iter::Flatten<std::array::IntoIter<Option<Bar>, 2>>;

/// Folds bars into bars of a longer interval. Buckets are aligned to UTC (weeks to Monday) and take the bars
/// that open in them. A bucket is shown once, closed: when a bar reaches its end, or when a bar of a later
/// bucket shows that nothing more comes. Buckets without bars give none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BarAggregator {
    interval_ns: u64,
    /// The bucket being filled.
    forming: Option<Bar>,
    /// Start of the first bucket that is still open: a bar before it came too late.
    open_from: u64,
    late: u64,
}

impl BarAggregator {
    /// # Errors
    /// `FieldMustBeInRange` for an interval of 0 or beyond 2^56 nanoseconds (two years).
    pub fn new(interval_ns: u64) -> Result<Self, Refusal> {
        const LIMIT: u64 = 1 << 56;
        if interval_ns == 0 || interval_ns > LIMIT {
            return Err(Refusal::new(Rule::FieldMustBeInRange, i128::from(LIMIT), i128::from(interval_ns)));
        }
        Ok(BarAggregator { interval_ns, forming: None, open_from: 0, late: 0 })
    }

    pub fn interval_ns(&self) -> u64 {
        self.interval_ns
    }

    /// Bars left out because their bucket had already been shown.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Takes the next bar and returns the bars of the longer interval that this closed.
    pub fn update(&mut self, bar: &Bar) -> ClosedBars {
        let start = self.bucket_start(bar.open_time);
        if start < self.open_from {
            self.late = self.late.saturating_add(1);
            return [None, None].into_iter().flatten();
        }
        let earlier = self.forming.take_if(|forming| forming.open_time < start);
        match &mut self.forming {
            Some(forming) => merge(forming, bar),
            None => self.forming = Some(self.begin(start, bar)),
        }
        self.open_from = start;
        let own = self.forming.take_if(|forming| bar.end_time() >= forming.close_time);
        if own.is_some() {
            self.open_from = start.saturating_add(self.interval_ns);
        }
        [earlier, own].into_iter().flatten()
    }

    fn bucket_start(&self, time: u64) -> u64 {
        let anchor = if self.interval_ns.is_multiple_of(WEEK_NS) { FIRST_MONDAY_NS } else { 0 };
        // Before the first Monday of all there is only the bucket that began at the epoch.
        let since = time.saturating_sub(anchor);
        if time < anchor { 0 } else { anchor + since / self.interval_ns * self.interval_ns }
    }

    fn begin(&self, start: u64, bar: &Bar) -> Bar {
        Bar {
            open_time: start,
            close_time: start.saturating_add(self.interval_ns),
            interval_ns: self.interval_ns,
            ..*bar
        }
    }
}

fn merge(forming: &mut Bar, bar: &Bar) {
    forming.high = forming.high.max(bar.high);
    forming.low = forming.low.min(bar.low);
    forming.close = bar.close;
    // Volumes are observed data: a sum beyond 64 bits is shown as the largest number, not as an error.
    forming.volume = forming.volume.saturating_add(bar.volume);
    forming.trades = forming.trades.saturating_add(bar.trades);
}

impl State for BarAggregator {
    fn write(&self, out: &mut StateWriter) {
        out.u64(self.interval_ns);
        out.u64(self.open_from);
        out.u64(self.late);
        out.bool(self.forming.is_some());
        if let Some(forming) = &self.forming {
            forming.write(out);
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let interval_ns = input.u64()?;
        let empty = BarAggregator::new(interval_ns).map_err(|_| input.invalid("interval", interval_ns))?;
        let (open_from, late) = (input.u64()?, input.u64()?);
        let forming = if input.bool()? { Some(Bar::read(input)?) } else { None };
        Ok(BarAggregator { open_from, late, forming, ..empty })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: u64 = 60_000_000_000;
    const HOUR: u64 = 60 * MINUTE;

    fn bar_at(open_time: u64, interval_ns: u64, price: i64) -> Bar {
        Bar {
            open: price,
            high: price + 2,
            low: price - 3,
            close: price + 1,
            volume: 10,
            open_time,
            close_time: open_time + interval_ns,
            interval_ns,
            trades: 1,
        }
    }

    fn fold(aggregator: &mut BarAggregator, bars: &[Bar]) -> Vec<Bar> {
        bars.iter().flat_map(|bar| aggregator.update(bar)).collect()
    }

    #[test]
    fn sixty_minutes_make_one_hour_closed_by_its_last_minute() {
        let mut hours = BarAggregator::new(HOUR).unwrap();
        let minutes: Vec<Bar> = (0..60).map(|n| bar_at(n * MINUTE, MINUTE, 100 + n as i64)).collect();
        assert_eq!(fold(&mut hours, &minutes[..59]), []);
        let hour = Bar {
            open: 100,
            high: 161,
            low: 97,
            close: 160,
            volume: 600,
            open_time: 0,
            close_time: HOUR,
            interval_ns: HOUR,
            trades: 60,
        };
        assert_eq!(fold(&mut hours, &minutes[59..]), [hour]);
    }

    #[test]
    fn a_close_stamped_one_millisecond_early_still_closes_the_bucket() {
        let mut hours = BarAggregator::new(HOUR).unwrap();
        let early = Bar { close_time: HOUR - 1_000_000, ..bar_at(59 * MINUTE, MINUTE, 5) };
        assert_eq!(hours.update(&early).count(), 1);
    }

    #[test]
    fn a_missing_last_minute_is_made_up_for_by_the_next_bucket() {
        let mut hours = BarAggregator::new(HOUR).unwrap();
        assert_eq!(fold(&mut hours, &[bar_at(58 * MINUTE, MINUTE, 5)]), []);
        let closed = fold(&mut hours, &[bar_at(3 * HOUR, MINUTE, 9)]);
        assert_eq!(closed.iter().map(|bar| (bar.open_time, bar.close_time)).collect::<Vec<_>>(), [(0, HOUR)]);
    }

    #[test]
    fn one_bar_can_close_the_bucket_before_and_its_own() {
        let mut hours = BarAggregator::new(HOUR).unwrap();
        fold(&mut hours, &[bar_at(10 * MINUTE, MINUTE, 5)]);
        let closed = fold(&mut hours, &[bar_at(HOUR + 59 * MINUTE, MINUTE, 9)]);
        assert_eq!(closed.iter().map(|bar| bar.open_time).collect::<Vec<_>>(), [0, HOUR]);
    }

    #[test]
    fn a_bar_of_a_bucket_already_shown_is_counted_and_left_out() {
        let mut hours = BarAggregator::new(HOUR).unwrap();
        fold(&mut hours, &[bar_at(59 * MINUTE, MINUTE, 5)]);
        assert_eq!(fold(&mut hours, &[bar_at(30 * MINUTE, MINUTE, 5)]), []);
        assert_eq!(hours.late(), 1);
    }

    #[test]
    fn weeks_begin_on_monday() {
        let mut weeks = BarAggregator::new(WEEK_NS).unwrap();
        let monday = 19_723 * DAY_NS; // 2024-01-01
        fold(&mut weeks, &[bar_at(monday, DAY_NS, 5), bar_at(monday + 4 * DAY_NS, DAY_NS, 6)]);
        let closed = fold(&mut weeks, &[bar_at(monday + WEEK_NS, DAY_NS, 7)]);
        assert_eq!(closed.iter().map(|bar| bar.open_time).collect::<Vec<_>>(), [monday]);
    }

    #[test]
    fn a_bar_goes_through_its_record_unchanged() {
        let bar = bar_at(7 * HOUR, HOUR, 42);
        assert_eq!(Bar::from_record(bar.to_record(1).slots()), Some(bar));
    }

    proptest! {
        #[test]
        fn volume_is_conserved_and_a_restored_aggregator_goes_on_alike(
            steps in prop::collection::vec((1u64..40, 1i64..1000), 1..80),
            cut in 0usize..80,
        ) {
            let mut time = 0;
            let bars: Vec<Bar> = steps.iter().map(|&(minutes, price)| {
                time += minutes * MINUTE;
                bar_at(time, MINUTE, price)
            }).collect();
            let (before, after) = bars.split_at(cut.min(bars.len()));
            let mut one = BarAggregator::new(HOUR).unwrap();
            let mut closed = fold(&mut one, before);
            let mut out = StateWriter::new();
            one.write(&mut out);
            let mut input = StateReader::new(out.as_slice());
            let mut two = BarAggregator::read(&mut input).unwrap();
            input.finish().unwrap();
            prop_assert_eq!(&two, &one);
            let rest = fold(&mut one, after);
            prop_assert_eq!(&fold(&mut two, after), &rest);
            closed.extend(rest);
            let shown: i64 = closed.iter().map(|bar| bar.volume).sum();
            let forming = one.forming.map_or(0, |bar| bar.volume);
            prop_assert_eq!(shown + forming, 10 * bars.len() as i64);
            prop_assert!(closed.windows(2).all(|pair| pair[0].close_time <= pair[1].open_time));
        }
    }
}
