//! A journal read back: checked records, and those that stand by reference put in their places.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use numpy::{PyArray1, PyReadonlyArray1};
use openbell_kernel::disk::RealDisk;
use openbell_kernel::journal::interleave::Expansion;
use openbell_kernel::journal::{JournalReader as Reader, Report, Tail};
use openbell_kernel::record::{SLOT_SIZE, Slot};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use zerocopy::{FromBytes, IntoBytes};

use crate::errors::error;

/// Reads a journal from its first record to its end; everything is checked on the way.
#[pyclass(frozen, module = "openbell._kernel")]
pub struct JournalReader {
    path: PathBuf,
    reader: Mutex<Reader>,
}

fn lock<'a, T>(py: Python<'_>, mutex: &'a Mutex<T>) -> PyResult<MutexGuard<'a, T>> {
    mutex.lock().map_err(|_| error(py, "EngineStopped", "an earlier call panicked".to_owned()))
}

#[pymethods]
impl JournalReader {
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let reader = Reader::open(Arc::new(RealDisk), &path)
            .map_err(|found| error(py, "JournalError", found.to_string()))?;
        Ok(JournalReader { path, reader: Mutex::new(reader) })
    }

    /// The next records, whole batches of together about `slots` slots; `None` at the end.
    #[pyo3(signature = (slots=65_536))]
    fn read<'py>(&self, py: Python<'py>, slots: usize) -> PyResult<Option<Bound<'py, PyArray1<u8>>>> {
        let mut reader = lock(py, &self.reader)?;
        let mut taken: Vec<Slot> = Vec::new();
        while taken.len() < slots.max(1) {
            match reader.next_batch() {
                Ok(Some(batch)) => taken.extend_from_slice(batch.slots),
                Ok(None) => break,
                Err(found) => return Err(error(py, "JournalError", found.to_string())),
            }
        }
        Ok((!taken.is_empty()).then(|| PyArray1::from_slice(py, taken.as_bytes())))
    }

    /// Passes only a journal that was read to its end and whose writer ended on purpose.
    fn require_closed(&self, py: Python<'_>) -> PyResult<()> {
        let reader = lock(py, &self.reader)?;
        let closed = reader.report().require_closed(&self.path);
        closed.map_err(|found| error(py, "JournalError", found.to_string()))
    }

    /// What was read so far.
    fn report<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let reader = lock(py, &self.reader)?;
        told(py, reader.report())
    }
}

fn told<'py>(py: Python<'py>, report: &Report) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("content", report.settings.content.name())?;
    dict.set_item("durability", report.settings.durability.name())?;
    dict.set_item("created_by", &report.identity.created_by)?;
    dict.set_item("created_time", report.identity.created_time)?;
    dict.set_item("epoch", report.identity.epoch)?;
    dict.set_item("rules_version", report.identity.rules_version)?;
    dict.set_item("segments", report.segments)?;
    dict.set_item("batches", report.batches)?;
    dict.set_item("records", report.records)?;
    dict.set_item("referenced", report.referenced)?;
    dict.set_item("bytes", report.bytes)?;
    dict.set_item("last_sequence", report.last_sequence)?;
    dict.set_item("state_hash", report.state_hash)?;
    dict.set_item("output_hash", report.output_hash)?;
    dict.set_item("chain", report.chain)?;
    dict.set_item("closed", report.closed)?;
    dict.set_item("is_torn", report.tail != Tail::Clean)?;
    Ok(dict)
}

/// The records of inputs that a journal `by_reference` points at, by the number of the input.
#[pyclass(frozen, module = "openbell._kernel")]
pub struct ReferencedInputs {
    inputs: Mutex<Vec<(Vec<Slot>, usize)>>,
}

#[pymethods]
impl ReferencedInputs {
    #[new]
    fn new(py: Python<'_>, inputs: Vec<PyReadonlyArray1<'_, u8>>) -> PyResult<Self> {
        let inputs = inputs.iter().map(|input| Ok((slots_of(py, input)?, 0))).collect::<PyResult<_>>()?;
        Ok(ReferencedInputs { inputs: Mutex::new(inputs) })
    }

    /// `slots` of a journal with every reference replaced by the next records of its input.
    fn put_back<'py>(
        &self,
        py: Python<'py>,
        slots: PyReadonlyArray1<'_, u8>,
    ) -> PyResult<Bound<'py, PyArray1<u8>>> {
        let mut inputs = lock(py, &self.inputs)?;
        let slots = slots_of(py, &slots)?;
        let mut out = Vec::with_capacity(slots.len());
        let left = {
            let mut expansion = Expansion::new(inputs.iter().map(|(input, at)| &input[*at..]).collect());
            expansion
                .expand(&slots, &mut out)
                .map_err(|found| error(py, "JournalError", found.to_string()))?;
            expansion.left()
        };
        inputs.iter_mut().zip(left).for_each(|((input, at), left)| *at = input.len() - left);
        Ok(PyArray1::from_slice(py, out.as_bytes()))
    }

    /// Bytes of each input that no reference used.
    fn left(&self, py: Python<'_>) -> PyResult<Vec<usize>> {
        let inputs = lock(py, &self.inputs)?;
        Ok(inputs.iter().map(|(input, at)| (input.len() - at) * SLOT_SIZE).collect())
    }
}

fn slots_of(py: Python<'_>, array: &PyReadonlyArray1<'_, u8>) -> PyResult<Vec<Slot>> {
    let refused = |message: String| error(py, "InputError", message);
    let bytes = array.as_slice().map_err(|_| refused("slots must be one contiguous array".to_owned()))?;
    let slots = <[Slot]>::ref_from_bytes(bytes).map_err(|_| {
        refused(format!("slots hold {} bytes, which are not aligned 64-byte slots", bytes.len()))
    })?;
    Ok(slots.to_vec())
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<JournalReader>()?;
    module.add_class::<ReferencedInputs>()
}
