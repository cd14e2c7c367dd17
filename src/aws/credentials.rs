//! Credentials: fetched when they are needed, kept while they last, read again when AWS says that they have ended; and who
//! they stand for, told without a secret.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature as Feature;
use aws_credential_types::provider::{
    ProvideCredentials, Result as Provided, SharedCredentialsProvider, future::ProvideCredentials as Providing,
};
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::errors::CallError;
use super::{Retry, Session};
use crate::error::Result;

/// Credentials that end sooner than this are not used any more.
const RENEWED_BEFORE: Duration = Duration::from_secs(300);

/// The credentials of a profile, where all AWS programs find them. The chain is made anew each time, because one reads the
/// config files only once, and others renew what is in them.
#[derive(Debug)]
pub(super) struct ProfileCredentials {
    pub config: ProviderConfig,
    pub profile: Option<String>,
}

impl ProvideCredentials for ProfileCredentials {
    fn provide_credentials<'a>(&'a self) -> Providing<'a>
    where
        Self: 'a,
    {
        Providing::new(async {
            let mut chain = DefaultCredentialsChain::builder().configure(self.config.clone());
            if let Some(profile) = &self.profile {
                chain = chain.profile_name(profile);
            }
            chain.build().await.provide_credentials().await
        })
    }
}

/// The credentials of a session, for the SDK and for calls of our own.
#[derive(Clone, Debug)]
pub(super) struct CachedCredentials {
    source: SharedCredentialsProvider,
    kept: Arc<Mutex<Option<Credentials>>>,
}

impl CachedCredentials {
    /// Returns those that a provider gives.
    pub fn new(source: SharedCredentialsProvider) -> Self {
        Self { source, kept: Arc::default() }
    }

    /// Returns credentials, fetched when there are none yet or the last ones are about to end.
    pub async fn get(&self) -> Provided {
        let mut kept = self.kept.lock().await;
        let lasts = |known: &&Credentials| known.expiry().is_none_or(|end| end > SystemTime::now() + RENEWED_BEFORE);
        if let Some(known) = kept.as_ref().filter(lasts) {
            return Ok(known.clone());
        }
        let fresh = self.source.provide_credentials().await?;
        Ok(kept.insert(fresh).clone())
    }

    /// Returns the credentials that were given out last.
    pub async fn last(&self) -> Option<Credentials> {
        self.kept.lock().await.clone()
    }

    /// AWS has refused `used`. Returns whether there are others by now.
    pub async fn renewed(&self, used: Option<&Credentials>) -> bool {
        let mut kept = self.kept.lock().await;
        let same = |known: &Option<Credentials>| known.as_ref().map(secrets) == used.map(secrets);
        if same(&kept) {
            *kept = self.source.provide_credentials().await.ok().or_else(|| kept.take());
        }
        !same(&kept)
    }
}

fn secrets(credentials: &Credentials) -> (&str, &str, Option<&str>) {
    (credentials.access_key_id(), credentials.secret_access_key(), credentials.session_token())
}

impl ProvideCredentials for CachedCredentials {
    fn provide_credentials<'a>(&'a self) -> Providing<'a>
    where
        Self: 'a,
    {
        Providing::new(self.get())
    }
}

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
    let told = credentials.get_property::<Vec<Feature>>().map(Vec::as_slice).unwrap_or_default();
    let mut words: Vec<&str> = told.iter().rev().filter_map(word).collect();
    words.dedup();
    if words.is_empty() { "the program".into() } else { words.join(", ") }
}

fn word(from: &Feature) -> Option<&'static str> {
    Some(match from {
        Feature::CredentialsEnvVars => "the environment",
        Feature::CredentialsEnvVarsStsWebIdToken | Feature::CredentialsProfileStsWebIdToken => "a web identity token",
        Feature::CredentialsProfile
        | Feature::CredentialsProfileSourceProfile
        | Feature::CredentialsProfileNamedProvider => "profile",
        Feature::CredentialsProfileSso | Feature::CredentialsSso => "single sign-on",
        Feature::CredentialsProfileLogin | Feature::CredentialsLogin => "`aws login`",
        Feature::CredentialsProfileProcess | Feature::CredentialsProcess => "a credential process",
        Feature::CredentialsStsAssumeRole => "an assumed role",
        Feature::CredentialsHttp => "the container",
        Feature::CredentialsImds => "the machine's role",
        _ => return None,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Gives the keys `old` so many times, then `new` ones.
    #[derive(Debug)]
    pub struct Renewed(pub AtomicUsize);

    impl ProvideCredentials for Renewed {
        fn provide_credentials<'a>(&'a self) -> Providing<'a>
        where
            Self: 'a,
        {
            let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            let id = if left.is_ok() { "old" } else { "new" };
            Providing::ready(Ok(Credentials::new(id, "secret", None, None, "test")))
        }
    }

    #[tokio::test]
    async fn refused_credentials_are_read_again_and_others_are_noticed() {
        let keys = CachedCredentials::new(SharedCredentialsProvider::new(Renewed(2.into())));
        let used = keys.get().await.unwrap();
        assert!(!keys.renewed(Some(&used)).await, "they are the same where they come from");
        assert_eq!(keys.get().await.unwrap().access_key_id(), "old");
        assert!(keys.renewed(Some(&used)).await);
        assert!(keys.renewed(Some(&used)).await, "another call of the old ones finds the new ones there");
        assert_eq!(keys.get().await.unwrap().access_key_id(), "new");
    }

    #[test]
    fn the_way_the_credentials_came_is_told_from_outside_in() {
        let mut credentials = Credentials::new("AKID", "secret", None, None, "test");
        assert_eq!(source(&credentials), "the program");
        let way = [Feature::CredentialsSso, Feature::CredentialsProfileSso, Feature::CredentialsProfile];
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
