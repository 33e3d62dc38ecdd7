//! A live node at one moment, as Python reads it.

use openbell_kernel::live::{self, Failure, RingFill};
use pyo3::prelude::*;

#[pyclass(frozen, get_all, name = "LiveHealth", module = "openbell._kernel")]
pub struct Health {
    state: &'static str,
    failure: Option<&'static str>,
    reason: Option<String>,
    durability: &'static str,
    epoch: u64,
    shard: u8,
    sequence: u64,
    durable_sequence: u64,
    time: u64,
    /// (filled, capacity) in slots.
    ingress: (usize, usize),
    journal: (usize, usize),
    egress: (usize, usize),
    held_slots: u64,
    shortage: Option<String>,
    reserve_left: Option<u64>,
    commits: u64,
    commit_p50_ns: Option<u64>,
    commit_p99_ns: Option<u64>,
    clock_offset_ns: Option<i64>,
    has_outgrown_inline: bool,
    upkeep_trouble: Option<String>,
}

impl From<&live::Health> for Health {
    fn from(of: &live::Health) -> Self {
        let fill = |ring: RingFill| (ring.filled, ring.capacity);
        Health {
            state: of.state.name(),
            failure: of.failure.as_ref().map(|(failure, _)| match failure {
                Failure::Journal => "journal",
                Failure::Engine => "engine",
            }),
            reason: of.failure.as_ref().map(|(_, reason)| reason.clone()),
            durability: of.durability.name(),
            epoch: of.epoch,
            shard: of.shard,
            sequence: of.sequence,
            durable_sequence: of.durable_sequence,
            time: of.time,
            ingress: fill(of.ingress),
            journal: fill(of.journal),
            egress: fill(of.egress),
            held_slots: of.held_slots,
            shortage: of.shortage.clone(),
            reserve_left: of.reserve_left,
            commits: of.commits,
            commit_p50_ns: of.commit_p50_ns,
            commit_p99_ns: of.commit_p99_ns,
            clock_offset_ns: of.clock_offset_ns,
            has_outgrown_inline: of.has_outgrown_inline,
            upkeep_trouble: of.upkeep_trouble.clone(),
        }
    }
}

#[pymethods]
impl Health {
    fn __repr__(&self) -> String {
        let Health { state, durability, sequence, durable_sequence, .. } = self;
        format!("LiveHealth({state} {durability} sequence={sequence} durable_sequence={durable_sequence})")
    }
}
