//! Checking a tree against the JSON Schema of a type: every mistake at once, each where it was written.
//!
//! Knows the keywords that our schemas have, and gives some a meaning for reading YAML:
//! - a scalar whose `type` begins with `string` stays text as written (`3.10`), else it is what YAML takes it for;
//! - where the first of several alternatives is a list, a single value stands for a list of one;
//! - a `const` beside other forms (`none`, `auto`) stands for leaving the value out;
//! - `format` may name a unit of [`super::units`], else the caller judges it; `formatMinimum` and its like bound it;
//! - `title` is what a thing is called in messages, and the first of `examples` what is shown as the way to write it.

use serde_json::{Value, json};

use super::problem::{Problems, closest, did_you_mean, meant, ticked};
use super::source::Place;
use super::tree::{Content, Entry, Node};

/// Why a text does not have a format.
pub struct Refusal {
    /// What is wrong: a lowercase fragment.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Refusal {
    /// Returns a refusal with advice.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()) }
    }

    /// Returns a refusal that speaks for itself.
    pub fn plain(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }
}

/// Judges a text by the name of a format: returns the text to go on with, or `None` to leave the value out. A format
/// that is not known takes any text.
pub type Formats<'a> = &'a dyn Fn(&str, &str) -> Result<Option<String>, Refusal>;

/// Returns the part of `node` that is as `schema` says, noting all that is not. Items of lists that have a mistake are
/// left out as a whole. `what` is what the node is called.
pub fn check(node: &Node, schema: &Value, what: &str, formats: Formats<'_>, problems: &mut Problems) -> Option<Node> {
    let mut checker = Checker { definitions: &schema["$defs"], formats, problems };
    checker.node(node, schema, &Name { key: what, what: what.into(), at: &node.place })
}

/// What a node is called, and where it is said that it lacks something.
pub(super) struct Name<'a> {
    pub(super) key: &'a str,
    pub(super) what: String,
    pub(super) at: &'a Place,
}

pub(super) struct Checker<'a> {
    definitions: &'a Value,
    pub(super) formats: Formats<'a>,
    pub(super) problems: &'a mut Problems,
}

/// The forms a node has in YAML.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Form {
    Scalar,
    List,
    Map,
}

