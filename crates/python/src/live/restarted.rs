//! A node at the end of its journal, to be looked at before it goes live.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use openbell_kernel::disk::RealDisk;
use openbell_kernel::journal::OpenOptions;
use openbell_kernel::live::{InlineSnapshots, replay_to_end};
use openbell_kernel::snapshot::{AtEnd, Owner};
use pyo3::prelude::*;

use super::recent_events::RecentEvents;
use super::{InlineTuple, LiveNode, Start, inline, live_options, open_for_writing, opening_error};
use crate::errors::error;
use crate::node::Node;

/// What a node needs besides itself to go live.
struct Rest {
    journal: AtEnd,
    seal_key: Option<[u8; 32]>,
    snapshots: Option<InlineSnapshots>,
}

/// The engine where a journal ends, which nobody has changed since. See the stub.
#[pyclass(frozen, module = "openbell._kernel")]
pub struct RestartedNode {
    #[pyo3(get)]
    node: Py<Node>,
    #[pyo3(get)]
    begin: u64,
    #[pyo3(get)]
    durability: &'static str,
    rest: Mutex<Option<Rest>>,
}

#[pymethods]
impl RestartedNode {
    #[new]
    #[pyo3(signature = (directory, *, recent=None, accept_any_file_system=false, seal_key=None, inline_snapshots=None))]
    fn new(
        py: Python<'_>,
        directory: PathBuf,
        recent: Option<&RecentEvents>,
        accept_any_file_system: bool,
        seal_key: Option<[u8; 32]>,
        inline_snapshots: Option<InlineTuple>,
    ) -> PyResult<Self> {
        let opened = py.detach(|| {
            let open = OpenOptions { accept_any_file_system, ..OpenOptions::default() };
            let disk = Arc::new(RealDisk);
            let (node, journal) = match recent.map(RecentEvents::lock) {
                Some(mut recent) => replay_to_end(disk, &directory, open, &mut |events| recent.add(events))?,
                None => replay_to_end(disk, &directory, open, &mut |_| ())?,
            };
            let owner = Owner::of(&journal.journal().identity, 0);
            let snapshots = inline_snapshots.map(|of| inline(&directory, owner, of));
            Ok((node, Rest { journal, seal_key, snapshots }))
        });
        let (node, rest) = opened.map_err(|found| opening_error(py, &found))?;
        Ok(RestartedNode {
            node: Py::new(py, Node::of(node))?,
            begin: rest.journal.begin().unwrap_or(0),
            durability: rest.journal.journal().settings.durability.name(),
            rest: Mutex::new(Some(rest)),
        })
    }

    /// Starts the threads. `node` cannot be asked any more.
    #[pyo3(signature = (*, ingress_slots=16384, egress_slots=65536, spins=200, interval_ns=10_000_000,
        clock_bound_ns=10_000_000_000, accept_clock=false, depth_levels=0, processor=None))]
    #[allow(clippy::too_many_arguments)]
    fn go_live(
        &self,
        py: Python<'_>,
        ingress_slots: usize,
        egress_slots: usize,
        spins: u32,
        interval_ns: u64,
        clock_bound_ns: u64,
        accept_clock: bool,
        depth_levels: usize,
        processor: Option<usize>,
    ) -> PyResult<LiveNode> {
        let options = live_options(
            ingress_slots,
            egress_slots,
            spins,
            interval_ns,
            clock_bound_ns,
            accept_clock,
            depth_levels,
            processor,
        );
        let rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Rest { journal, seal_key, snapshots }) = rest else {
            return Err(error(py, "EngineStopped", "this node went live already".to_owned()));
        };
        let node = self.node.get().retire(py, "it went live: ask the live node")?;
        let start = open_for_writing(py, node, journal, seal_key, &options)?;
        LiveNode::start(py, Start { snapshots, ..start }, options)
    }
}
