//! What one participant has seen: closed bars, last quotes and indicators, each per instrument.

use std::collections::VecDeque;

use zerocopy::IntoBytes;

use crate::bars::{Bar, BarAggregator};
use crate::indicator::{AnyIndicator, Indicator};
use crate::instrument::{Instrument, Instruments};
use crate::message::Message;
use crate::observation::QuoteObserved;
use crate::record::{Body, Slot};
use crate::rules::{Refusal, Rule};
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::tracked::{EntityHasher, Tracked, TrackedList};

/// An indicator a participant asked for: one instance per instrument is streamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndicatorSpec {
    pub kind: u64,
    pub period: u64,
    /// Interval of the bars it reads; 0 = the bars as they are fed.
    pub every_ns: u64,
}

/// What the participant asked to see; the same for each instrument.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Plan {
    /// Bars kept per series.
    history: usize,
    /// Bars of an instrument before its first hook.
    warm_up: u64,
    indicators: Vec<IndicatorSpec>,
    /// Longer intervals, in the order in which they were first asked for.
    intervals: Vec<u64>,
}

/// Closed bars of one interval, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
struct Series {
    bars: VecDeque<Bar>,
    seen: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct InstrumentView {
    fed: Series,
    longer: Vec<(BarAggregator, Series)>,
    indicators: Vec<AnyIndicator>,
    last_quote: Option<QuoteObserved>,
}

/// Folded only up to its participant's cursor.
#[derive(Clone, Debug, Default)]
pub struct View {
    plan: Tracked<Plan>,
    /// By instrument id, from 1.
    instruments: TrackedList<InstrumentView>,
}

impl View {
    /// Keeps the last `history` bars of each series; warm after `warm_up` bars and once every indicator is ready.
    pub fn new(history: u64, warm_up: u64) -> Self {
        let plan = Plan { history: history as usize, warm_up, ..Plan::default() };
        View { plan: Tracked::new(plan), instruments: TrackedList::default() }
    }

    /// # Errors
    /// `FieldMustBeInRange` for a number that is not the next one, a period or interval out of range, or once
    /// bars have been seen: an indicator added late would not have seen what the others saw.
    pub fn add_indicator(&mut self, index: u64, spec: IndicatorSpec) -> Result<(), Refusal> {
        let next = self.plan.indicators.len() as u64;
        if index != next || !self.instruments.is_empty() {
            return Err(Refusal::new(Rule::FieldMustBeInRange, i128::from(next), i128::from(index)));
        }
        AnyIndicator::new(spec.kind, spec.period)?;
        self.add_interval(spec.every_ns)?;
        self.plan.indicators.push(spec);
        Ok(())
    }

    /// Has bars of a longer interval formed too; 0 is the interval of the bars as they are fed.
    ///
    /// # Errors
    /// `FieldMustBeInRange` for an interval out of range or once bars have been seen.
    pub fn add_interval(&mut self, every_ns: u64) -> Result<(), Refusal> {
        if every_ns == 0 || self.plan.intervals.contains(&every_ns) {
            return Ok(());
        }
        if !self.instruments.is_empty() {
            return Err(Refusal::new(Rule::FieldMustBeInRange, 0, i128::from(every_ns)));
        }
        BarAggregator::new(every_ns)?;
        self.plan.intervals.push(every_ns);
        Ok(())
    }

    /// Value and value before it of an indicator for an instrument.
    pub fn indicator(&self, index: usize, instrument: u32) -> (Option<f64>, Option<f64>) {
        let indicator = self.of(instrument).and_then(|view| view.indicators.get(index));
        indicator.map_or((None, None), |indicator| (indicator.value(), indicator.previous()))
    }

    /// The last bars of an instrument, oldest first; `every_ns` 0 for those as they are fed. `None` for an
    /// interval nobody asked for.
    pub fn bars(&self, instrument: u32, every_ns: u64) -> Option<&VecDeque<Bar>> {
        const NONE: &VecDeque<Bar> = &VecDeque::new();
        let series = if every_ns == 0 {
            self.of(instrument).map(|view| &view.fed)
        } else {
            let index = self.plan.intervals.iter().position(|interval| *interval == every_ns)?;
            self.of(instrument).map(|view| &view.longer[index].1)
        };
        Some(series.map_or(NONE, |series| &series.bars))
    }

    pub fn history(&self) -> usize {
        self.plan.history
    }

    pub fn last_quote(&self, instrument: u32) -> Option<QuoteObserved> {
        self.of(instrument)?.last_quote
    }

    fn of(&self, instrument: u32) -> Option<&InstrumentView> {
        self.instruments.get((instrument as usize).wrapping_sub(1))
    }

    /// Takes one market data record in. Returns whether the participant is warm for its instrument.
    pub fn fold(&mut self, record: &[Slot], instruments: &Instruments) -> bool {
        let head = &record[0];
        let Some(instrument) = instruments.get(head.instrument) else { return true };
        match Message::from_number(head.message) {
            Some(Message::BarObserved) => self.fold_bar(record, instrument),
            Some(Message::QuoteObserved) => {
                if let Some((_, view)) = self.entry(head.instrument) {
                    view.last_quote = Some(QuoteObserved::of(head));
                }
                true
            }
            _ => true,
        }
    }

