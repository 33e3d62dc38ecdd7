//! Journals from Python: reading whole batches as arrays, checking, writing, and putting back what a journal by
//! reference only points at.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use numpy::PyArray1;
use openbell_kernel::disk::RealDisk;
use openbell_kernel::journal::{
    self, Content, Durability, Expansion, Identity, JournalError, OpenOptions, Position, RULES_VERSION,
    Report, SealKey, Settings, Tail, verify,
};
use openbell_kernel::record::Slot;
use pyo3::prelude::*;
use zerocopy::{FromBytes, IntoBytes};

use crate::arrays::{SlotArray, slot_array};
use crate::errors::{error, expansion_error, journal_error};

type Bytes<'py> = Bound<'py, PyArray1<u8>>;

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An array of bytes over words that NumPy takes over without a copy; words, so that they stay aligned.
fn bytes_of(py: Python<'_>, words: Vec<u64>) -> PyResult<Bytes<'_>> {
    Ok(PyArray1::from_vec(py, words).call_method1("view", ("uint8",))?.cast_into::<PyArray1<u8>>()?)
}

fn words_of(slots: &[Slot]) -> &[u64] {
    <[u64]>::ref_from_bytes(slots.as_bytes()).unwrap_or(&[])
}

/// What a journal holds, counted while it was checked.
#[pyclass(frozen, get_all, module = "openbell._kernel")]
pub struct JournalReport {
    epoch: u64,
    shard: u8,
    schema: u16,
    rules_version: u32,
    created_time: u64,
    created_by: String,
    durability: &'static str,
    content: &'static str,
    segment_size: u64,
    sector_size: u32,
    segments: u32,
    batches: u64,
    records: u64,
    referenced: u64,
    slots: u64,
    bytes: u64,
    file_bytes: u64,
    first_sequence: u64,
    last_sequence: u64,
    durable_sequence: u64,
    state_hash: Option<(u64, u128)>,
    output_hash: Option<(u64, u128)>,
    chain: u128,
    end: PositionTuple,
    watermark: Option<PositionTuple>,
    closed: bool,
    torn: Option<String>,
}

/// Segment, offset, last sequence, chain.
type PositionTuple = (u32, u64, u64, u128);

fn position_tuple(position: Position) -> PositionTuple {
    (position.segment, position.offset, position.sequence, position.chain)
}

impl From<&Report> for JournalReport {
    fn from(report: &Report) -> Self {
        let Identity { epoch, shard, schema, rules_version, created_time, .. } = report.identity;
        let Settings { durability, content, segment_size, sector_size } = report.settings;
        JournalReport {
            epoch,
            shard,
            schema,
            rules_version,
            created_time,
            created_by: report.identity.created_by.clone(),
            durability: durability.name(),
            content: content.name(),
            segment_size,
            sector_size,
            segments: report.segments,
            batches: report.batches,
            records: report.records,
            referenced: report.referenced,
            slots: report.slots,
            bytes: report.bytes,
            file_bytes: report.file_bytes,
            first_sequence: report.first_sequence,
            last_sequence: report.last_sequence,
            durable_sequence: report.durable_sequence,
            state_hash: report.state_hash,
            output_hash: report.output_hash,
            chain: report.end.chain,
            end: position_tuple(report.end),
            watermark: report.watermark.map(position_tuple),
            closed: report.closed,
            torn: torn(&report.tail),
        }
    }
}

fn torn(tail: &Tail) -> Option<String> {
    match tail.clone() {
        Tail::Clean => None,
        Tail::Torn { place, rule, found, bytes } => {
            Some(JournalError::TornTail { place, rule, found, bytes }.to_string())
        }
    }
}

/// Reads and checks the whole journal in `path`.
#[pyfunction]
#[pyo3(signature = (path, *, require_closed=false))]
fn verify_journal(py: Python<'_>, path: PathBuf, require_closed: bool) -> PyResult<JournalReport> {
    let report = py.detach(|| {
        let report = verify(Arc::new(RealDisk), &path)?;
        if require_closed { report.require_closed(&path).map(|()| report) } else { Ok(report) }
    });
    report.map(|report| JournalReport::from(&report)).map_err(|found| journal_error(py, &found))
}

/// Reads a journal batch by batch, checking each.
#[pyclass(frozen, module = "openbell._kernel")]
pub struct JournalReader {
    inner: Mutex<journal::JournalReader>,
}

#[pymethods]
impl JournalReader {
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let reader = py.detach(|| journal::JournalReader::open(Arc::new(RealDisk), &path));
        let inner = Mutex::new(reader.map_err(|found| journal_error(py, &found))?);
        Ok(JournalReader { inner })
    }

    /// The slots of the next batches: whole ones, at least one, then as many as `max_slots` holds.
    #[pyo3(signature = (max_slots=65536))]
    fn read<'py>(&self, py: Python<'py>, max_slots: usize) -> PyResult<Option<Bytes<'py>>> {
        let words = py.detach(|| read_words(&mut lock(&self.inner), max_slots, Until::End));
        let words = words.map_err(|found| journal_error(py, &found))?;
        words.map(|words| bytes_of(py, words)).transpose()
    }

    /// As `read`, but only what is durable; `None` when there is nothing new yet.
    #[pyo3(signature = (max_slots=65536))]
    fn read_durable<'py>(&self, py: Python<'py>, max_slots: usize) -> PyResult<Option<Bytes<'py>>> {
        let words = py.detach(|| read_words(&mut lock(&self.inner), max_slots, Until::Durable));
        let words = words.map_err(|found| journal_error(py, &found))?;
        words.map(|words| bytes_of(py, words)).transpose()
    }

    /// What was read so far.
    #[getter]
    fn report(&self) -> JournalReport {
        JournalReport::from(lock(&self.inner).report())
    }
}

