//! Matching policies of a book made from Python: the kernel's own, and one written in Python.

use openbell_kernel::book::{
    AllocationPolicy as Allocation, AnyPolicy, LeadShare, LevelQueue, MatchingPolicy, PriceSizeTime,
    ReportSink, RestingOrder, SelfTradeGuard, TopStep,
};
use openbell_kernel::rules::{Refusal, Rule};
use openbell_kernel::state::{State, StateError, StateReader, StateWriter};
use openbell_kernel::terms::Side;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::units::bad_input;
use crate::errors::error;

/// How a level is shared among its orders, by CME's steps; see `openbell_kernel::book::AllocationPolicy`.
#[pyclass(frozen, module = "openbell.kernel.order_book")]
pub struct AllocationPolicy {
    policy: Allocation,
}

#[pymethods]
impl AllocationPolicy {
    #[new]
    #[pyo3(signature = (*, pro_rata_minimum=None, by_time=0, leveling=false, top=None, lead=None))]
    fn new(
        py: Python<'_>,
        pro_rata_minimum: Option<i64>,
        by_time: u32,
        leveling: bool,
        top: Option<(i64, i64, u32)>,
        lead: Option<Vec<(u32, u32)>>,
    ) -> PyResult<Self> {
        let mut policy = match pro_rata_minimum {
            Some(minimum) => Allocation::split(by_time, minimum, leveling),
            None if by_time == 0 && !leveling => Allocation::default(),
            None => {
                let text = "field 'pro_rata_minimum': found None, expected an int beside by_time or leveling";
                return Err(error(py, "InputError", text.to_owned()));
            }
        };
        if let Some((minimum, maximum, share)) = top {
            policy = policy.with_top(TopStep { minimum, maximum, share });
        }
        let lead = lead.unwrap_or_default().into_iter();
        policy = policy.with_lead(lead.map(|(account, share)| LeadShare { account, share }).collect());
        policy.check().map_err(|refusal| {
            let (limit, actual) = (refusal.limit, refusal.actual);
            error(
                py,
                "InputError",
                format!("setting of AllocationPolicy: found {actual}, the limit is {limit}"),
            )
        })?;
        Ok(AllocationPolicy { policy })
    }
}

/// Shares a level by asking an object of the caller's.
pub struct AskedPolicy {
    /// `None` in a book just restored, until its policy is given again.
    object: Option<Py<PyAny>>,
    /// Why the last command ended early.
    failed: Option<PyErr>,
}

pub enum BookPolicy {
    Kernel(AnyPolicy),
    Asked(AskedPolicy),
}

const KERNEL: u8 = 1;
const ASKED: u8 = 2;

impl BookPolicy {
    /// From what `OrderBook(policy=...)` was given.
    pub fn from_python(value: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let Some(value) = value else { return Ok(BookPolicy::Kernel(AnyPolicy::default())) };
        if let Ok(given) = value.cast::<AllocationPolicy>() {
            return Ok(BookPolicy::Kernel(given.get().policy.clone().into()));
        }
        let expected = "'PRICE_TIME', 'PRO_RATA', 'PRICE_SIZE_TIME', an AllocationPolicy, or an object with \
                        allocate(incoming, resting_quantities)";
        if let Ok(name) = value.cast::<PyString>() {
            return match &*name.to_cow()? {
                "PRICE_TIME" => Ok(BookPolicy::Kernel(AnyPolicy::default())),
                "PRO_RATA" => Ok(BookPolicy::Kernel(Allocation::pro_rata(1).into())),
                "PRICE_SIZE_TIME" => {
                    Ok(BookPolicy::Kernel(AnyPolicy::PriceSizeTime(PriceSizeTime::default())))
                }
                _ => Err(bad_input("policy", value, expected)),
            };
        }
        if !value.hasattr("allocate")? {
            return Err(bad_input("policy", value, expected));
        }
        Ok(BookPolicy::Asked(AskedPolicy { object: Some(value.clone().unbind()), failed: None }))
    }

    /// Whether the policy of a restored book has to be given again.
    pub fn is_missing(&self) -> bool {
        matches!(self, BookPolicy::Asked(AskedPolicy { object: None, .. }))
    }

