//! Which of the objects below a prefix are the table's files, and in which partition each is.

use std::collections::BTreeMap;

use crate::error::{Error, Kind, Result};
use crate::names::{PartitionValues, Uri, parse_partition_path, partition_path};
use crate::store::{Object, is_hidden};

/// Directories in which engines keep files until they are whole; what a killed task left there is no data.
/// Source: Hadoop's `FileOutputCommitter`, Spark's `FileCommitProtocol`, Hive's `hive.exec.stagingdir`.
const UNFINISHED: [&str; 3] = ["_temporary", ".spark-staging", ".hive-staging"];

/// The directory, anywhere below the prefix, that holds the columns of a table without rows: docs/task.md.
const COLUMNS: &str = "_schema";

/// A Parquet file of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// What the listing says of it.
    pub object: Object,
    /// The directory it is in, relative to the prefix.
    pub directory: String,
    /// The values of its partition, which the directory spells.
    pub values: PartitionValues,
}

/// Returns the Parquet files among `objects`, which are all there is below `prefix`, hidden names too.
///
/// Spark's `_SUCCESS`, `.crc` files and directory markers are no data and are left out, as every reader of the table does.
///
/// # Errors
/// `Audit` when an object is neither data nor a known side product, when it is not directly in a directory of the
/// partition columns `partition_by`, in a partition other than the one that `only` fixes, when it is data that no reader
/// shows because a name on its way is hidden, or when two directories spell one partition: a catalog has one place for it.
pub fn data_files(
    prefix: &Uri,
    partition_by: &[String],
    only: &[(String, String)],
    objects: &[Object],
) -> Result<Vec<DataFile>> {
    let mut files: Vec<DataFile> = Vec::with_capacity(objects.len());
    for object in objects {
        let (directory, name) = place(prefix, object)?;
        if is_side_product(directory, name) {
            continue;
        }
        if is_hidden(directory) || is_hidden(name) {
            return Err(never_shown(&object.uri));
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
        files.push(DataFile { object: object.clone(), directory: directory.into(), values });
    }
    let mut spelled = BTreeMap::new();
    for file in &files {
        let known = spelled.entry(&file.values).or_insert(&file.directory);
        if *known != &file.directory {
            let message = format!("`{known}` and `{}` below `{prefix}` are the same partition", file.directory);
            return Err(Error::new(Kind::Audit, message).hint(
                "a null, an empty text and the text `__HIVE_DEFAULT_PARTITION__` are one value to every catalog",
            ));
        }
    }
    Ok(files)
}

/// Returns a file that has the columns of a table without rows, and nothing that counts as rows.
pub fn columns_file<'a>(prefix: &Uri, objects: &'a [Object]) -> Option<&'a Object> {
    objects.iter().find(|object| {
        let (directory, name) = place(prefix, object).unwrap_or_default();
        name.ends_with(".parquet") && directory.rsplit('/').next() == Some(COLUMNS)
    })
}

/// Returns whether an object is in the partition that `only` fixes, or below it, where engines have files on their way: another
/// output of the same prefix has it.
pub fn is_in(prefix: &Uri, partition_by: &[String], only: &[(String, String)], object: &Object) -> bool {
    let Ok((directory, _)) = place(prefix, object) else { return false };
    let level = |wanted: &String| partition_by.iter().zip(directory.split('/')).find(|(column, _)| *column == wanted);
    let value = |wanted| {
        let (column, level) = level(wanted)?;
        parse_partition_path(std::slice::from_ref(column), level)?.remove(column)
    };
    only.iter().all(|(column, fixed)| value(column).as_ref() == Some(fixed))
}

/// Returns the directory below `prefix` that an object is in, and its name there.
fn place<'a>(prefix: &Uri, object: &'a Object) -> Result<(&'a str, &'a str)> {
    let below = object.uri.below(prefix).ok_or_else(|| {
        Error::new(Kind::Internal, format!("`{}` was listed, but is not below `{prefix}`", object.uri))
    })?;
    Ok(below.rsplit_once('/').unwrap_or(("", below)))
}

