//! The description of all settings: a JSON Schema and the page `docs/config.md`.
//!
//! Keys, types and limits are those of the structs that serde reads; help and defaults are those of the shipped file,
//! comment by comment. Both are made here, so that they cannot say something else.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::{Value, json};

use super::emr::{Emr, Shape};
use super::ingest::Ingest;
use super::settings::{Lake, Local, location};
use crate::yaml::{Problems, Source, parse, units};

/// The settings as shipped: every key with its default and what it means.
pub(super) const DEFAULTS: &str = include_str!("../../config/soflow.yaml");

/// What the shipped settings are called where a value's origin is shown.
pub(super) const DEFAULT_ORIGIN: &str = "default";

/// The shape that others take from what they do not say.
pub(super) const STANDARD: &str = "standard";

/// The locations of a lake.
pub(super) const LAKE: [&str; 4] = ["raw", "curated", "artifacts", "logs"];

/// Variables and the settings they give; those of a target are for the selected one.
pub(super) const VARIABLES: [(&str, &str); 6] = [
    ("SOFLOW_TARGET", "default-target"),
    ("SOFLOW_ENGINE", "engine"),
    ("SOFLOW_PARALLEL", "parallel"),
    ("SOFLOW_PYTHON", "python"),
    ("SOFLOW_ENGINE_DIR", "engine-dir"),
    ("SOFLOW_LAKE", "lake"),
];

/// Variables that hold a secret, and what it is: they are no settings, so that nothing that shows settings shows them.
pub(super) const SECRETS: [(&str, &str); 2] = [
    ("SOFLOW_API_KEY", "the application's key for the Stack Exchange API, stronger than `ingest.key-file`"),
    ("SOFLOW_API_TOKEN", "a user's access token, stronger than `ingest.token-file`"),
];

/// Variables that begin like ours but are not settings: who a run belongs to, what functions of a stack find in their
/// environment, and what the project's own tests read.
pub(super) const NOT_SETTINGS: [&str; 9] = [
    "SOFLOW_ALERTS",
    "SOFLOW_API_KEY_SECRET",
    "SOFLOW_OWNER",
    "SOFLOW_REAL_DATA",
    "SOFLOW_STACK",
    "SOFLOW_TEST_CHECKOV",
    "SOFLOW_TEST_DEPENDENCIES",
    "SOFLOW_TEST_ENGINE",
    "SOFLOW_TEST_PARITY",
];

/// Every setting, as `config/soflow.yaml` has them.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", title = "soflow settings", deny_unknown_fields)]
#[expect(dead_code, reason = "the fields are read one by one, over several layers; this is their description")]
struct SettingsFile {
    #[schemars(schema_with = "units::text")]
    default_target: String,
    #[schemars(extend("format" = "path", "minLength" = 1))]
    jobs: PathBuf,
    #[schemars(extend("format" = "path", "minLength" = 1))]
    code: PathBuf,
    #[schemars(schema_with = "units::duration")]
    keep_for: i64,
    #[schemars(extend("propertyNames" = { "format": "target name" }))]
    targets: BTreeMap<String, AnyTarget>,
    #[schemars(extend("propertyNames" = { "format": "cluster name" }))]
    clusters: BTreeMap<String, Shape>,
    ingest: Ingest,
}

/// A target, which is of one of the kinds.
struct AnyTarget;

impl JsonSchema for AnyTarget {
    fn schema_name() -> Cow<'static, str> {
        "Target".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let kinds = [
            ("LocalTarget", "local", Local::json_schema(generator)),
            ("EmrTarget", "emr", Emr::json_schema(generator)),
        ];
        let lake = json!({ "anyOf": [generator.subschema_for::<Lake>(), location(generator)] });
        let kinds = kinds.map(|(name, kind, mut schema)| {
            if let Some(keys) = schema.get_mut("properties").and_then(Value::as_object_mut) {
                keys.insert("kind".into(), json!({ "type": "string", "const": kind }));
                keys.insert("lake".into(), lake.clone());
            }
            if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
                required.push("kind".into());
            }
            generator.definitions_mut().insert(name.into(), schema.into());
            json!({ "$ref": format!("#/$defs/{name}") })
        });
        json_schema!({ "title": "target", "anyOf": kinds })
    }
}

/// Where the parts of the shipped file are in the schema. What has several uses keeps the help of its type.
const DESCRIBED: [(&str, &str); 10] = [
    ("targets.local.lake", "/$defs/Lake/properties"),
    ("targets.local", "/$defs/LocalTarget/properties"),
    ("targets.emr.stack", "/$defs/StackSettings/properties"),
    ("targets.emr", "/$defs/EmrTarget/properties"),
    ("clusters.standard.scaling", "/$defs/Scaling/properties"),
    ("clusters.standard.disk", "/$defs/Disk/properties"),
    ("clusters.standard", "/$defs/Shape/properties"),
    ("ingest.filters", "/$defs/Ingest/properties/filters/properties"),
    ("ingest", "/$defs/Ingest/properties"),
    ("", "/properties"),
];

/// The schema that settings are checked against once merged: every key has a value then.
pub(super) static MERGED: LazyLock<Value> = LazyLock::new(|| {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<SettingsFile>().to_value();
    for definition in schema["$defs"].as_object_mut().into_iter().flat_map(|all| all.values_mut()) {
        if definition["properties"].is_object() {
            definition["additionalProperties"] = false.into();
        } else {
            definition.as_object_mut().map(|fields| fields.shift_remove("properties"));
        }
    }
    schema["$defs"]["Shape"]["title"] = "cluster".into();
    schema
});

