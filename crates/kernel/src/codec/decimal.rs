//! Decimal text to counts of an instrument's unit, exactly.

use crate::instrument::MAX_UNITS;

/// Finest unit there is: 10^-9.
pub const MAX_DECIMALS: u32 = 9;

/// Digits that surely fit 64 bits.
const MAX_DIGITS: u32 = 18;

const POWERS: [u64; 10] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecimalError {
    /// Not digits with at most one point among them: signs and exponents are no part of a feed's numbers.
    NotANumber,
    /// Lies between two units.
    OffUnit,
    /// Beyond [`MAX_UNITS`].
    TooLarge,
}

/// Reads numbers as counts of one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecimalUnit {
    unit_nano: i64,
    /// Of a unit that is one of 1, 0.1, ... 10^-9: digits after the point.
    decimals: Option<u32>,
}

impl DecimalUnit {
    /// `None` for a unit that is not positive.
    pub fn from_nano(unit_nano: i64) -> Option<Self> {
        let decimals = POWERS.iter().position(|&power| power as i64 == unit_nano);
        (unit_nano > 0).then(|| DecimalUnit {
            unit_nano,
            decimals: decimals.map(|exponent| MAX_DECIMALS - exponent as u32),
        })
    }

    pub fn unit_nano(&self) -> i64 {
        self.unit_nano
    }

    /// The unit as a person writes it, for messages.
    pub fn name(&self) -> String {
        let (whole, rest) = (self.unit_nano / 1_000_000_000, self.unit_nano % 1_000_000_000);
        let text = format!("{whole}.{rest:09}");
        text.trim_end_matches('0').trim_end_matches('.').to_string()
    }

    /// `text` in units.
    ///
    /// # Errors
    /// See [`DecimalError`].
    pub fn parse(&self, text: &str) -> Result<i64, DecimalError> {
        let units = match self.decimals {
            Some(decimals) => parse_at(text.as_bytes(), decimals)?,
            None => {
                let nano = parse_at(text.as_bytes(), MAX_DECIMALS)?;
                let unit = self.unit_nano as u64;
                if !nano.is_multiple_of(unit) {
                    return Err(DecimalError::OffUnit);
                }
                nano / unit
            }
        };
        if units > MAX_UNITS as u64 { Err(DecimalError::TooLarge) } else { Ok(units as i64) }
    }
}

/// `text` x 10^decimals. Zeros beyond the wanted decimals are fine, other digits there are off unit.
fn parse_at(text: &[u8], decimals: u32) -> Result<u64, DecimalError> {
    let (mut value, mut digits, mut fraction) = (0u64, 0u32, 0u32);
    let mut bytes = text.iter();
    for &byte in bytes.by_ref() {
        match byte {
            b'0'..=b'9' if digits < MAX_DIGITS => value = value * 10 + u64::from(byte - b'0'),
            b'0'..=b'9' => return too_long(text),
            b'.' if digits > 0 => break,
            _ => return Err(DecimalError::NotANumber),
        }
        digits += 1;
    }
    if digits == 0 || (bytes.as_slice().is_empty() && text[text.len() - 1] == b'.') {
        return Err(DecimalError::NotANumber);
    }
    let mut off_unit = false;
    for &byte in bytes {
        if !byte.is_ascii_digit() {
            return Err(DecimalError::NotANumber);
        }
        if fraction == decimals {
            off_unit |= byte != b'0';
            continue;
        }
        if digits == MAX_DIGITS {
            return too_long(text);
        }
        value = value * 10 + u64::from(byte - b'0');
        digits += 1;
        fraction += 1;
    }
    if off_unit {
        return Err(DecimalError::OffUnit);
    }
    value.checked_mul(POWERS[(decimals - fraction) as usize]).ok_or(DecimalError::TooLarge)
}

/// More digits than fit: still said to be no number when that is the truth.
fn too_long(text: &[u8]) -> Result<u64, DecimalError> {
    let points = text.iter().filter(|&&byte| byte == b'.').count();
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    if points <= 1 && points + digits == text.len() {
        Err(DecimalError::TooLarge)
    } else {
        Err(DecimalError::NotANumber)
    }
}

/// Digits after the point without trailing zeros; `None` when `text` is no number.
pub fn significant_decimals(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (all_digits(whole) && all_digits(fraction)).then(|| fraction.trim_end_matches('0').len() as u32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(unit_nano: i64, text: &str) -> Result<i64, DecimalError> {
        DecimalUnit::from_nano(unit_nano).unwrap().parse(text)
    }

    #[test]
    fn numbers_are_counted_exactly_or_refused_for_the_right_reason() {
        use DecimalError::{NotANumber, OffUnit, TooLarge};
        let cent = 10_000_000;
        for (unit_nano, text, expected) in [
            (cent, "61837.63000000", Ok(6_183_763)),
            (cent, "61837", Ok(6_183_700)),
            (cent, "0.00000000", Ok(0)),
            (cent, "61837.631", Err(OffUnit)),
            (cent, "61837.63000001", Err(OffUnit)),
            (1, "0.000000001", Ok(1)),
            (1, "0.0000000001", Err(OffUnit)),
            (1_000_000_000, "15356.00000000", Ok(15356)),
            (250_000_000, "100.75", Ok(403)),
            (250_000_000, "100.70", Err(OffUnit)),
            (10_000_000_000, "120", Ok(12)),
            (1_000_000_000, "72057594037927936", Ok(MAX_UNITS)),
            (1_000_000_000, "72057594037927937", Err(TooLarge)),
            (1_000_000_000, "99999999999999999999999", Err(TooLarge)),
            (1, "999999999999.5", Err(TooLarge)),
            (cent, "99999999999999999999x", Err(NotANumber)),
            (cent, "", Err(NotANumber)),
            (cent, ".", Err(NotANumber)),
            (cent, ".5", Err(NotANumber)),
            (cent, "5.", Err(NotANumber)),
            (cent, "-5", Err(NotANumber)),
            (cent, "1e5", Err(NotANumber)),
            (cent, "1.2.3", Err(NotANumber)),
            (cent, "1.234.", Err(NotANumber)),
            (cent, "NaN", Err(NotANumber)),
        ] {
            assert_eq!(parse(unit_nano, text), expected, "{text} in units of {unit_nano} nano");
        }
        assert!(DecimalUnit::from_nano(0).is_none());
    }

    #[test]
    fn a_unit_is_named_as_a_person_writes_it() {
        let name = |nano| DecimalUnit::from_nano(nano).unwrap().name();
        assert_eq!(
            [10_000_000, 1, 1_000_000_000, 250_000_000].map(name),
            ["0.01", "0.000000001", "1", "0.25"]
        );
    }

    proptest! {
        #[test]
        fn text_and_units_lead_to_each_other(units in 0i64..=MAX_UNITS, decimals in 0u32..=9, zeros in 0usize..4) {
            let power = POWERS[decimals as usize] as i64;
            let fraction = format!("{:0width$}", units % power, width = decimals as usize);
            let fraction = if decimals == 0 { String::new() } else { fraction };
            let text = format!("{}.{fraction}{}", units / power, "0".repeat(zeros + usize::from(decimals == 0)));
            prop_assert_eq!(parse(1_000_000_000 / power, &text), Ok(units));
            let trimmed = fraction.trim_end_matches('0').len() as u32;
            prop_assert_eq!(significant_decimals(&text), Some(trimmed));
        }
    }
}
