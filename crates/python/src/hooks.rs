//! Which Python callables a participant has, and how its news reach them.

use openbell_kernel::bars;
use openbell_kernel::event::{CommandRefused, TimerFired};
use openbell_kernel::instrument::{Instrument, Instruments};
use openbell_kernel::message::Message;
use openbell_kernel::record::{Body, Slot, split_first};
use openbell_kernel::rules::Rule;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::call::PyCallArgs;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::events::{Bar, Fill, Quote, Trade};

/// The callables of one participant. `instruments` are the objects its events refer to, by id from 1.
#[pyclass(frozen, module = "openbell._kernel")]
pub struct Hooks {
    pub participant: u16,
    instruments: Vec<Py<PyAny>>,
    on_start: Hook,
    on_bar: Hook,
    on_bars: Hook,
    on_quote: Hook,
    on_trade: Hook,
    on_order: Hook,
    on_fill: Hook,
    on_timer: Hook,
    on_refused: Hook,
}

type Hook = Option<Py<PyAny>>;
/// An instrument's terms and its Python object.
type Known<'a> = (&'a Instrument, Py<PyAny>);

#[pymethods]
impl Hooks {
    #[new]
    #[pyo3(signature = (participant, instruments, *, on_start=None, on_bar=None, on_bars=None, on_quote=None,
        on_trade=None, on_order=None, on_fill=None, on_timer=None, on_refused=None))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        participant: u16,
        instruments: Vec<Py<PyAny>>,
        on_start: Hook,
        on_bar: Hook,
        on_bars: Hook,
        on_quote: Hook,
        on_trade: Hook,
        on_order: Hook,
        on_fill: Hook,
        on_timer: Hook,
        on_refused: Hook,
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

    /// A strategy's methods lead back to whoever holds these hooks; the collector has to see it.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Hooks { on_start, on_bar, on_bars, on_quote, on_trade, on_order, on_fill, on_timer, .. } = self;
        let hooks = [on_start, on_bar, on_bars, on_quote, on_trade, on_order, on_fill, on_timer];
        let objects = hooks.into_iter().chain([&self.on_refused]).flatten().chain(&self.instruments);
        objects.into_iter().try_for_each(|object| visit.call(object))
    }
}

/// The hook that raised, and what it raised.
pub struct HookFailure {
    pub hook: &'static str,
    pub error: PyErr,
}

/// Bars that closed at one time, with their instruments' numbers.
pub type ClosedBars<'py> = Vec<(u32, Bound<'py, Bar>)>;

type Called = Result<(), HookFailure>;

fn failed(hook: &'static str) -> impl Fn(PyErr) -> HookFailure {
    move |error| HookFailure { hook, error }
}

/// Calls `hook`, if there is one, with what `argument` makes.
fn call<'py, A>(py: Python<'py>, name: &'static str, hook: &Hook, argument: impl FnOnce() -> A) -> Called
where
    (A,): PyCallArgs<'py>,
{
    match hook {
        Some(hook) => hook.bind(py).call1((argument(),)).map(drop).map_err(failed(name)),
        None => Ok(()),
    }
}

impl Hooks {
    /// The Python object of an instrument.
    pub fn object(&self, py: Python<'_>, instrument: u32) -> Option<Py<PyAny>> {
        self.instruments.get((instrument as usize).wrapping_sub(1)).map(|object| object.clone_ref(py))
    }

    pub fn start(&self, py: Python<'_>) -> Called {
        match &self.on_start {
            Some(hook) => hook.bind(py).call0().map(drop).map_err(failed("on_start")),
            None => Ok(()),
        }
    }

