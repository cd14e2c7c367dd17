//! Where the API's key comes from: the environment, else a file, else Secrets Manager. None of the three is an answer too.
//!
//! Whatever fails says where it was looked, and never what was found there.

mod file;
mod manager;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::cli::app::App;
use crate::cli::connections::Connections;
use crate::cli::project::Project;
use crate::config::Ingest;
use crate::error::{Error, Kind, Result};
use crate::ingest::api::{Credentials, Secret};

/// Returns what the API shall know us by, looked for only as far as it is not found yet.
///
/// # Errors
/// `Usage` when a file or a secret that the settings name is not there, can be read by others, or has no usable key;
/// `Machine` when AWS cannot be asked or does not answer.
pub async fn credentials(app: &App, project: &Project, connections: &Connections) -> Result<Credentials> {
    let settings = &project.resolved.settings.ingest;
    let ask = async |name: &str| manager::fetch(&manager::session(project, connections, name).await?, name).await;
    gather(&app.environment, settings, ask).await
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
    match &settings.secret {
        Some(name) if known.key.is_none() || known.token.is_none() => {
            let kept = manager::read(name, &ask(name).await?)?;
            Ok(Credentials { key: known.key.or(kept.key), token: known.token.or(kept.token) })
        }
        _ => Ok(known),
    }
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
    path.map(|path| file::read(path, setting)).transpose()
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

#[cfg(test)]
mod tests;
