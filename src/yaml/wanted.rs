//! What a schema wants, in words.

use serde_json::Value;

use super::units;

/// Returns the words that a schema allows.
pub(super) fn words(schema: &Value) -> Vec<&str> {
    let listed = schema["enum"].as_array().into_iter().flatten();
    std::iter::once(&schema["const"]).chain(listed).filter_map(Value::as_str).collect()
}

/// Returns what to write: follows "must be".
pub(super) fn wanted(schema: &Value) -> String {
    let (words, unit) = (words(schema), units::unit(schema));
    if !words.is_empty() {
        return either(&words);
    }
    if schema["pattern"].is_string() {
        let examples: Vec<&str> =
            schema["examples"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        return format!("such as {}", either(&examples));
    }
    let what = unit.as_ref().map_or_else(
        || match single_type(schema) {
            Some("integer") => "a whole number",
            Some("object") => "a mapping",
            Some("array") => "a list",
            Some("number") => "a number",
            Some("boolean") => "`true` or `false`",
            Some("string") => "text",
            _ => "a single value",
        },
        |unit| unit.wanted,
    );
    let bounds = match (&schema["minimum"], &schema["maximum"], &schema["exclusiveMinimum"]) {
        (least, most, _) if most.is_number() && least.is_number() => format!(" from {least} to {most}"),
        (least, ..) if least.is_number() => format!(" of at least {least}"),
        (.., bound) if bound.is_number() => format!(" greater than {bound}"),
        _ => return what.into(),
    };
    format!("{what}{bounds}{}", unit.map_or("", |unit| unit.measure))
}

/// Returns "`a` or `b`".
pub(super) fn either(words: &[impl AsRef<str>]) -> String {
    words.iter().map(|word| format!("`{}`", word.as_ref())).collect::<Vec<_>>().join(" or ")
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
pub(super) fn with_article(title: &str) -> String {
    let article = if title.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {title}")
}
