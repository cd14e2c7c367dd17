//! Amounts of money, and ranges of them where only limits are known.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;

use serde::{Deserialize, Serialize};

/// An amount in whole millionths of a US dollar. In JSON a number of dollars: `0.42`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "f64", into = "f64")]
pub struct Dollars(u64);

impl Dollars {
    /// Returns the amount of so many millionths of a dollar.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Returns the amount in millionths of a dollar.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Returns the amount without `other`, which is no larger.
    pub(super) const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Returns `numerator / denominator` of this amount, rounded to the nearest millionth; nothing of a division by 0.
    pub(super) fn part(self, numerator: u64, denominator: u64) -> Self {
        let (amount, numerator, denominator) = (u128::from(self.0), u128::from(numerator), u128::from(denominator));
        let rounded = (amount * numerator + denominator / 2).checked_div(denominator).unwrap_or(0);
        Self(u64::try_from(rounded).unwrap_or(u64::MAX))
    }
}

/// Nothing for a negative amount, which no price is.
impl From<f64> for Dollars {
    fn from(dollars: f64) -> Self {
        // A cast of floating point saturates, and makes 0 of what is not a number.
        Self((dollars * 1e6).round() as u64)
    }
}

impl From<Dollars> for f64 {
    fn from(dollars: Dollars) -> Self {
        dollars.0 as Self / 1e6
    }
}

impl Add for Dollars {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// Cents, or one digit more below a cent: `$0.42`, `$0.004`, `under $0.001`.
impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thousandths = self.0.saturating_add(500) / 1000;
        match (self.0, thousandths) {
            (1..1000, _) => f.write_str("under $0.001"),
            (1000.., 1..10) => write!(f, "$0.00{thousandths}"),
            _ => {
                let cents = self.0.saturating_add(5000) / 10_000;
                write!(f, "${}.{:02}", cents / 100, cents % 100)
            }
        }
    }
}

/// The least and the most an amount can be; both the same where it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The least.
    pub low: Dollars,
    /// The most.
    pub high: Dollars,
}

impl Range {
    /// Returns the range that holds both.
    pub(super) fn around(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }
}

impl Add for Range {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { low: self.low + other.low, high: self.high + other.high }
    }
}

impl Sum for Range {
    fn sum<I: Iterator<Item = Self>>(ranges: I) -> Self {
        ranges.fold(Self::default(), Add::add)
    }
}

/// `$0.31-0.42`, or one amount where both ends look the same: `$0.42`.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = (self.low.to_string(), self.high.to_string());
        match high.strip_prefix('$') {
            _ if low == high => f.write_str(&high),
            Some(digits) if low.starts_with('$') => write!(f, "{low}-{digits}"),
            _ => write!(f, "up to {high}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(micros: u64) -> String {
        Dollars::from_micros(micros).to_string()
    }

    fn range(low: u64, high: u64) -> Range {
        Range { low: Dollars::from_micros(low), high: Dollars::from_micros(high) }
    }

    #[test]
    fn an_amount_is_shown_in_cents_and_a_small_one_with_one_digit_more() {
        for (micros, text) in [
            (0, "$0.00"),
            (1, "under $0.001"),
            (999, "under $0.001"),
            (1_000, "$0.001"),
            (4_400, "$0.004"),
            (9_499, "$0.009"),
            (9_500, "$0.01"),
            (14_999, "$0.01"),
            (15_000, "$0.02"),
            (420_000, "$0.42"),
            (999_999, "$1.00"),
            (1_234_560_000, "$1234.56"),
        ] {
            assert_eq!(shown(micros), text, "{micros}");
        }
    }

    #[test]
    fn a_range_is_shown_as_one_amount_where_its_ends_look_the_same() {
        assert_eq!(range(310_000, 420_000).to_string(), "$0.31-0.42");
        assert_eq!(range(420_000, 420_001).to_string(), "$0.42");
        assert_eq!(range(4_000, 42_000).to_string(), "$0.004-0.04");
        assert_eq!(range(5, 42_000).to_string(), "up to $0.04");
        assert_eq!(range(5, 900).to_string(), "under $0.001");
    }

    #[test]
    fn json_has_numbers_of_dollars_and_keeps_every_millionth() {
        let json = serde_json::to_string(&range(1, 12_345_678)).unwrap();
        assert_eq!(json, r#"{"low":1e-6,"high":12.345678}"#);
        assert_eq!(serde_json::from_str::<Range>(&json).unwrap(), range(1, 12_345_678));
    }

    #[test]
    fn a_part_is_rounded_to_the_nearest_millionth() {
        assert_eq!(Dollars::from_micros(10).part(1, 4), Dollars::from_micros(3));
        assert_eq!(Dollars::from_micros(10).part(1, 3), Dollars::from_micros(3));
        assert_eq!(Dollars::from_micros(u64::MAX).part(3, 1), Dollars::from_micros(u64::MAX));
        assert_eq!(Dollars::from_micros(10).part(1, 0), Dollars::default());
    }
}
