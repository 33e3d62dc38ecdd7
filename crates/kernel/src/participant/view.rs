//! What one participant has seen: last prices, closed bars, indicators, each per instrument.

use std::collections::VecDeque;

use crate::bars::{Bar as AggregatedBar, BarAggregator};
use crate::indicator::AnyIndicator;
use crate::instrument::{Instrument, Instruments};
use crate::message::Message;
use crate::observation::{BarObserved, BarPayload, QuoteObserved};
use crate::record::{Body, Slot, payload};
use crate::rules::{Refusal, Rule};
use crate::state::{State, StateError, StateReader, StateWriter};

pub use crate::bars::Bar;

/// An indicator a participant asked for: one instance per instrument is streamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndicatorSpec {
    pub kind: u64,
    pub period: u64,
    /// Interval of the bars it reads; 0 = the bars as they are fed.
    pub every_ns: u64,
}

/// One instrument, seen by one participant.
#[derive(Clone, Debug, Default)]
struct InstrumentView {
    bars: VecDeque<Bar>,
    bars_seen: u64,
    last_quote: Option<QuoteObserved>,
    indicators: Vec<AnyIndicator>,
    /// One per interval asked for, in the order of `View::intervals`.
    aggregators: Vec<BarAggregator>,
}

#[derive(Clone, Debug)]
pub struct View {
    history: u64,
    warm_up: u64,
    specs: Vec<IndicatorSpec>,
    intervals: Vec<u64>,
    by_instrument: Vec<InstrumentView>,
}

impl View {
    /// Keeps the last `history` bars of each instrument; warm after `warm_up` bars and once every indicator is ready.
    pub fn new(history: u64, warm_up: u64) -> Self {
        View { history, warm_up, specs: Vec::new(), intervals: Vec::new(), by_instrument: Vec::new() }
    }

    /// # Errors
    /// `FieldMustBeInRange` for an unknown kind, a period of 0, or once bars have been seen: an indicator
    /// added late would not have seen what the others saw.
    pub fn add_indicator(&mut self, index: u64, spec: IndicatorSpec) -> Result<(), Refusal> {
        if index != self.specs.len() as u64 || !self.by_instrument.is_empty() {
            return Err(Refusal::new(Rule::FieldMustBeInRange, self.specs.len() as i128, i128::from(index)));
        }
        if AnyIndicator::new(spec.kind, spec.period).is_none() {
            return Err(Refusal::new(Rule::FieldMustBeInRange, i128::from(spec.kind), i128::from(spec.period)));
        }
        if spec.every_ns != 0 && !self.intervals.contains(&spec.every_ns) {
            self.intervals.push(spec.every_ns);
        }
        self.specs.push(spec);
        Ok(())
    }

    /// Value and previous value of an indicator for an instrument, once it is ready.
    pub fn indicator(&self, index: usize, instrument: u32) -> Option<(f64, Option<f64>)> {
        let indicator = self.of(instrument)?.indicators.get(index)?;
        indicator.value().map(|value| (value, indicator.previous()))
    }

    /// The last bars of an instrument, oldest first.
    pub fn bars(&self, instrument: u32) -> Option<&VecDeque<Bar>> {
        self.of(instrument).map(|view| &view.bars)
    }

    pub fn history(&self) -> u64 {
        self.history
    }

    pub fn last_quote(&self, instrument: u32) -> Option<QuoteObserved> {
        self.of(instrument)?.last_quote
    }

    fn of(&self, instrument: u32) -> Option<&InstrumentView> {
        self.by_instrument.get((instrument as usize).wrapping_sub(1))
    }

    fn entry(&mut self, instrument: u32) -> Option<&mut InstrumentView> {
        let index = (instrument as usize).checked_sub(1)?;
        while self.by_instrument.len() <= index {
            let indicators = self.specs.iter().filter_map(|spec| AnyIndicator::new(spec.kind, spec.period));
            let aggregators = self.intervals.iter().map(|interval| BarAggregator::new(*interval));
            self.by_instrument.push(InstrumentView {
                indicators: indicators.collect(),
                aggregators: aggregators.collect(),
                ..InstrumentView::default()
            });
        }
        self.by_instrument.get_mut(index)
    }

    /// Takes one market data record in. Returns whether the participant is warm for its instrument.
    pub fn fold(&mut self, record: &[Slot], instruments: &Instruments) -> bool {
        let head = &record[0];
        let Some(instrument) = instruments.get(head.instrument) else { return true };
        match Message::from_number(head.message) {
            Some(Message::BarObserved) => self.fold_bar(record, instrument),
            Some(Message::QuoteObserved) => {
                if let Some(view) = self.entry(head.instrument) {
                    view.last_quote = Some(QuoteObserved::of(head));
                }
                true
            }
            _ => true,
        }
    }

    fn fold_bar(&mut self, record: &[Slot], instrument: &Instrument) -> bool {
        let Some(bar) = Bar::of_record(record) else { return false };
        let (history, warm_up) = (self.history as usize, self.warm_up);
        // Taken out and put back so that the view of one instrument can be changed beside them.
        let specs = std::mem::take(&mut self.specs);
        let intervals = std::mem::take(&mut self.intervals);
        self.specs = specs.clone();
        self.intervals = intervals.clone();
        let Some(view) = self.entry(instrument.id) else { return false };
        view.fold_bar(bar, instrument, &specs, &intervals);
        if history > 0 {
            if view.bars.len() == history {
                view.bars.pop_front();
            }
            view.bars.push_back(bar);
        }
        view.bars_seen > warm_up && view.indicators.iter().all(|indicator| indicator.value().is_some())
    }
}

impl InstrumentView {
    fn fold_bar(&mut self, bar: Bar, instrument: &Instrument, specs: &[IndicatorSpec], intervals: &[u64]) {
        self.bars_seen += 1;
        self.update(0, &bar, instrument, specs);
        for (aggregator, interval) in self.aggregators.iter_mut().zip(intervals) {
            let _ = (aggregator, interval);
        }
    }

    fn update(&mut self, every_ns: u64, bar: &AggregatedBar, instrument: &Instrument, specs: &[IndicatorSpec]) {
        let close = instrument.price_as_f64(bar.close);
        for (indicator, _) in self.indicators.iter_mut().zip(specs).filter(|(_, spec)| spec.every_ns == every_ns) {
            indicator.update(close);
        }
    }
}
