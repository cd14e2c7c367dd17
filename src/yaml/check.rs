//! Checking a tree against the JSON Schema of a type: every mistake at once, each where it was written.
//!
//! Knows the keywords that our schemas have, and gives some a meaning for reading YAML:
//! - a scalar whose `type` begins with `string` stays text as written (`3.10`), else it is what YAML takes it for;
//! - where the first of several alternatives is a list, a single value stands for a list of one;
//! - a `const` beside other forms (`none`, `auto`) stands for leaving the value out;
//! - `format` may name a unit of [`super::units`], which makes it a number; else the caller judges it;
//! - `title` is what a thing is called in messages, and the first of `examples` what is shown as the way to write it.

use serde_json::Value;

use super::problem::{Problems, closest, did_you_mean, meant, ticked};
use super::source::Place;
use super::tree::{Content, Entry, Node, core_bool, core_float, core_int};
use super::units;
use super::wanted::{either, single_type, wanted, with_article, words};

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
struct Name<'a> {
    key: &'a str,
    what: String,
    at: &'a Place,
}

struct Checker<'a> {
    definitions: &'a Value,
    formats: Formats<'a>,
    problems: &'a mut Problems,
}

/// The forms a node has in YAML.
#[derive(Clone, Copy, PartialEq)]
enum NodeForm {
    Scalar,
    List,
    Map,
}

