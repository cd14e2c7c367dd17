//! Who calls: the identity behind the credentials in use, and what can be told of these without telling a secret.

use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature as From;
use jiff::Timestamp;

use super::errors::CallError;
use super::{Retry, Session};
use crate::error::Result;

/// The credentials in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Where they were found, such as `the environment` or `profile, single sign-on`.
    pub source: String,
    /// When they end; `None`: they do not say.
    pub expires: Option<Timestamp>,
}

/// Who AWS takes the caller for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account, twelve digits.
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
}

impl Caller {
    /// Returns the start of all ARNs: `aws`, `aws-cn` or `aws-us-gov`.
    pub fn partition(&self) -> &str {
        self.arn.split(':').nth(1).unwrap_or("aws")
    }

    /// Returns whether the account itself asks, which no policy limits.
    pub fn is_root(&self) -> bool {
        self.arn.ends_with(":root")
    }

    /// Returns the name of the role that is being used, if it is one.
    pub fn role(&self) -> Option<&str> {
        self.arn.split_once(":assumed-role/")?.1.split('/').next()
    }
}

impl Session {
    /// Returns who AWS takes the caller for.
    ///
    /// # Errors
    /// The last failure; at once when trying again is of no use.
    pub async fn caller(&self) -> Result<Caller, CallError> {
        let sts = self.sts();
        let call = || sts.get_caller_identity().send();
        let answer = self.send("STS", "GetCallerIdentity", Retry::Safe, call).await?;
        let caller = answer.account.zip(answer.arn).map(|(account, arn)| Caller { account, arn });
        caller.ok_or_else(|| self.lacks("STS", "GetCallerIdentity", "the caller"))
    }

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

    #[test]
    fn a_session_acts_for_its_role() {
        let caller = |arn: &str| Caller { account: "123456789012".into(), arn: arn.into() };
        let session = caller("arn:aws-cn:sts::123456789012:assumed-role/ci/build-7");
        assert_eq!((session.role(), session.partition()), (Some("ci"), "aws-cn"));
        assert_eq!(caller("arn:aws:iam::123456789012:user/role/ada").role(), None);
        assert!(caller("arn:aws:iam::123456789012:root").is_root());
    }
}
