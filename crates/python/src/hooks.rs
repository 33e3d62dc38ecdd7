//! Which Python callables a participant has, and how its news reach them.

use openbell_kernel::bars;
use openbell_kernel::event::{CommandRefused, TimerFired};
use openbell_kernel::instrument::{Instrument, Instruments};
use openbell_kernel::message::Message;
use openbell_kernel::record::{Body, Slot, split_first};
use openbell_kernel::rules::Rule;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::events::{Bar, Fill, Quote, Trade};

/// The callables of one participant. `instruments` are the objects its events refer to, by id from 1.
#[pyclass(frozen, module = "openbell._kernel")]
pub struct Hooks {
    pub participant: u16,
    instruments: Vec<Py<PyAny>>,
    on_start: Option<Py<PyAny>>,
    on_bar: Option<Py<PyAny>>,
    on_bars: Option<Py<PyAny>>,
    on_quote: Option<Py<PyAny>>,
    on_trade: Option<Py<PyAny>>,
    on_order: Option<Py<PyAny>>,
    on_fill: Option<Py<PyAny>>,
    on_timer: Option<Py<PyAny>>,
    on_refused: Option<Py<PyAny>>,
}

#[pymethods]
impl Hooks {
    #[new]
    #[pyo3(signature = (participant, instruments, *, on_start=None, on_bar=None, on_bars=None, on_quote=None,
        on_trade=None, on_order=None, on_fill=None, on_timer=None, on_refused=None))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        participant: u16,
        instruments: Vec<Py<PyAny>>,
        on_start: Option<Py<PyAny>>,
        on_bar: Option<Py<PyAny>>,
        on_bars: Option<Py<PyAny>>,
        on_quote: Option<Py<PyAny>>,
        on_trade: Option<Py<PyAny>>,
        on_order: Option<Py<PyAny>>,
        on_fill: Option<Py<PyAny>>,
        on_timer: Option<Py<PyAny>>,
        on_refused: Option<Py<PyAny>>,
    ) -> Self {
        Hooks {
            participant,
            instruments,
            on_start,
            on_bar,
            on_bars,
            on_quote,
            on_trade,
            on_order,
            on_fill,
            on_timer,
            on_refused,
        }
    }
}

/// The hook that raised, and what it raised.
pub struct HookFailure {
    pub hook: &'static str,
    pub error: PyErr,
}

type Called = Result<(), HookFailure>;

fn failed(hook: &'static str) -> impl Fn(PyErr) -> HookFailure {
    move |error| HookFailure { hook, error }
}

impl Hooks {
    pub fn object(&self, py: Python<'_>, instrument: u32) -> Option<Py<PyAny>> {
        self.instruments.get((instrument as usize).wrapping_sub(1)).map(|object| object.clone_ref(py))
    }

    pub fn start(&self, py: Python<'_>) -> Called {
        match &self.on_start {
            Some(hook) => hook.call0(py).map(drop).map_err(failed("on_start")),
            None => Ok(()),
        }
    }

    /// Shows one participant its news: orders, fills, quotes and trades as they came, then the bars in
    /// instrument order, then all of them at once.
    pub fn show(&self, py: Python<'_>, news: &[Slot], instruments: &Instruments) -> Called {
        let mut bars: Vec<(u32, Py<Bar>)> = Vec::new();
        let mut rest = news;
        while let Ok((record, after)) = split_first(rest) {
            rest = after;
            let head = &record[0];
            let known = instruments.get(head.instrument).zip(self.object(py, head.instrument));
            match (Message::from_number(head.message), known) {
                (Some(Message::BarObserved), Some((terms, object))) => {
                    bars.extend(self.bar(py, record, terms, object)?);
                }
                (Some(message), known) => self.show_event(py, message, record, known)?,
                (None, _) => {}
            }
        }
        bars.sort_by_key(|(instrument, _)| *instrument);
        self.show_bars(py, bars)
    }

