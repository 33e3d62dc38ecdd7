//! What is done to journals from outside: proving, cutting, skipping, removing what nobody needs, beginning an epoch.

use std::path::PathBuf;
use std::sync::Arc;

use openbell_kernel::disk::{Disk, RealDisk};
use openbell_kernel::journal::{
    Acceptance, JournalError, JournalReader, JournalWriter, OpenOptions, Proof, SealKey, prove, reseal,
    segment_headers, skip_record, skipped,
};
use openbell_kernel::snapshot::{EpochPlace, begin_epoch, cut_history, snapshot_heads};
use pyo3::prelude::*;

use crate::errors::{error, journal_error, restart_error};
use crate::journal::sign;

fn disk() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

/// What a journal's seals say.
#[pyclass(frozen, get_all, module = "openbell._kernel")]
pub struct JournalProof {
    epoch: u64,
    entries: u64,
    sealed_segments: u32,
    sealed_through: u64,
    unsealed_segments: u32,
    removed_through: u32,
    cuts: Vec<u32>,
    is_signed: bool,
    last_seal: Vec<u8>,
    touched: Option<String>,
}

impl From<Proof> for JournalProof {
    fn from(proof: Proof) -> Self {
        let touched =
            proof.touched.map(|of| format!("{}: {} does not hold: {}", of.place, of.rule, of.found));
        JournalProof {
            epoch: proof.epoch,
            entries: proof.entries,
            sealed_segments: proof.sealed_segments,
            sealed_through: proof.sealed_through,
            unsealed_segments: proof.unsealed_segments,
            removed_through: proof.removed_through,
            cuts: proof.cuts,
            is_signed: proof.is_signed,
            last_seal: proof.last_seal.to_vec(),
            touched,
        }
    }
}

/// Compares a journal with its seals, and the seals with each other and with a public key.
#[pyfunction]
#[pyo3(signature = (path, public_key=None))]
fn prove_journal(py: Python<'_>, path: PathBuf, public_key: Option<[u8; 32]>) -> PyResult<JournalProof> {
    let proof = py.detach(|| prove(disk(), &path, public_key));
    proof.map(JournalProof::from).map_err(|found| journal_error(py, &found))
}

/// Last sequence kept, place, bytes taken off, files that hold them.
type CutTuple = (u64, String, u64, Vec<PathBuf>);

/// Takes off everything behind a sequence, snapshots of it included; copies are kept.
#[pyfunction]
#[pyo3(signature = (path, snapshots, sequence, *, actor, reason, time, accept_any_file_system=false, seal_key=None))]
#[allow(clippy::too_many_arguments)] // keywords in Python
fn cut_journal(
    py: Python<'_>,
    path: PathBuf,
    snapshots: PathBuf,
    sequence: u64,
    actor: String,
    reason: String,
    time: u64,
    accept_any_file_system: bool,
    seal_key: Option<[u8; 32]>,
) -> PyResult<CutTuple> {
    let acceptance = Acceptance { actor, reason, time, accept_any_file_system };
    let key = seal_key.as_ref().map(SealKey::from_bytes);
    let cut = py.detach(|| cut_history(disk(), &path, &snapshots, sequence, &acceptance, key));
    let cut = cut.map_err(|found| restart_error(py, &found))?;
    Ok((cut.last_sequence, cut.place.to_string(), cut.bytes, cut.copies))
}

/// Journals that a record is passed over from now on; the sequence of the record that says so.
#[pyfunction]
#[pyo3(signature = (path, sequence, *, actor, reason, time, accept_any_file_system=false))]
fn skip_journal_record(
    py: Python<'_>,
    path: PathBuf,
    sequence: u64,
    actor: String,
    reason: String,
    time: u64,
    accept_any_file_system: bool,
) -> PyResult<u64> {
    let acceptance = Acceptance { actor, reason, time, accept_any_file_system };
    let skipped = py.detach(|| skip_record(disk(), &path, sequence, &acceptance));
    skipped.map_err(|found| journal_error(py, &found))
}

/// Sequences of the records that a journal says are passed over.
#[pyfunction]
fn skipped_records(py: Python<'_>, path: PathBuf) -> PyResult<Vec<u64>> {
    let found = py.detach(|| skipped(&mut JournalReader::open(disk(), &path)?));
    let found = found.map_err(|found: JournalError| journal_error(py, &found))?;
    Ok(found.into_iter().collect())
}

