//! How EMR says no.

use serde_json::{Value, json};

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    code: &'static str,
    message: String,
}

impl Refusal {
    /// Returns what the operations named after job flows answer.
    pub fn validation(message: impl Into<String>) -> Self {
        Self { code: "ValidationException", message: message.into() }
    }

    /// Returns what the newer operations answer.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { code: "InvalidRequestException", message: message.into() }
    }

    /// Returns what a request that is no request of the API gets.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self { code: "SerializationException", message: message.into() }
    }

    pub fn unknown_operation() -> Self {
        Self { code: "UnknownOperationException", message: String::new() }
    }

    /// Returns the answer's body; its status is 400.
    pub fn body(&self) -> Value {
        match self.code {
            "InvalidRequestException" => {
                json!({ "__type": self.code, "ErrorCode": "ValidationError", "Message": self.message })
            }
            code if self.message.is_empty() => json!({ "__type": code }),
            code => json!({ "__type": code, "message": self.message }),
        }
    }
}
