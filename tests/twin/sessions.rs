//! Sessions of Systems Manager: started, resumed and ended here. Their data channels are an agent's, which a test brings.

use hyper::Response;
use serde_json::{Value, json};

use super::forward::Body;
use super::server::Shared;
use super::{Twin, replies};

/// All sessions there have been.
#[derive(Default)]
pub struct Sessions {
    /// Where the agent's data channels are, of an agent that is connected.
    agent: Option<String>,
    /// Whether each goes on.
    open: Vec<bool>,
    /// How many tokens were handed out.
    tokens: u32,
}

impl Shared {
    pub fn ssm_call(&self, operation: &str, body: &Value) -> Response<Body> {
        let mut sessions = self.sessions.lock().unwrap();
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_string();
        let refused = |code: &str, message: String| replies::json(400, &json!({ "__type": code, "message": message }));
        if operation == "StartSession" {
            let target = text("Target");
            let ports = &body["Parameters"];
            if text("DocumentName") != "AWS-StartPortForwardingSession" || !ports["portNumber"][0].is_string() {
                return refused("InvalidDocument", format!("The document is not one of a port: {body}"));
            }
            if sessions.agent.is_none() {
                return refused("TargetNotConnected", format!("{target} is not connected."));
            }
            sessions.open.push(true);
            let id = format!("anna-{}", sessions.open.len());
            return replies::json(200, &sessions.opened(&id));
        }
        let id = text("SessionId");
        let number = id.strip_prefix("anna-").and_then(|number| number.parse::<usize>().ok()).unwrap_or_default();
        if sessions.open.get(number.wrapping_sub(1)) != Some(&true) {
            return refused("DoesNotExistException", format!("Session {id} does not exist."));
        }
        if operation == "ResumeSession" {
            return replies::json(200, &sessions.opened(&id));
        }
        sessions.open[number - 1] = false;
        replies::json(200, &json!({ "SessionId": id }))
    }
}

impl Sessions {
    fn opened(&mut self, id: &str) -> Value {
        self.tokens += 1;
        let agent = self.agent.as_deref().unwrap_or_default();
        let url = format!("{agent}/v1/data-channel/{id}?role=publish_subscribe&cell-number=AAEA");
        json!({ "SessionId": id, "TokenValue": format!("token-of-{id}-{}", self.tokens), "StreamUrl": url })
    }
}

impl Twin {
    /// Connects an agent, `ws://127.0.0.1:PORT`, to all instances.
    pub fn connect_agent(&self, url: &str) {
        self.shared.sessions.lock().unwrap().agent = Some(url.to_string());
    }

    /// Returns how many sessions go on.
    pub fn open_sessions(&self) -> usize {
        self.shared.sessions.lock().unwrap().open.iter().filter(|open| **open).count()
    }
}