    /// Shows one participant its news: orders, fills, quotes and trades as they came, then the bars in
    /// instrument order, then all of them at once. `bars` is room to work in.
    pub fn show<'py>(
        &self,
        py: Python<'py>,
        news: &[Slot],
        instruments: &Instruments,
        bars: &mut ClosedBars<'py>,
    ) -> Called {
        bars.clear();
        let mut rest = news;
        while let Ok((record, after)) = split_first(rest) {
            rest = after;
            let head = &record[0];
            match Message::from_number(head.message) {
                Some(Message::BarObserved) => bars.extend(self.bar(py, record, instruments)?),
                Some(message) => self.show_event(py, message, record, instruments)?,
                None => {}
            }
        }
        bars.sort_by_key(|(instrument, _)| *instrument);
        self.show_bars(py, bars)
    }

    fn known<'a>(&self, py: Python<'_>, head: &Slot, all: &'a Instruments) -> Option<Known<'a>> {
        all.get(head.instrument).zip(self.object(py, head.instrument))
    }

    fn bar<'py>(
        &self,
        py: Python<'py>,
        record: &[Slot],
        instruments: &Instruments,
    ) -> Result<Option<(u32, Bound<'py, Bar>)>, HookFailure> {
        if self.on_bar.is_none() && self.on_bars.is_none() {
            return Ok(None);
        }
        let Some((terms, object)) = self.known(py, &record[0], instruments) else { return Ok(None) };
        let Some(bar) = bars::Bar::from_record(record) else { return Ok(None) };
        let bar = Bound::new(py, Bar::new(&record[0], &bar, terms, object)).map_err(failed("on_bar"))?;
        Ok(Some((terms.id, bar)))
    }

    fn show_bars<'py>(&self, py: Python<'py>, bars: &ClosedBars<'py>) -> Called {
        if let Some(hook) = &self.on_bar {
            let hook = hook.bind(py);
            for (_, bar) in bars {
                hook.call1((bar,)).map_err(failed("on_bar"))?;
            }
        }
        match &self.on_bars {
            Some(hook) if !bars.is_empty() => {
                let list = PyList::new(py, bars.iter().map(|(_, bar)| bar)).map_err(failed("on_bars"))?;
                hook.bind(py).call1((list,)).map(drop).map_err(failed("on_bars"))
            }
            _ => Ok(()),
        }
    }

    fn show_event(
        &self,
        py: Python<'_>,
        message: Message,
        event: &[Slot],
        instruments: &Instruments,
    ) -> Called {
        let head = &event[0];
        match message {
            Message::QuoteObserved => match self.known(py, head, instruments) {
                Some((terms, object)) => {
                    call(py, "on_quote", &self.on_quote, || Quote::new(head, terms, object))
                }
                None => Ok(()),
            },
            Message::TradeObserved => match self.known(py, head, instruments) {
                Some((terms, object)) => {
                    call(py, "on_trade", &self.on_trade, || Trade::new(head, terms, object))
                }
                None => Ok(()),
            },
            Message::OrderFilled => self.show_fill(py, event, instruments),
            Message::TimerFired => call(py, "on_timer", &self.on_timer, || TimerFired::of(head).timer_id),
            Message::CommandRefused => self.show_refusal(py, head),
            message if is_about_order(message) => self.show_order(py, head.body[1]),
            _ => Ok(()),
        }
    }

    fn show_fill(&self, py: Python<'_>, event: &[Slot], instruments: &Instruments) -> Called {
        let Some((_, object)) = self.known(py, &event[0], instruments) else { return Ok(()) };
        let Some(fill) = Fill::of_event(event, object) else { return Ok(()) };
        let client_order_id = fill.client_order_id();
        call(py, "on_fill", &self.on_fill, || fill)?;
        self.show_order(py, client_order_id)
    }

    fn show_order(&self, py: Python<'_>, client_order_id: u64) -> Called {
        call(py, "on_order", &self.on_order, || client_order_id)
    }

    fn show_refusal(&self, py: Python<'_>, head: &Slot) -> Called {
        let Some(hook) = &self.on_refused else { return Ok(()) };
        let body = CommandRefused::of(head);
        let command = u16::try_from(body.command).ok().and_then(Message::from_number);
        let rule = u16::try_from(body.rule).ok().and_then(Rule::from_number);
        let names = (command.map_or("", Message::name), rule.map_or("", Rule::name));
        hook.bind(py).call1(names).map(drop).map_err(failed("on_refused"))
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
