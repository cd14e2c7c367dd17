//! Who calls, from where to where: credentials, region, endpoints, connections. Made once a command.

use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::app_name::AppName;
use aws_types::service_config::ServiceConfigKey;

use super::clock::ServerClock;
use super::credentials::{CachedCredentials, ProfileCredentials};
use super::pace::Pace;
use super::profile;
use super::retry::{ANSWER, RetryPolicy};
use super::service::{Variant, address, partition_of};
use crate::error::{Error, Kind, Result};
use crate::net::{CONNECT, WayOut};

/// What a session is made with.
#[derive(Clone, Debug)]
pub struct SessionOptions {
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
    pub(super) http: SharedHttpConnector,
    pub(super) pace: Pace,
    pub(super) keys: CachedCredentials,
    region: String,
    clock: ServerClock,
    way: WayOut,
    /// What to type when there are no credentials.
    sign_in: String,
    pub(super) policy: RetryPolicy,
}

impl Session {
    /// Reads the AWS environment and config files. Makes no call, but for the region of the EC2 instance when none is named,
    /// and asks for no credentials yet.
    ///
    /// # Errors
    /// `Usage` when no region is named anywhere, or a profile, a region or a certificate authority that is none.
    pub async fn load(options: &SessionOptions) -> Result<Self> {
        let profile = profile::read(options).await?;
        let way = WayOut::of_environment(profile.ca_bundle.as_deref())?;
        let config = ProviderConfig::without_region()
            .with_http_client(way.sdk_client())
            .with_retry_config(RetryConfig::standard())
            .with_timeout_config(timeouts(ANSWER));
        let region = match &profile.region {
            Some(region) => Some(Region::new(region.clone())),
            None => ImdsRegionProvider::builder().configure(&config).build().region().await,
        };
        // Retries explicitly, because the loader panics on `AWS_MAX_ATTEMPTS=0`.
        let loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).retry_config(RetryConfig::standard());
        let mut loader = loader.http_client(way.sdk_client()).no_credentials().region(region.clone());
        if let Some(name) = &profile.name {
            loader = loader.profile_name(name);
        }
        let sdk = loader.load().await;
        let config = config.with_region(region).with_use_fips(sdk.use_fips()).with_use_dual_stack(sdk.use_dual_stack());
        let keys = SharedCredentialsProvider::new(ProfileCredentials { config, profile: profile.name });
        let sdk = sdk.into_builder().credentials_provider(keys).build();
        Self::made(sdk, &way, profile.sign_in, options.quota, RetryPolicy::default())
    }

    /// Returns the session of an SDK configuration that is complete but for the way out.
    ///
    /// # Errors
    /// `Usage` when it has no region or no credentials.
    pub fn of(sdk: SdkConfig, quota: f64) -> Result<Self> {
        Self::made(sdk, &WayOut::default(), "sign in: `aws configure`".into(), quota, RetryPolicy::default())
    }

    /// Returns a session of eu-west-1 that asks `endpoint` for everything.
    #[cfg(test)]
    pub fn for_tests(
        endpoint: &str,
        keys: impl aws_credential_types::provider::ProvideCredentials + 'static,
        policy: RetryPolicy,
    ) -> Self {
        use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-west-1"))
            .endpoint_url(endpoint)
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .credentials_provider(SharedCredentialsProvider::new(keys));
        Self::made(sdk.build(), &WayOut::default(), String::new(), 1.0, policy).unwrap()
    }

    fn made(sdk: SdkConfig, way: &WayOut, sign_in: String, quota: f64, policy: RetryPolicy) -> Result<Self> {
        let Some(region) = sdk.region().map(ToString::to_string) else {
            return Err(Error::new(Kind::Usage, "no AWS region is named").hint(
                "write `region: eu-west-1` at the target in config/soflow.yaml, or `export AWS_REGION=eu-west-1`",
            ));
        };
        let provider = sdk.credentials_provider().ok_or_else(|| Error::new(Kind::Usage, "there are no credentials"))?;
        let keys = CachedCredentials::new(provider);
        let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT).read_timeout(policy.answer).build();
        let http = SharedHttpConnector::new(way.connector(Some(&settings)));
        // What AWS's records show of the program, unless the environment names it otherwise.
        let name = sdk.app_name().cloned().or_else(|| AppName::new("soflow").ok());
        // A body that stands still is given up like an answer that does not begin.
        let still = StalledStreamProtectionConfig::enabled().upload_enabled(true).grace_period(policy.answer);
        let mut sdk = sdk
            .into_builder()
            .http_client(way.sdk_client())
            .timeout_config(timeouts(policy.answer))
            .stalled_stream_protection(still.build())
            // The keys are kept here, where they can be read again.
            .identity_cache(IdentityCache::no_cache())
            .credentials_provider(SharedCredentialsProvider::new(keys.clone()));
        sdk.set_app_name(name);
        let (sdk, pace, clock) = (sdk.build(), Pace::new(quota), ServerClock::default());
        Ok(Self { http, pace, region, clock, way: way.clone(), keys, sign_in, policy, sdk })
    }

    /// Returns the region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Returns what to type when there are no credentials, or when they have ended.
    pub fn sign_in(&self) -> &str {
        &self.sign_in
    }

    /// Returns the second part of ARNs of the region, such as `aws`.
    pub fn partition(&self) -> &'static str {
        partition_of(&self.region)
    }

    /// Returns the time as AWS sees it.
    pub fn clock(&self) -> &ServerClock {
        &self.clock
    }

    /// Returns the way out of this machine, for what is no call.
    pub fn way(&self) -> &WayOut {
        &self.way
    }

    /// Returns a client of EMR. Its operations are sent through [`Session::send`]: what is sent again, and when, is the
    /// business of `RetryPolicy`.
    pub fn emr(&self) -> aws_sdk_emr::Client {
        let config = aws_sdk_emr::config::Builder::from(&self.sdk);
        let config = config.retry_config(RetryConfig::disabled()).interceptor(self.clock.clone());
        aws_sdk_emr::Client::from_conf(config.build())
    }

    /// Returns a client of STS. Its operations are sent through [`Session::send`].
    pub(super) fn sts(&self) -> aws_sdk_sts::Client {
        let config = aws_sdk_sts::config::Builder::from(&self.sdk);
        let config = config.retry_config(RetryConfig::disabled()).interceptor(self.clock.clone());
        aws_sdk_sts::Client::from_conf(config.build())
    }

    /// Returns a client of Step Functions. Its operations are sent through [`Session::send`].
    pub fn sfn(&self) -> aws_sdk_sfn::Client {
        let config = aws_sdk_sfn::config::Builder::from(&self.sdk);
        let config = config.retry_config(RetryConfig::disabled()).interceptor(self.clock.clone());
        aws_sdk_sfn::Client::from_conf(config.build())
    }

    /// Returns a client of S3.
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

    /// Returns the address of a service, and the region its requests are signed for. `name` is what people call it, `host` the
    /// start of its host name.
    pub fn place(&self, name: &str, host: &str) -> (String, String) {
        let variant = Variant {
            fips: self.sdk.use_fips().unwrap_or_default(),
            dual_stack: self.sdk.use_dual_stack().unwrap_or_default(),
        };
        let (address, region) = address(host, &self.region, variant);
        (self.configured_endpoint(name).unwrap_or(address), region)
    }

    /// Returns the address of an object in S3, as other services are told it.
    pub fn address_of(&self, bucket: &str, key: &str) -> String {
        let (endpoint, _) = self.place("S3", "s3");
        format!("{}/{bucket}/{key}", endpoint.trim_end_matches('/'))
    }

    /// Returns the address that the environment or the profile gives a service, if any.
    fn configured_endpoint(&self, name: &str) -> Option<String> {
        let of_service = || {
            let key = ServiceConfigKey::builder().service_id(name).env("AWS_ENDPOINT_URL").profile("endpoint_url");
            self.sdk.service_config()?.load_config(key.build().ok()?)
        };
        of_service().or_else(|| self.sdk.endpoint_url().map(String::from))
    }

    /// Returns credentials, fetched when there are none yet or the last ones have expired.
    ///
    /// # Errors
    /// `Machine` when none can be found; says where was looked.
    pub(super) async fn credentials(&self) -> Result<Credentials> {
        self.keys.get().await.map_err(|error| {
            Error::new(Kind::Machine, "no AWS credentials were found")
                .caused_by(error)
                .hint(self.sign_in.clone())
                .hint("`soflow doctor` shows what was looked at")
        })
    }
}

/// Returns how long calls of the SDK may take; `answer`: until the beginning of the answer.
pub fn timeouts(answer: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(answer).build()
}
