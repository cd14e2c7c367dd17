//! Quantities with a unit: `7d`, `500ms`, `20%`, `64g`. Once checked they are numbers.

use std::time::Duration;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// Milliseconds of each unit, largest first.
const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Returns the seconds of `7d`, `12h`, `90s` or `1d12h`; `None` when it is not a duration of whole seconds.
pub fn parse_duration(text: &str) -> Option<i64> {
    let pause = parse_pause(text).filter(|pause| pause.subsec_millis() == 0)?;
    i64::try_from(pause.as_secs()).ok()
}

/// Returns the time that `5s`, `500ms` or `1s500ms` is; `None` when it is not a duration.
pub fn parse_pause(text: &str) -> Option<Duration> {
    let mut total: u64 = 0;
    let mut rest = text;
    let mut left = UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0)?;
        let after = &rest[digits..];
        let unit = &after[..after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len())];
        // Units come once each and in order: `5m1d` is more likely a slip than meant.
        let (_, factor) = left.find(|(name, _)| *name == unit)?;
        total = total.checked_add(rest[..digits].parse::<u64>().ok()?.checked_mul(*factor)?)?;
        rest = &after[unit.len()..];
    }
    (!text.is_empty()).then_some(Duration::from_millis(total))
}

/// Returns the share, 0 to 1, that `5%` or `0.05` is; `None` when it is neither or outside.
pub fn parse_share(text: &str) -> Option<f64> {
    let (number, whole) = match text.strip_suffix('%') {
        Some(number) => (number.trim_end(), 100.0),
        None => (text, 1.0),
    };
    let share = super::tree::core_float(number)? / whole;
    (0.0..=1.0).contains(&share).then_some(share)
}

/// Returns the bytes of `4g` or `512m`, in powers of 1,024 as Spark and the JVM count; `None` when it is no size or none
/// at all.
pub fn parse_size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let power = match text[digits..].to_ascii_lowercase().as_str() {
        "k" | "kb" => 1,
        "m" | "mb" => 2,
        "g" | "gb" => 3,
        "t" | "tb" => 4,
        _ => return None,
    };
    let bytes = text[..digits].parse::<u64>().ok()?.checked_mul(1024_u64.pow(power))?;
    (bytes > 0).then_some(bytes)
}

/// A unit that a schema's `format` names.
pub(super) struct Unit {
    /// Returns the quantity as a number.
    pub(super) parse: fn(&str) -> Option<String>,
    /// What to write: follows "must be".
    pub(super) wanted: &'static str,
    /// What bounds are counted in, after them.
    pub(super) measure: &'static str,
}

/// Returns the unit that a schema wants.
pub(super) fn unit(schema: &Value) -> Option<Unit> {
    let unit = |parse, wanted, measure| Some(Unit { parse, wanted, measure });
    match schema["format"].as_str()? {
        "duration" => unit(
            |text| parse_duration(text).map(|seconds| seconds.to_string()),
            "a duration such as `7d`, `12h`, `30m`, `90s` or `1d12h`",
            " seconds",
        ),
        "pause" => unit(
            |text| parse_pause(text).map(|pause| pause.as_secs_f64().to_string()),
            "a duration such as `30s` or `500ms`",
            " seconds",
        ),
        "minutes" => unit(
            |text| parse_duration(text).filter(|seconds| seconds % 60 == 0).map(|seconds| (seconds / 60).to_string()),
            "whole minutes such as `10m`",
            " minutes",
        ),
        "share" => unit(
            |text| parse_share(text).map(|share| share.to_string()),
            "a share such as `5%` or `0.05`, at most `100%`",
            "",
        ),
        "size" => {
            unit(|text| parse_size(text).map(|bytes| bytes.to_string()), "a size such as `4g` or `512m`", " bytes")
        }
        _ => None,
    }
}

/// Returns the schema of a duration of whole seconds.
pub fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "duration" })
}

/// Returns the schema of a duration of whole minutes.
pub fn minutes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "minutes" })
}

/// Returns the schema of a duration that may be shorter than a second.
pub fn pause(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "pause" })
}

/// Returns the schema of a share.
pub fn share(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "number"], "format": "share" })
}

/// Returns the schema of a size.
pub fn size(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "size" })
}

/// Returns the schema of a single value that is taken as the text written, `3.10` and `true` too.
pub fn text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "number", "boolean"] })
}

/// Returns the schema of a list of such values.
pub fn texts(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": text(generator) })
}

/// Returns the schema of such a value that may be left out; `none` takes it away again.
pub fn optional_text(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = text(generator);
    schema.insert("minLength".into(), 1.into());
    or_none(&mut schema);
    schema
}

/// Lets `none` be written where a value may be left out, so that it can be taken away again.
pub fn or_none(schema: &mut Schema) {
    or_word(schema, "none");
}

/// Lets a word, or nothing, be written for a value that is left out.
pub fn or_word(schema: &mut Schema, word: &str) {
    wrap(schema, |form| vec![form, json!({ "type": "null" }), json!({ "const": word })]);
}

/// Lets a list of one be written without brackets.
pub fn or_single(schema: &mut Schema) {
    schema.remove("default");
    wrap(schema, |list| vec![list.clone(), list["items"].clone()]);
}

/// Makes a schema one of several forms; what is said of it to people stands above them.
fn wrap(schema: &mut Schema, forms: impl FnOnce(Value) -> Vec<Value>) {
    let mut form = std::mem::take(schema);
    let (description, examples) = (form.remove("description"), form.get("examples").cloned());
    schema.insert("anyOf".into(), forms(form.to_value()).into());
    examples.map(|examples| schema.insert("examples".into(), examples));
    description.map(|text| schema.insert("description".into(), text));
}
