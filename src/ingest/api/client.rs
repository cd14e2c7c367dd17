//! One request to the API and its answer. Knows the key, and is the only part that does.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderValue, USER_AGENT};

use super::response::{self, ApiPage, Expected, Fault, FaultClass};
use crate::error::{Error, Kind, Result};
use crate::ingest::page;
use crate::net::{self, Lost, WayOut};

/// Odd clients are kept out at the edge: one that says what it is.
const AGENT: &str = concat!("soflow/", env!("CARGO_PKG_VERSION"), " (Stack Exchange API reader)");

/// Longest silence of a server in the midst of an answer.
const SILENCE: Duration = Duration::from_secs(60);

/// A key or a token. It has no `Display`, and `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns the secret in `text`, white space around it left out; `None` when there is nothing else.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.into()))
    }

    /// Returns it as it is, for sending.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What the API knows its caller by. With neither, by the address alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The application's key.
    pub key: Option<Secret>,
    /// A user's access token.
    pub token: Option<Secret>,
}

/// A way to the API.
pub struct Client {
    http: reqwest::Client,
    base: String,
    credentials: Credentials,
    in_query: bool,
    header: Option<HeaderValue>,
}

/// An answer that is a page.
#[derive(Clone, Debug)]
pub struct ApiResponse {
    /// The HTTP status.
    pub status: u16,
    /// The body as it was sent, decompressed.
    pub body: Vec<u8>,
    /// What it says.
    pub page: ApiPage,
}

impl Client {
    /// Returns a way to the API at `base`, such as `https://api.stackexchange.com/2.3`. Key and token are sent `in_query`,
    /// as before June 2026, or in the header `Authorization`. Source: meta.stackexchange.com/questions/417382.
    ///
    /// # Errors
    /// `Machine` when TLS cannot be set up; `Usage` when the key cannot be one.
    pub fn new(base: &str, credentials: Credentials, in_query: bool) -> Result<Self> {
        let http = WayOut::of_environment(None)?.client().read_timeout(SILENCE).build();
        let http =
            http.map_err(|error| Error::new(Kind::Machine, "cannot set up TLS").caused_by(error.without_url()))?;
        let secret = credentials.token.as_ref().or(credentials.key.as_ref()).filter(|_| !in_query);
        let header = secret.map(|secret| HeaderValue::from_str(&format!("Bearer {}", secret.expose()))).transpose();
        let mut header =
            header.map_err(|_| Error::new(Kind::Usage, "the API's key has characters that no header can have"))?;
        if let Some(value) = &mut header {
            value.set_sensitive(true);
        }
        Ok(Self { http, base: base.trim_end_matches('/').into(), credentials, in_query, header })
    }

    /// Returns what the API counts the requests against.
    pub const fn counted(&self) -> &'static str {
        match (&self.credentials.key, &self.credentials.token) {
            (_, Some(_)) => "token",
            (Some(_), None) => "key",
            (None, None) => "address",
        }
    }

    /// Asks for `path`, such as `/questions`, once; the answer has what is `wanted`.
    ///
    /// # Errors
    /// The fault, with its class. No error shows the URL.
    pub async fn ask(
        &self,
        path: &str,
        params: &BTreeMap<String, String>,
        wanted: Expected,
    ) -> Result<ApiResponse, Fault> {
        let lost = |error: reqwest::Error| {
            let error = error.without_url();
            let hint =
                if net::lost(&error) == Lost::Untrusted { format!("; {}", net::NAME_AUTHORITY) } else { String::new() };
            let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
            let last = causes.last().map_or_else(|| error.to_string(), ToString::to_string);
            Fault { class: FaultClass::Transient, status: None, error: None, message: last + &hint, body: Vec::new() }
        };
        let request = self.request(path, params).map_err(lost)?;
        let mut response = self.http.execute(request).await.map_err(lost)?;
        let status = response.status().as_u16();
        let mut sent = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            sent.extend_from_slice(&chunk);
            if sent.len() > page::MOST {
                return Err(unread(status, "the answer does not end"));
            }
        }
        let Some(body) = response::decoded(sent) else {
            return Err(unread(status, "the answer is cut short or damaged"));
        };
        let page = response::read(status, body.clone(), wanted)?;
        Ok(ApiResponse { status, body, page })
    }

    fn request(&self, path: &str, params: &BTreeMap<String, String>) -> reqwest::Result<reqwest::Request> {
        let Credentials { key, token } = &self.credentials;
        let mut query: Vec<(&str, &str)> = params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if self.in_query {
            query.extend(key.iter().map(|key| ("key", key.expose())));
            query.extend(token.iter().map(|token| ("access_token", token.expose())));
        }
        let mut get = self.http.get(format!("{}{path}", self.base)).query(&query);
        get = get.header(ACCEPT_ENCODING, "gzip").header(USER_AGENT, AGENT);
        if let Some(header) = &self.header {
            get = get.header(AUTHORIZATION, header.clone());
        }
        get.build()
    }
}

fn unread(status: u16, message: &str) -> Fault {
    Fault { class: FaultClass::Transient, status: Some(status), error: None, message: message.into(), body: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let credentials = Credentials { key: Secret::new(" k3y\n"), token: None };
        assert_eq!(credentials.key.as_ref().unwrap().expose(), "k3y");
        assert!(!format!("{credentials:?}").contains("k3y"));
        assert_eq!(Secret::new(" \n"), None);
    }
}
