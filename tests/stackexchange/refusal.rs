//! The API's errors.

use serde_json::{Value, json};

/// Every error of the API, as `/errors` lists them: its id, its name, and the words it mostly comes with.
const ERRORS: [(i64, &str, &str); 12] = [
    (400, "bad_parameter", "site is required"),
    (401, "access_token_required", "This method requires an access token"),
    (402, "invalid_access_token", "`access_token` is not valid"),
    (403, "access_denied", "page above 25 requires access token or app key"),
    (404, "no_method", "no method found with this name"),
    (405, "key_required", "`key` is required"),
    (406, "access_token_compromised", "`access_token` was sent over http"),
    (407, "write_failed", "the write failed"),
    (409, "duplicate_request", "this request was made before"),
    (500, "internal_error", "an internal error occurred"),
    (502, "throttle_violation", "Violation of backoff parameter"),
    (503, "temporarily_unavailable", "the API is temporarily unavailable"),
];

/// A request that gets an error instead of items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The `error_id`.
    pub id: i64,
    /// The `error_message`.
    pub message: String,
}

impl Refusal {
    /// Returns a refusal in words of one's own.
    pub fn new(id: i64, message: impl Into<String>) -> Self {
        Self { id, message: message.into() }
    }

    /// Returns the refusal of a parameter's value: the API names the parameter and says no more.
    pub fn parameter(name: &str) -> Self {
        Self::new(400, name)
    }

    /// Returns an error in the words it mostly comes with, or nothing when there is none with this id.
    pub fn known(id: i64) -> Option<Self> {
        ERRORS.iter().find(|(known, _, _)| *known == id).map(|(_, _, message)| Self::new(id, *message))
    }

    /// Returns the answer's JSON.
    pub fn json(&self) -> Value {
        let name = ERRORS.iter().find(|(known, _, _)| *known == self.id).map_or("internal_error", |(_, name, _)| *name);
        json!({ "error_id": self.id, "error_message": self.message, "error_name": name })
    }

    /// Whether it is said before anything has looked at the parameters: such errors may come as plain text.
    pub fn early(&self) -> bool {
        self.id != 400
    }
}
