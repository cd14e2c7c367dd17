//! The names of things: jobs, tables, runs, locations. Validated once, at the door, and opaque afterwards.

mod reading;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::civil::Date;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Kind, Result};

/// Longest job, step or table name. They become parts of EMR step names (256 characters at most in all) and object keys.
const LONGEST_NAME: usize = 64;

/// Returns why `text` cannot name a job, step, table or target, or `None` when it can:
/// a lowercase letter, then lowercase letters, digits, `_` and (not in tables) `-`.
pub fn name_problem(text: &str, hyphens: bool) -> Option<String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || (hyphens && c == '-');
    if text.is_empty() {
        Some("a name may not be empty".into())
    } else if text.len() > LONGEST_NAME {
        Some(format!("a name has at most {LONGEST_NAME} characters, this one has {}", text.len()))
    } else if !text.starts_with(|c: char| c.is_ascii_lowercase()) || !text.chars().all(fits) {
        let hyphen = if hyphens { ", `-`" } else { "" };
        Some(format!("a name starts with a lowercase letter and has only lowercase letters, digits, `_`{hyphen}"))
    } else {
        None
    }
}

/// A job and a logical date: what runs are counted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunKey {
    /// The job's name.
    pub job: String,
    /// The logical date.
    pub date: Date,
}

impl RunKey {
    /// Returns the run of that number.
    pub fn run(&self, number: u32) -> RunId {
        RunId { job: self.job.clone(), date: self.date, number }
    }
}

/// One execution of a job for one logical date: `daily.2026-11-22.3`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// The job's name.
    pub job: String,
    /// The logical date.
    pub date: Date,
    /// 1 for the first run of that job and date on the target.
    pub number: u32,
}

impl RunId {
    /// Returns the job and the date.
    pub fn key(&self) -> RunKey {
        RunKey { job: self.job.clone(), date: self.date }
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.job, self.date, self.number)
    }
}

impl FromStr for RunId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = || {
            let (rest, number) = text.rsplit_once('.')?;
            let (job, date) = rest.rsplit_once('.')?;
            name_problem(job, true).is_none().then_some(())?;
            let number = number.parse().ok().filter(|number| *number > 0)?;
            Some(Self { job: job.into(), date: date.parse().ok()?, number })
        };
        parsed().ok_or_else(|| {
            Error::new(Kind::Usage, format!("`{text}` is not a run id"))
                .hint("a run id looks like `daily.2026-11-22.3`: `soflow runs` lists them")
        })
    }
}

impl Serialize for RunId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error: Error| serde::de::Error::custom(error.message))
    }
}

/// A location: `file:///absolute/path` or `s3://bucket/prefix`, never with a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Uri(String);

impl Uri {
    /// Returns the URI of an absolute path on this machine.
    pub fn from_path(path: &Path) -> Self {
        Self(format!("file://{}", path.display()).trim_end_matches('/').to_string())
    }

    /// Returns the location `text` names; `file:relative` is taken from `root`.
    ///
    /// # Errors
    /// `Usage` when it is neither `file:` nor `s3://bucket[/prefix]`.
    pub fn parse(text: &str, root: &Path) -> Result<Self> {
        let wrong = |why: &str| Err(Error::new(Kind::Usage, format!("`{text}` is not a location: {why}")));
        if let Some(rest) = text.strip_prefix("s3://") {
            let bucket = rest.split('/').next().unwrap_or_default();
            return if bucket.is_empty() {
                wrong("the bucket is missing")
            } else {
                Ok(Self(text.trim_end_matches('/').into()))
            };
        }
        match text.strip_prefix("file:") {
            Some("" | "//" | "///") => wrong("the path is missing"),
            Some(path) => Ok(Self::from_path(&root.join(path.strip_prefix("//").unwrap_or(path)))),
            None => wrong("it must start with `file:` or `s3://`"),
        }
    }

    /// Returns this location with `tail` below it.
    #[must_use]
    pub fn join(&self, tail: &str) -> Self {
        Self(format!("{}/{}", self.0, tail.trim_matches('/')))
    }

    /// Returns the path when the location is on this machine.
    pub fn to_path(&self) -> Option<PathBuf> {
        self.0.strip_prefix("file://").map(PathBuf::from)
    }

    /// Returns the location of a key in a bucket.
    pub fn in_bucket(bucket: &str, key: &str) -> Self {
        Self(format!("s3://{bucket}/{key}"))
    }

    /// Returns the bucket and the key or prefix (empty: all of it) when the location is in S3.
    pub fn bucket_and_key(&self) -> Option<(&str, &str)> {
        let rest = self.0.strip_prefix("s3://")?;
        Some(rest.split_once('/').unwrap_or((rest, "")))
    }

    /// Returns what follows `prefix/`, when this location is below it.
    pub fn below<'a>(&'a self, prefix: &Self) -> Option<&'a str> {
        self.0.strip_prefix(&prefix.0)?.strip_prefix('/')
    }

    /// Returns the text of the URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the run that a folder below a table is of: `run-<id>`, or `run=<id>` as they were called before.
pub fn run_of_folder(name: &str) -> Option<RunId> {
    name.strip_prefix("run-").or_else(|| name.strip_prefix("run="))?.parse().ok()
}

/// The values of a partition by column, `{created_month: 2026-10}`; a null is [`NULL_PARTITION`].
pub type PartitionValues = BTreeMap<String, String>;

