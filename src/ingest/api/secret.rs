//! What must never be shown.

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
