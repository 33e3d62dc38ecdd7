//! What is wrong with a line of input, said so that a person can find it.

use thiserror::Error;

/// Why a line cannot be used. In lenient decoding each has its own count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Defect {
    /// The line is not `<local time> <JSON>`, or does not end.
    Line,
    /// The JSON is cut off or not JSON.
    Json,
    /// JSON of no kind that this source sends.
    Kind,
    MissingField,
    BadField,
    /// A number between two units, or beyond the largest one.
    OffUnit,
    /// A message of another symbol where one was expected.
    OtherSymbol,
    /// The local time is before that of the line above.
    TimeStepsBack,
    /// An update of a book for which no snapshot came.
    NoSnapshot,
}

impl Defect {
    pub const ALL: [Defect; 9] = [
        Defect::Line,
        Defect::Json,
        Defect::Kind,
        Defect::MissingField,
        Defect::BadField,
        Defect::OffUnit,
        Defect::OtherSymbol,
        Defect::TimeStepsBack,
        Defect::NoSnapshot,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Defect::Line => "line",
            Defect::Json => "json",
            Defect::Kind => "kind",
            Defect::MissingField => "missing_field",
            Defect::BadField => "bad_field",
            Defect::OffUnit => "off_unit",
            Defect::OtherSymbol => "other_symbol",
            Defect::TimeStepsBack => "time_steps_back",
            Defect::NoSnapshot => "no_snapshot",
        }
    }
}

/// What is wrong with one field of a line whose number the caller knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    pub defect: Defect,
    pub field: String,
    pub found: String,
    pub expected: String,
}

impl FieldError {
    pub fn new(
        defect: Defect,
        field: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        FieldError { defect, field: field.into(), found: found.into(), expected: expected.into() }
    }

    pub fn at_line(self, line: u64) -> DecodeError {
        DecodeError { line, error: self }
    }
}

/// The first line that cannot be used, in strict decoding.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}, {}: found {}, expected {}", .error.field, .error.found, .error.expected)]
pub struct DecodeError {
    /// Counted from 1.
    pub line: u64,
    pub error: FieldError,
}

/// `text` in quotes, cut to a length that fits a message.
pub fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
