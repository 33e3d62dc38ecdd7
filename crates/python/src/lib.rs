//! The thin binding: Python's view of the kernel. No logic lives here.
#![deny(unsafe_code)]

mod arguments;
mod arrays;
#[cfg(feature = "bench")]
mod bench;
mod book;
mod codec;
mod errors;
mod events;
mod hooks;
mod indicators;
mod journal;
mod journal_care;
mod live;
mod messages;
mod new_journal;
mod node;
mod orders;
mod snapshots;
mod special_terms;

use pyo3::prelude::*;

#[pymodule]
fn _kernel(module: &Bound<'_, PyModule>) -> PyResult<()> {
    codec::register(module)?;
    #[cfg(feature = "bench")]
    bench::register(module)?;
    book::register(module)?;
    events::register(module)?;
    hooks::register(module)?;
    indicators::register(module)?;
    journal::register(module)?;
    journal_care::register(module)?;
    live::register(module)?;
    messages::register(module)?;
    new_journal::register(module)?;
    node::register(module)?;
    orders::register(module)?;
    snapshots::register(module)?;
    special_terms::register(module)
}