impl<'a> Checker<'a> {
    /// Returns the schema that a reference names.
    pub(super) fn resolve<'s>(&self, schema: &'s Value) -> &'s Value
    where
        'a: 's,
    {
        let name = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/"));
        name.map_or(schema, |name| &self.definitions[name])
    }

    /// Returns the alternatives that a schema allows, if it has any.
    pub(super) fn alternatives<'s>(&self, schema: &'s Value) -> Option<Vec<&'s Value>>
    where
        'a: 's,
    {
        let list = ["anyOf", "oneOf"].into_iter().find_map(|key| schema[key].as_array())?;
        let known = list.iter().map(|schema| self.resolve(schema)).filter(|schema| schema["type"] != "null");
        Some(known.collect())
    }

    pub(super) fn form(&self, schema: &Value) -> Form {
        match single_type(schema) {
            Some("array") => Form::List,
            Some("object") => Form::Map,
            _ => Form::Scalar,
        }
    }

    pub(super) fn node(&mut self, node: &Node, schema: &Value, name: &Name<'_>) -> Option<Node> {
        let schema = self.resolve(schema);
        if let Some(alternatives) = self.alternatives(schema) {
            return self.one_of(node, schema, &alternatives, name);
        }
        match (self.form(schema), &node.content) {
            (Form::Map, Content::Map(_)) => Some(self.map(node, schema, name)),
            (Form::Map, _) if node.is_null() => Some(self.map(node, schema, name)),
            (Form::List, Content::List(_)) => Some(self.list(node, schema, name)),
            (Form::Scalar, Content::Scalar { .. }) => self.scalar(node, schema, name),
            _ => self.wrong(node, schema, name),
        }
    }

    fn one_of(&mut self, node: &Node, schema: &Value, forms: &[&Value], name: &Name<'_>) -> Option<Node> {
        let single_key = |form: &&&Value| form["properties"].as_object().is_some_and(|keys| keys.len() == 1);
        if forms.len() > 1 && forms.iter().all(|form| single_key(&form)) {
            return self.keyed(node, schema, forms, name);
        }
        if forms.iter().all(|form| form["properties"]["kind"]["const"].is_string()) {
            return self.of_a_kind(node, schema, forms, name);
        }
        if let Some(map) = forms.iter().find(|form| node.is_null() && self.form(form) == Form::Map) {
            return self.node(node, map, name);
        }
        let is_word = |form: &&Value| form.get("const").is_some();
        if forms.iter().any(|form| !is_word(form)) && forms.iter().any(|form| form["const"] == node.text()) {
            return None;
        }
        let form = match &node.content {
            Content::Map(_) => Form::Map,
            Content::List(_) => Form::List,
            Content::Scalar { .. } => Form::Scalar,
        };
        let mut fitting = forms.iter().filter(|schema| self.form(schema) == form && !is_word(schema));
        let words = forms.iter().any(is_word);
        let (Some(chosen), None) = (fitting.next(), fitting.next()) else {
            let known = forms.iter().any(|form| form["const"] == node.text() && form["const"].is_string());
            return if known { Some(node.with_text(node.text())) } else { self.wrong(node, schema, name) };
        };
        if words && matches!(chosen["type"].as_str(), Some("integer" | "number")) {
            // Neither the number nor the word: both are told.
            let mut unsaid = Problems::default();
            let mut quiet = Checker { definitions: self.definitions, formats: self.formats, problems: &mut unsaid };
            return quiet.node(node, chosen, name).or_else(|| self.wrong(node, schema, name));
        }
        let found = self.node(node, chosen, name)?;
        let listed = self.form(forms[0]) == Form::List && form != Form::List;
        Some(if listed { Node { place: node.place.clone(), content: Content::List(vec![found]) } } else { found })
    }

    /// Checks a mapping with one key, which says what it is.
    fn keyed(&mut self, node: &Node, schema: &Value, forms: &[&Value], name: &Name<'_>) -> Option<Node> {
        let title = schema["title"].as_str().unwrap_or(name.key);
        let (entry, second) = match &node.content {
            Content::Map(entries) => (entries.first(), entries.get(1)),
            _ if node.is_null() => (None, None),
            _ => {
                let message = format!("{} must be a mapping, found {}", name.what, node.describe());
                self.problems.error(&node.place, message);
                return None;
            }
        };
        if let Some(second) = second {
            let message = format!("`{}` is a second {title} in one item", second.key);
            let hint = format!("give each {title} its own item, with a dash or braces of its own");
            self.problems.error(&second.place, message).hint(hint);
            return None;
        }
        let Some(entry) = entry else {
            self.problems.error(&node.place, format!("{} is missing here", name.what));
            return None;
        };
        let fitting = forms.iter().find(|form| form["properties"].get(&entry.key).is_some());
        let Some(form) = fitting else {
            let keys = forms.iter().filter_map(|form| form["properties"].as_object()?.keys().next());
            let keys: Vec<&str> = keys.map(String::as_str).collect();
            let near = did_you_mean(&entry.key, keys.iter().copied());
            let problem = self.problems.error(&entry.place, format!("unknown {title} `{}`", entry.key));
            problem.hint(near.unwrap_or_else(|| format!("{title}s are {}", ticked(keys))));
            return None;
        };
        Some(self.map(node, form, name))
    }

    /// Checks a mapping whose `kind` says which other keys it can have.
    fn of_a_kind(&mut self, node: &Node, schema: &Value, forms: &[&Value], name: &Name<'_>) -> Option<Node> {
        let kinds: Vec<&str> = forms.iter().filter_map(|form| form["properties"]["kind"]["const"].as_str()).collect();
        let written = match node.get("kind") {
            Some(kind) if !kind.is_null() => kind,
            _ if node.is_null() || matches!(node.content, Content::Map(_)) => {
                let hint = format!(
                    "add one: {}",
                    kinds.iter().map(|kind| format!("`kind: {kind}`")).collect::<Vec<_>>().join(" or ")
                );
                self.problems.error(name.at, format!("{} has no `kind`", name.what)).hint(hint);
                return None;
            }
            _ => return self.wrong(node, forms[0], name),
        };
        let Some(at) = kinds.iter().position(|kind| *kind == written.text()) else {
            let choice = json!({ "enum": kinds });
            return self.wrong(written, &choice, &Name { key: "kind", what: "`kind`".into(), at: &written.place });
        };
        let (form, mut own) = (forms[at], node.clone());
        let Content::Map(entries) = &mut own.content else { return None };
        entries.retain(|entry| {
            let has = |form: &Value| form["properties"].get(&entry.key).is_some();
            let other = forms.iter().position(|other| has(other)).filter(|_| !has(form));
            if let Some(other) = other {
                let title = schema["title"].as_str().unwrap_or(name.key);
                let (other, kind) = (kinds[other], kinds[at]);
                let message = format!(
                    "`{}` is for {title}s of kind `{other}`, and `{}` is of kind `{kind}`",
                    entry.key, name.key
                );
                self.problems.error(&entry.place, message).hint("remove it");
            }
            other.is_none()
        });
        self.node(&own, form, name)
    }

    fn map(&mut self, node: &Node, schema: &Value, name: &Name<'_>) -> Node {
        let keys = schema["properties"].as_object();
        let names = schema["propertyNames"]["format"].as_str();
        let rest = schema.get("additionalProperties").filter(|rest| rest.is_object());
        let mut good = Vec::new();
        let mut misspelt = Vec::new();
        for entry in node.entries() {
            let key = entry.key.as_str();
            let refusal = names.and_then(|format| (self.formats)(format, key).err());
            let named = refusal.is_none();
            if let Some(refusal) = refusal {
                self.problems.error(&entry.place, refusal.message).hint_if(refusal.hint);
            }
            let known = keys.and_then(|keys| keys.get(key));
            let Some(below) = known.or(rest) else {
                if !named {
                    continue;
                }
                let all: Vec<&str> = keys.into_iter().flat_map(|keys| keys.keys()).map(String::as_str).collect();
                let near = closest(key, all.iter().copied());
                let hint = near.map_or_else(|| format!("{} can have {}", name.what, ticked(all.clone())), meant);
                self.problems.error(&entry.place, format!("unknown key `{key}`")).hint(hint);
                misspelt.extend(near);
                continue;
            };
            let below = self.resolve(below);
            let forms = self.alternatives(below).unwrap_or_else(|| vec![below]);
            let takes_nothing = known.is_none() && forms.iter().any(|form| self.form(form) == Form::Map);
            if entry.value.is_null() && !takes_nothing {
                // A key without a value says nothing, unless the schema has a use for that.
                let used = below["type"].as_array().is_some_and(|types| types.iter().any(|one| one == "null"));
                good.extend(used.then(|| entry.clone()));
                continue;
            }
            let title = below["title"].as_str().filter(|_| known.is_none());
            let what = title.map_or_else(|| format!("`{key}`"), |title| format!("{title} `{key}`"));
            let at = if known.is_some() { &entry.value.place } else { &entry.place };
            let value = self.node(&entry.value, below, &Name { key, what, at });
            good.extend(value.filter(|_| named).map(|value| Entry {
                key: key.into(),
                place: entry.place.clone(),
                value,
            }));
        }
        self.lacking(node, schema, name, &misspelt);
        self.size(node, schema, name);
        Node { content: Content::Map(good), place: node.place.clone() }
    }

    /// Notes keys that must be there and are not, unless another problem says why.
    fn lacking(&mut self, node: &Node, schema: &Value, name: &Name<'_>, misspelt: &[&str]) {
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let at = match node.entry(key) {
                Some(entry) if entry.value.is_null() => &entry.place,
                Some(_) => continue,
                None if misspelt.contains(&key) => continue,
                None => name.at,
            };
            let example = schema["properties"][key]["examples"][0].as_str();
            let problem = self.problems.error(at, format!("{} has no `{key}`", name.what));
            problem.hint_if(example.map(|example| format!("add one: `{key}: {example}`")));
        }
    }

    /// Notes a list or mapping that has too little or too much in it.
    fn size(&mut self, node: &Node, schema: &Value, name: &Name<'_>) {
        let bound = |keys: [&str; 2]| keys.iter().find_map(|key| schema[*key].as_u64());
        let places: Vec<&Place> = match &node.content {
            Content::List(items) => items.iter().map(|item| &item.place).collect(),
            Content::Map(entries) => entries.iter().map(|entry| &entry.place).collect(),
            Content::Scalar { .. } => Vec::new(),
        };
        if places.is_empty() && bound(["minItems", "minProperties"]).is_some_and(|least| least > 0) {
            let example = schema["examples"][0].as_str();
            let problem = self.problems.error(&node.place, format!("`{}` is empty", name.key));
            problem.hint_if(example.map(|example| format!("write it as `{}: {example}`", name.key)));
        }
        let most = bound(["maxItems", "maxProperties"]).and_then(|most| usize::try_from(most).ok());
        if let Some((most, place)) = most.and_then(|most| Some((most, places.get(most)?))) {
            self.problems.error(place, format!("`{}` has {} entries, at most {most}", name.key, places.len()));
        }
    }

    fn list(&mut self, node: &Node, schema: &Value, name: &Name<'_>) -> Node {
        let below = self.resolve(&schema["items"]);
        let what = below["title"].as_str().map_or_else(|| name.what.clone(), with_article);
        let mut good: Vec<Node> = Vec::new();
        for item in node.items() {
            let before = self.problems.count();
            let found = self.node(item, below, &Name { key: name.key, what: what.clone(), at: &item.place });
            let Some(found) = found.filter(|_| self.problems.count() == before) else { continue };
            let same = |other: &&Node| matches!(other.content, Content::Scalar { .. }) && other.text() == found.text();
            let seen = if schema["uniqueItems"] == true { good.iter().find(same) } else { None };
            match seen {
                Some(first) => {
                    let problem = self.problems.error(&item.place, format!("`{}` is there twice", found.text()));
                    problem.note(&first.place, "first here");
                }
                None => good.push(found),
            }
        }
        self.size(node, schema, name);
        Node { content: Content::List(good), place: node.place.clone() }
    }
}

/// Returns the type of a schema that has one besides null.
pub(super) fn single_type(schema: &Value) -> Option<&str> {
    match &schema["type"] {
        Value::Array(types) => match types.iter().filter(|one| *one != "null").collect::<Vec<_>>().as_slice() {
            [one] => one.as_str(),
            _ => None,
        },
        one => one.as_str(),
    }
}

/// Returns "an insight" for "insight".
fn with_article(title: &str) -> String {
    let article = if title.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {title}")
}