/// How far to read.
#[derive(Clone, Copy)]
enum Until {
    End,
    Durable,
}

/// Words of whole batches; `None` at the end. An error waits until what came before it was given out.
fn read_words(
    reader: &mut journal::JournalReader,
    max_slots: usize,
    until: Until,
) -> Result<Option<Vec<u64>>, JournalError> {
    let mut words = Vec::new();
    loop {
        let batch = match until {
            Until::End => reader.next_batch(),
            Until::Durable => reader.next_durable(),
        };
        match batch {
            Ok(Some(batch)) => words.extend_from_slice(words_of(batch.slots)),
            Ok(None) => return Ok((!words.is_empty()).then_some(words)),
            Err(_) if !words.is_empty() => return Ok(Some(words)),
            Err(found) => return Err(found),
        }
        if words.len() >= max_slots.saturating_mul(8) && !words.is_empty() {
            return Ok(Some(words));
        }
    }
}

/// Writes a journal: for tools and tests; a node writes its own.
#[pyclass(frozen, module = "openbell._kernel")]
pub struct JournalWriter {
    inner: Mutex<Option<journal::JournalWriter>>,
    /// What was cut off when the journal was opened, in words.
    #[pyo3(get)]
    cut: Option<String>,
}

#[pymethods]
impl JournalWriter {
    /// Begins a journal.
    #[staticmethod]
    #[pyo3(signature = (path, *, epoch, created_time, created_by, durability="batch", content="full", segment_size=None, accept_any_file_system=false, seal_key=None))]
    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn create(
        py: Python<'_>,
        path: PathBuf,
        epoch: u64,
        created_time: u64,
        created_by: &str,
        durability: &str,
        content: &str,
        segment_size: Option<u64>,
        accept_any_file_system: bool,
        seal_key: Option<[u8; 32]>,
    ) -> PyResult<Self> {
        let (durability, content) = modes(py, durability, content)?;
        let mut settings = Settings::of(durability, content);
        settings.segment_size = segment_size.unwrap_or(settings.segment_size);
        let identity = Identity::new(epoch, created_time, created_by);
        let writer = py.detach(|| {
            let mut writer = create_journal(&path, &identity, settings, accept_any_file_system)?;
            sign(&mut writer, seal_key).map(|()| writer)
        });
        let inner = Mutex::new(Some(writer.map_err(|found| journal_error(py, &found))?));
        Ok(JournalWriter { inner, cut: None })
    }