/// Adds to a schema of the settings what the shipped file says of each key: what it means, and its default.
fn explain(schema: &mut Value) {
    let shipped = parse(&Source::file("", DEFAULTS), &mut Problems::default());
    for help in helps() {
        let Some((parent, key)) = help.path.rsplit_once('.').or(Some(("", &help.path))) else { continue };
        let place = DESCRIBED.iter().find(|(prefix, _)| *prefix == parent);
        let Some(property) = place.and_then(|(_, place)| schema.pointer_mut(place)?.get_mut(key)) else { continue };
        property["description"] = help.text.replace('\n', " ").into();
        let default =
            shipped.as_ref().and_then(|shipped| shipped.at(&help.path)).filter(|value| value.entries().is_empty());
        if let Some(default) = default.filter(|value| !value.is_null()) {
            property["default"] = serde_json::to_value(default).unwrap_or_default();
        }
    }
}

/// Returns the JSON Schema of the file, for editors: a file holds what differs from the defaults, so no key must be there,
/// and what has a short form may be written in it.
pub fn settings_schema() -> Value {
    let mut schema = MERGED.clone();
    explain(&mut schema);
    schema.as_object_mut().map(|root| root.shift_remove("required"));
    for (_, definition) in schema["$defs"].as_object_mut().into_iter().flatten() {
        definition.as_object_mut().map(|fields| fields.shift_remove("required"));
    }
    for part in ["primary", "core", "task"] {
        let fleet = &mut schema["$defs"]["Shape"]["properties"][part];
        *fleet = json!({ "anyOf": [fleet.take(), { "$ref": "#/$defs/Fleet/properties/types" }] });
    }
    schema
}

/// What the shipped file says of one key.
struct Help {
    /// Such as `targets.local.engine`; empty for a comment of its own.
    path: String,
    text: String,
    default: &'static str,
}

/// Returns the comments of the shipped file, each with the key below it.
fn helps() -> Vec<Help> {
    let mut found = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    let mut path: Vec<&str> = Vec::new();
    for line in DEFAULTS.lines() {
        let content = line.trim_start();
        let mut text = || std::mem::take(&mut comment).join("\n");
        if let Some(text) = content.strip_prefix('#') {
            comment.push(text.strip_prefix(' ').unwrap_or(text));
        } else if content.is_empty() {
            found.push(Help { path: String::new(), text: text(), default: "" });
        } else if let Some((key, value)) = content.split_once(':') {
            path.truncate((line.len() - content.len()) / 2);
            path.push(key);
            found.push(Help { path: path.join("."), text: text(), default: value.trim() });
        }
    }
    found
}

/// How an editor is told of the schemas.
const IN_AN_EDITOR: &str = "
## In an editor

`config/schema/soflow.schema.json` is a JSON Schema of all this, `config/schema/job.schema.json` one of job files, and
`soflow config schema` and `soflow config schema job` print them. An editor that knows the YAML language server completes
keys, shows what they mean and marks mistakes when a file has a line with the way to its schema:

```yaml
# yaml-language-server: $schema=schema/soflow.schema.json
```

It knows less than `soflow validate`, which also looks at files and at what must fit together.
";

/// Returns `docs/config.md`.
pub fn reference() -> String {
    let mut page =
        String::from("<!-- Made from config/soflow.yaml. Change that file, not this one. -->\n\n# Settings\n");
    for Help { path, text, default } in helps() {
        if !path.is_empty() {
            page.push_str(&format!("\n## {}\n", title(&path)));
        }
        if !text.is_empty() {
            page.push_str(&format!("\n{text}\n"));
        }
        if !matches!(default, "" | "[]" | "{}") {
            page.push_str(&format!("\nDefault: `{default}`\n"));
        }
    }
    page.push_str(IN_AN_EDITOR);
    page.push_str("\n## Environment\n\n| variable | setting |\n|---|---|\n");
    for (variable, key) in VARIABLES {
        let scope = match (key, kind_with(key)) {
            ("default-target", _) => String::new(),
            (_, None) => " of the target in use".into(),
            (_, Some(kind)) => format!(" of the target in use, when that is of kind `{kind}`"),
        };
        page.push_str(&format!("| `{variable}` | `{key}`{scope} |\n"));
    }
    page.push_str(
        "\nTwo more hold secrets, which are no settings and are never shown.\n\n| variable | holds |\n|---|---|\n",
    );
    for (variable, what) in SECRETS {
        page.push_str(&format!("| `{variable}` | {what} |\n"));
    }
    page
}

/// Returns the name of a key as anyone's settings could have it: the shipped entries stand for all of their kind.
pub(super) fn title(path: &str) -> String {
    match path.split('.').collect::<Vec<_>>().as_slice() {
        ["targets", kind, rest @ ..] => {
            format!("`{}` of kind `{kind}`", [&["targets", "<name>"], rest].concat().join("."))
        }
        ["clusters", _, rest @ ..] => format!("`{}`", [&["clusters", "<name>"], rest].concat().join(".")),
        _ => format!("`{path}`"),
    }
}

/// Returns the keys that a type of the schema can have.
pub(super) fn keys(definition: &str) -> Vec<&'static str> {
    let schema: &'static Value = &MERGED;
    let keys = schema["$defs"][definition]["properties"].as_object();
    keys.into_iter().flat_map(|keys| keys.keys()).map(String::as_str).collect()
}

/// Returns the kind of target that has `key`; `None` when all have it, or none.
pub(super) fn kind_with(key: &str) -> Option<&'static str> {
    match [keys("LocalTarget"), keys("EmrTarget")].map(|keys| keys.contains(&key)) {
        [true, false] => Some("local"),
        [false, true] => Some("emr"),
        _ => None,
    }
}