    fn entry(&mut self, instrument: u32) -> Option<(&Plan, &mut InstrumentView)> {
        let View { plan, instruments } = self;
        let index = (instrument as usize).saturating_sub(1);
        while instruments.len() <= index {
            instruments.push(InstrumentView::new(plan));
        }
        Some((plan, instruments.get_mut(index)?))
    }

    fn fold_bar(&mut self, record: &[Slot], instrument: &Instrument) -> bool {
        let Some(bar) = Bar::from_record(record) else { return false };
        let Some((plan, view)) = self.entry(instrument.id) else { return false };
        view.fold_bar(bar, instrument, plan);
        view.fed.seen > plan.warm_up && view.indicators.iter().all(|indicator| indicator.value().is_some())
    }

    /// Indicators and counts. The bars behind them are records already hashed.
    pub(super) fn state_sum(&mut self, hasher: &mut EntityHasher) -> u128 {
        let plan = self.plan.hash_by(|plan| hasher.hash("plan", 0u64, |out| plan.write(out)));
        let views = self.instruments.sum_by(|index, view| {
            hasher.hash("view", index as u64 + 1, |out| {
                out.u64(view.fed.seen);
                out.list(view.indicators.iter());
            })
        });
        plan.wrapping_add(views)
    }
}

impl Series {
    fn push(&mut self, bar: Bar, history: usize) {
        self.seen += 1;
        if self.bars.len() >= history {
            self.bars.pop_front();
        }
        if history > 0 {
            self.bars.push_back(bar);
        }
    }
}

impl InstrumentView {
    fn new(plan: &Plan) -> Self {
        let indicators =
            plan.indicators.iter().filter_map(|spec| AnyIndicator::new(spec.kind, spec.period).ok());
        let longer = plan.intervals.iter().filter_map(|interval| BarAggregator::new(*interval).ok());
        InstrumentView {
            indicators: indicators.collect(),
            longer: longer.map(|aggregator| (aggregator, Series::default())).collect(),
            ..InstrumentView::default()
        }
    }

    fn fold_bar(&mut self, bar: Bar, instrument: &Instrument, plan: &Plan) {
        self.fed.push(bar, plan.history);
        self.update_indicators(0, &bar, instrument, plan);
        for index in 0..self.longer.len() {
            let (aggregator, series) = &mut self.longer[index];
            let closed = aggregator.update(&bar);
            closed.clone().for_each(|bar| series.push(bar, plan.history));
            closed.for_each(|bar| self.update_indicators(plan.intervals[index], &bar, instrument, plan));
        }
    }

    fn update_indicators(&mut self, every_ns: u64, bar: &Bar, instrument: &Instrument, plan: &Plan) {
        let close = instrument.price_as_f64(bar.close);
        let own =
            self.indicators.iter_mut().zip(&plan.indicators).filter(|(_, spec)| spec.every_ns == every_ns);
        own.for_each(|(indicator, _)| indicator.update(close));
    }
}

impl State for IndicatorSpec {
    fn write(&self, out: &mut StateWriter) {
        out.u64(self.kind);
        out.u64(self.period);
        out.u64(self.every_ns);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(IndicatorSpec { kind: input.u64()?, period: input.u64()?, every_ns: input.u64()? })
    }
}

impl State for Series {
    fn write(&self, out: &mut StateWriter) {
        out.u64(self.seen);
        out.list(self.bars.iter());
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Series { seen: input.u64()?, bars: input.list::<Bar>()?.into() })
    }
}

impl State for InstrumentView {
    fn write(&self, out: &mut StateWriter) {
        self.fed.write(out);
        out.length(self.longer.len());
        for (aggregator, series) in &self.longer {
            aggregator.write(out);
            series.write(out);
        }
        out.list(self.indicators.iter());
        out.bool(self.last_quote.is_some());
        if let Some(quote) = &self.last_quote {
            out.bytes(quote.as_bytes());
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let fed = State::read(input)?;
        let longer = (0..input.length()?)
            .map(|_| Ok((State::read(input)?, State::read(input)?)))
            .collect::<Result<_, _>>()?;
        let indicators = input.list()?;
        let last_quote = if input.bool()? {
            let bytes = input.bytes()?;
            let (quote, length) = (zerocopy::FromBytes::read_from_bytes(bytes).ok(), bytes.len() as u64);
            Some(quote.ok_or_else(|| input.invalid("quote", length))?)
        } else {
            None
        };
        Ok(InstrumentView { fed, longer, indicators, last_quote })
    }
}

impl State for Plan {
    fn write(&self, out: &mut StateWriter) {
        out.u64(self.history as u64);
        out.u64(self.warm_up);
        out.list(self.indicators.iter());
        out.length(self.intervals.len());
        self.intervals.iter().for_each(|interval| out.u64(*interval));
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let (history, warm_up) = (input.u64()? as usize, input.u64()?);
        let indicators = input.list()?;
        let len = input.length()?;
        let intervals = (0..len).map(|_| input.u64()).collect::<Result<_, _>>()?;
        Ok(Plan { history, warm_up, indicators, intervals })
    }
}

impl State for View {
    fn write(&self, out: &mut StateWriter) {
        self.plan.write(out);
        out.length(self.instruments.len());
        self.instruments.iter().for_each(|view| view.write(out));
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut view = View { plan: Tracked::new(Plan::read(input)?), ..View::default() };
        for _ in 0..input.length()? {
            view.instruments.push(InstrumentView::read(input)?);
        }
        Ok(view)
    }
}
