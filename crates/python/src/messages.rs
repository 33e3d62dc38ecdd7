//! The registries of the kernel: messages, layouts, rules, so that Python repeats none of them.

use openbell_kernel::journal::interleave;
use openbell_kernel::layout::Layout;
use openbell_kernel::message::Message;
use openbell_kernel::rules::Rule;
use openbell_kernel::{command, event, observation};
use pyo3::prelude::*;

type Fields = Vec<(&'static str, &'static str)>;

/// (number, name, kind, version) of every message.
#[pyfunction]
fn message_registry() -> Vec<(u16, &'static str, &'static str, u8)> {
    Message::ALL
        .iter()
        .map(|message| (*message as u16, message.name(), message.kind().name(), message.version()))
        .collect()
}

/// (name, message number, fields) of every body.
#[pyfunction]
fn body_layouts() -> Vec<(&'static str, u16, Fields)> {
    describe(&[interleave::BODIES, command::BODIES, observation::BODIES, event::BODIES])
}

/// (name, continuation tag, fields) of every continuation payload.
#[pyfunction]
fn payload_layouts() -> Vec<(&'static str, u16, Fields)> {
    describe(&[interleave::PAYLOADS, command::PAYLOADS, observation::PAYLOADS, event::PAYLOADS])
}

fn describe(groups: &[&[Layout]]) -> Vec<(&'static str, u16, Fields)> {
    groups.iter().flat_map(|group| group.iter()).map(|of| (of.name, of.number, of.fields.to_vec())).collect()
}

/// (number, name) of every rule a refusal can name.
#[pyfunction]
fn rule_registry() -> Vec<(u16, &'static str)> {
    Rule::ALL.iter().map(|rule| (*rule as u16, rule.name())).collect()
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(message_registry, module)?)?;
    module.add_function(wrap_pyfunction!(body_layouts, module)?)?;
    module.add_function(wrap_pyfunction!(payload_layouts, module)?)?;
    module.add_function(wrap_pyfunction!(rule_registry, module)?)
}
