//! Who calls, from where to where: credentials, region, endpoints, connections. Made once a command.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::service_config::ServiceConfigKey;
use tokio::sync::Mutex;

use super::clock::ServerClock;
use super::pace::Pace;
use crate::error::{Error, Kind, Result};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// Credentials that end sooner than this are not used any more.
const RENEWED_BEFORE: Duration = Duration::from_secs(300);

/// How long one attempt of a call may take; EMR answers in well under a second.
const ANSWER: Duration = Duration::from_secs(30);

/// What a session is made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The region; `None`: as the environment and the profile say.
    pub region: Option<String>,
    /// The profile; `None`: as the environment says.
    pub profile: Option<String>,
    /// How many times AWS's default EMR request quotas the account has.
    pub quota: f64,
}

/// A way to AWS.
#[derive(Clone, Debug)]
pub struct Session {
    pub(super) sdk: SdkConfig,
    pub(super) http: reqwest::Client,
    pub(super) pace: Pace,
    region: String,
    clock: ServerClock,
    /// The provider asks anew each time: a sign-on service, a metadata server, a program.
    credentials: Arc<Mutex<Option<Credentials>>>,
}

impl Session {
    /// Reads the AWS environment and config files. Makes no call and asks for no credentials yet.
    ///
    /// # Errors
    /// `Usage` when no region is named anywhere.
    pub async fn load(options: &Options) -> Result<Self> {
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            // Explicitly, because the loader panics on `AWS_MAX_ATTEMPTS=0`.
            .retry_config(RetryConfig::standard())
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).build());
        if let Some(profile) = &options.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = &options.region {
            loader = loader.region(Region::new(region.clone()));
        }
        let connections =
            aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https();
        Self::of(loader.http_client(connections).load().await, options.quota)
    }

    /// Returns the session of an SDK configuration that is complete, its HTTP client included.
    ///
    /// # Errors
    /// `Usage` when it has no region.
    pub fn of(sdk: SdkConfig, quota: f64) -> Result<Self> {
        let Some(region) = sdk.region().map(ToString::to_string) else {
            return Err(Error::new(Kind::Usage, "no AWS region is named").hint(
                "write `region: eu-west-1` at the target in config/soflow.yaml, or `export AWS_REGION=eu-west-1`",
            ));
        };
        Ok(Self {
            http: client()?,
            pace: Pace::new(quota),
            region,
            clock: ServerClock::default(),
            credentials: Arc::default(),
            sdk,
        })
    }

    /// Returns the region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Returns the time as AWS sees it.
    pub fn clock(&self) -> &ServerClock {
        &self.clock
    }

    /// Returns the pace of calls.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Returns a client of S3. Its operations are safe to repeat, so the SDK does that.
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let own = self.configured_endpoint("S3").is_some();
        let mut config = aws_sdk_s3::config::Builder::from(&self.sdk)
            // Stand-ins know neither buckets as host names nor AWS's newer checksums.
            .force_path_style(own)
            .interceptor(self.clock.clone());
        if own {
            config = config.request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
        }
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// Returns the address of a service in this region: `id` is its name in settings, `host` the start of its host name.
    pub(super) fn endpoint(&self, id: &str, host: &str) -> String {
        if let Some(own) = self.configured_endpoint(id) {
            return own;
        }
        let domain = if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://{host}.{}.{domain}", self.region)
    }

    /// Returns the address that the environment or the profile gives a service, if any.
    pub(super) fn configured_endpoint(&self, id: &str) -> Option<String> {
        let of_service = || {
            let key = ServiceConfigKey::builder().service_id(id).env("AWS_ENDPOINT_URL").profile("endpoint_url");
            self.sdk.service_config()?.load_config(key.build().ok()?)
        };
        of_service().or_else(|| self.sdk.endpoint_url().map(String::from))
    }

    /// Returns credentials, fetched when there are none yet or the last ones have expired.
    ///
    /// # Errors
    /// `Machine` when none can be found; says where was looked.
    pub(super) async fn credentials(&self) -> Result<Credentials> {
        let missing = || {
            Error::new(Kind::Machine, "no AWS credentials were found")
                .hint("sign in: `aws sso login`, or `aws configure`; in CI give the job a role")
                .hint("`soflow doctor` shows what was looked at")
        };
        let mut kept = self.credentials.lock().await;
        let lasts = |known: &Credentials| known.expiry().is_none_or(|end| end > SystemTime::now() + RENEWED_BEFORE);
        if let Some(known) = kept.as_ref().filter(|known| lasts(known)) {
            return Ok(known.clone());
        }
        let provider = self.sdk.credentials_provider().ok_or_else(missing)?;
        let fresh = provider.provide_credentials().await.map_err(|error| missing().caused_by(error))?;
        Ok(kept.insert(fresh).clone())
    }
}

fn client() -> Result<reqwest::Client> {
    // Another part of the process may have chosen already; any choice will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .timeout(ANSWER)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("soflow/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Error::new(Kind::Machine, "no network client can be made").caused_by(error))
}
