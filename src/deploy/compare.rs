//! What a template would change of a stack, found without CloudFormation: it is asked for nothing but what it was given.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::Change;

/// A template and the values of its parameters.
pub struct Filled<'a> {
    /// The template.
    pub template: &'a Json,
    /// The values, by name.
    pub parameters: BTreeMap<String, String>,
}

/// Returns what would change of the resources of a stack, by name; `None`: there is no stack. Which of them would be replaced
/// only CloudFormation knows.
#[must_use]
pub fn compared(deployed: Option<&Filled<'_>>, wanted: &Filled<'_>) -> Vec<Change> {
    let (before, after) = (deployed.map(resources).unwrap_or_default(), resources(wanted));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let change = |name: &&String| {
        let (action, properties) = match (before.get(*name), after.get(*name)) {
            (None, _) => ("Add", Vec::new()),
            (_, None) => ("Remove", Vec::new()),
            (Some(before), Some(after)) if before == after => return None,
            (Some(before), Some(after)) => ("Modify", different(before, after)),
        };
        let kind = after.get(*name).or_else(|| before.get(*name))?["Type"].as_str().unwrap_or_default().to_string();
        Some(Change { action: action.into(), resource: (*name).clone(), kind, replacement: String::new(), properties })
    };
    names.iter().filter_map(change).collect()
}

/// Returns the resources by name, with the values of parameters in their places.
pub(super) fn resources(Filled { template, parameters }: &Filled<'_>) -> BTreeMap<String, Json> {
    let defaults = template["Parameters"].as_object().into_iter().flatten();
    let mut values: BTreeMap<String, String> =
        defaults.filter_map(|(name, one)| Some((name.clone(), one["Default"].as_str()?.to_string()))).collect();
    values.extend(parameters.clone());
    let found = template["Resources"].as_object().into_iter().flatten();
    found.map(|(name, resource)| (name.clone(), with_values(resource, &values))).collect()
}

fn with_values(value: &Json, values: &BTreeMap<String, String>) -> Json {
    match value {
        Json::Object(fields) => match fields.get("Ref").and_then(Json::as_str).and_then(|name| values.get(name)) {
            Some(value) => value.as_str().into(),
            None => {
                let fields = fields.iter().map(|(name, value)| (name.clone(), with_values(value, values)));
                fields.collect::<Map<_, _>>().into()
            }
        },
        Json::Array(items) => items.iter().map(|item| with_values(item, values)).collect(),
        other => other.clone(),
    }
}

/// Returns the names of the properties, and of what is beside them, that are not the same.
fn different(before: &Json, after: &Json) -> Vec<String> {
    let keys = |one: &Json| -> BTreeSet<String> {
        one.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
    };
    let differs = |one: &Json, other: &Json| -> Vec<String> {
        keys(one).union(&keys(other)).filter(|key| one[key.as_str()] != other[key.as_str()]).cloned().collect()
    };
    let mut found = differs(&before["Properties"], &after["Properties"]);
    found.extend(differs(before, after).into_iter().filter(|key| key != "Properties"));
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(deployed: Option<(&Json, &str)>, wanted: (&Json, &str)) -> Vec<String> {
        let filled = |(template, key): (_, &str)| Filled {
            template,
            parameters: BTreeMap::from([("CodeKey".to_string(), key.to_string())]),
        };
        let deployed = deployed.map(filled);
        let changes = compared(deployed.as_ref(), &filled(wanted));
        let line = |one: &Change| format!("{} {} {} {}", one.action, one.kind, one.resource, one.properties.join(","));
        changes.iter().map(|one| line(one).trim_end().to_string()).collect()
    }

    #[test]
    fn what_differs_is_told_by_resource_and_property() {
        let parameters = json!({ "CodeKey": {}, "Schedules": { "Default": "ENABLED" } });
        let before = json!({ "Parameters": parameters, "Resources": {
            "Function": { "Type": "F", "Properties": { "Code": [{ "Ref": "CodeKey" }], "State": { "Ref": "Schedules" } } },
            "Gone": { "Type": "G" },
            "Same": { "Type": "S", "Properties": { "Key": { "Ref": "Other" } } },
            "Kept": { "Type": "K", "DeletionPolicy": "Delete", "Properties": { "Size": 1 } },
        } });
        assert_eq!(told(Some((&before, "a.zip")), (&before, "a.zip")), [""; 0]);
        assert_eq!(told(Some((&before, "a.zip")), (&before, "b.zip")), ["Modify F Function Code"]);
        let mut after = before.clone();
        after["Parameters"]["Schedules"]["Default"] = "DISABLED".into();
        after["Resources"].as_object_mut().unwrap().remove("Gone");
        after["Resources"]["New"] = json!({ "Type": "N" });
        after["Resources"]["Kept"] = json!({ "Type": "K", "DeletionPolicy": "Retain", "Properties": { "Color": 1 } });
        let expected =
            ["Modify F Function State", "Remove G Gone", "Modify K Kept Color,Size,DeletionPolicy", "Add N New"];
        assert_eq!(told(Some((&before, "a.zip")), (&after, "a.zip")), expected);
        assert_eq!(told(None, (&before, "")), ["Add F Function", "Add G Gone", "Add K Kept", "Add S Same"]);
    }
}
