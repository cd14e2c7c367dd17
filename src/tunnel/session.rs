//! Sessions of AWS Systems Manager: made and ended by its API, used through a WebSocket. Source: its API reference, and
//! botocore's model of `ssm`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::aws::{CallError, SSM, Session};

/// The document of Systems Manager that opens a port of an instance.
pub const DOCUMENT: &str = "AWS-StartPortForwardingSession";

/// How long the end of a session is asked for.
const ENDING: Duration = Duration::from_secs(10);

/// A port of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// `i-…`.
    pub instance: String,
    /// Where a program listens on it.
    pub port: u16,
}

/// What makes a session usable, as the API returns it, and as AWS's plugin takes it. Not to be shown: who has the token has
/// the session.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SessionStart {
    /// Its name.
    pub session_id: String,
    /// The right to it, for a short time.
    pub token_value: String,
    /// Where its data channel is.
    pub stream_url: String,
}

impl Remote {
    /// Returns what a session is asked for with; `local`: the port of this machine, which only the plugin takes from there.
    pub fn request(&self, local: u16) -> serde_json::Value {
        let parameters = json!({ "portNumber": [self.port.to_string()], "localPortNumber": [local.to_string()] });
        json!({ "Target": self.instance, "DocumentName": DOCUMENT, "Parameters": parameters, "Reason": "soflow open" })
    }

    /// Starts a session. One whose answer is lost ends by itself when it has been idle for minutes.
    ///
    /// # Errors
    /// Those of Systems Manager.
    pub async fn start(&self, aws: &Session, local: u16) -> Result<SessionStart, CallError> {
        aws.call(&SSM, "StartSession", &self.request(local)).await
    }
}

impl SessionStart {
    /// Gets a new right to the session, whose connection was lost.
    pub(super) async fn resume(&mut self, aws: &Session) -> Result<(), CallError> {
        *self = aws.call(&SSM, "ResumeSession", &json!({ "SessionId": self.session_id })).await?;
        Ok(())
    }

    /// Ends the session. What fails now is done by Systems Manager when it has been idle.
    pub async fn terminate(&self, aws: &Session) {
        let request = json!({ "SessionId": self.session_id });
        let ended = aws.call::<serde_json::Value>(&SSM, "TerminateSession", &request);
        drop(tokio::time::timeout(ENDING, ended).await);
    }
}