/// Spark and Hive skip names that start with `_` or `.`; EMR leaves `<directory>_$folder$` markers on S3.
fn is_side_product(directory: &str, name: &str) -> bool {
    let hidden = is_hidden(directory) || is_hidden(name);
    let staged = || {
        let kept = |part: &str| part == COLUMNS || UNFINISHED.iter().any(|unfinished| part.starts_with(unfinished));
        directory.split('/').any(kept)
    };
    name.is_empty()
        || name.ends_with(".crc")
        || name.ends_with("_$folder$")
        || (hidden && (!name.ends_with(".parquet") || staged()))
}

fn never_shown(uri: &Uri) -> Error {
    Error::new(Kind::Audit, format!("`{uri}` is data that no reader would show"))
        .detail("Spark, Hive, Trino and Athena pass over files and directories whose name begins with `_` or `.`")
        .hint("name the partition column, or the file, otherwise")
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
    fn what_another_output_has_is_told_also_while_it_is_written() {
        let by = ["endpoint", "dt"].map(String::from);
        let only = [("endpoint", "comments"), ("dt", "2026-11-22")].map(|(name, value)| (name.into(), value.into()));
        for (below, expected) in [
            ("endpoint=comments/dt=2026-11-22/a.parquet", true),
            ("endpoint=comments/dt=2026-11-22/_schema/_temporary/0/.a.parquet.crc", true),
            ("endpoint=comments/dt=2026-11-23/_temporary/0/a.parquet", false),
            ("endpoint=answers/dt=2026-11-22/a.parquet", false),
            ("endpoint=comments", false),
        ] {
            let (prefix, object) = (Uri::from_path("/lake/t".as_ref()), object(&format!("/lake/t/{below}"), 1));
            assert_eq!(is_in(&prefix, &by, &only, &object), expected, "{below}");
        }
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
    fn a_partition_is_noted_as_it_is_spelled_and_means_the_same_whoever_wrote_it() {
        for (value, spelled) in [
            ("10:00", ["tag=10:00", "tag=10%3A00"]),
            ("a=b", ["tag=a=b", "tag=a%3Db"]),
            ("São", ["tag=S%C3%A3o", "tag=São"]),
            ("Sa\u{303}o", ["tag=Sa%CC%83o", "tag=Sa\u{303}o"]),
            ("<~|>", ["tag=%3C%7E%7C%3E", "tag=<~|>"]),
            ("__HIVE_DEFAULT_PARTITION__", ["tag=", "tag=__HIVE_DEFAULT_PARTITION__"]),
            ("100%", ["tag=100%25", "tag=100%"]),
            ("%+1", ["tag=%+1", "tag=%25+1"]),
        ] {
            for directory in spelled {
                let found = files(&["tag"], &[], &[&format!("{directory}/a.parquet")]).unwrap();
                assert_eq!((found[0].values["tag"].as_str(), found[0].directory.as_str()), (value, directory));
            }
        }
        let error = files(&["tag"], &[], &["tag=%FF/a.parquet"]).unwrap_err();
        assert!(error.message.contains("tag=%FF/a.parquet` is not in a directory"), "{error}");
    }

    #[test]
    fn two_directories_of_one_partition_are_refused() {
        let by = ["tag=/a.parquet", "tag=__HIVE_DEFAULT_PARTITION__/b.parquet"];
        let error = files(&["tag"], &[], &by).unwrap_err();
        assert_eq!(error.kind, Kind::Audit);
        assert!(error.message.contains("are the same partition"), "{error}");
        assert_eq!(files(&["tag"], &[], &["tag=x/a.parquet", "tag=x/b.parquet"]).unwrap().len(), 2);
    }

    #[test]
    fn data_that_no_reader_shows_is_refused() {
        for (by, below) in [
            (&["_dt"][..], "_dt=a/a.parquet"),
            (&[".dt"], ".dt=a/a.parquet"),
            (&["m", "_dt"], "m=1/_dt=a/a.parquet"),
            (&["m"], "m=1/_a.parquet"),
            (&[], ".a.parquet"),
        ] {
            let error = files(by, &[], &[below]).unwrap_err();
            assert_eq!(error.kind, Kind::Audit);
            assert!(error.message.ends_with(&format!("/lake/t/{below}` is data that no reader would show")), "{error}");
        }
        let left = ["_temporary/0/m=1/a.parquet", ".spark-staging-1/m=1/a.parquet", "m=1/.a.parquet.crc"];
        assert_eq!(files(&["m"], &[], &left).unwrap(), []);
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
