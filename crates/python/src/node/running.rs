//! The run: polls the node and calls Python where it asks for it.

use std::sync::Arc;

use openbell_kernel::engine::FeeQuestion;
use openbell_kernel::instrument::Instruments;
use openbell_kernel::node::{Input, Poll};
use openbell_kernel::record::Slot;
use openbell_kernel::terms::{Side, Sizing};
use openbell_kernel::venue::Outcome;
use pyo3::prelude::*;

use super::guard::{Guarded, Inner};
use crate::errors::error;
use crate::events::{Fill, FillInQuestion};
use crate::hooks::{ClosedBars, HookFailure, Hooks};

/// Records between two looks at signals while nobody is woken.
const BUDGET: usize = 65_536;
/// Records without anybody to wake, after which the interpreter is left to other threads.
const PATIENCE: usize = 256;
/// Wake-ups between two looks at signals; Python code of a hook looks by itself.
const WAKES_PER_LOOK: u32 = 64;

/// One call of `Node.run`.
pub struct Run<'a, 'py> {
    pub py: Python<'py>,
    pub guarded: &'a Guarded,
    pub records: &'a [Slot],
    pub source: Option<u16>,
    pub hooks: &'a [Bound<'py, Hooks>],
    pub fee_model: Option<&'a Bound<'py, PyAny>>,
    /// Called with what comes in and what rests, it answers a share for each order.
    pub policy: Option<&'a Bound<'py, PyAny>>,
}

/// Why the node came back.
enum Turn {
    Idle,
    Budget,
    Wake,
    Fee,
    Allocation,
}

/// What a run carries from wake to wake, so that none has to allocate.
struct Carried<'py> {
    /// Slot of `records` that is next.
    at: usize,
    /// Nobody was woken in the last poll: the next one needs no interpreter.
    is_quiet: bool,
    news: Vec<Slot>,
    instruments: Arc<Instruments>,
    /// Which hooks are to be called; none for a participant that has none here.
    woken: Option<usize>,
    /// They are called for the first time.
    is_first: bool,
    bars: ClosedBars<'py>,
    question: Option<FeeQuestion>,
}

impl Carried<'_> {
    /// Takes along what the participant is to be shown, so that it can send commands while it looks at it.
    fn prepare_wake(&mut self, inner: &mut Inner, participant: u16) {
        self.news = inner.node.take_news();
        let known = inner.node.engine().participants().get(participant);
        self.is_first = self.woken.is_some() && known.is_some_and(|known| !known.is_started);
        if self.is_first {
            inner.node.note_start(participant);
        }
        let instruments = inner.node.engine().shared_instruments();
        if !Arc::ptr_eq(&self.instruments, instruments) {
            self.instruments = Arc::clone(instruments);
        }
    }
}

