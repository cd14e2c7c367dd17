//! What a query cost.

use serde::Serialize;

/// Dollars for a TiB scanned. Source: aws.amazon.com/athena/pricing, "SQL queries", us-east-1, read 2026-11; a few regions
/// cost more.
const DOLLARS_A_TIB: f64 = 5.0;

/// Bytes are counted in whole MiB. Source: as above.
const UNIT: u64 = 1 << 20;

/// The least that is counted for a query that reads data. Source: as above.
const LEAST: u64 = 10 * UNIT;

/// What a query cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// Bytes read from S3.
    pub scanned_bytes: u64,
    /// What Athena asks for them.
    pub dollars: f64,
    /// From the start to the end, waiting in Athena's queue included.
    pub seconds: f64,
}

impl Cost {
    /// Returns the cost of a query; statements about tables, and results taken from an earlier query, are `free`.
    pub fn of(scanned_bytes: u64, milliseconds: u64, free: bool) -> Self {
        let billed = if free { 0 } else { scanned_bytes.div_ceil(UNIT).saturating_mul(UNIT).max(LEAST) };
        let dollars = billed as f64 / (1_u64 << 40) as f64 * DOLLARS_A_TIB;
        Self { scanned_bytes, dollars, seconds: milliseconds as f64 / 1000.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_queries_cost_ten_mebibytes_and_large_ones_whole_mebibytes() {
        let dollars = |bytes| Cost::of(bytes, 0, false).dollars;
        assert_eq!(dollars(1 << 40), 5.0);
        assert_eq!(dollars(0), dollars(10 << 20));
        assert_eq!(dollars((20 << 20) + 1), dollars(21 << 20));
        assert_eq!(Cost::of(1 << 40, 1500, true), Cost { scanned_bytes: 1 << 40, dollars: 0.0, seconds: 1.5 });
    }
}
