//! The four locations of a target.

use super::forms;
use super::reader::Reader;
use crate::config::keys::LAKE;
use crate::config::raw::Raw;
use crate::config::settings::Lake;
use crate::names::Uri;
use crate::yaml::{Node, Problems};

/// Returns whether any location of the target is known.
pub(super) fn is_written(merged: &Raw, target: &str) -> bool {
    LAKE.iter().any(|key| merged.contains_key(&format!("targets.{target}.lake.{key}")))
}

/// Returns the locations, which are apart from each other.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Lake> {
    let mut found: Vec<(Uri, &Node)> = Vec::new();
    for key in LAKE {
        let node = reader.node(&format!("lake.{key}"))?;
        let text = node.scalar(key, reader.problems)?;
        let Some(uri) = reader.project.location(&text, node, reader.problems) else { continue };
        if forms::bucket_of(key, &uri, node, reader.problems) {
            object_names(&uri, node, reader.problems);
            found.push((uri, node));
        }
    }
    apart(&found, reader.problems);
    let mut uris = found.into_iter().map(|(uri, _)| uri);
    Some(Lake { raw: uris.next()?, curated: uris.next()?, artifacts: uris.next()?, logs: uris.next()? })
}

/// Notes a prefix in S3 that Hadoop reads as another one. A folder is refused when it is used: it is that of the project,
/// if nobody has named another.
fn object_names(uri: &Uri, node: &Node, problems: &mut Problems) {
    if let Some(sign) = uri.misread().filter(|_| uri.bucket_and_key().is_some()) {
        let message = format!("a lake cannot be at `{uri}`: Hadoop does not take `{sign}` in a prefix as it is");
        problems.error(&node.place, message).hint("such as `s3://bucket/prefix`");
    }
}

/// Notes locations that are the same or within another: `soflow gc` in one would reach into the other.
fn apart(found: &[(Uri, &Node)], problems: &mut Problems) {
    for (at, (uri, node)) in found.iter().enumerate() {
        let meets = |other: &Uri| other == uri || uri.below(other).is_some() || other.below(uri).is_some();
        if let Some((_, other)) = found[..at].iter().find(|(other, _)| meets(other)) {
            let message = "two locations of a lake are the same, or one is within the other";
            problems.error(&node.place, message).note(&other.place, "the other one");
        }
    }
}
