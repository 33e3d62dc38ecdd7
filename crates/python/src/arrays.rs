//! Slots and rows as NumPy arrays.

use numpy::{
    PyArray1, PyArrayDescrMethods, PyArrayMethods, PyReadonlyArray1, PyUntypedArray, PyUntypedArrayMethods,
    dtype,
};
use openbell_kernel::record::{SLOT_SIZE, Slot};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::errors::error;

/// An array of slots that Python handed in, read in place.
pub struct SlotArray<'py>(PyReadonlyArray1<'py, u8>);

impl<'py> SlotArray<'py> {
    /// Takes one contiguous, aligned array: bytes, or structured rows of whole slots.
    ///
    /// # Errors
    /// `InputError` saying what `field` is instead.
    pub fn new(field: &str, value: &Bound<'py, PyAny>) -> PyResult<Self> {
        let expected = "a NumPy array of uint8 or of records, 64 bytes a slot";
        let array = value.cast::<PyUntypedArray>().map_err(|_| unfit(field, value, expected))?;
        let kind = array.dtype();
        let is_rows = kind.has_fields() && kind.itemsize().is_multiple_of(SLOT_SIZE);
        if !is_rows && !kind.is_equiv_to(&dtype::<u8>(value.py())) {
            return Err(unfit(field, value, expected));
        }
        if array.ndim() != 1 || !array.is_c_contiguous() {
            return Err(unfit(field, value, "one dimension without gaps (numpy.ascontiguousarray)"));
        }
        let bytes = if is_rows { value.call_method1("view", ("u1",))? } else { value.clone() };
        let bytes: PyReadonlyArray1<'py, u8> = bytes.extract()?;
        let slots = SlotArray(bytes);
        match slots.get() {
            Some(_) => Ok(slots),
            None if slots.bytes().len().is_multiple_of(SLOT_SIZE) => {
                Err(unfit(field, value, "aligned memory (a copy is aligned: slots.copy())"))
            }
            None => {
                let found = format!("{} bytes", slots.bytes().len());
                Err(bad_array(value.py(), field, &found, "whole 64-byte slots"))
            }
        }
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_slice().unwrap_or_default()
    }

    fn get(&self) -> Option<&[Slot]> {
        // The address of an array without elements is any.
        if self.bytes().is_empty() { Some(&[]) } else { <[Slot]>::ref_from_bytes(self.bytes()).ok() }
    }

    pub fn slots(&self) -> &[Slot] {
        self.get().unwrap_or_default()
    }
}

fn bad_array(py: Python<'_>, field: &str, found: &str, expected: &str) -> PyErr {
    error(py, "InputError", format!("field '{field}': found {found}, expected {expected}"))
}

fn unfit(field: &str, value: &Bound<'_, PyAny>, expected: &str) -> PyErr {
    let name = value.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string());
    let part = |part: &str| value.getattr(part).and_then(|part| part.str()).map(|part| part.to_string());
    let found = match (part("dtype"), part("shape")) {
        (Ok(kind), Ok(shape)) => format!("{name} of {kind} with shape {shape}"),
        _ => name,
    };
    bad_array(value.py(), field, &found, expected)
}

/// A copy of `slots` that Python owns.
pub fn slot_array<'py>(py: Python<'py>, slots: &[Slot]) -> Bound<'py, PyArray1<u8>> {
    PyArray1::from_slice(py, slots.as_bytes())
}

/// A plain struct that is a row of a structured array.
pub trait Row: IntoBytes + Immutable + Sized {
    /// Name, NumPy format and offset of each field.
    const FIELDS: &'static [(&'static str, &'static str, usize)];

    /// Where the dtype is kept once it is made.
    fn cell() -> &'static PyOnceLock<Py<PyAny>>;

    fn dtype<'py>(py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let made = Self::cell().get_or_try_init(py, || Ok::<_, PyErr>(make_dtype::<Self>(py)?.unbind()))?;
        Ok(made.bind(py).clone())
    }

    fn array<'py>(py: Python<'py>, rows: impl ExactSizeIterator<Item = Self>) -> PyResult<Bound<'py, PyAny>> {
        let bytes = PyArray1::<u8>::zeros(py, rows.len() * size_of::<Self>(), false);
        let mut places = bytes.try_readwrite()?;
        // Written where they stay: there may be millions of them.
        for (place, row) in places.as_slice_mut()?.chunks_exact_mut(size_of::<Self>()).zip(rows) {
            place.copy_from_slice(row.as_bytes());
        }
        drop(places);
        bytes.call_method1("view", (Self::dtype(py)?,))
    }
}

fn make_dtype<R: Row>(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let fields = PyDict::new(py);
    fields.set_item("names", PyList::new(py, R::FIELDS.iter().map(|field| field.0))?)?;
    fields.set_item("formats", PyList::new(py, R::FIELDS.iter().map(|field| field.1))?)?;
    fields.set_item("offsets", PyList::new(py, R::FIELDS.iter().map(|field| field.2))?)?;
    fields.set_item("itemsize", size_of::<R>())?;
    py.import("numpy")?.getattr("dtype")?.call1((fields,))
}
