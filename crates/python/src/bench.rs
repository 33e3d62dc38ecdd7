//! The flow and the plain reference of `cargo bench --bench matching`, so that Python is measured beside them in
//! one process. Compiled with the feature `bench` only.

#[allow(dead_code)] // the benchmark of the kernel measures more books
#[path = "../../kernel/benches/matching/contestants.rs"]
mod contestants;
#[allow(dead_code)]
#[path = "../../kernel/benches/matching/flow.rs"]
mod flow;
#[allow(dead_code)]
#[path = "../../kernel/benches/matching/measure.rs"]
mod measure;
#[path = "../../kernel/benches/matching/reference.rs"]
mod reference;

use numpy::PyArray1;
use openbell_kernel::terms::{OrderType, TimeInForce};
use pyo3::prelude::*;
use zerocopy::IntoBytes;

use crate::book::batch::{self, CANCEL, Command, REPLACE, SUBMIT};
use contestants::{Contestant, Direct, Hashed, PriceTimeBook};
use flow::{Flow, Kind, Shape};

/// A generated flow that native books and Python can be driven with.
#[pyclass(frozen)]
struct MatchingFlow {
    flow: Flow,
}

#[pymethods]
impl MatchingFlow {
    #[new]
    fn new(count: usize, seed: u64) -> Self {
        MatchingFlow { flow: flow::generate(Shape::USUAL, count, seed) }
    }

    /// Adds that fill the book, as rows of COMMAND_DTYPE.
    fn setup<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        rows(py, &self.flow.setup)
    }

    /// What is timed, as rows of COMMAND_DTYPE.
    fn commands<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        rows(py, &self.flow.commands)
    }

    /// (name, nanoseconds per command, trades) of one run of each native book.
    fn native(&self) -> Vec<(&'static str, f64, u64)> {
        vec![
            self.run::<Hashed>("plain reference, hash index"),
            self.run::<Direct>("plain reference, direct ids"),
            self.run::<PriceTimeBook<false>>("ours, native, acks"),
        ]
    }

    /// Nanoseconds this thread has run.
    #[staticmethod]
    fn thread_time_ns() -> f64 {
        measure::thread_time_ns()
    }
}

impl MatchingFlow {
    fn run<C: Contestant>(&self, name: &'static str) -> (&'static str, f64, u64) {
        let (time, checksum) = measure::measure::<C>(&self.flow);
        (name, time, checksum.trades)
    }
}

fn rows<'py>(py: Python<'py>, commands: &[flow::Command]) -> PyResult<Bound<'py, PyAny>> {
    let bytes: Vec<u8> = commands.iter().flat_map(|command| row(command).as_bytes().to_vec()).collect();
    PyArray1::from_vec(py, bytes).call_method1("view", (batch::command_dtype(py)?,))
}

fn row(command: &flow::Command) -> Command {
    let (kind, time_in_force) = match command.kind {
        Kind::Add => (SUBMIT, TimeInForce::Gtc),
        Kind::Take => (SUBMIT, TimeInForce::Ioc),
        Kind::Replace => (REPLACE, TimeInForce::Gtc),
        Kind::Cancel => (CANCEL, TimeInForce::Gtc),
    };
    Command {
        kind,
        side: command.side as u8,
        order_type: OrderType::Limit as u8,
        time_in_force: time_in_force as u8,
        options: 0,
        reserved: 0,
        account: 0,
        reserved_too: 0,
        order_id: command.id,
        price: command.price,
        quantity: i64::from(command.quantity),
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<MatchingFlow>()
}
