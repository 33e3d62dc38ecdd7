//! A running sum that keeps what each addition rounds away.

use crate::state::{State, StateError, StateReader, StateWriter};

/// The sum as an unevaluated pair `high + low`: about 106 bits. Knuth's two-sum (The Art of Computer
/// Programming 2, 4.2.2, theorem B) finds the rounding error of each addition with additions alone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sum {
    high: f64,
    low: f64,
}

/// `a + b` rounded, and the error of that rounding, exactly.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

/// `a * b` rounded, and the error of that rounding: Dekker's product (Numerische Mathematik 18, 1971), which
/// splits each factor in halves whose products are exact.
fn two_product(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    let ((a_high, a_low), (b_high, b_low)) = (split(a), split(b));
    let error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
    (product, error)
}

fn split(value: f64) -> (f64, f64) {
    const FACTOR: f64 = 134_217_729.0; // 2^27 + 1
    let scaled = FACTOR * value;
    let high = scaled - (scaled - value);
    (high, value - high)
}

impl Sum {
    pub fn add(&mut self, value: f64) {
        let (sum, error) = two_sum(self.high, value);
        (self.high, self.low) = two_sum(sum, self.low + error);
    }

    /// The double nearest to `sum / count`, so that the mean of equal values is that value.
    pub fn mean(&self, count: usize) -> f64 {
        let count = count as f64;
        let mean = self.high / count;
        let (product, error) = two_product(mean, count);
        let corrected = mean + ((self.high - product) - error + self.low) / count;
        // Splitting overflows beyond 10^300; there the plain quotient has to do.
        if corrected.is_finite() { corrected } else { mean }
    }
}

impl State for Sum {
    fn write(&self, out: &mut StateWriter) {
        out.f64(self.high);
        out.f64(self.low);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Sum { high: input.f64()?, low: input.f64()? })
    }
}
