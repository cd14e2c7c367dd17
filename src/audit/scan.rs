//! A pass over some columns of all files, row group by row group.

use arrow::array::RecordBatch;

use super::landed::Opened;
use crate::error::Result;

/// Returns what `see` made of each row group, in the order of files and row groups. The batches have exactly `columns`, in that order.
///
/// # Errors
/// Those of [`super::parquet_file::ParquetFile::batches`] and of `see`.
pub(super) fn scan<T: Default + Send>(
    opened: &Opened,
    columns: &[String],
    see: impl Fn(&mut T, &RecordBatch) -> Result<()> + Sync,
) -> Result<Vec<T>> {
    let mut groups = Vec::new();
    for (file, values) in &opened.files {
        groups.extend((0..file.metadata().num_row_groups()).map(|group| (file, values, group)));
    }
    opened.reader.map(&groups, |(file, values, group)| {
        let mut seen = T::default();
        for batch in file.group(*group, columns, values)? {
            opened.reader.go_on()?;
            see(&mut seen, &batch?)?;
        }
        Ok(seen)
    })
}

/// Most examples a finding shows.
pub(super) const EXAMPLES: usize = 3;

/// How many rows break a rule, and the first few different values that do.
#[derive(Default)]
pub(super) struct Offenders {
    /// Number of rows.
    pub count: u64,
    /// At most three different texts.
    pub examples: Vec<String>,
}

impl Offenders {
    /// Adds a row.
    pub fn add(&mut self, example: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < EXAMPLES {
            self.show(example());
        }
    }

    fn show(&mut self, example: String) {
        if self.examples.len() < EXAMPLES && !self.examples.contains(&example) {
            self.examples.push(example);
        }
    }

    /// Returns the offenders of all files.
    pub fn sum(all: Vec<Self>) -> Self {
        all.into_iter().fold(Self::default(), |mut sum, one| {
            sum.count += one.count;
            one.examples.into_iter().for_each(|example| sum.show(example));
            sum
        })
    }

    /// Returns `, such as …`, or nothing without an example.
    pub fn such_as(&self) -> String {
        if self.examples.is_empty() {
            return String::new();
        }
        let ticked: Vec<String> = self.examples.iter().map(|example| format!("`{example}`")).collect();
        format!(", such as {}", ticked.join(", "))
    }
}