impl<'py> Run<'_, 'py> {
    pub fn to_end(&self) -> PyResult<()> {
        // Without Python participants nothing needs the interpreter for the whole batch.
        let is_quiet = self.hooks.is_empty();
        let mut carried = Carried {
            at: 0,
            is_quiet,
            news: Vec::new(),
            instruments: Arc::default(),
            woken: None,
            is_first: false,
            bars: Vec::new(),
            question: None,
        };
        let mut wakes = 0u32;
        loop {
            if wakes.is_multiple_of(WAKES_PER_LOOK) {
                self.py.check_signals()?;
            }
            match self.poll(&mut carried)? {
                Turn::Idle => return Ok(()),
                Turn::Budget => wakes = 0,
                Turn::Wake => {
                    wakes = wakes.wrapping_add(1);
                    self.wake(&mut carried)?;
                }
                Turn::Allocation => self.allocate()?,
                Turn::Fee => carried.question.take().map_or(Ok(()), |question| self.assess(&question))?,
            }
        }
    }

    fn poll(&self, carried: &mut Carried<'py>) -> PyResult<Turn> {
        self.guarded.drive(self.py, |inner| {
            inner.node.return_news(std::mem::take(&mut carried.news));
            let mut input = Input::resume(self.records, carried.at, self.source);
            let node = &mut inner.node;
            let polled = if carried.is_quiet {
                self.py.detach(|| node.poll(&mut input, BUDGET))
            } else {
                node.poll(&mut input, PATIENCE)
            };
            carried.at = input.at();
            carried.is_quiet = self.hooks.is_empty() || matches!(polled, Ok(Poll::Budget));
            match polled {
                Ok(Poll::Idle) => Ok(Turn::Idle),
                Ok(Poll::Budget) => Ok(Turn::Budget),
                Ok(Poll::Wake(participant)) => {
                    carried.woken =
                        self.hooks.iter().position(|hooks| hooks.get().participant == participant);
                    carried.prepare_wake(inner, participant);
                    Ok(Turn::Wake)
                }
                Ok(Poll::Fee(question)) => {
                    carried.question = Some(question);
                    Ok(Turn::Fee)
                }
                Ok(Poll::Allocation) => Ok(Turn::Allocation),
                Err(found) => Err(Box::new(found)),
            }
        })
    }

    fn wake(&self, carried: &mut Carried<'py>) -> PyResult<()> {
        let Some(hooks) = carried.woken.and_then(|index| self.hooks.get(index)).map(Bound::get) else {
            return Ok(());
        };
        let called = if carried.is_first { hooks.start(self.py) } else { Ok(()) };
        called
            .and_then(|()| hooks.show(self.py, &carried.news, &carried.instruments, &mut carried.bars))
            .map_err(|failure| self.note_failure(failure))
    }

    fn note_failure(&self, failure: HookFailure) -> PyErr {
        if let Ok(mut inner) = self.guarded.read(self.py) {
            inner.failed_hook = Some((failure.hook, inner.node.sequence(), inner.node.time()));
        }
        failure.error
    }

    /// Asks the fee model about the fill that waits.
    fn assess(&self, question: &FeeQuestion) -> PyResult<()> {
        let Some(model) = self.fee_model else {
            let message = "a fill waits for the fee of a Python model and none was given".to_owned();
            return Err(error(self.py, "ConfigError", message));
        };
        let (instrument, fill) = self.fill_in_question(question)?;
        let object = self.hooks.iter().find_map(|hooks| hooks.get().object(self.py, instrument));
        let object = object.unwrap_or_else(|| self.py.None());
        let fee_nano = model
            .call1((Fill::in_question(&fill, object),))
            .and_then(|fee| self.fee_of(&fee))
            .map_err(|error| self.note_failure(HookFailure { hook: "FeeModel.fee", error }))?;
        self.guarded.change(self.py)?.node.answer_fee(fee_nano);
        Ok(())
    }

    /// Asks the matching policy about the level that waits to be shared.
    fn allocate(&self) -> PyResult<()> {
        let Some(policy) = self.policy else {
            let message = "a level waits for a matching policy in Python and none was given".to_owned();
            return Err(error(self.py, "ConfigError", message));
        };
        let question =
            self.guarded.read(self.py)?.node.engine().allocation_question().map(|(_, asked)| asked.clone());
        let Some(question) = question else { return Ok(()) };
        let shares = policy
            .call1((question.incoming, question.resting.clone()))
            .and_then(|answer| {
                let shares = answer.extract::<Vec<i64>>().ok();
                shares.filter(|shares| question.is_answered_by(shares)).ok_or_else(|| {
                    let found = answer.repr().map_or_else(|_| "an object".to_owned(), |text| text.to_string());
                    let message = format!(
                        "{found} for {} that meet {:?}; expected {} whole numbers, none below 0 or above its order's \
                         quantity, of sum {}",
                        question.incoming,
                        question.resting,
                        question.resting.len(),
                        question.wanted()
                    );
                    error(self.py, "StrategyError", message)
                })
            })
            .map_err(|error| self.note_failure(HookFailure { hook: "MatchingPolicy.allocate", error }))?;
        self.guarded.change(self.py)?.node.answer_allocation(&shares);
        Ok(())
    }

    fn fee_of(&self, fee: &Bound<'py, PyAny>) -> PyResult<i64> {
        fee.extract().map_err(|_| {
            let found = fee.repr().map_or_else(|_| "an object".to_owned(), |text| text.to_string());
            let message = format!(
                "the fee model answered {found}; expected a whole number of 10^-9 of the currency, of 64 bits"
            );
            error(self.py, "StrategyError", message)
        })
    }

    fn fill_in_question(&self, question: &FeeQuestion) -> PyResult<(u32, FillInQuestion)> {
        let inner = self.guarded.read(self.py)?;
        let report = &question.report;
        let order = inner.node.engine().orders().get(report.order_id);
        let (Some(order), Outcome::Filled { trade_id, price, quantity, liquidity, .. }) =
            (order, report.outcome)
        else {
            let message = "a fee was asked for a fill of no order".to_owned();
            return Err(error(self.py, "EngineStopped", message));
        };
        let is_sell = if order.request.sizing == Sizing::TargetPercent {
            quantity < 0
        } else {
            order.request.side == Side::Sell
        };
        let fill = FillInQuestion {
            order_id: report.order_id,
            client_order_id: order.request.client_order_id,
            trade_id,
            side: if is_sell { Side::Sell } else { Side::Buy },
            liquidity,
            price,
            quantity: quantity.abs(),
            time: inner.node.time(),
            venue_time: report.venue_time,
        };
        Ok((order.request.instrument, fill))
    }
}
