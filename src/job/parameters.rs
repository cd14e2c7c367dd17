//! Parameters: declared with a default in the file, given with `--param`.

use std::collections::BTreeMap;

use super::insights::{unknown_template, with_date};
use super::model::Value;
use super::parse::{Options, named};
use super::steps::Draft;
use crate::yaml::{Content, Node, Place, Problems, Source, core_bool, core_float, core_int, did_you_mean};

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
pub(super) fn read(node: &Node, step: Option<&str>, problems: &mut Problems) -> Vec<Declared> {
    let mut declared = Vec::new();
    for entry in node.entries("`parameters`", problems) {
        if !named(&entry.key, "parameter", true, &entry.place, problems) {
            continue;
        }
        let full = step.map_or_else(|| entry.key.clone(), |step| format!("{step}.{}", entry.key));
        let default = match &entry.value {
            node if node.is_null() => None,
            node => match value(node) {
                Some(value) => Some((value, node.place.clone())),
                None => {
                    let message = format!("`{}` must be a single value, found {}", entry.key, node.describe());
                    problems.error(&node.place, message);
                    continue;
                }
            },
        };
        declared.push(Declared { full, name: entry.key.clone(), place: entry.place.clone(), default });
    }
    declared
}

/// Returns the value a scalar is, by YAML's rules.
fn value(node: &Node) -> Option<Value> {
    let Content::Scalar { text, plain } = &node.content else { return None };
    let typed = || {
        let whole = || core_int(text).map(Value::Int);
        core_bool(text).map(Value::Bool).or_else(whole).or_else(|| core_float(text).map(Value::Float))
    };
    let typed = if *plain { typed() } else { None };
    Some(typed.unwrap_or_else(|| Value::Text(text.clone())))
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
        match value {
            Value::Text(text) if unknown_template(&text, &place, problems) => None,
            Value::Text(text) => Some(Value::Text(with_date(&text, options.date))),
            other => Some(other),
        }
    }

    /// Returns `text` as the type of `default`; without one, as YAML would read it.
    fn typed(&self, text: &str, default: Option<&Value>, place: &Place, problems: &mut Problems) -> Option<Value> {
        let node = Node::plain(text, place.clone());
        match default {
            Some(Value::Text(_)) => Some(Value::Text(text.into())),
            Some(Value::Bool(_)) => node.boolean(&self.full, problems).map(Value::Bool),
            Some(Value::Int(_)) => node.integer(&self.full, i64::MIN..=i64::MAX, problems).map(Value::Int),
            Some(Value::Float(_)) => node.number(&self.full, problems).map(Value::Float),
            None => value(&node),
        }
    }
}