    /// Opens a journal to continue it: checks all of it, and cuts off a torn tail after keeping a copy.
    #[staticmethod]
    #[pyo3(signature = (path, *, accept_any_file_system=false, seal_key=None))]
    fn open(
        py: Python<'_>,
        path: PathBuf,
        accept_any_file_system: bool,
        seal_key: Option<[u8; 32]>,
    ) -> PyResult<Self> {
        let options = OpenOptions { accept_any_file_system, ..OpenOptions::default() };
        let opened = py.detach(|| {
            let (mut writer, recovery) =
                journal::JournalWriter::open_with(Arc::new(RealDisk), &path, &options)?;
            sign(&mut writer, seal_key).map(|()| (writer, recovery))
        });
        let (writer, recovery) = opened.map_err(|found| journal_error(py, &found))?;
        let cut = recovery.cut.as_ref().map(|cut| {
            format!(
                "{}: cut off {} bytes ({}), kept in {}",
                cut.place,
                cut.bytes,
                cut.rule.map_or(cut.found.as_str(), |rule| rule.name()),
                cut.copy.display()
            )
        });
        Ok(JournalWriter { inner: Mutex::new(Some(writer)), cut })
    }

    fn append(&self, py: Python<'_>, slots: &Bound<'_, PyAny>) -> PyResult<()> {
        let slots = SlotArray::new("slots", slots)?;
        let slots = slots.slots();
        self.with(py, |writer| writer.append(slots))
    }

    fn append_reference(
        &self,
        py: Python<'_>,
        input: u16,
        count: u64,
        sequence: u64,
        time: u64,
    ) -> PyResult<()> {
        self.with(py, |writer| writer.append_reference(input, count, sequence, time))
    }

    #[pyo3(signature = (output_hash=0, state_hash=None))]
    fn commit(&self, py: Python<'_>, output_hash: u128, state_hash: Option<(u64, u128)>) -> PyResult<u64> {
        self.with(py, |writer| writer.commit(state_hash, output_hash))
    }

    /// Commits, and ends the journal with the batch that says so.
    #[pyo3(signature = (output_hash=0, state_hash=None))]
    fn close(&self, py: Python<'_>, output_hash: u128, state_hash: Option<(u64, u128)>) -> PyResult<u64> {
        let Some(writer) = lock(&self.inner).take() else { return Err(closed(py)) };
        py.detach(|| writer.close(state_hash, output_hash)).map_err(|found| journal_error(py, &found))
    }

    #[getter]
    fn next_sequence(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |writer| Ok(writer.next_sequence()))
    }

    #[getter]
    fn durable_sequence(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |writer| Ok(writer.durable_sequence()))
    }
}

impl JournalWriter {
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&mut journal::JournalWriter) -> Result<T, JournalError> + Send,
    ) -> PyResult<T> {
        let done = py.detach(|| lock(&self.inner).as_mut().map(call));
        done.ok_or_else(|| closed(py))?.map_err(|found| journal_error(py, &found))
    }
}

fn closed(py: Python<'_>) -> PyErr {
    error(py, "JournalError", "the journal was closed; open it again to continue it".to_owned())
}

/// The modes by their names.
pub fn modes(py: Python<'_>, durability: &str, content: &str) -> PyResult<(Durability, Content)> {
    let refused = |field: &str, found: &str, allowed: &str| {
        error(py, "ConfigError", format!("{field} is {found:?}; it must be {allowed}"))
    };
    let contents = [Content::Full, Content::ByReference].into_iter();
    Ok((
        Durability::from_name(durability)
            .ok_or_else(|| refused("durability", durability, "strict, batch, interval, os or none"))?,
        contents
            .into_iter()
            .find(|of| of.name() == content)
            .ok_or_else(|| refused("content", content, "full or by_reference"))?,
    ))
}

