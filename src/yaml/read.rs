//! Reading a node as a type. A mismatch is noted where it was written, and `None` returned.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::problem::{Problem, Problems};
use super::tree::{Content, Node, core_bool, core_float, core_int};
use super::units::{parse_duration, parse_pause, parse_share, parse_size};

/// Returns "did you mean `workers`?" when one of `known` is close to `word`.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    closest(word, known).map(meant)
}

/// Returns the question that suggests `name`.
pub(super) fn meant(name: &str) -> String {
    format!("did you mean `{name}`?")
}

/// Returns the one of `known` that `word` was probably meant to be.
pub(super) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let far = |name: &str| strsim::damerau_levenshtein(&lower, &name.to_lowercase());
    let allowed = |name: &str| (word.chars().count().max(name.chars().count()) / 3).max(1);
    let near = known.into_iter().map(|name| (far(name), name)).filter(|(distance, name)| *distance <= allowed(name));
    near.min().map(|(_, name)| name)
}

impl Node {
    fn wrong<'a>(&self, what: &str, wanted: &str, problems: &'a mut Problems) -> &'a mut Problem {
        problems.error(&self.place, format!("`{what}` must be {wanted}, found {}", self.describe()))
    }

    /// Returns any scalar as the text written, so that `4` and `"4"` are the same; refuses null.
    pub fn scalar(&self, what: &str, problems: &mut Problems) -> Option<String> {
        match &self.content {
            Content::Scalar { text, .. } if !self.is_null() => Some(text.clone()),
            _ => {
                self.wrong(what, "a single value", problems);
                None
            }
        }
    }

    /// Returns text, refusing what YAML takes for a number, a boolean or null.
    pub fn text(&self, what: &str, problems: &mut Problems) -> Option<String> {
        match &self.content {
            Content::Scalar { text, plain } if !plain || !is_typed(self, text) => Some(text.clone()),
            Content::Scalar { text, .. } if !self.is_null() => {
                self.wrong(what, "text", problems).hint(format!("write it in quotes: `\"{text}\"`"));
                None
            }
            _ => {
                self.wrong(what, "text", problems);
                None
            }
        }
    }

    /// Returns the unquoted text of a scalar.
    fn unquoted(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, plain: true } => Some(text),
            _ => None,
        }
    }

    /// Returns a boolean.
    pub fn boolean(&self, what: &str, problems: &mut Problems) -> Option<bool> {
        let value = self.unquoted().and_then(core_bool);
        if value.is_none() {
            self.wrong(what, "`true` or `false`", problems);
        }
        value
    }

    /// Returns a whole number within `range`.
    pub fn integer(&self, what: &str, range: RangeInclusive<i64>, problems: &mut Problems) -> Option<i64> {
        let value = self.unquoted().and_then(core_int).filter(|value| range.contains(value));
        if value.is_none() {
            let wanted = match (*range.start(), *range.end()) {
                (i64::MIN, i64::MAX) => "a whole number".into(),
                (first, i64::MAX) => format!("a whole number of at least {first}"),
                (first, last) => format!("a whole number from {first} to {last}"),
            };
            self.wrong(what, &wanted, problems);
        }
        value
    }

    /// Returns a number.
    pub fn number(&self, what: &str, problems: &mut Problems) -> Option<f64> {
        let value = self.unquoted().and_then(core_float);
        if value.is_none() {
            self.wrong(what, "a number", problems);
        }
        value
    }

    /// Returns a share from 0 to 1, written `5%` or `0.05`.
    pub fn share(&self, what: &str, problems: &mut Problems) -> Option<f64> {
        let value = self.any_scalar().and_then(parse_share);
        if value.is_none() {
            self.wrong(what, "a share such as `5%` or `0.05`, at most `100%`", problems);
        }
        value
    }

    /// Returns the seconds of a duration such as `7d`.
    pub fn duration(&self, what: &str, problems: &mut Problems) -> Option<i64> {
        let value = self.any_scalar().and_then(parse_duration);
        if value.is_none() {
            let problem = self.wrong(what, "a duration", problems);
            problem.hint("a number and a unit: `7d`, `12h`, `30m`, `90s`, or several as in `1d12h`");
        }
        value
    }

    /// Returns a time that may be shorter than a second, such as `5s` or `500ms`.
    pub fn pause(&self, what: &str, problems: &mut Problems) -> Option<Duration> {
        let value = self.any_scalar().and_then(parse_pause);
        if value.is_none() {
            self.wrong(what, "a duration", problems).hint("a number and a unit: `30s`, `5s`, `500ms`");
        }
        value
    }

    /// Returns the bytes of a size such as `64g`.
    pub fn size(&self, what: &str, problems: &mut Problems) -> Option<u64> {
        let value = self.any_scalar().and_then(parse_size);
        if value.is_none() {
            self.wrong(what, "a size such as `4g` or `512m`", problems);
        }
        value
    }

    fn any_scalar(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Returns the value that one of the names in `choices` stands for.
    pub fn choice<T: Copy>(&self, what: &str, choices: &[(&str, T)], problems: &mut Problems) -> Option<T> {
        let text = self.any_scalar().unwrap_or_default();
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let names = choices.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
            let near = did_you_mean(text, choices.iter().map(|(name, _)| *name));
            self.wrong(what, &names, problems).hint_if(near);
        }
        found
    }

    /// Returns the items of a list, or the one value written without brackets.
    pub fn items(&self, what: &str, problems: &mut Problems) -> Vec<&Self> {
        match &self.content {
            Content::List(items) => items.iter().collect(),
            Content::Scalar { .. } if !self.is_null() => vec![self],
            _ => {
                self.wrong(what, "a list", problems);
                Vec::new()
            }
        }
    }
}

/// Returns whether YAML takes the unquoted scalar for something else than text.
fn is_typed(node: &Node, text: &str) -> bool {
    node.is_null() || core_bool(text).is_some() || core_float(text).is_some()
}
