//! What is read from the Stack Exchange API, as the settings say.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::yaml::units;

/// The endpoints that can be read, by the names of their folders in raw.
pub const ENDPOINTS: [&str; 7] = ["questions", "answers", "comments", "posts", "tags", "synonyms", "users"];

/// The settings below `ingest`. What they name are places of secrets, never a secret.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(deserialize = "kebab-case"))]
pub struct Ingest {
    /// What the API calls the site: `stackoverflow`.
    #[schemars(extend("pattern" = "^[a-z0-9][a-z0-9.-]*$", "examples" = ["stackoverflow", "ru.stackoverflow"]))]
    pub site: String,
    /// What is read when the command names nothing; at least one of [`ENDPOINTS`], each once.
    #[schemars(schema_with = "endpoints", transform = units::or_single)]
    pub endpoints: Vec<String>,
    /// Where the API is, without a slash at the end: `https`, or `http` on this machine.
    #[schemars(extend("format" = "address"))]
    pub api: String,
    /// How key and token are sent.
    pub auth: Auth,
    /// The file with the application's key.
    #[schemars(extend("format" = "path", "minLength" = 1), transform = units::or_none)]
    pub key_file: Option<PathBuf>,
    /// The file with a user's access token.
    #[schemars(extend("format" = "path", "minLength" = 1), transform = units::or_none)]
    pub token_file: Option<PathBuf>,
    /// The name or the ARN of a secret in Secrets Manager.
    #[serde(default)]
    #[schemars(schema_with = "units::optional_text")]
    pub secret: Option<String>,
    /// The API's filter of each endpoint that has one, by endpoint; the others have the API's own default.
    #[schemars(schema_with = "filters")]
    pub filters: BTreeMap<String, String>,
}

/// How key and token are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// In the header `Authorization`.
    Bearer,
    /// As the parameters `key` and `access_token`.
    Query,
}

impl Auth {
    /// Returns the name used in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Query => "query",
        }
    }
}

fn endpoints(_: &mut SchemaGenerator) -> Schema {
    let one = json!({ "type": "string", "enum": ENDPOINTS });
    json_schema!({ "type": "array", "items": one, "minItems": 1, "uniqueItems": true })
}

/// What other characters than visible ones of ASCII do to a request is not known.
fn filters(generator: &mut SchemaGenerator) -> Schema {
    let mut filter = units::text(generator);
    filter.insert("pattern".into(), "^[!-~]+$".into());
    filter.insert("examples".into(), json!(["withbody"]));
    units::or_none(&mut filter);
    let of_each: Map<String, Value> =
        ENDPOINTS.iter().map(|endpoint| ((*endpoint).into(), filter.clone().to_value())).collect();
    json_schema!({ "type": "object", "properties": of_each, "additionalProperties": false })
}