/// Hashes every ended segment anew into a new `SEALS`; the number of seals, and where the old file is kept.
#[pyfunction]
#[pyo3(signature = (path, *, actor, reason, time, accept_any_file_system=false, seal_key=None))]
fn reseal_journal(
    py: Python<'_>,
    path: PathBuf,
    actor: String,
    reason: String,
    time: u64,
    accept_any_file_system: bool,
    seal_key: Option<[u8; 32]>,
) -> PyResult<(usize, Option<PathBuf>)> {
    let acceptance = Acceptance { actor, reason, time, accept_any_file_system };
    let key = seal_key.as_ref().map(SealKey::from_bytes);
    py.detach(|| reseal(disk(), &path, &acceptance, key)).map_err(|found| journal_error(py, &found))
}

/// Removes sealed segments that end before a sequence; their numbers.
#[pyfunction]
#[pyo3(signature = (path, sequence, *, time, accept_any_file_system=false, seal_key=None))]
fn remove_journal_segments(
    py: Python<'_>,
    path: PathBuf,
    sequence: u64,
    time: u64,
    accept_any_file_system: bool,
    seal_key: Option<[u8; 32]>,
) -> PyResult<Vec<u32>> {
    let options = OpenOptions { time, accept_any_file_system, ..OpenOptions::default() };
    let removed = py.detach(|| {
        let (mut writer, _) = JournalWriter::open_with(disk(), &path, &options)?;
        sign(&mut writer, seal_key)?;
        writer.remove_sealed_before(sequence)
    });
    removed.map_err(|found: JournalError| journal_error(py, &found))
}

/// Number, first sequence and epoch of every segment.
#[pyfunction]
fn journal_segments(py: Python<'_>, path: PathBuf) -> PyResult<Vec<(u32, u64, u64)>> {
    let headers =
        py.detach(|| segment_headers(&RealDisk, &path)).map_err(|found| journal_error(py, &found))?;
    Ok(headers.iter().map(|of| (of.segment, of.first_sequence, of.identity.epoch)).collect())
}

/// Sequence, epoch, rules version, configuration, time, state hash, and what is wrong with it.
type HeadTuple = (u64, u64, u32, u128, u64, u128, Option<String>);

/// Every snapshot of a directory, read and checked.
#[pyfunction]
fn snapshots_in(py: Python<'_>, path: PathBuf) -> PyResult<Vec<HeadTuple>> {
    let heads = py.detach(|| snapshot_heads(&disk(), &path));
    let heads = heads.map_err(|found| error(py, "JournalError", found.to_string()))?;
    Ok(heads
        .into_iter()
        .map(|(sequence, head)| match head {
            Ok(head) => {
                let (epoch, rules) = (head.epoch, head.rules_version);
                (sequence, epoch, rules, head.configuration, head.time, head.state_hash, None)
            }
            Err(found) => (sequence, 0, 0, 0, 0, 0, Some(found.to_string())),
        })
        .collect())
}

/// Begins a new epoch from the snapshot at the end of an old one; its number.
#[pyfunction]
#[pyo3(signature = (journal, snapshots, new_journal, new_snapshots, *, created_time, created_by, accept_any_file_system=false))]
#[allow(clippy::too_many_arguments)] // keywords in Python
fn begin_journal_epoch(
    py: Python<'_>,
    journal: PathBuf,
    snapshots: PathBuf,
    new_journal: PathBuf,
    new_snapshots: PathBuf,
    created_time: u64,
    created_by: String,
    accept_any_file_system: bool,
) -> PyResult<u64> {
    let begun = py.detach(|| {
        let from = EpochPlace { journal: &journal, snapshots: &snapshots };
        let to = EpochPlace { journal: &new_journal, snapshots: &new_snapshots };
        begin_epoch(&disk(), from, to, created_time, &created_by, accept_any_file_system)
    });
    begun.map_err(|found| restart_error(py, &found))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<JournalProof>()?;
    module.add_function(wrap_pyfunction!(prove_journal, module)?)?;
    module.add_function(wrap_pyfunction!(cut_journal, module)?)?;
    module.add_function(wrap_pyfunction!(skip_journal_record, module)?)?;
    module.add_function(wrap_pyfunction!(skipped_records, module)?)?;
    module.add_function(wrap_pyfunction!(reseal_journal, module)?)?;
    module.add_function(wrap_pyfunction!(remove_journal_segments, module)?)?;
    module.add_function(wrap_pyfunction!(journal_segments, module)?)?;
    module.add_function(wrap_pyfunction!(snapshots_in, module)?)?;
    module.add_function(wrap_pyfunction!(begin_journal_epoch, module)?)
}
