//! Checking single values against a schema, and saying what was wanted instead.

use serde_json::Value;

use super::problem::{did_you_mean, ticked};
use super::schema::{Checker, Form, Name, Refusal, single_type};
use super::tree::{Content, Node, core_bool, core_float, core_int};
use super::units;

impl Checker<'_> {
    /// Says that a node is not what its schema wants.
    pub(super) fn wrong(&mut self, node: &Node, schema: &Value, name: &Name<'_>) -> Option<Node> {
        let wanted = self.wanted(schema);
        let schema = self.resolve(schema);
        let what = if self.form(schema) == Form::Map { name.what.clone() } else { ticked([name.key]) };
        let example = schema["examples"][0].as_str().filter(|_| self.form(schema) != Form::Scalar);
        let near = did_you_mean(node.text(), self.words(schema).iter().map(String::as_str));
        let problem = self.problems.error(&node.place, format!("{what} must be {wanted}, found {}", node.describe()));
        if wanted == "text" && matches!(&node.content, Content::Scalar { .. }) && !node.is_null() {
            problem.hint(format!("write it in quotes: `\"{}\"`", node.text()));
        }
        problem.hint_if(units::unit(schema).and_then(|unit| unit.hint.map(String::from)));
        problem.hint_if(near);
        problem.hint_if(example.map(|example| format!("write it as `{}: {example}`", name.key)));
        None
    }

    /// Returns the words that a schema allows.
    pub(super) fn words(&self, schema: &Value) -> Vec<String> {
        let alternatives = self.alternatives(schema).unwrap_or_default();
        let listed = schema["enum"].as_array().into_iter().flatten();
        let words = std::iter::once(&schema["const"]).chain(listed).filter_map(Value::as_str).map(String::from);
        words.chain(alternatives.into_iter().flat_map(|schema| self.words(schema))).collect()
    }

    /// Returns what to write: follows "must be".
    pub(super) fn wanted(&self, schema: &Value) -> String {
        let schema = self.resolve(schema);
        if let Some(alternatives) = self.alternatives(schema) {
            // `a: x` is short for `a: [x]`: the list is what is wanted.
            let is_list = alternatives.first().is_some_and(|first| self.form(first) == Form::List);
            let shown = if is_list { &alternatives[..1] } else { &alternatives[..] };
            return shown.iter().map(|schema| self.wanted(schema)).collect::<Vec<_>>().join(" or ");
        }
        let words = self.words(schema);
        if !words.is_empty() && schema.get("format").is_none() {
            return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ");
        }
        if let Some(unit) = units::unit(schema) {
            return unit.wanted.into();
        }
        let bound = |key: &str| schema[key].as_i64();
        match single_type(schema) {
            Some("integer") => match (bound("minimum"), bound("maximum")) {
                (Some(first), Some(last)) => format!("a whole number from {first} to {last}"),
                (Some(first), None) => format!("a whole number of at least {first}"),
                _ => "a whole number".into(),
            },
            Some("object") => "a mapping".into(),
            Some("array") => "a list".into(),
            Some("number") => "a number".into(),
            Some("boolean") => "`true` or `false`".into(),
            Some("string") => "text".into(),
            _ => "a single value".into(),
        }
    }

    pub(super) fn scalar(&mut self, node: &Node, schema: &Value, name: &Name<'_>) -> Option<Node> {
        let text = node.text();
        let words = self.words(schema);
        if let Some(unit) = units::unit(schema) {
            let Some(quantity) = (unit.parse)(text) else { return self.wrong(node, schema, name) };
            return self.bounded(node, schema, name, quantity);
        }
        if !words.is_empty() && schema.get("format").is_none() {
            return if words.iter().any(|word| word == text) {
                Some(node.with_text(text))
            } else {
                self.wrong(node, schema, name)
            };
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        };
        let plain = matches!(&node.content, Content::Scalar { plain: true, .. });
        let fits = |kind: &&str| match *kind {
            "string" => !(plain && (node.is_null() || core_bool(text).is_some() || core_float(text).is_some())),
            "boolean" => plain && core_bool(text).is_some(),
            "integer" => plain && core_int(text).is_some(),
            "number" => plain && core_float(text).is_some(),
            _ => false,
        };
        let number =
            core_float(text).filter(|_| plain && types.iter().any(|kind| *kind == "integer" || *kind == "number"));
        let outside = number.is_some_and(|number| {
            schema["minimum"].as_f64().is_some_and(|least| number < least)
                || schema["maximum"].as_f64().is_some_and(|most| number > most)
        });
        if !types.iter().any(fits) || outside {
            return self.wrong(node, schema, name);
        }
        if let Some(bound) = schema["exclusiveMinimum"].as_f64().filter(|bound| number.is_some_and(|n| n <= *bound)) {
            let message = format!("`{}` must be greater than {bound}, found {}", name.key, node.describe());
            return self.refuse(node, Refusal::plain(message));
        }
        if types.first() != Some(&"string") {
            return Some(node.clone());
        }
        self.text(node, schema, name)
    }

    /// Checks what is said about text, and returns it as text.
    fn text(&mut self, node: &Node, schema: &Value, name: &Name<'_>) -> Option<Node> {
        let text = node.text();
        if text.is_empty() && schema["minLength"].as_u64().is_some_and(|least| least > 0) {
            return self.refuse(node, Refusal::plain(format!("`{}` is empty", name.key)));
        }
        let pattern = schema["pattern"].as_str().and_then(|pattern| regex::Regex::new(pattern).ok());
        if pattern.is_some_and(|pattern| !pattern.is_match(text)) {
            let examples = schema["examples"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let such = examples.map(|example| format!("`{example}`")).collect::<Vec<_>>().join(" or ");
            let message = format!("`{}` must be such as {such}, found {}", name.key, node.describe());
            return self.refuse(node, Refusal::plain(message));
        }
        match schema["format"].as_str().map_or_else(|| Ok(Some(text.into())), |format| (self.formats)(format, text)) {
            Ok(text) => text.map(|text| node.with_text(text)),
            Err(refusal) => self.refuse(node, refusal),
        }
    }

    pub(super) fn refuse(&mut self, node: &Node, refusal: Refusal) -> Option<Node> {
        self.problems.error(&node.place, refusal.message).hint_if(refusal.hint);
        None
    }

    /// Returns a quantity that is within the bounds of its schema.
    fn bounded(&mut self, node: &Node, schema: &Value, name: &Name<'_>, quantity: f64) -> Option<Node> {
        let bound = |key: &str| {
            let text = schema[key].as_str()?;
            Some((text, units::unit(schema).and_then(|unit| (unit.parse)(text))?))
        };
        if let Some((text, _)) = bound("formatExclusiveMinimum").filter(|(_, bound)| quantity <= *bound) {
            let message = format!("`{}` must be greater than {text}, found {}", name.key, node.describe());
            return self.refuse(node, Refusal::plain(message));
        }
        if let (Some((least, first)), Some((most, last))) = (bound("formatMinimum"), bound("formatMaximum"))
            && !(first..=last).contains(&quantity)
        {
            let message = format!("`{}` must be from {least} to {most}, found {}", name.key, node.describe());
            return self.refuse(node, Refusal::plain(message));
        }
        Some(node.clone())
    }
}
