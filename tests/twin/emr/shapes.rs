//! What requests and answers may hold, from AWS's model of the API. Stricter than AWS in one way: a field that does not
//! exist is refused instead of ignored, so that a misspelt one is found.

use std::sync::OnceLock;

use serde_json::Value;

use super::Refusal;

fn model() -> &'static Value {
    static MODEL: OnceLock<Value> = OnceLock::new();
    MODEL.get_or_init(|| serde_json::from_str(include_str!("shapes.json")).expect("shapes.json is JSON"))
}

/// Refuses a request that the API would not take.
pub fn check_request(operation: &str, body: &Value) -> Result<(), Refusal> {
    let shapes = model()["operations"].get(operation).ok_or_else(Refusal::unknown_operation)?;
    match shapes[0].as_str() {
        Some(shape) => check(shape, body, ""),
        None => Ok(()),
    }
}

/// Makes sure that an answer is one the API could give.
pub fn check_answer(operation: &str, answer: &Value) {
    if let Some(shape) = model()["operations"][operation][1].as_str()
        && let Err(refusal) = check(shape, answer, "")
    {
        panic!("the twin's answer to {operation} is not one of EMR's: {refusal:?}\n{answer:#}");
    }
}

fn check(name: &str, value: &Value, path: &str) -> Result<(), Refusal> {
    let shape = &model()["shapes"][name];
    match shape["type"].as_str().unwrap_or_default() {
        "structure" => structure(shape, value, path),
        "list" => {
            let items = value.as_array().ok_or_else(|| wrong_type("a list", path))?;
            bounds(shape, items.len(), path, value)?;
            let member = shape["member"].as_str().unwrap_or_default();
            items
                .iter()
                .enumerate()
                .try_for_each(|(at, item)| check(member, item, &format!("{path}.{}.member", at + 1)))
        }
        "map" => {
            let entries = value.as_object().ok_or_else(|| wrong_type("a map", path))?;
            let inner = shape["value"].as_str().unwrap_or_default();
            entries.iter().try_for_each(|(key, value)| check(inner, value, &format!("{path}.{key}")))
        }
        "string" => {
            let text = value.as_str().ok_or_else(|| wrong_type("a string", path))?;
            // A test may let a step be in a state that the API gets only later.
            if !path.ends_with("status.state") || name != "StepState" {
                one_of(shape, text, path)?;
            }
            bounds(shape, text.chars().count(), path, value)
        }
        "boolean" if value.is_boolean() => Ok(()),
        "integer" | "long" if value.is_i64() => Ok(()),
        "timestamp" | "double" | "float" if value.is_number() => Ok(()),
        other => Err(wrong_type(other, path)),
    }
}

fn structure(shape: &Value, value: &Value, path: &str) -> Result<(), Refusal> {
    let fields = value.as_object().ok_or_else(|| wrong_type("a structure", path))?;
    let below = |name: &str| if path.is_empty() { lower(name) } else { format!("{path}.{}", lower(name)) };
    for name in shape["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if fields.get(name).is_none_or(Value::is_null) {
            return Err(constraint("null", &below(name), "Member must not be null"));
        }
    }
    for (name, value) in fields {
        let Some(inner) = shape["members"].get(name).and_then(Value::as_str) else {
            return Err(Refusal::malformed(format!("Unrecognized field \"{name}\" in \"{path}\"")));
        };
        check(inner, value, &below(name))?;
    }
    Ok(())
}

fn one_of(shape: &Value, text: &str, path: &str) -> Result<(), Refusal> {
    match shape["enum"].as_array() {
        Some(known) if !known.iter().any(|value| value == text) => {
            let known: Vec<&str> = known.iter().filter_map(Value::as_str).collect();
            let rule = format!("Member must satisfy enum value set: [{}]", known.join(", "));
            Err(constraint(text, path, &rule))
        }
        _ => Ok(()),
    }
}

fn bounds(shape: &Value, length: usize, path: &str, value: &Value) -> Result<(), Refusal> {
    let limit = |key: &str| shape[key].as_u64().and_then(|limit| usize::try_from(limit).ok());
    let text = value.as_str().map_or_else(|| value.to_string(), ToString::to_string);
    if let Some(most) = limit("max").filter(|most| length > *most) {
        return Err(constraint(&text, path, &format!("Member must have length less than or equal to {most}")));
    }
    if let Some(least) = limit("min").filter(|least| length < *least) {
        return Err(constraint(&text, path, &format!("Member must have length greater than or equal to {least}")));
    }
    Ok(())
}

fn constraint(value: &str, path: &str, rule: &str) -> Refusal {
    Refusal::validation(format!(
        "1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: {rule}"
    ))
}

fn wrong_type(wanted: &str, path: &str) -> Refusal {
    Refusal::malformed(format!("\"{path}\" is not {wanted}"))
}

/// The service's messages name fields as its Java code does.
fn lower(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
