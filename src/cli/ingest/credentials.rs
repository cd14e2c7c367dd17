//! Where the API's key comes from: the environment, else a file, else Secrets Manager. None of the three is an answer too.
//!
//! Whatever fails says where it was looked, and never what was found there.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde_json::{Value as Json, json};

use super::super::workspace::Workspace;
use crate::aws::{CallError, SECRETS_MANAGER, Session, SessionOptions};
use crate::config::Ingest;
use crate::encoding;
use crate::error::{Error, Kind, Result};
use crate::ingest::api::{Credentials, Secret};

/// Most bytes that a file with a key may have: a key has tens. More is a mistake, such as the wrong file.
const LARGEST: u64 = 4096;

/// The secret of the stack whose function this is, by its ARN.
const SECRET_OF_STACK: &str = "SOFLOW_API_KEY_SECRET";

/// What others may do with a file, in its mode: anything at all.
const OTHERS: u32 = 0o077;

/// Returns what the API shall know us by, looked for only as far as it is not found yet.
///
/// # Errors
/// `Usage` when a file or a secret that the settings name is not there, can be read by others, or has no usable key;
/// `Machine` when AWS cannot be asked or does not answer.
pub async fn credentials(work: &Workspace<'_>) -> Result<Credentials> {
    let settings = &work.project.settings.ingest;
    let ask = async |name: &str| fetch(&session(work, name).await?, name).await;
    gather(&work.app.environment, settings, ask).await
}

/// Returns the credentials; `ask` gets the text of a secret from Secrets Manager.
async fn gather(
    environment: &BTreeMap<String, String>,
    settings: &Ingest,
    ask: impl AsyncFnOnce(&str) -> Result<String>,
) -> Result<Credentials> {
    let key = near(environment, "SOFLOW_API_KEY", "ingest.key-file", settings.key_file.as_ref())?;
    let token = near(environment, "SOFLOW_API_TOKEN", "ingest.token-file", settings.token_file.as_ref())?;
    let known = Credentials { key, token };
    let of_stack = environment.get(SECRET_OF_STACK).filter(|_| settings.secret.is_none());
    let Some(name) = settings.secret.as_ref().or(of_stack).filter(|_| known.key.is_none() || known.token.is_none())
    else {
        return Ok(known);
    };
    let text = match ask(name).await {
        // A stack makes its secret empty: until someone has put a key there, the API is asked without one.
        Err(error) if of_stack.is_some() && error.kind == Kind::Usage => return Ok(known),
        text => text?,
    };
    let kept = read_secret(name, &text)?;
    Ok(Credentials { key: known.key.or(kept.key), token: known.token.or(kept.token) })
}

/// Returns what a variable holds, else the file that a setting names.
fn near(
    environment: &BTreeMap<String, String>,
    variable: &str,
    setting: &str,
    path: Option<&PathBuf>,
) -> Result<Option<Secret>> {
    if let Some(secret) = environment.get(variable).map_or(Ok(None), |text| sendable(text, &format!("`{variable}`")))? {
        return Ok(Some(secret));
    }
    path.map(|path| read_file(path, setting)).transpose()
}

/// Returns the secret in a text, `None` when there is only white space; `place` says where the text is from.
///
/// # Errors
/// `Usage` when it has characters that cannot be in a header, or that none of the API's keys has.
fn sendable(text: &str, place: &str) -> Result<Option<Secret>> {
    let Some(secret) = Secret::new(text) else { return Ok(None) };
    if secret.expose().chars().all(|c| c.is_ascii_graphic()) {
        return Ok(Some(secret));
    }
    let message = format!("{place} has white space or characters outside ASCII within the key");
    Err(Error::new(Kind::Usage, message).hint("copy the key again, on its own: it is not shown here"))
}

/// Returns the secret in the first line of a file that the setting named `setting` names.
///
/// # Errors
/// `Usage` when there is no such file, it is not the user's alone, or its first line is no key; `Machine` when it cannot be
/// read.
fn read_file(path: &Path, setting: &str) -> Result<Secret> {
    let shown = path.display();
    let refuse = |why: String| Error::new(Kind::Usage, format!("`{setting}` cannot be used: {why}"));
    // Before it is opened: opening a pipe would wait for whoever writes to it.
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => return Err(refuse(format!("`{shown}` is not a file"))),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let error = refuse(format!("there is no file `{shown}`"));
            return Err(error.hint(format!("write the key into it: `(umask 077; cat > {shown})`")));
        }
        Err(error) => return Err(error.into()),
    }
    let file = fs::File::open(path)?;
    let found = file.metadata()?;
    // A file made by this process belongs to its user.
    if found.uid() != tempfile::tempfile()?.metadata()?.uid() {
        let error = refuse(format!("`{shown}` belongs to somebody else, who can change it"));
        return Err(error.hint(format!("make it yours: `sudo chown \"$(id -u)\" {shown}`")));
    }
    if found.mode() & OTHERS != 0 {
        let error = refuse(format!("others may use `{shown}`: its mode is {:04o}", found.mode() & 0o7777));
        return Err(error.hint(format!("chmod 600 {shown}")));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(
            refuse(format!("`{shown}` has more than {LARGEST} bytes")).hint("the file holds the key and no more")
        );
    }
    let line = bytes.split(|byte| b"\r\n".contains(byte)).next().unwrap_or_default();
    let text = encoding::text(line);
    let text = text.map_err(|foreign| refuse(format!("`{shown}` is {}", foreign.what)).hint(foreign.mending))?;
    let secret = sendable(text.strip_prefix(encoding::MARK).unwrap_or(text), &format!("the first line of `{shown}`"))?;
    secret.ok_or_else(|| {
        refuse(format!("the first line of `{shown}` is empty")).hint("write the key there, or remove the setting")
    })
}

/// Returns the text of the secret with that name or ARN.
///
/// # Errors
/// `Usage` when there is no such secret or no text in it; `Machine` when AWS does not answer or does not allow it.
async fn fetch(session: &Session, name: &str) -> Result<String> {
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
async fn session(work: &Workspace<'_>, name: &str) -> Result<Session> {
    let region = region_of(name);
    if let Some(session) = work.session.as_ref().filter(|session| region.is_none_or(|named| named == session.region()))
    {
        return Ok(session.clone());
    }
    let profile = work.project.emr().ok().and_then(|emr| emr.profile.clone());
    let region = region.map(String::from);
    // The quota is of calls to EMR; there are none here.
    Session::load(&SessionOptions { region, profile, quota: 1.0 }).await
}

/// Returns the region in an ARN.
fn region_of(name: &str) -> Option<&str> {
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
fn read_secret(name: &str, text: &str) -> Result<Credentials> {
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
