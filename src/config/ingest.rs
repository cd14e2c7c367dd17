//! What is read from the Stack Exchange API, as the settings say.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

/// The endpoints that can be read, by the names of their folders in raw.
pub const ENDPOINTS: [&str; 7] = ["questions", "answers", "comments", "posts", "tags", "synonyms", "users"];

/// The settings below `ingest`. What they name are places of secrets, never a secret.
#[derive(Clone, Debug, Serialize)]
pub struct Ingest {
    /// What the API calls the site: `stackoverflow`.
    pub site: String,
    /// What is read when the command names nothing; at least one of [`ENDPOINTS`], each once.
    pub endpoints: Vec<String>,
    /// Where the API is, without a slash at the end: `https`, or `http` on this machine.
    pub api: String,
    /// How key and token are sent.
    pub auth: Auth,
    /// The file with the application's key.
    pub key_file: Option<PathBuf>,
    /// The file with a user's access token.
    pub token_file: Option<PathBuf>,
    /// The name or the ARN of a secret in Secrets Manager.
    pub secret: Option<String>,
    /// The API's filter of each endpoint that has one, by endpoint; the others have the API's own default.
    pub filters: BTreeMap<String, String>,
}

/// How key and token are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
