//! Parameters: declared with a default in the file, given with `--param`.

use std::collections::BTreeMap;

use serde_json::json;

use super::formats::{self, with_date};
use super::links::Draft;
use super::model::Value;
use super::parse::Options;
use crate::yaml::{self, Entry, Node, Place, Problems, Source, did_you_mean};

/// Gives the steps the values of their parameters and returns those of the job: what was given, else the default. Notes
/// what was given for nothing and what is missing.
pub(super) fn resolve(
    of_job: &Node,
    steps: &mut [Draft<'_>],
    options: &Options<'_>,
    problems: &mut Problems,
) -> BTreeMap<String, Value> {
    let steps_own = steps.iter().flat_map(|draft| {
        let entries = draft.entry.value.get("parameters").map_or(&[][..], Node::entries);
        entries.iter().map(|entry| format!("{}.{}", draft.entry.key, entry.key))
    });
    let known: Vec<String> = of_job.entries().iter().map(|entry| entry.key.clone()).chain(steps_own).collect();
    for (name, text) in options.parameters.iter().filter(|(name, _)| !known.contains(name)) {
        let near = did_you_mean(name, known.iter().map(String::as_str));
        let place = Source::flag("--param", &format!("{name}={text}"));
        let place = Place { width: name.chars().count().max(1), ..place };
        problems.error(&place, format!("the job has no parameter `{name}`")).hint_if(near);
    }
    let mut values = |step: &str, node: &Node| -> BTreeMap<String, Value> {
        let value = |entry: &Entry| {
            Some((entry.key.clone(), value(&format!("{step}{}", entry.key), entry, options, problems)?))
        };
        node.entries().iter().filter_map(value).collect()
    };
    for draft in steps {
        if let Some(node) = draft.entry.value.get("parameters") {
            draft.step.parameters = values(&format!("{}.", draft.entry.key), node);
        }
    }
    values("", of_job)
}

/// Returns the value of the parameter that `--param` calls `full` and that the file declares at `entry`.
fn value(full: &str, entry: &Entry, options: &Options<'_>, problems: &mut Problems) -> Option<Value> {
    let default: Option<Value> = entry.value.read().ok().flatten();
    // The last of several wins, as with most flags.
    let given = options.parameters.iter().rev().find(|(name, _)| name == full);
    let (value, place) = match (given, default) {
        (Some((name, text)), default) => {
            let mut place = Source::flag("--param", &format!("{name}={text}"));
            place.column += name.chars().count() + 1;
            place.width = text.chars().count().max(1);
            (typed(full, text, default.as_ref(), &place, problems)?, place)
        }
        (None, Some(value)) => (value, entry.value.place.clone()),
        (None, None) => {
            let problem = problems.error(&entry.place, format!("parameter `{full}` has no value"));
            problem.hint(format!("give it one: `--param {full}=<value>`"));
            return None;
        }
    };
    let Value::Text(text) = value else { return Some(value) };
    match formats::template(&text) {
        Ok(()) => Some(Value::Text(with_date(&text, options.date))),
        Err(refusal) => {
            problems.error(&place, refusal.message).hint_if(refusal.hint);
            None
        }
    }
}

/// Returns `text` as the type of `default`; without one, as YAML would read it.
fn typed(full: &str, text: &str, default: Option<&Value>, place: &Place, problems: &mut Problems) -> Option<Value> {
    let node = Node::plain(text, place.clone());
    let kind = match default {
        Some(Value::Text(_)) => return Some(Value::Text(text.into())),
        Some(Value::Bool(_)) => "boolean",
        Some(Value::Int(_)) => "integer",
        Some(Value::Float(_)) => "number",
        None => return node.read().ok().or_else(|| Some(Value::Text(text.into()))),
    };
    let taken = |_: &str, text: &str| Ok(Some(text.into()));
    let node = yaml::check(&node, &json!({ "type": kind }), &format!("`{full}`"), &taken, problems)?;
    // A whole number is a number too.
    match node.read().ok()? {
        Value::Int(whole) if kind == "number" => Some(Value::Float(whole as f64)),
        value => Some(value),
    }
}
