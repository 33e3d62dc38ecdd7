//! Where and how a node is to write its journal.

use std::path::PathBuf;

use openbell_kernel::journal::{Content, Durability, Identity, Settings};
use openbell_kernel::node::RecordSink;
use pyo3::prelude::*;

use crate::errors::journal_error;
use crate::journal::{create_journal, modes, sign};

/// A journal that does not exist yet; the node that gets it creates it.
#[pyclass(frozen, module = "openbell._kernel")]
pub struct NewJournal {
    path: PathBuf,
    durability: Durability,
    content: Content,
    epoch: u64,
    created_time: u64,
    created_by: String,
    accept_any_file_system: bool,
    seal_key: Option<[u8; 32]>,
}

#[pymethods]
impl NewJournal {
    #[new]
    #[pyo3(signature = (path, *, epoch, created_time, created_by, durability="batch", content="full", accept_any_file_system=false, seal_key=None))]
    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn new(
        py: Python<'_>,
        path: PathBuf,
        epoch: u64,
        created_time: u64,
        created_by: String,
        durability: &str,
        content: &str,
        accept_any_file_system: bool,
        seal_key: Option<[u8; 32]>,
    ) -> PyResult<Self> {
        let (durability, content) = modes(py, durability, content)?;
        Ok(NewJournal {
            path,
            durability,
            content,
            epoch,
            created_time,
            created_by,
            accept_any_file_system,
            seal_key,
        })
    }
}

impl NewJournal {
    pub fn create(&self, py: Python<'_>, shard: u8) -> PyResult<Box<dyn RecordSink>> {
        let identity = Identity { shard, ..Identity::new(self.epoch, self.created_time, &self.created_by) };
        let settings = Settings::of(self.durability, self.content);
        let writer = create_journal(&self.path, &identity, settings, self.accept_any_file_system);
        let signed = writer.and_then(|mut writer| sign(&mut writer, self.seal_key).map(|()| writer));
        signed
            .map(|writer| Box::new(writer) as Box<dyn RecordSink>)
            .map_err(|found| journal_error(py, &found))
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<NewJournal>()
}