    /// The error that ended the last command early.
    pub fn take_failure(&mut self) -> Option<PyErr> {
        match self {
            BookPolicy::Kernel(_) => None,
            BookPolicy::Asked(policy) => policy.failed.take(),
        }
    }
}

impl AskedPolicy {
    /// Asks for the quantities of one level, checked for number, bounds and sum.
    fn ask(&self, py: Python<'_>, incoming: i64, resting: &[i64]) -> PyResult<Vec<i64>> {
        let Some(object) = &self.object else {
            return Err(error(py, "InputError", "the policy of a restored book was not given".to_owned()));
        };
        let answer = object.bind(py).call_method1("allocate", (incoming, resting.to_vec()))?;
        let given = answer.extract::<Vec<i64>>().ok();
        let total: i128 = resting.iter().map(|&quantity| i128::from(quantity)).sum();
        let wanted = total.min(i128::from(incoming));
        let fits = |given: &Vec<i64>| {
            given.len() == resting.len()
                && given.iter().zip(resting).all(|(part, has)| (0..=*has).contains(part))
                && given.iter().map(|&part| i128::from(part)).sum::<i128>() == wanted
        };
        given.filter(fits).ok_or_else(|| {
            let expected = format!(
                "{} whole numbers, none above the order's quantity in {resting:?}, of sum {wanted}",
                resting.len()
            );
            bad_input("allocate", &answer, &expected)
        })
    }
}

impl MatchingPolicy for BookPolicy {
    const NUMBER: u8 = 5;
    const RANKS: bool = true;

    fn for_trial(&self) -> Self {
        BookPolicy::Kernel(match self {
            BookPolicy::Kernel(policy) => policy.for_trial(),
            BookPolicy::Asked(_) => AnyPolicy::Asked(Default::default()),
        })
    }

    #[inline]
    fn one_by_one(&self) -> bool {
        match self {
            BookPolicy::Kernel(policy) => policy.one_by_one(),
            BookPolicy::Asked(_) => false,
        }
    }

    #[inline]
    fn match_level<S: ReportSink, G: SelfTradeGuard>(&mut self, queue: &mut LevelQueue<'_, S, G>) {
        let policy = match self {
            BookPolicy::Kernel(policy) => return policy.match_level(queue),
            BookPolicy::Asked(policy) => policy,
        };
        let orders: Vec<RestingOrder> =
            std::iter::successors(queue.first(), |order| queue.after(*order)).collect();
        let resting: Vec<i64> = orders.iter().map(|&order| queue.leaves(order)).collect();
        match Python::attach(|py| policy.ask(py, queue.incoming(), &resting)) {
            Ok(parts) => {
                for (order, part) in orders.into_iter().zip(parts) {
                    queue.fill(order, part);
                }
            }
            Err(failed) => {
                policy.failed = Some(failed);
                queue.cancel_incoming(Refusal::of(Rule::AllocationMustBeExact));
            }
        }
    }

    fn bettered(&mut self, side: Side, order_id: u64, shown: i64) {
        if let BookPolicy::Kernel(policy) = self {
            policy.bettered(side, order_id, shown);
        }
    }

    #[inline]
    fn ranked(&self, side: Side) -> Option<u64> {
        match self {
            BookPolicy::Kernel(policy) => policy.ranked(side),
            BookPolicy::Asked(_) => None,
        }
    }

    fn unrank(&mut self, side: Side) {
        if let BookPolicy::Kernel(policy) = self {
            policy.unrank(side);
        }
    }
}

impl State for BookPolicy {
    fn write(&self, out: &mut StateWriter) {
        match self {
            BookPolicy::Kernel(policy) => {
                out.u8(KERNEL);
                policy.write(out);
            }
            BookPolicy::Asked(_) => out.u8(ASKED),
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        match input.u8()? {
            KERNEL => Ok(BookPolicy::Kernel(State::read(input)?)),
            ASKED => Ok(BookPolicy::Asked(AskedPolicy { object: None, failed: None })),
            found => Err(input.invalid("kind of matching policy", u64::from(found))),
        }
    }
}
