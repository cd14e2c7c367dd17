//! Parameters: declared with a default in the file, given with `--param`.

use std::collections::BTreeMap;

use serde_json::json;

use super::formats::{self, with_date};
use super::links::Draft;
use super::model::Value;
use super::parse::Options;
use crate::yaml::{self, Entry, Node, Place, Problems, Source, did_you_mean};

/// A parameter of the job or of a step.
#[derive(Clone)]
pub(super) struct Declared {
    /// What `--param` calls it: `name`, or `step.name`.
    full: String,
    name: String,
    place: Place,
    /// Its default and where it was written; `None`: it must be given.
    default: Option<(Value, Place)>,
}

/// The values of all parameters.
pub(super) struct Values {
    /// Those of the job.
    pub(super) of_job: BTreeMap<String, Value>,
    /// Those of each step, in the order of the drafts.
    pub(super) by_step: Vec<BTreeMap<String, Value>>,
}

/// Returns the parameters that a `parameters:` of the job, or of `step`, declares.
pub(super) fn declared(node: &Node, step: Option<&str>) -> Vec<Declared> {
    let declared = |entry: &Entry| Declared {
        full: step.map_or_else(|| entry.key.clone(), |step| format!("{step}.{}", entry.key)),
        name: entry.key.clone(),
        place: entry.place.clone(),
        default: entry.value.read().ok().flatten().map(|value| (value, entry.value.place.clone())),
    };
    node.entries().iter().map(declared).collect()
}

/// Returns every parameter's value: what was given, else the default. Notes what was given for nothing and what is missing.
pub(super) fn resolve(
    of_job: Vec<Declared>,
    steps: &[Draft],
    options: &Options<'_>,
    problems: &mut Problems,
) -> Values {
    let all = || of_job.iter().chain(steps.iter().flat_map(|step| &step.parameters));
    for (name, text) in options.parameters {
        if !all().any(|declared| declared.full == *name) {
            let near = did_you_mean(name, all().map(|declared| declared.full.as_str()));
            let place = Source::flag("--param", &format!("{name}={text}"));
            let place = Place { width: name.chars().count().max(1), ..place };
            problems.error(&place, format!("the job has no parameter `{name}`")).hint_if(near);
        }
    }
    let mut values = |declared: &[Declared]| {
        let resolved = declared.iter().filter_map(|one| Some((one.name.clone(), one.value(options, problems)?)));
        resolved.collect::<BTreeMap<_, _>>()
    };
    let by_step = steps.iter().map(|step| values(&step.parameters)).collect();
    Values { of_job: values(&of_job), by_step }
}

impl Declared {
    fn value(&self, options: &Options<'_>, problems: &mut Problems) -> Option<Value> {
        // The last of several wins, as with most flags.
        let given = options.parameters.iter().rev().find(|(name, _)| *name == self.full);
        let (value, place) = match (given, &self.default) {
            (Some((name, text)), default) => {
                let mut place = Source::flag("--param", &format!("{name}={text}"));
                place.column += name.chars().count() + 1;
                place.width = text.chars().count().max(1);
                (self.typed(text, default.as_ref().map(|(value, _)| value), &place, problems)?, place)
            }
            (None, Some((value, place))) => (value.clone(), place.clone()),
            (None, None) => {
                let problem = problems.error(&self.place, format!("parameter `{}` has no value", self.full));
                problem.hint(format!("give it one: `--param {}=<value>`", self.full));
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
    fn typed(&self, text: &str, default: Option<&Value>, place: &Place, problems: &mut Problems) -> Option<Value> {
        let node = Node::plain(text, place.clone());
        let kind = match default {
            Some(Value::Text(_)) => return Some(Value::Text(text.into())),
            Some(Value::Bool(_)) => "boolean",
            Some(Value::Int(_)) => "integer",
            Some(Value::Float(_)) => "number",
            None => return node.read().ok().or_else(|| Some(Value::Text(text.into()))),
        };
        let taken = |_: &str, text: &str| Ok(Some(text.into()));
        let node = yaml::check(&node, &json!({ "type": kind }), &self.full, &taken, problems)?;
        // A whole number is a number too.
        match node.read().ok()? {
            Value::Int(whole) if kind == "number" => Some(Value::Float(whole as f64)),
            value => Some(value),
        }
    }
}
