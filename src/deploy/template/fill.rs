//! Data with gaps: `$(name)` in it stands for a value.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use crate::error::{Error, Kind, Result};
use crate::yaml::{Problems, Source, parse};

/// What stands in the gaps, by name.
pub type Values = BTreeMap<String, Json>;

/// Reads a file of `config/stack/`.
///
/// # Errors
/// `Internal`: these files are shipped.
pub fn read<T: DeserializeOwned>(name: &str, text: &str) -> Result<T> {
    let mut problems = Problems::default();
    let tree = parse(&Source::file(name, text), &mut problems);
    let wrong = || Error::new(Kind::Internal, format!("`{name}` is not what a stack is made of"));
    let tree = tree.filter(|_| !problems.has_errors()).ok_or_else(wrong)?;
    tree.read().map_err(|error| wrong().caused_by(error))
}

/// Returns data with its gaps filled, also in keys. A text that is nothing but a gap becomes the value, whatever that is: a
/// list among the items of a list is put in item by item, and a key whose value is null is left out.
///
/// # Errors
/// `Internal` when there is no value of a name.
pub fn fill(data: &Json, values: &Values) -> Result<Json> {
    match data {
        Json::Object(fields) => {
            let mut filled = Map::new();
            for (key, value) in fields {
                let value = fill(value, values)?;
                if !value.is_null() {
                    filled.insert(text(key, values)?, value);
                }
            }
            Ok(filled.into())
        }
        Json::Array(items) => {
            let mut filled = Vec::new();
            for item in items {
                match (gap(item), fill(item, values)?) {
                    (Some(_), Json::Array(more)) => filled.extend(more),
                    (_, one) => filled.push(one),
                }
            }
            Ok(filled.into())
        }
        Json::String(written) => match gap(data) {
            Some(name) => value(name, values).cloned(),
            None => text(written, values).map(Json::from),
        },
        other => Ok(other.clone()),
    }
}

/// Returns the name in a text that is nothing but a gap.
fn gap(data: &Json) -> Option<&str> {
    let name = data.as_str()?.strip_prefix("$(")?.strip_suffix(')')?;
    (!name.contains(')')).then_some(name)
}

fn text(written: &str, values: &Values) -> Result<String> {
    let (mut filled, mut rest) = (String::new(), written);
    while let Some((before, behind)) = rest.split_once("$(") {
        let open = || Error::new(Kind::Internal, format!("a gap has no end: `{written}`"));
        let (name, after) = behind.split_once(')').ok_or_else(open)?;
        filled.push_str(before);
        match value(name, values)? {
            Json::String(text) => filled.push_str(text),
            other => filled.push_str(&other.to_string()),
        }
        rest = after;
    }
    Ok(filled + rest)
}

fn value<'a>(name: &str, values: &'a Values) -> Result<&'a Json> {
    values.get(name).ok_or_else(|| Error::new(Kind::Internal, format!("nothing is known of `$({name})` in a stack")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_gap_is_filled_with_a_value_or_a_text() {
        let values = Values::from([
            ("n".into(), 7.into()),
            ("Name".into(), "Daily".into()),
            ("list".into(), json!(["b", ["c"]])),
            ("none".into(), Json::Null),
        ]);
        let data = json!({
            "$(Name)Alarm": "$(n) hours, $(Name)",
            "whole": "$(n)",
            "spliced": ["a", "$(list)", "$(Name)"],
            "within": ["", ["$(list)"], "-$(Name)"],
            "left-out": "$(none)",
            "cron": "cron(15 2 * * ? *)",
            "sub": "${Key.Arn}/*",
        });
        let expected = json!({
            "DailyAlarm": "7 hours, Daily",
            "whole": 7,
            "spliced": ["a", "b", ["c"], "Daily"],
            "within": ["", ["b", ["c"]], "-Daily"],
            "cron": "cron(15 2 * * ? *)",
            "sub": "${Key.Arn}/*",
        });
        assert_eq!(fill(&data, &values).unwrap(), expected);
    }

    #[test]
    fn a_gap_without_a_value_is_a_mistake_in_the_data() {
        for data in ["$(nothing)", "a $(nothing) b", "$(open"] {
            assert_eq!(fill(&json!([data]), &Values::new()).unwrap_err().kind, Kind::Internal, "{data}");
        }
    }

    #[test]
    fn values_are_not_looked_through_for_gaps() {
        let values = Values::from([("a".into(), "$(b)".into())]);
        assert_eq!(fill(&json!(["$(a)", "x$(a)"]), &values).unwrap(), json!(["$(b)", "x$(b)"]));
    }
}
