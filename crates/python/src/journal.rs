//! Reading a journal: its batches as arrays, and the data it only points at put back.

use std::path::PathBuf;
use std::sync::Arc;

use numpy::PyArray1;
use openbell_kernel::disk::RealDisk;
use openbell_kernel::journal;
use openbell_kernel::journal::{Expansion as Expanding, JournalError, RULES_VERSION, Tail};
use openbell_kernel::record::Slot;
use pyo3::prelude::*;

use crate::arrays::{SlotArray, slot_array};
use crate::errors::{expansion_error, journal_error};

/// What a journal holds, as far as it was read and checked.
#[pyclass(frozen, get_all, module = "openbell.kernel.journal")]
pub struct JournalReport {
    epoch: u64,
    shard: u8,
    schema: u16,
    rules_version: u32,
    created_time: u64,
    created_by: String,
    durability: &'static str,
    content: &'static str,
    segments: u32,
    batches: u64,
    records: u64,
    referenced: u64,
    bytes: u64,
    file_bytes: u64,
    first_sequence: u64,
    last_sequence: u64,
    state_hash: Option<(u64, u128)>,
    output_hash: Option<(u64, u128)>,
    chain: u128,
    closed: bool,
    torn: Option<String>,
}

impl JournalReport {
    fn new(report: &journal::Report, torn: Option<String>) -> Self {
        let journal::Identity { epoch, shard, schema, rules_version, created_time, created_by, .. } =
            report.identity.clone();
        JournalReport {
            epoch,
            shard,
            schema,
            rules_version,
            created_time,
            created_by,
            durability: report.settings.durability.name(),
            content: report.settings.content.name(),
            segments: report.segments,
            batches: report.batches,
            records: report.records,
            referenced: report.referenced,
            bytes: report.bytes,
            file_bytes: report.file_bytes,
            first_sequence: report.first_sequence,
            last_sequence: report.last_sequence,
            state_hash: report.state_hash,
            output_hash: report.output_hash,
            chain: report.chain,
            closed: report.closed,
            torn,
        }
    }
}

#[pymethods]
impl JournalReport {
    fn __repr__(&self) -> String {
        let JournalReport { records, referenced, first_sequence, last_sequence, closed, .. } = self;
        format!(
            "JournalReport(records={records}, referenced={referenced}, sequences={first_sequence}..{last_sequence}, \
            closed={closed})"
        )
    }
}

/// Reads a journal from its first batch to its end.
#[pyclass(module = "openbell.kernel.journal")]
pub struct JournalReader {
    reader: journal::JournalReader,
    path: PathBuf,
    lenient: bool,
    torn: Option<String>,
}

#[pymethods]
impl JournalReader {
    #[new]
    #[pyo3(signature = (path, *, lenient=false))]
    fn new(py: Python<'_>, path: PathBuf, lenient: bool) -> PyResult<Self> {
        let reader = journal::JournalReader::open(Arc::new(RealDisk), &path);
        let reader = reader.map_err(|found| journal_error(py, &found))?;
        Ok(JournalReader { reader, path, lenient, torn: None })
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyArray1<u8>>>> {
        if self.torn.is_some() {
            return Ok(None);
        }
        let reader = &mut self.reader;
        match py.detach(|| reader.next_batch().map(|batch| batch.map(|batch| batch.slots))) {
            Ok(slots) => Ok(slots.map(|slots| slot_array(py, slots))),
            Err(found @ JournalError::TornTail { .. }) if self.lenient => {
                self.torn = Some(found.to_string());
                Ok(None)
            }
            Err(found) => Err(journal_error(py, &found)),
        }
    }

    /// What was read so far.
    fn report(&self) -> JournalReport {
        JournalReport::new(self.reader.report(), self.torn.clone())
    }

    /// Passes only a journal that was read to the end and whose writer ended on purpose.
    fn require_closed(&self, py: Python<'_>) -> PyResult<()> {
        self.reader.report().require_closed(&self.path).map_err(|found| journal_error(py, &found))
    }
}

/// Reads and checks a whole journal.
#[pyfunction]
fn verify_journal(py: Python<'_>, path: PathBuf) -> PyResult<JournalReport> {
    let found = py.detach(|| journal::verify(Arc::new(RealDisk), &path));
    let report = found.map_err(|found| journal_error(py, &found))?;
    let torn = match report.tail.clone() {
        Tail::Clean => None,
        Tail::Torn { place, rule, found, bytes } => {
            Some(JournalError::TornTail { place, rule, found, bytes }.to_string())
        }
    };
    Ok(JournalReport::new(&report, torn))
}

/// Puts the records of inputs back where a journal by reference only points at them.
#[pyclass(module = "openbell.kernel.journal")]
pub struct Expansion {
    inputs: Vec<InputArray>,
}

struct InputArray {
    array: Py<PyAny>,
    /// Slots that were put back already.
    used: usize,
}

#[pymethods]
impl Expansion {
    #[new]
    #[pyo3(signature = (inputs=Vec::new()), text_signature = "(inputs=())")]
    fn new(inputs: Vec<Bound<'_, PyAny>>) -> PyResult<Self> {
        let mut expansion = Expansion { inputs: Vec::with_capacity(inputs.len()) };
        inputs.iter().try_for_each(|input| expansion.add(input))?;
        Ok(expansion)
    }

    /// Adds the input with the next number.
    fn add(&mut self, slots: &Bound<'_, PyAny>) -> PyResult<()> {
        SlotArray::new("slots", slots)?;
        self.inputs.push(InputArray { array: slots.clone().unbind(), used: 0 });
        Ok(())
    }

    /// The records of a batch, markers replaced by what they stand for.
    fn expand<'py>(
        &mut self,
        py: Python<'py>,
        batch: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray1<u8>>> {
        let batch = SlotArray::new("batch", batch)?;
        let arrays = self.inputs.iter().map(|input| SlotArray::new("slots", input.array.bind(py)));
        let arrays = arrays.collect::<PyResult<Vec<_>>>()?;
        let rests = arrays.iter().zip(&self.inputs).map(|(array, input)| rest_of(array.slots(), input.used));
        let mut expanding = Expanding::new(rests.collect());
        let slots = batch.slots();
        let mut out = Vec::with_capacity(slots.len());
        let expanded = py.detach(|| expanding.expand(slots, &mut out));
        expanded.map_err(|found| expansion_error(py, &found))?;
        for ((input, array), left) in self.inputs.iter_mut().zip(&arrays).zip(expanding.left()) {
            input.used = array.slots().len().saturating_sub(left);
        }
        Ok(slot_array(py, &out))
    }

    /// Slots that each input has left.
    fn left(&self, py: Python<'_>) -> PyResult<Vec<usize>> {
        let left = |input: &InputArray| {
            let array = SlotArray::new("slots", input.array.bind(py))?;
            Ok(rest_of(array.slots(), input.used).len())
        };
        self.inputs.iter().map(left).collect()
    }
}

fn rest_of(slots: &[Slot], used: usize) -> &[Slot] {
    slots.get(used..).unwrap_or_default()
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("RULES_VERSION", RULES_VERSION)?;
    module.add_class::<JournalReader>()?;
    module.add_class::<JournalReport>()?;
    module.add_class::<Expansion>()?;
    module.add_function(wrap_pyfunction!(verify_journal, module)?)
}
