//! Decimals at the edge: exact multiples of a tick or lot become integers, and back.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString, PyType};

use crate::errors::error;

/// `mantissa` x 10^`exponent`, exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    pub mantissa: i128,
    pub exponent: i32,
}

/// Why a decimal is no number of units.
pub enum NotUnits {
    /// Not a multiple of the unit.
    OffUnit,
    /// More units than a signed 64-bit integer holds.
    TooLarge,
}

/// Longest exponent read: beyond it no 64-bit count of any sensible unit is left.
pub const MAX_EXPONENT: i32 = 30;

impl Decimal {
    /// Reads `-12.50e-3`: digits, at most one point, at most one exponent.
    fn parse(text: &str) -> Option<Decimal> {
        let text = text.trim();
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let fraction = fraction.trim_end_matches('0');
        if !fraction.bytes().all(|byte| byte.is_ascii_digit()) || whole.len() + fraction.len() > 38 {
            return None;
        }
        let digits = if whole.is_empty() || whole == "-" || whole == "+" {
            if fraction.is_empty() && number != "0" && !number.contains('0') {
                return None;
            }
            format!("{whole}0{fraction}")
        } else {
            format!("{whole}{fraction}")
        };
        let mantissa = digits.parse::<i128>().ok()?;
        let exponent = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        let in_range = mantissa == 0 || exponent.abs() <= MAX_EXPONENT;
        in_range.then_some(Decimal { mantissa, exponent: if mantissa == 0 { 0 } else { exponent } })
    }

    /// How many `unit` this is.
    pub fn in_units_of(self, unit: Decimal) -> Result<i64, NotUnits> {
        let shift = self.exponent - unit.exponent;
        let power = 10i128.checked_pow(shift.unsigned_abs()).ok_or(NotUnits::TooLarge)?;
        let (numerator, denominator) = if shift >= 0 {
            (self.mantissa.checked_mul(power).ok_or(NotUnits::TooLarge)?, unit.mantissa)
        } else {
            // A unit that overflows here is larger than any value that is not zero.
            let scaled = unit.mantissa.checked_mul(power);
            (self.mantissa, scaled.ok_or(NotUnits::OffUnit)?)
        };
        if numerator % denominator != 0 {
            return Err(NotUnits::OffUnit);
        }
        i64::try_from(numerator / denominator).map_err(|_| NotUnits::TooLarge)
    }

    /// As a `decimal.Decimal`.
    pub fn to_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        CLASS.import(py, "decimal", "Decimal")?.call1((self.text(),))
    }

    fn text(self) -> String {
        format!("{}E{}", self.mantissa, self.exponent)
    }
}

/// The decimal that `value` means; a float by its shortest form.
pub fn decimal_of(field: &str, value: &Bound<'_, PyAny>) -> PyResult<Decimal> {
    let text = if value.is_instance_of::<PyBool>() {
        None
    } else if value.is_instance_of::<PyString>() {
        Some(value.extract::<String>()?)
    } else if let Ok(float) = value.cast::<PyFloat>() {
        // A subclass may print itself otherwise.
        Some(PyFloat::new(value.py(), float.value()).repr()?.to_string())
    } else if value.is_instance_of::<PyInt>() || value.hasattr("__float__")? {
        Some(value.str()?.to_string())
    } else {
        None
    };
    text.as_deref().and_then(Decimal::parse).ok_or_else(|| bad_input(field, value, "a finite decimal number"))
}

/// `InputError` naming the field, what was found and what was expected.
pub fn bad_input(field: &str, value: &Bound<'_, PyAny>, expected: &str) -> PyErr {
    let found = value.repr().map_or_else(|_| "an object without a repr".to_owned(), |text| text.to_string());
    error(value.py(), "InputError", format!("field '{field}': found {found}, expected {expected}"))
}

/// What one price unit and one quantity unit of a book are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Units {
    pub tick: Decimal,
    pub lot: Decimal,
}

impl Units {
    pub fn new(tick: &Bound<'_, PyAny>, lot: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Units { tick: unit("tick", tick)?, lot: unit("lot", lot)? })
    }
}

fn unit(field: &str, value: &Bound<'_, PyAny>) -> PyResult<Decimal> {
    let unit = decimal_of(field, value)?;
    if unit.mantissa > 0 { Ok(unit) } else { Err(bad_input(field, value, "a number above zero")) }
}

/// A whole number that fits a signed 64-bit integer.
pub fn integer_of(field: &str, value: &Bound<'_, PyAny>) -> PyResult<i64> {
    // Most are plain integers, which their type alone tells.
    if (value.is_exact_instance_of::<PyInt>() || !value.is_instance_of::<PyBool>())
        && let Ok(number) = value.extract::<i64>()
    {
        return Ok(number);
    }
    let expected =
        "a whole number of units that fits 64 bits (give the book a tick and a lot to use decimals)";
    Err(bad_input(field, value, expected))
}

/// A number of units as Python sees it: an integer in a book without units, else an exact decimal.
pub fn figure<'py>(py: Python<'py>, units: i128, unit: Option<Decimal>) -> PyResult<Bound<'py, PyAny>> {
    let Some(unit) = unit else { return Ok(units.into_pyobject(py)?.into_any()) };
    match units.checked_mul(unit.mantissa) {
        Some(mantissa) => Decimal { mantissa, exponent: unit.exponent }.to_python(py),
        None => Ok(units.into_pyobject(py)?.into_any()),
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn decimals_are_read_exactly_or_not_at_all() {
        let good = [
            ("1", 1, 0),
            ("-12.50", -125, -1),
            ("1e-8", 1, -8),
            ("+1.25E+3", 125, 1),
            (".5", 5, -1),
            ("5.", 5, 0),
            ("0", 0, 0),
            ("0.00", 0, 0),
            ("-.25", -25, -2),
            ("0E-9", 0, 0),
        ];
        for (text, mantissa, exponent) in good {
            assert_eq!(Decimal::parse(text), Some(Decimal { mantissa, exponent }), "{text}");
        }
        let bad =
            ["", ".", "-", "e5", "nan", "inf", "1..2", "1.-2", "1.2.3", "0x10", "1e", "1e99", "1_000", "--1"];
        for text in bad {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }
}
