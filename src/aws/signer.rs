//! What can be told of the credentials in use without telling a secret.

use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature as From;
use jiff::Timestamp;

use super::Session;
use crate::error::Result;

/// The credentials in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Where they were found, such as `the environment` or `profile, single sign-on`.
    pub source: String,
    /// When they end; `None`: they do not say.
    pub expires: Option<Timestamp>,
}

impl Session {
    /// Returns what can be told of the credentials, fetched when there are none yet.
    ///
    /// # Errors
    /// `Machine` when none can be found.
    pub async fn signer(&self) -> Result<Signer> {
        let credentials = self.credentials().await?;
        let expires = credentials.expiry().and_then(|end| Timestamp::try_from(end).ok());
        Ok(Signer { source: source(&credentials), expires })
    }
}

fn source(credentials: &Credentials) -> String {
    let told = credentials.get_property::<Vec<From>>().map(Vec::as_slice).unwrap_or_default();
    let mut words: Vec<&str> = told.iter().rev().filter_map(word).collect();
    words.dedup();
    if words.is_empty() { "the program".into() } else { words.join(", ") }
}

fn word(from: &From) -> Option<&'static str> {
    Some(match from {
        From::CredentialsEnvVars => "the environment",
        From::CredentialsEnvVarsStsWebIdToken | From::CredentialsProfileStsWebIdToken => "a web identity token",
        From::CredentialsProfile | From::CredentialsProfileSourceProfile | From::CredentialsProfileNamedProvider => {
            "profile"
        }
        From::CredentialsProfileSso | From::CredentialsSso => "single sign-on",
        From::CredentialsProfileLogin | From::CredentialsLogin => "`aws login`",
        From::CredentialsProfileProcess | From::CredentialsProcess => "a credential process",
        From::CredentialsStsAssumeRole => "an assumed role",
        From::CredentialsHttp => "the container",
        From::CredentialsImds => "the machine's role",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_the_credentials_came_is_told_from_outside_in() {
        let mut credentials = Credentials::new("AKID", "secret", None, None, "test");
        assert_eq!(source(&credentials), "the program");
        let way = [From::CredentialsSso, From::CredentialsProfileSso, From::CredentialsProfile];
        credentials.set_property(way.to_vec());
        assert_eq!(source(&credentials), "profile, single sign-on");
    }
}