impl<'a> Checker<'a> {
    /// Returns the schema that a reference names.
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let name = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/"));
        name.map_or(schema, |name| &self.definitions[name])
    }

    /// Returns the alternatives that a schema allows, itself when it has none. That a value may be missing is none.
    fn forms(&self, schema: &'a Value) -> Vec<&'a Value> {
        let schema = self.resolve(schema);
        match ["anyOf", "oneOf"].into_iter().find_map(|key| schema[key].as_array()) {
            Some(list) => list.iter().flat_map(|form| self.forms(form)).filter(|form| form["type"] != "null").collect(),
            None => vec![schema],
        }
    }

    fn node(&mut self, node: &Node, schema: &'a Value, name: &Name<'_>) -> Option<Node> {
        let schema = self.resolve(schema);
        let forms = self.forms(schema);
        let single_key = |form: &&Value| form["properties"].as_object().is_some_and(|keys| keys.len() == 1);
        if forms.len() > 1 && forms.iter().all(single_key) {
            return self.keyed(node, schema, &forms, name);
        }
        if forms.iter().all(|form| form["properties"]["kind"]["const"].is_string()) {
            return self.of_a_kind(node, schema, &forms, name);
        }
        if let Some(map) = forms.iter().find(|form| node.is_null() && form_of(form) == NodeForm::Map) {
            return Some(self.map(node, map, name));
        }
        let is_word = |form: &Value| form.get("const").is_some();
        if forms.iter().any(|form| form["const"].as_str() == Some(node.text())) {
            return forms.iter().all(|form| is_word(form)).then(|| node.with_text(node.text()));
        }
        let form = match &node.content {
            Content::Map(_) => NodeForm::Map,
            Content::List(_) => NodeForm::List,
            Content::Scalar { .. } => NodeForm::Scalar,
        };
        let mut fitting = forms.iter().filter(|schema| form_of(schema) == form && !is_word(schema));
        let found = match (form, fitting.next()) {
            (_, None) => return self.wrong(node, schema, name),
            (NodeForm::Map, Some(chosen)) => self.map(node, chosen, name),
            (NodeForm::List, Some(chosen)) => self.list(node, chosen, name),
            (NodeForm::Scalar, Some(chosen)) => self.scalar(node, chosen, schema, name)?,
        };
        let listed = form_of(forms[0]) == NodeForm::List && form != NodeForm::List;
        Some(if listed { Node { place: node.place.clone(), content: Content::List(vec![found]) } } else { found })
    }

    /// Checks a mapping with one key, which says what it is.
    fn keyed(&mut self, node: &Node, schema: &Value, forms: &[&'a Value], name: &Name<'_>) -> Option<Node> {
        let title = schema["title"].as_str().unwrap_or(name.key);
        let keys = || forms.iter().flat_map(|form| form["properties"].as_object()).flat_map(|keys| keys.keys());
        let Some(entry) = node.entries().first() else {
            let message = format!("{} must be one of {}, found {}", name.what, ticked(keys()), node.describe());
            self.problems.error(&node.place, message);
            return None;
        };
        let Some(form) = forms.iter().find(|form| form["properties"].get(&entry.key).is_some()) else {
            let near = did_you_mean(&entry.key, keys().map(String::as_str));
            let problem = self.problems.error(&entry.place, format!("unknown {title} `{}`", entry.key));
            problem.hint(near.unwrap_or_else(|| format!("{title}s are {}", ticked(keys()))));
            return None;
        };
        if let Some(second) = node.entries().get(1) {
            let message = format!("`{}` is a second {title} in one item", second.key);
            let hint = format!("give each {title} its own item, with a dash or braces of its own");
            self.problems.error(&second.place, message).hint(hint);
            return None;
        }
        Some(self.map(node, form, name))
    }

    /// Checks a mapping whose `kind` says which other keys it can have.
    fn of_a_kind(&mut self, node: &Node, schema: &'a Value, forms: &[&'a Value], name: &Name<'_>) -> Option<Node> {
        let kinds: Vec<&str> = forms.iter().filter_map(|form| form["properties"]["kind"]["const"].as_str()).collect();
        let at = match node.get("kind").filter(|kind| !kind.is_null()) {
            Some(kind) => kinds.iter().position(|known| *known == kind.text()).or_else(|| {
                let message = format!("`kind` must be {}, found {}", either(&kinds), kind.describe());
                self.problems.error(&kind.place, message).hint_if(did_you_mean(kind.text(), kinds.iter().copied()));
                None
            })?,
            None if node.is_null() || matches!(node.content, Content::Map(_)) => {
                let written: Vec<String> = kinds.iter().map(|kind| format!("kind: {kind}")).collect();
                let problem = self.problems.error(name.at, format!("{} has no `kind`", name.what));
                problem.hint(format!("add one: {}", either(&written)));
                return None;
            }
            None => return self.wrong(node, schema, name),
        };
        // What another kind has is here by mistake, and not misspelt.
        let mut own = node.clone();
        for Entry { key, place, .. } in node.entries() {
            let has = |form: &Value| form["properties"].get(key).is_some();
            let other = forms.iter().position(|form| has(form)).filter(|_| !has(forms[at]));
            if let Some(other) = other {
                let title = schema["title"].as_str().unwrap_or(name.key);
                let (other, kind, name) = (kinds[other], kinds[at], name.key);
                let message = format!("`{key}` is for {title}s of kind `{other}`, and `{name}` is of kind `{kind}`");
                self.problems.error(place, message).hint("remove it");
                own.entries_mut().into_iter().for_each(|entries| entries.retain(|entry| entry.key != *key));
            }
        }
        Some(self.map(&own, forms[at], name))
    }

    fn map(&mut self, node: &Node, schema: &'a Value, name: &Name<'_>) -> Node {
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
                self.refuse(&entry.place, refusal);
            }
            let known = keys.and_then(|keys| keys.get(key));
            let Some(below) = known.or(rest) else {
                if !named {
                    continue;
                }
                let all: Vec<&str> = keys.into_iter().flat_map(|keys| keys.keys()).map(String::as_str).collect();
                let near = closest(key, all.iter().copied());
                let hint = near.map_or_else(|| format!("{} can have {}", name.what, ticked(all)), meant);
                self.problems.error(&entry.place, format!("unknown key `{key}`")).hint(hint);
                misspelt.extend(near);
                continue;
            };
            let below = self.resolve(below);
            let takes_nothing = known.is_none() && self.forms(below).iter().any(|form| form_of(form) == NodeForm::Map);
            if entry.value.is_null() && !takes_nothing {
                // A key without a value says nothing, unless the schema has a use for that.
                let used = below["type"].as_array().is_some_and(|types| types.iter().any(|one| one == "null"));
                good.extend(used.then(|| entry.clone()));
                continue;
            }
            let title = below["title"].as_str().filter(|_| known.is_none());
            let what = title.map_or_else(|| format!("`{key}`"), |title| format!("{title} `{key}`"));
            let at = if known.is_some() { &entry.value.place } else { &entry.place };
            let value = self.node(&entry.value, below, &Name { key, what, at }).filter(|_| named);
            good.extend(value.map(|value| Entry { value, ..entry.clone() }));
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
        let size = (node.items().len() + node.entries().len()) as u64;
        if size == 0 && bound(["minItems", "minProperties"]).is_some_and(|least| least > 0) {
            let example = schema["examples"][0].as_str();
            let problem = self.problems.error(&node.place, format!("`{}` is empty", name.key));
            problem.hint_if(example.map(|example| format!("write it as `{}: {example}`", name.key)));
        }
        if let Some(most) = bound(["maxItems", "maxProperties"]).filter(|most| size > *most) {
            self.problems.error(&node.place, format!("`{}` has {size} entries, at most {most}", name.key));
        }
    }

    fn list(&mut self, node: &Node, schema: &'a Value, name: &Name<'_>) -> Node {
        let below = self.resolve(&schema["items"]);
        let what = below["title"].as_str().map_or_else(|| name.what.clone(), with_article);
        let mut good: Vec<Node> = Vec::new();
        for item in node.items() {
            let before = self.problems.count();
            let found = self.node(item, below, &Name { key: name.key, what: what.clone(), at: &item.place });
            let Some(found) = found.filter(|_| self.problems.count() == before) else { continue };
            let same = |other: &&Node| !found.text().is_empty() && other.text() == found.text();
            match good.iter().find(same).filter(|_| schema["uniqueItems"] == true) {
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

    /// Checks a single value; `whole` is the schema that a message is about, of which `schema` is one form.
    fn scalar(&mut self, node: &Node, schema: &'a Value, whole: &'a Value, name: &Name<'_>) -> Option<Node> {
        let text = node.text();
        if let Some(unit) = units::unit(schema) {
            let number = (unit.parse)(text).filter(|number| is_within(number, schema));
            return number
                .map_or_else(|| self.wrong(node, whole, name), |number| Some(Node::plain(number, node.place.clone())));
        }
        let words = words(schema);
        let types: Vec<&str> = match &schema["type"] {
            Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        };
        let plain = matches!(&node.content, Content::Scalar { plain: true, .. });
        let is_text = types.first() == Some(&"string");
        let fits = |kind: &&str| match *kind {
            "string" => !(plain && (node.is_null() || core_bool(text).is_some() || core_float(text).is_some())),
            "boolean" => plain && core_bool(text).is_some(),
            "integer" => plain && core_int(text).is_some() && is_within(text, schema),
            "number" => plain && core_float(text).is_some() && is_within(text, schema),
            _ => false,
        };
        let pattern = schema["pattern"].as_str().and_then(|pattern| regex_lite::Regex::new(pattern).ok());
        let empty = text.is_empty() && schema["minLength"].as_u64().is_some_and(|least| least > 0);
        let taken = (types.iter().any(fits) && !empty && pattern.is_none_or(|pattern| pattern.is_match(text)))
            && (words.is_empty() || words.contains(&text));
        if !taken {
            return self.wrong(node, whole, name);
        }
        if !is_text {
            return Some(node.clone());
        }
        let judged = schema["format"].as_str().map_or_else(|| Ok(Some(text.into())), |one| (self.formats)(one, text));
        match judged {
            Ok(text) => text.map(|text| node.with_text(text)),
            Err(refusal) => self.refuse(&node.place, refusal),
        }
    }

    fn refuse(&mut self, place: &Place, refusal: Refusal) -> Option<Node> {
        self.problems.error(place, refusal.message).hint_if(refusal.hint);
        None
    }

    /// Says that a node is not what its schema wants.
    fn wrong(&mut self, node: &Node, schema: &'a Value, name: &Name<'_>) -> Option<Node> {
        let mut forms = self.forms(schema);
        // `a: x` is short for `a: [x]`: the list is what is wanted.
        forms.truncate(if form_of(forms[0]) == NodeForm::List { 1 } else { forms.len() });
        let mut wanted: Vec<String> = forms.iter().map(|form| wanted(form)).collect();
        wanted.dedup();
        let wanted = wanted.join(" or ");
        let near = did_you_mean(node.text(), forms.iter().flat_map(|form| words(form)));
        let example = schema["examples"][0].as_str().filter(|_| form_of(forms[0]) != NodeForm::Scalar);
        let message = format!("{} must be {wanted}, found {}", name.what, node.describe());
        let problem = self.problems.error(&node.place, message);
        if wanted == "text" && !node.text().is_empty() && !node.is_null() {
            problem.hint(format!("write it in quotes: `\"{}\"`", node.text()));
        }
        problem.hint_if(near).hint_if(example.map(|example| format!("write it as `{}: {example}`", name.key)));
        None
    }
}

fn form_of(schema: &Value) -> NodeForm {
    match single_type(schema) {
        Some("array") => NodeForm::List,
        Some("object") => NodeForm::Map,
        _ => NodeForm::Scalar,
    }
}

/// Returns whether a number is as large as its schema says.
fn is_within(number: impl AsRef<str>, schema: &Value) -> bool {
    let bound = |key: &str| schema[key].as_f64();
    core_float(number.as_ref()).is_none_or(|number| {
        bound("minimum").is_none_or(|least| number >= least)
            && bound("maximum").is_none_or(|most| number <= most)
            && bound("exclusiveMinimum").is_none_or(|bound| number > bound)
    })
}
