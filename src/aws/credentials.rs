//! Credentials: fetched when they are needed, kept while they last, and read again when AWS says that they have ended.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{
    ProvideCredentials, Result as Provided, SharedCredentialsProvider, future::ProvideCredentials as Providing,
};
use tokio::sync::Mutex;

/// Credentials that end sooner than this are not used any more.
const RENEWED_BEFORE: Duration = Duration::from_secs(300);

/// The credentials of a session, for the SDK and for calls of our own.
#[derive(Clone, Debug)]
pub(super) struct CachedCredentials {
    source: CredentialsSource,
    kept: Arc<Mutex<Option<Credentials>>>,
}

#[derive(Clone, Debug)]
enum CredentialsSource {
    /// Made anew each time, because a chain reads the config files only once, and others renew what is in them.
    Chain(Arc<ProviderConfig>, Option<String>),
    /// One of someone else's.
    Fixed(SharedCredentialsProvider),
}

impl CachedCredentials {
    /// Returns the credentials of a profile, where all AWS programs find them.
    pub fn of_profile(config: ProviderConfig, profile: Option<String>) -> Self {
        Self { source: CredentialsSource::Chain(Arc::new(config), profile), kept: Arc::default() }
    }

    /// Returns those that a provider gives.
    pub fn of_provider(provider: SharedCredentialsProvider) -> Self {
        Self { source: CredentialsSource::Fixed(provider), kept: Arc::default() }
    }

    /// Returns credentials, fetched when there are none yet or the last ones are about to end.
    pub async fn get(&self) -> Provided {
        let mut kept = self.kept.lock().await;
        let lasts = |known: &&Credentials| known.expiry().is_none_or(|end| end > SystemTime::now() + RENEWED_BEFORE);
        if let Some(known) = kept.as_ref().filter(lasts) {
            return Ok(known.clone());
        }
        let fresh = self.fetch().await?;
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
            *kept = self.fetch().await.ok().or_else(|| kept.take());
        }
        !same(&kept)
    }

    async fn fetch(&self) -> Provided {
        match &self.source {
            CredentialsSource::Fixed(provider) => provider.provide_credentials().await,
            CredentialsSource::Chain(config, profile) => {
                let mut chain = DefaultCredentialsChain::builder().configure((**config).clone());
                if let Some(profile) = profile {
                    chain = chain.profile_name(profile);
                }
                chain.build().await.provide_credentials().await
            }
        }
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
        let keys = CachedCredentials::of_provider(SharedCredentialsProvider::new(Renewed(2.into())));
        let used = keys.get().await.unwrap();
        assert!(!keys.renewed(Some(&used)).await, "they are the same where they come from");
        assert_eq!(keys.get().await.unwrap().access_key_id(), "old");
        assert!(keys.renewed(Some(&used)).await);
        assert!(keys.renewed(Some(&used)).await, "another call of the old ones finds the new ones there");
        assert_eq!(keys.get().await.unwrap().access_key_id(), "new");
    }
}
