//! Bootstrap actions of a shape.

use super::forms;
use super::reader::Reader;
use crate::config::emr::Bootstrap;
use crate::config::keys::BOOTSTRAP;
use crate::names::Uri;
use crate::yaml::{Content, Node};

/// Source: EMR management guide, "Create bootstrap actions": at most 16.
const MOST: usize = 16;

/// Longest name. Source: EMR API reference, BootstrapActionConfig, `Name`.
const LONGEST_NAME: usize = 256;

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Vec<Bootstrap>> {
    let Some(node) = reader.node("bootstrap") else { return Some(Vec::new()) };
    let items = node.items("bootstrap", reader.problems);
    if let Some(item) = items.get(MOST) {
        let message = format!("a cluster has at most {MOST} bootstrap actions, and here are {}", items.len());
        reader.problems.error(&item.place, message);
    }
    items.into_iter().map(|item| action(item, reader)).collect()
}

/// Returns the action of `scripts/prepare.sh` or `{ script: s3://bucket/prepare.sh, args: [a] }`.
fn action(item: &Node, reader: &mut Reader<'_>) -> Option<Bootstrap> {
    let Content::Map(_) = &item.content else {
        let script = script(item, reader)?;
        return Some(Bootstrap { name: file_name(&script), script, args: Vec::new() });
    };
    let map = item.map("a bootstrap action", BOOTSTRAP, reader.problems);
    let script = map.required("script", reader.problems).and_then(|node| script(node, reader));
    let name = map.get("name").map(|node| (node, node.scalar("name", reader.problems)));
    if let Some((node, Some(name))) = &name
        && (name.is_empty() || name.chars().count() > LONGEST_NAME)
    {
        reader
            .problems
            .error(&node.place, format!("the name of a bootstrap action has 1 to {LONGEST_NAME} characters"));
    }
    let args = match map.get("args") {
        Some(node) => {
            let items = node.items("args", reader.problems);
            items.into_iter().map(|item| item.scalar("args", reader.problems)).collect()
        }
        None => Some(Vec::new()),
    };
    let script = script?;
    let name = name.map_or_else(|| Some(file_name(&script)), |(_, name)| name)?;
    Some(Bootstrap { name, script, args: args? })
}

/// Returns where a script is: in S3, or a file that is there.
fn script(node: &Node, reader: &mut Reader<'_>) -> Option<Uri> {
    let text = node.scalar("script", reader.problems)?;
    if text.starts_with("s3://") {
        let uri = Uri::parse(&text, reader.project.root).ok();
        if uri.is_none() {
            reader.problems.error(&node.place, format!("`{text}` is not a location: the bucket is missing"));
        }
        return uri.filter(|uri| forms::bucket_of("script", uri, node, reader.problems));
    }
    let path = reader.project.path(&text, node, reader.problems)?;
    if text.is_empty() || !(reader.project.exists)(&path) {
        let problem = reader.problems.error(&node.place, format!("there is no script `{text}`"));
        problem.hint("a file of the project, or `s3://bucket/script.sh`");
        return None;
    }
    Some(Uri::from_path(&path))
}

fn file_name(script: &Uri) -> String {
    script.as_str().rsplit('/').next().unwrap_or_default().into()
}