/// Begins a journal on the machine's disk.
pub fn create_journal(
    path: &Path,
    identity: &Identity,
    settings: Settings,
    accept_any_file_system: bool,
) -> Result<journal::JournalWriter, JournalError> {
    let disk = Arc::new(RealDisk);
    if accept_any_file_system {
        journal::JournalWriter::create_anywhere(disk, path, identity, settings)
    } else {
        journal::JournalWriter::create(disk, path, identity, settings)
    }
}

/// Signs what is sealed from now on, where there is a key.
pub fn sign(writer: &mut journal::JournalWriter, seal_key: Option<[u8; 32]>) -> Result<(), JournalError> {
    seal_key.map_or(Ok(()), |secret| writer.sign_seals(SealKey::from_bytes(&secret)))
}

/// The public key to a secret one.
#[pyfunction]
fn seal_public_key(secret: [u8; 32]) -> [u8; 32] {
    SealKey::from_bytes(&secret).public_key()
}

/// Puts the records of inputs back where a journal by reference only points at them.
#[pyclass(module = "openbell._kernel")]
pub struct InputExpansion {
    inputs: Vec<Input>,
}

/// The array of one input's records, and how many of its slots were used.
struct Input {
    array: Py<PyAny>,
    used: usize,
}

impl Input {
    fn array<'py>(&self, py: Python<'py>) -> PyResult<SlotArray<'py>> {
        SlotArray::new("inputs", self.array.bind(py))
    }

    fn left<'a>(&self, array: &'a SlotArray<'_>) -> &'a [Slot] {
        array.slots().get(self.used..).unwrap_or_default()
    }
}

#[pymethods]
impl InputExpansion {
    #[new]
    #[pyo3(signature = (inputs=Vec::new()), text_signature = "(inputs=())")]
    fn new(inputs: Vec<Bound<'_, PyAny>>) -> PyResult<Self> {
        let mut expansion = InputExpansion { inputs: Vec::with_capacity(inputs.len()) };
        inputs.iter().try_for_each(|input| expansion.add(input))?;
        Ok(expansion)
    }

    /// Adds the input with the next number.
    fn add(&mut self, slots: &Bound<'_, PyAny>) -> PyResult<()> {
        SlotArray::new("inputs", slots)?;
        self.inputs.push(Input { array: slots.clone().unbind(), used: 0 });
        Ok(())
    }

    /// The slots of whole records as the journal holds them, references replaced by what they stand for.
    fn expand<'py>(&mut self, py: Python<'py>, slots: &Bound<'py, PyAny>) -> PyResult<Bytes<'py>> {
        let slots = SlotArray::new("slots", slots)?;
        let arrays: Vec<_> = self.inputs.iter().map(|input| input.array(py)).collect::<PyResult<_>>()?;
        let left = self.inputs.iter().zip(&arrays).map(|(input, array)| input.left(array));
        let mut expansion = Expansion::new(left.collect());
        let mut expanded = Vec::with_capacity(slots.slots().len());
        expansion.expand(slots.slots(), &mut expanded).map_err(|found| expansion_error(py, &found))?;
        for ((input, array), left) in self.inputs.iter_mut().zip(&arrays).zip(expansion.left()) {
            input.used = array.slots().len() - left;
        }
        Ok(slot_array(py, &expanded))
    }

    /// Slots that each input still has.
    #[getter]
    fn left(&self, py: Python<'_>) -> PyResult<Vec<usize>> {
        self.inputs.iter().map(|input| Ok(input.left(&input.array(py)?).len())).collect()
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("RULES_VERSION", RULES_VERSION)?;
    module.add_class::<JournalReport>()?;
    module.add_class::<JournalReader>()?;
    module.add_class::<JournalWriter>()?;
    module.add_class::<InputExpansion>()?;
    module.add_function(wrap_pyfunction!(seal_public_key, module)?)?;
    module.add_function(wrap_pyfunction!(verify_journal, module)?)
}
