//! Money: 10^-9 of a currency in 128 bits, rounded half-even once per amount.

/// 10^-9 of a currency.
pub type Nano = i128;

pub const NANO: i128 = 1_000_000_000;

/// `numerator / denominator`, ties to the even neighbor. The one rounding rule of the project.
///
/// `denominator` must be positive.
#[inline]
pub const fn divide_half_even(numerator: i128, denominator: i128) -> i128 {
    if denominator == 1 {
        return numerator;
    }
    let (quotient, remainder) = divide_floor(numerator, denominator);
    let rest = denominator - remainder;
    if remainder > rest || (remainder == rest && quotient % 2 != 0) { quotient + 1 } else { quotient }
}

/// Quotient rounded down and the remainder, which is not negative, for a positive `denominator`. One division:
/// at 128 bits each of `div_euclid` and `rem_euclid` costs one or two calls of their own.
#[inline]
pub const fn divide_floor(numerator: i128, denominator: i128) -> (i128, i128) {
    if denominator == 1 {
        return (numerator, 0);
    }
    // Most amounts fit 64 bits, and there a division is one instruction.
    if numerator as i64 as i128 == numerator && denominator as i64 as i128 == denominator {
        let (small, by) = (numerator as i64, denominator as i64);
        return (small.div_euclid(by) as i128, small.rem_euclid(by) as i128);
    }
    let quotient = numerator / denominator;
    let remainder = numerator - quotient * denominator;
    if remainder < 0 { (quotient - 1, remainder + denominator) } else { (quotient, remainder) }
}

#[cfg(test)]
mod tests {
    use super::divide_half_even;

    #[test]
    fn ties_go_to_the_even_neighbor_on_both_sides_of_zero() {
        let cases = [
            (5, 2, 2),
            (7, 2, 4),
            (-5, 2, -2),
            (-7, 2, -4),
            (1, 3, 0),
            (2, 3, 1),
            (-1, 3, 0),
            (-2, 3, -1),
            (6, 3, 2),
        ];
        for (numerator, denominator, expected) in cases {
            assert_eq!(divide_half_even(numerator, denominator), expected, "{numerator} / {denominator}");
        }
    }
}
