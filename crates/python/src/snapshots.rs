//! Snapshots from Python: the follower that writes them, a history compared with a replay of it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use openbell_kernel::disk::{Disk, RealDisk};
use openbell_kernel::engine::Difference;
use openbell_kernel::node::Node;
use openbell_kernel::snapshot::{self, RestartError, SnapshotPolicy, Verdict};
use pyo3::prelude::*;

use crate::errors::restart_error;

fn disk() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

/// Follows a journal up to what is durable and saves the state now and then. See the stub.
#[pyclass(frozen, module = "openbell._kernel")]
pub struct Follower {
    inner: Mutex<snapshot::Follower>,
}

/// Records taken in, the last sequence, the snapshot if one was written, whether the journal was closed.
type Followed = (u64, u64, Option<PathBuf>, bool);

#[pymethods]
impl Follower {
    #[new]
    #[pyo3(signature = (journal, snapshots, *, configuration=0, records=4_000_000, bytes=536_870_912, interval_ns=30_000_000_000))]
    fn new(
        py: Python<'_>,
        journal: PathBuf,
        snapshots: PathBuf,
        configuration: u128,
        records: u64,
        bytes: u64,
        interval_ns: u64,
    ) -> PyResult<Self> {
        let policy = SnapshotPolicy { records, bytes, interval_ns };
        let opened =
            py.detach(|| snapshot::Follower::open(disk(), &journal, &snapshots, configuration, policy));
        opened
            .map(|follower| Follower { inner: Mutex::new(follower) })
            .map_err(|found| restart_error(py, &found))
    }

    fn follow(&self, py: Python<'_>, now_ns: u64) -> PyResult<Followed> {
        let followed = py.detach(|| self.inner.lock().unwrap_or_else(PoisonError::into_inner).follow(now_ns));
        let followed = followed.map_err(|found| restart_error(py, &found))?;
        Ok((followed.records, followed.sequence, followed.snapshot, followed.is_closed))
    }

    fn save(&self, py: Python<'_>, now_ns: u64) -> PyResult<PathBuf> {
        let saved = py.detach(|| self.inner.lock().unwrap_or_else(PoisonError::into_inner).save(now_ns));
        saved.map_err(|found| restart_error(py, &found))
    }
}

/// The node after the record `sequence`.
pub fn state_at(
    py: Python<'_>,
    journal: &Path,
    snapshots: Option<&Path>,
    configuration: u128,
    sequence: u64,
) -> PyResult<Node> {
    let found = py.detach(|| snapshot::state_at(&disk(), journal, snapshots, configuration, sequence));
    found.map_err(|found: RestartError| restart_error(py, &found))
}

/// What differs between a journal, its snapshots and a replay from its first record, in lines; none when all is the same.
#[pyfunction]
#[pyo3(signature = (journal, snapshots=None, *, configuration=0))]
fn compare_history(
    py: Python<'_>,
    journal: PathBuf,
    snapshots: Option<PathBuf>,
    configuration: u128,
) -> PyResult<Vec<String>> {
    let compared =
        py.detach(|| snapshot::compare_history(&disk(), &journal, snapshots.as_deref(), configuration));
    Ok(match compared.map_err(|found| restart_error(py, &found))? {
        Verdict::Same { .. } => Vec::new(),
        Verdict::Snapshot { sequence, differences } => {
            let first = format!("the snapshot of sequence {sequence} is not the state of a replay (here)");
            lines(first, &differences)
        }
        Verdict::Hash { mismatch, against: None } => vec![mismatch.to_string()],
        Verdict::Hash { mismatch, against: Some((sequence, differences)) } => {
            let first = format!("{mismatch}; the replay (here) beside the snapshot of sequence {sequence}");
            lines(first, &differences)
        }
    })
}

fn lines(first: String, differences: &[Difference]) -> Vec<String> {
    std::iter::once(first).chain(differences.iter().map(ToString::to_string)).collect()
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Follower>()?;
    module.add_function(wrap_pyfunction!(compare_history, module)?)
}
