//! A key in AWS Secrets Manager.

use serde_json::{Value as Json, json};

use super::sendable;
use crate::aws::{CallError, SECRETS_MANAGER, Session, SessionOptions};
use crate::cli::connections::Connections;
use crate::cli::project::Project;
use crate::config::TargetKind;
use crate::error::{Error, Kind, Result};
use crate::ingest::api::{Credentials, Secret};

/// Returns the text of the secret with that name or ARN.
///
/// # Errors
/// `Usage` when there is no such secret or no text in it; `Machine` when AWS does not answer or does not allow it.
pub(super) async fn fetch(session: &Session, name: &str) -> Result<String> {
    // As JSON and not as a type: what reading a type complains about could have the secret in it.
    let answer: Json = session
        .call(&SECRETS_MANAGER, "GetSecretValue", &json!({ "SecretId": name }))
        .await
        .map_err(|error| failed(error, name, session.region()))?;
    let text = answer.get("SecretString").and_then(Json::as_str).map(String::from);
    text.ok_or_else(|| {
        Error::new(Kind::Usage, format!("the secret `{name}` has no text: it is binary"))
            .hint("store the key as text: `aws secretsmanager put-secret-value --secret-string file://KEY`")
    })
}

/// Returns the way to a secret: an ARN is asked for in its own region; else that of the lake, or one of its own.
///
/// # Errors
/// `Usage` when no region is named anywhere.
pub(super) async fn session(project: &Project, connections: &Connections, name: &str) -> Result<Session> {
    let region = region_of(name);
    if let Some(session) =
        connections.session.as_ref().filter(|session| region.is_none_or(|named| named == session.region()))
    {
        return Ok(session.clone());
    }
    let (own, profile) = match &project.target()?.kind {
        TargetKind::Emr(emr) => (emr.region.clone(), emr.profile.clone()),
        TargetKind::Local(_) => (None, None),
    };
    let region = region.map(String::from).or(own);
    // The quota is of calls to EMR; there are none here.
    Session::load(&SessionOptions { region, profile, quota: 1.0 }).await
}

/// Returns the region in an ARN.
pub(super) fn region_of(name: &str) -> Option<&str> {
    name.strip_prefix("arn:")?.split(':').nth(2)
}

fn failed(error: CallError, name: &str, region: &str) -> Error {
    let (missing, denied) = (error.code == "ResourceNotFoundException", error.is_denied());
    let mut failure = Error::from(error).detail(format!("secret `{name}`, named by `ingest.secret`, in {region}"));
    if missing {
        failure.kind = Kind::Usage;
        return failure.hint(format!("`aws secretsmanager list-secrets --region {region}` lists those that are there"));
    }
    if denied {
        return failure.hint("a secret that is encrypted with a KMS key of yours takes `kms:Decrypt` on that key too");
    }
    failure
}

/// Returns the key and the token in the text of a secret: JSON with `key` and `access_token`, or the key alone.
///
/// # Errors
/// `Usage` when there is neither, or what is there cannot be sent.
pub(super) fn read(name: &str, text: &str) -> Result<Credentials> {
    let refuse = |why: &str| {
        Error::new(Kind::Usage, format!("the secret `{name}` {why}"))
            .hint("it holds the key alone, or `{\"key\": \"…\", \"access_token\": \"…\"}`")
    };
    let credentials = if text.trim_start().starts_with('{') {
        // The parser's own words could quote the text.
        let all: Json = serde_json::from_str(text).map_err(|_| refuse("begins like JSON and is none"))?;
        let one = |field: &str| -> Result<Option<Secret>> {
            match all.get(field) {
                None | Some(Json::Null) => Ok(None),
                Some(Json::String(text)) => sendable(text, &format!("`{field}` of the secret `{name}`")),
                Some(_) => Err(refuse(&format!("has a `{field}` that is no text"))),
            }
        };
        Credentials { key: one("key")?, token: one("access_token")? }
    } else {
        Credentials { key: sendable(text, &format!("the secret `{name}`"))?, token: None }
    };
    if credentials == Credentials::default() {
        return Err(refuse("has neither a key nor a token"));
    }
    Ok(credentials)
}

#[cfg(test)]
mod tests;
