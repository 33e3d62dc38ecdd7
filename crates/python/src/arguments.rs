//! Arguments of Python that name a term or carry a text, checked.

use openbell_kernel::command::TextPayload;
use pyo3::prelude::*;

use crate::errors::error;

/// Bytes of text that fit a record.
const MAX_TEXT: usize = 36;

/// A text of a record.
///
/// # Errors
/// `ConfigError` for one that is empty or too long.
pub fn text(py: Python<'_>, field: &str, text: &str) -> PyResult<TextPayload> {
    if (1..=MAX_TEXT).contains(&text.len()) {
        return Ok(TextPayload::new(text));
    }
    let message = format!("{field} is {text:?}; it must have 1 to {MAX_TEXT} bytes and has {}", text.len());
    Err(error(py, "ConfigError", message))
}

/// The term with this number.
///
/// # Errors
/// `InputError` for a number that names none.
pub fn member<T>(py: Python<'_>, field: &str, number: u8, of: fn(u8) -> Option<T>) -> PyResult<T> {
    of(number).ok_or_else(|| error(py, "InputError", format!("{field} is {number}, which names none")))
}
