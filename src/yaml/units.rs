//! Quantities with a unit: `7d`, `500ms`, `20%`, `64g`.

use std::time::Duration;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use serde_json::{Value, json};

/// Milliseconds of each unit, largest first.
const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Returns the seconds of `7d`, `12h`, `90s` or `1d12h`; `None` when it is not a duration of whole seconds.
pub fn parse_duration(text: &str) -> Option<i64> {
    let pause = parse_pause(text)?;
    if pause.subsec_millis() > 0 {
        return None;
    }
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
    /// Returns the quantity, in any measure that tells more from less.
    pub(super) parse: fn(&str) -> Option<f64>,
    /// What to write: follows "must be".
    pub(super) wanted: &'static str,
    /// How to write it.
    pub(super) hint: Option<&'static str>,
}

/// Returns the unit that a schema wants.
pub(super) fn unit(schema: &Value) -> Option<Unit> {
    let unit = |parse: fn(&str) -> Option<f64>, wanted, hint| Some(Unit { parse, wanted, hint });
    let (long, short) = (
        Some("a number and a unit: `7d`, `12h`, `30m`, `90s`, or several as in `1d12h`"),
        Some("a number and a unit: `30s`, `5s`, `500ms`"),
    );
    match schema["format"].as_str()? {
        "duration" => unit(|text| parse_duration(text).map(|seconds| seconds as f64), "a duration", long),
        "pause" => unit(|text| parse_pause(text).map(|pause| pause.as_secs_f64()), "a duration", short),
        "minutes" => {
            let whole = |text: &str| parse_duration(text).filter(|seconds| seconds % 60 == 0).map(|whole| whole as f64);
            unit(whole, "whole minutes such as `10m`", None)
        }
        "count" => {
            let digits = |text: &str| text.parse().ok().filter(|number: &u32| *number > 0).map(f64::from);
            unit(digits, "a whole number of at least 1", None)
        }
        "share" => unit(parse_share, "a share such as `5%` or `0.05`, at most `100%`", None),
        "size" => unit(|text| parse_size(text).map(|bytes| bytes as f64), "a size such as `4g` or `512m`", None),
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

/// Lets `none` be written where a value may be left out, so that it can be taken away again.
pub fn or_none(schema: &mut Schema) {
    or_word(schema, "none");
}

/// Lets a word be written for a value that is left out.
pub fn or_word(schema: &mut Schema, word: &str) {
    let mut whole = std::mem::take(schema).to_value();
    let described = whole.as_object_mut().and_then(|whole| whole.shift_remove("description"));
    if let Some(Value::Array(types)) = whole.get_mut("type") {
        types.retain(|one| one != "null");
        if let [one] = types.as_slice() {
            whole["type"] = one.clone();
        }
    }
    let mut forms = match whole["anyOf"].take() {
        Value::Array(forms) => forms,
        _ => vec![without_nulls(whole), json!({ "type": "null" })],
    };
    forms.push(json!({ "const": word }));
    schema.insert("anyOf".into(), forms.into());
    described.map(|text| schema.insert("description".into(), text));
}

/// Lets a list of one be written without brackets.
pub fn or_single(schema: &mut Schema) {
    let mut list = std::mem::take(schema).to_value();
    let described = list.as_object_mut().and_then(|list| list.shift_remove("description"));
    let (one, examples) = (list["items"].clone(), list.get("examples").cloned());
    list.as_object_mut().map(|list| list.shift_remove("default"));
    schema.insert("anyOf".into(), json!([list, one]));
    examples.map(|examples| schema.insert("examples".into(), examples));
    described.map(|text| schema.insert("description".into(), text));
}

/// Looking for a key of a JSON object leaves a null there.
fn without_nulls(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, field| !field.is_null());
    }
    value
}

/// A quantity as people write it, or as soflow's own records have it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Quantity {
    Whole(u64),
    Share(f64),
    Text(String),
}

fn quantity<'de, T, D: Deserializer<'de>>(
    deserializer: D,
    wanted: &str,
    parse: impl Fn(&Quantity) -> Option<T>,
) -> Result<T, D::Error> {
    let written = Quantity::deserialize(deserializer)?;
    parse(&written).ok_or_else(|| de::Error::custom(format!("not {wanted}")))
}

/// Reads the seconds of a duration.
///
/// # Errors
/// When it is none.
pub fn read_seconds<'de, T: TryFrom<u64>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    quantity(deserializer, "a duration", |written| match written {
        Quantity::Text(text) => T::try_from(u64::try_from(parse_duration(text)?).ok()?).ok(),
        Quantity::Whole(seconds) => T::try_from(*seconds).ok(),
        Quantity::Share(_) => None,
    })
}

/// Reads the minutes of a duration.
///
/// # Errors
/// When it is none.
pub fn read_minutes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    read_seconds(deserializer).map(|seconds: u32| seconds / 60)
}

/// Reads a duration that may be shorter than a second.
///
/// # Errors
/// When it is none.
pub fn read_pause<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    quantity(deserializer, "a duration", |written| match written {
        Quantity::Text(text) => parse_pause(text),
        _ => None,
    })
}

/// Reads a share, 0 to 1.
///
/// # Errors
/// When it is none.
pub fn read_share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    quantity(deserializer, "a share", |written| match written {
        Quantity::Text(text) => parse_share(text),
        Quantity::Whole(whole) => Some(*whole as f64),
        Quantity::Share(share) => Some(*share),
    })
}

/// Reads the bytes of a size, if there is one.
///
/// # Errors
/// When it is none.
pub fn read_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    match Option::<Quantity>::deserialize(deserializer)? {
        Some(Quantity::Text(text)) => Ok(parse_size(&text)),
        Some(Quantity::Whole(bytes)) => Ok(Some(bytes)),
        _ => Ok(None),
    }
}