/// What stands for a null among partition values, as in Hive, Spark and Glue.
pub const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// Returns the directory of a partition as Hive and Spark spell it, `created_month=2026-10/unit_type=answer`. Other
/// engines spell some values otherwise: where files are is known from a listing only.
pub fn partition_path(partition_by: &[String], values: &PartitionValues) -> String {
    let part = |column: &String| format!("{column}={}", escape(values.get(column).map_or("", String::as_str)));
    partition_by.iter().map(part).collect::<Vec<_>>().join("/")
}

/// Returns the values that a partition directory spells, whichever engine wrote it; `None` when it is not one of
/// `partition_by`, or when a value is no text.
///
/// Hive and Spark escape some ASCII characters; Sail escapes others, and every byte of those outside ASCII. Nothing is
/// spelled in a way that means something else to another: all of it is bytes of UTF-8, some as `%XX`. A null and an empty
/// text are the same to all of them, one spells `column=`, the others `column=__HIVE_DEFAULT_PARTITION__`.
pub fn parse_partition_path(partition_by: &[String], path: &str) -> Option<PartitionValues> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if parts.len() != partition_by.len() {
        return None;
    }
    let pair = |(column, part): (&String, &&str)| {
        let (name, value) = part.split_once('=')?;
        (name == column).then_some((column.clone(), unescape(value)?))
    };
    partition_by.iter().zip(&parts).map(pair).collect()
}

/// What Hive and Spark escape in a partition value. Source: Spark's ExternalCatalogUtils.charToEscape.
const ESCAPED: &str = "\"#%'*/:=?\\{[]^\u{7f}";

fn escape(value: &str) -> String {
    if value.is_empty() {
        return NULL_PARTITION.into();
    }
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        if c.is_ascii() && (c < ' ' || ESCAPED.contains(c)) {
            escaped.push_str(&format!("%{:02X}", c as u32));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Returns the value that a path spells; `None` when its bytes are no text.
fn unescape(value: &str) -> Option<String> {
    if value.is_empty() {
        return Some(NULL_PARTITION.into());
    }
    percent_decode_str(value).decode_utf8().ok().map(Into::into)
}

/// A SHA-256 in lowercase hex: 64 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest(String);

impl Digest {
    /// Returns the digest of `parts`, each framed by its length so that no two lists collide.
    pub fn of<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            let part = part.as_ref();
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Returns the first 12 characters: enough for people.
    pub fn short(&self) -> &str {
        &self.0[..12.min(self.0.len())]
    }

    /// Returns all 64 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let fits = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        let is_digest = text.len() == 64 && text.chars().all(fits);
        is_digest.then(|| Self(text.into())).ok_or_else(|| Error::new(Kind::Usage, format!("`{text}` is not a digest")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_survives_the_round_trip() {
        let id: RunId = "my-job.2026-11-22.3".parse().unwrap();
        assert_eq!((id.job.as_str(), id.number, id.to_string().as_str()), ("my-job", 3, "my-job.2026-11-22.3"));
        for wrong in ["", "daily", "daily.2026-13-01.1", "daily.2026-11-22.0", "../x.2026-11-22.1"] {
            assert!(wrong.parse::<RunId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn partition_directories_are_escaped_like_hive() {
        let by = ["tag".to_string()];
        let values = PartitionValues::from([("tag".into(), "a/b=c d%é".into())]);
        let path = partition_path(&by, &values);
        assert_eq!(path, "tag=a%2Fb%3Dc d%25é");
        assert_eq!(parse_partition_path(&by, &path), Some(values));
        assert_eq!(parse_partition_path(&by, "other=1"), None);
    }

    /// As Sail does: what its object store keeps as it is, all else byte by byte.
    fn spelled_by_sail(value: &str) -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" !$&'()+,-.:;=@_".contains(&byte);
        value
            .bytes()
            .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect()
    }

    proptest::proptest! {
        #[test]
        fn every_value_is_read_back_from_its_directory_whoever_spelled_it(value in "\\PC{0,40}|[ -~]{1,40}|\\x00{0,3}.{0,20}") {
            let by = ["tag".to_string(), "b".to_string()];
            let kept = if value.is_empty() { NULL_PARTITION.to_string() } else { value.clone() };
            let values = PartitionValues::from([("tag".into(), kept), ("b".into(), "1".into())]);
            let hive = partition_path(&by, &PartitionValues::from([("tag".into(), value.clone()), ("b".into(), "1".into())]));
            let sail = format!("tag={}/b=1", spelled_by_sail(&value));
            for path in [hive, sail] {
                proptest::prop_assert_eq!(parse_partition_path(&by, &path), Some(values.clone()), "{}", path);
            }
        }
    }

    #[test]
    fn digests_frame_their_parts() {
        assert_ne!(Digest::of(["ab", "c"]), Digest::of(["a", "bc"]));
        assert_eq!(Digest::of(["x"]).as_str().len(), 64);
    }

    #[test]
    fn a_location_is_file_or_s3() {
        let root = Path::new("/p");
        assert_eq!(Uri::parse("file:.soflow/lake", root).unwrap().as_str(), "file:///p/.soflow/lake");
        assert_eq!(Uri::parse("file:///x/", root).unwrap().as_str(), "file:///x");
        assert_eq!(Uri::parse("s3://b/p/", root).unwrap().as_str(), "s3://b/p");
        for wrong in ["", "s3://", "http://x", "/plain", "file:"] {
            assert!(Uri::parse(wrong, root).is_err(), "{wrong}");
        }
    }
}