    fn bar(
        &self,
        py: Python<'_>,
        record: &[Slot],
        terms: &Instrument,
        object: Py<PyAny>,
    ) -> Result<Option<(u32, Py<Bar>)>, HookFailure> {
        if self.on_bar.is_none() && self.on_bars.is_none() {
            return Ok(None);
        }
        let Some(bar) = bars::Bar::from_record(record) else { return Ok(None) };
        let bar = Py::new(py, Bar::new(&record[0], &bar, terms, object)).map_err(failed("on_bar"))?;
        Ok(Some((terms.id, bar)))
    }

    fn show_bars(&self, py: Python<'_>, bars: Vec<(u32, Py<Bar>)>) -> Called {
        if let Some(hook) = &self.on_bar {
            for (_, bar) in &bars {
                hook.call1(py, (bar,)).map_err(failed("on_bar"))?;
            }
        }
        match &self.on_bars {
            Some(hook) if !bars.is_empty() => {
                let list = PyList::new(py, bars.iter().map(|(_, bar)| bar)).map_err(failed("on_bars"))?;
                hook.call1(py, (list,)).map(drop).map_err(failed("on_bars"))
            }
            _ => Ok(()),
        }
    }

    fn show_event(
        &self,
        py: Python<'_>,
        message: Message,
        event: &[Slot],
        known: Option<(&Instrument, Py<PyAny>)>,
    ) -> Called {
        let head = &event[0];
        match (message, known) {
            (Message::QuoteObserved, Some((terms, object))) => match &self.on_quote {
                Some(hook) => {
                    hook.call1(py, (Quote::new(head, terms, object),)).map(drop).map_err(failed("on_quote"))
                }
                None => Ok(()),
            },
            (Message::TradeObserved, Some((terms, object))) => match &self.on_trade {
                Some(hook) => {
                    hook.call1(py, (Trade::new(head, terms, object),)).map(drop).map_err(failed("on_trade"))
                }
                None => Ok(()),
            },
            (Message::OrderFilled, Some((_, object))) => self.show_fill(py, event, object),
            (Message::TimerFired, _) => match &self.on_timer {
                Some(hook) => {
                    hook.call1(py, (TimerFired::of(head).timer_id,)).map(drop).map_err(failed("on_timer"))
                }
                None => Ok(()),
            },
            (Message::CommandRefused, _) => self.show_refusal(py, head),
            (message, _) if is_about_order(message) => self.show_order(py, head.body[1]),
            _ => Ok(()),
        }
    }

    fn show_fill(&self, py: Python<'_>, event: &[Slot], object: Py<PyAny>) -> Called {
        let Some(fill) = Fill::of_event(event, object) else { return Ok(()) };
        let client_order_id = fill.client_order_id();
        if let Some(hook) = &self.on_fill {
            hook.call1(py, (fill,)).map_err(failed("on_fill"))?;
        }
        self.show_order(py, client_order_id)
    }

    fn show_order(&self, py: Python<'_>, client_order_id: u64) -> Called {
        match &self.on_order {
            Some(hook) => hook.call1(py, (client_order_id,)).map(drop).map_err(failed("on_order")),
            None => Ok(()),
        }
    }

    fn show_refusal(&self, py: Python<'_>, head: &Slot) -> Called {
        let Some(hook) = &self.on_refused else { return Ok(()) };
        let body = CommandRefused::of(head);
        let command =
            u16::try_from(body.command).ok().and_then(Message::from_number).map_or("", Message::name);
        let rule = u16::try_from(body.rule).ok().and_then(Rule::from_number).map_or("", Rule::name);
        hook.call1(py, (command, rule)).map(drop).map_err(failed("on_refused"))
    }
}

/// Events whose second word is the `client_order_id` and that change what the order is.
const fn is_about_order(message: Message) -> bool {
    matches!(
        message,
        Message::OrderAccepted
            | Message::OrderDenied
            | Message::OrderRejected
            | Message::OrderReplaced
            | Message::OrderCanceled
            | Message::OrderExpired
            | Message::CancelRejected
            | Message::ReplaceRejected
            | Message::OrderTriggered
            | Message::OrderUnknown
    )
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Hooks>()
}
