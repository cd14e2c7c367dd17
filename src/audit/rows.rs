//! Rows as numbers to compare and as text to show.

use std::hash::{BuildHasher as _, RandomState};

use arrow::array::{Array, RecordBatch};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// Longest value shown in a message.
const LONGEST_TEXT: usize = 60;

/// Turns rows into 128-bit hashes, equal for equal rows. Two nulls are equal here.
///
/// Two `SipHash`es under random keys: for a billion rows the chance that any two different rows share a hash is below
/// 10^-20, and no data can be made to provoke it. Hashes of different hashers have nothing to do with each other.
#[derive(Default)]
pub struct RowHasher {
    high: RandomState,
    low: RandomState,
}

impl RowHasher {
    /// Returns one hash a row over all columns of a batch; the columns must be in their canonical types.
    ///
    /// # Errors
    /// When a column has a type whose values cannot be compared.
    pub fn hash(&self, batch: &RecordBatch) -> Result<Vec<u128>, ArrowError> {
        if batch.num_columns() == 0 {
            return Ok(vec![0; batch.num_rows()]);
        }
        let fields = batch.columns().iter().map(|column| SortField::new(column.data_type().clone())).collect();
        let rows = RowConverter::new(fields)?.convert_columns(batch.columns())?;
        let wide = |bytes: &[u8]| u128::from(self.high.hash_one(bytes)) << 64 | u128::from(self.low.hash_one(bytes));
        Ok(rows.iter().map(|row| wide(row.data())).collect())
    }
}

/// Returns one value as people read it: at most 60 characters, no control characters, moments as RFC 3339.
pub fn text(array: &dyn Array, row: usize) -> String {
    let options = FormatOptions::new().with_null("null").with_display_error(true);
    let full = ArrayFormatter::try_new(array, &options).map(|formatter| formatter.value(row).to_string());
    shown(&full.unwrap_or_else(|error| format!("<{error}>")))
}

/// Returns the values of a row, joined by `, `.
pub fn row_text(batch: &RecordBatch, row: usize) -> String {
    batch.columns().iter().map(|column| text(column, row)).collect::<Vec<_>>().join(", ")
}

fn shown(full: &str) -> String {
    let mut text = String::new();
    for (at, c) in full.chars().enumerate() {
        if at == LONGEST_TEXT {
            text.push('…');
            break;
        }
        if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use std::sync::Arc;

    #[test]
    fn equal_rows_have_equal_hashes_and_neighbouring_columns_do_not_run_together() {
        let left: ArrayRef = Arc::new(StringArray::from(vec![Some("ab"), Some("a"), Some("ab"), None, Some("")]));
        let right: ArrayRef = Arc::new(StringArray::from(vec![Some("c"), Some("bc"), Some("c"), None, None]));
        let batch = RecordBatch::try_from_iter([("l", left), ("r", right)]).unwrap();
        let hashes = RowHasher::default().hash(&batch).unwrap();
        assert_eq!(hashes[0], hashes[2]);
        assert_eq!(hashes.iter().collect::<std::collections::HashSet<_>>().len(), 4);
    }

    #[test]
    fn text_cannot_drive_a_terminal() {
        assert_eq!(text(&StringArray::from(vec!["a\u{1b}[31m\n"]), 0), "a\\u{1b}[31m\\n");
        assert_eq!(text(&StringArray::from(vec!["é".repeat(61)]), 0), format!("{}…", "é".repeat(60)));
        assert_eq!(text(&Int64Array::from(vec![None]), 0), "null");
    }
}
