//! Which of the objects below a prefix are the table's files, and in which partition each is.

use crate::error::{Error, Kind, Result};
use crate::names::{PartitionValues, Uri, parse_partition_path, partition_path};
use crate::store::Object;

/// A Parquet file of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// What the listing says of it.
    pub object: Object,
    /// The values of its partition, from its directory.
    pub values: PartitionValues,
}

/// Returns the Parquet files among `objects`, which all are below `prefix`.
///
/// Spark's `_SUCCESS`, `.crc` files and directory markers are no data and are left out, as every reader of the table does.
///
/// # Errors
/// `Audit` when an object is neither data nor a known side product, when it is not directly in a directory of the
/// partition columns `partition_by`, or in a partition other than the one that `only` fixes.
pub fn data_files(
    prefix: &Uri,
    partition_by: &[String],
    only: &[(String, String)],
    objects: &[Object],
) -> Result<Vec<DataFile>> {
    let mut files = Vec::with_capacity(objects.len());
    for object in objects {
        let below = object.uri.below(prefix).ok_or_else(|| {
            Error::new(Kind::Internal, format!("`{}` was listed, but is not below `{prefix}`", object.uri))
        })?;
        let (directory, name) = below.rsplit_once('/').unwrap_or(("", below));
        if is_side_product(name) {
            continue;
        }
        if !name.ends_with(".parquet") {
            return Err(Error::new(Kind::Audit, format!("`{}` is not a `.parquet` file", object.uri)));
        }
        let values = parse_partition_path(partition_by, directory)
            .ok_or_else(|| misplaced(&object.uri, directory, partition_by))?;
        if let Some((column, value)) = only.iter().find(|(column, value)| values.get(column) != Some(value)) {
            let message =
                format!("`{}` is outside the partition `{column}={value}`, the only one to be written", object.uri);
            return Err(Error::new(Kind::Audit, message));
        }
        files.push(DataFile { object: object.clone(), values });
    }
    Ok(files)
}

/// Spark and Hive skip names that start with `_` or `.`; EMR leaves `<directory>_$folder$` markers on S3.
fn is_side_product(name: &str) -> bool {
    name.is_empty() || name.starts_with(['_', '.']) || name.ends_with(".crc") || name.ends_with("_$folder$")
}

fn misplaced(uri: &Uri, directory: &str, partition_by: &[String]) -> Error {
    let message = if partition_by.is_empty() {
        format!("`{uri}` is in the directory `{directory}`, but the table has no partitions")
    } else {
        let example = PartitionValues::from_iter(partition_by.iter().map(|column| (column.clone(), "…".into())));
        format!("`{uri}` is not in a directory `{}`", partition_path(partition_by, &example))
    };
    Error::new(Kind::Audit, message)
        .hint("compare the step's `partitionBy` with `partition-by` of the table in the job file")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::testing::object;

    fn files(by: &[&str], only: &[(&str, &str)], below: &[&str]) -> Result<Vec<DataFile>> {
        let by: Vec<String> = by.iter().map(ToString::to_string).collect();
        let only: Vec<_> = only.iter().map(|(column, value)| (column.to_string(), value.to_string())).collect();
        let objects: Vec<Object> = below.iter().map(|below| object(&format!("/lake/t/{below}"), 1)).collect();
        data_files(&Uri::from_path("/lake/t".as_ref()), &by, &only, &objects)
    }

    #[test]
    fn side_products_are_no_data() {
        let found =
            files(&["m"], &[], &["_SUCCESS", "._SUCCESS.crc", "m=1/.a.parquet.crc", "m=1_$folder$", "m=1/a.parquet"]);
        let found = found.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].values["m"], "1");
    }

    #[test]
    fn a_file_in_the_wrong_place_is_refused() {
        for (by, below) in [
            (&["m"][..], "a.parquet"),
            (&["m"], "n=1/a.parquet"),
            (&["m"], "m=1/n=2/a.parquet"),
            (&["m", "n"], "n=2/m=1/a.parquet"),
            (&[], "m=1/a.parquet"),
            (&["m"], "m=1/a.csv"),
            (&["m"], "m=1/a.parquet.tmp"),
        ] {
            let error = files(by, &[], &[below]).unwrap_err();
            assert_eq!(error.kind, Kind::Audit);
            assert!(error.message.contains(&format!("/lake/t/{below}`")), "{error}");
        }
    }

    #[test]
    fn a_fixed_partition_is_the_only_one_allowed() {
        assert_eq!(files(&["m", "n"], &[("n", "2")], &["m=1/n=2/a.parquet", "m=3/n=2/a.parquet"]).unwrap().len(), 2);
        let error = files(&["m", "n"], &[("n", "2")], &["m=1/n=2/a.parquet", "m=1/n=3/b.parquet"]).unwrap_err();
        assert!(error.message.contains("m=1/n=3/b.parquet` is outside the partition `n=2`"), "{error}");
    }
}
