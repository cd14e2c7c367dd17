//! The manifest of a run folder in raw: one JSON line a page. Written last, so its presence says the run is complete.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

/// What is known about a stored page. All but the name may be unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The object's name in the run folder, `000001.json.gz`.
    pub page: String,
    /// The API method without its slash, `questions`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Endpoints besides the folder's own whose items are in the page: `answers`, nested in questions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<String>,
    /// The API's path that was asked, `/questions`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// What it was asked with, without key and token.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// The HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The file the page came from, relative to the folder that was ingested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When the page was fetched from the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetched_at: Option<Timestamp>,
    /// SHA-256 of the body as received, after decompression; of the stored bytes when they cannot be decompressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Bytes of the body after decompression; unknown when that fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Bytes of the stored object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored_bytes: Option<u64>,
    /// Length of `items`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_items: Option<u64>,
    /// How far the endpoint was read before the page, seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark_before: Option<i64>,
    /// How far it was read with the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark_after: Option<i64>,
    /// The wrapper's `has_more`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_more: Option<bool>,
    /// The wrapper's `quota_remaining`: the API does send negative ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota_remaining: Option<i64>,
    /// The wrapper's `backoff` in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<i64>,
    /// The wrapper's `error_id`, on a page that is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_id: Option<i64>,
}

/// Returns the manifest of `lines`, in their order. What is not known is left out.
pub fn to_bytes(lines: &[Line]) -> Result<Vec<u8>> {
    let unwritable = |error| Error::new(Kind::Internal, "cannot write a manifest line").caused_by(error);
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line).map_err(unwritable)?;
        text.push(b'\n');
    }
    Ok(text)
}

/// Returns the lines of a manifest by page name. Damaged lines are left out: the pages themselves are what counts.
pub fn parse(manifest: &[u8]) -> HashMap<String, Line> {
    let lines = manifest.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Line>(line).ok());
    lines.map(|line| (line.page.clone(), line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_names_only_what_is_known() {
        let line = Line { page: "000001.json.gz".into(), quota_remaining: Some(-1), ..Line::default() };
        let text = to_bytes(&[line]).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "{\"page\":\"000001.json.gz\",\"quota_remaining\":-1}\n");
    }

    #[test]
    fn damaged_lines_do_not_take_their_neighbours_with_them() {
        let text =
            b"{\"page\":\"1\",\"n_items\":3,\"n_new\":3,\"new_field\":{}}\n{\"page\":\"2\",\"n_it\n\xff\xfe\n{}\n{\"page\":\"3\",\
            \"fetched_at\":\"yesterday\"}\n{\"page\":\"4\"}";
        let lines = parse(text);
        let mut pages: Vec<&str> = lines.keys().map(String::as_str).collect();
        pages.sort_unstable();
        assert_eq!(pages, ["1", "4"]);
        assert_eq!(lines["1"].n_items, Some(3));
    }
}
