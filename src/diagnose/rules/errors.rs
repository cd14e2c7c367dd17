//! The rules about errors of AWS's API, the stronger first. Sources: the common errors of each service's API reference,
//! S3's error codes, and the words of the Rust SDK for what never reached AWS.

use super::Rule;
use crate::diagnose::Class::{Permission, Service};

const CREDENTIALS: &str = "see who you are to AWS: `aws sts get-caller-identity`; then check `profile:` of the \
             target and the variables AWS_PROFILE and AWS_ACCESS_KEY_ID";

/// What is known about errors.
pub const ERRORS: &[Rule] = &[
    Rule::new(
        Permission,
        &[
            "ExpiredToken",
            "security token included in the request is expired",
            "token has expired",
            "TokenRefreshRequired",
            "SSO session{}expired",
            "SSO token{}expired",
        ],
    )
    .says("the AWS credentials have expired")
    .hint("sign in again: `aws sso login`, or renew the keys"),
    Rule::new(
        Permission,
        &["RequestTimeTooSkewed", "Signature expired", "Signature not yet current", "RequestExpired"],
    )
    .says("this machine's clock is wrong: AWS refuses what was signed minutes from now")
    .hint("set the clock: `timedatectl set-ntp true`, or restart the virtual machine that slept"),
    Rule::new(Permission, &["SignatureDoesNotMatch", "InvalidSignatureException"])
        .says("AWS does not accept the signature: the secret key is wrong, or this machine's clock is")
        .hint("compare the secret key with the one you were given; then the clock: `timedatectl`"),
    Rule::new(
        Permission,
        &[
            "UnrecognizedClient",
            "InvalidClientTokenId",
            "InvalidAccessKeyId",
            "AuthFailure",
            "security token included in the request is invalid",
        ],
    )
    .says("AWS does not know these credentials")
    .hint(CREDENTIALS),
    Rule::new(
        Permission,
        &[
            "no providers in chain provided credentials",
            "CredentialsNotLoaded",
            "no credentials",
            "credential provider was not enabled",
            "failed to load credentials",
            "could not load credentials",
            "MissingAuthenticationToken",
        ],
    )
    .says("there are no AWS credentials on this machine")
    .hint(
        "sign in, `aws configure sso` and `aws sso login`, then name the profile: `profile:` of \
             the target, or AWS_PROFILE",
    ),
    Rule::new(Service, &["region must be set", "MissingRegion", "Missing Region", "no region"])
        .says("no AWS region is set")
        .hint("name it: `region:` of the target in config/soflow.yaml, or AWS_REGION"),
    Rule::new(
        Service,
        &["expecting '{region}'", "x-amz-bucket-region: {region}", "bucket is in this region: {region}"],
    )
    .says("the bucket is in the region {region}, not in the target's")
    .hint("set `region: {region}` for the target, or name a bucket of its region"),
    Rule::new(
        Service,
        &[
            "PermanentRedirect",
            "TemporaryRedirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraint",
            "must be addressed using the specified endpoint",
            "301",
        ],
    )
    .says("the bucket is in another region than the target's")
    .hint("see where it is, `aws s3api get-bucket-location --bucket BUCKET`, and set `region:` of the target"),
    Rule::new(
        Service,
        &[
            "Throttl",
            "TooManyRequests",
            "RequestLimitExceeded",
            "SlowDown",
            "Rate exceeded",
            "reduce your request rate",
        ],
    )
    .says("AWS is throttling requests of this account")
    .hint("run it again in a minute; EMR gives the whole account half a request a second"),
    Rule::new(Service, &["NoSuchBucket", "bucket does not exist"])
        .says("there is no such bucket")
        .hint("check the locations: `soflow config show`"),
    Rule::new(Service, &["NoSuchKey", "key does not exist"])
        .says("there is no such object")
        .hint("check the locations: `soflow config show`"),
    Rule::new(Permission, &["OptInRequired", "SubscriptionRequired"])
        .says("the account has not signed up for this service, or not in this region")
        .hint("open the service once in the AWS console, in this region"),
    Rule::new(Service, &["dns error", "failed to lookup address", "name resolution"])
        .says("AWS's address cannot be found: no network, or a region that does not exist")
        .hint("check the network, the region, and HTTPS_PROXY if there is a proxy"),
    Rule::new(Service, &["certificate", "InvalidCertificate"])
        .says("the connection is not AWS's: its certificate is not trusted")
        .hint("a proxy that opens connections needs its certificate named: AWS_CA_BUNDLE"),
    Rule::new(
        Service,
        &[
            "dispatch failure",
            "onnection refused",
            "onnection reset",
            "onnection closed",
            "timed out",
            "TimeoutError",
            "unreachable",
            "error trying to connect",
            "ConnectorError",
        ],
    )
    .says("AWS cannot be reached")
    .hint("check the network, and HTTPS_PROXY if there is a proxy"),
    Rule::new(Service, &["job flow that is shutting down", "not be modified"])
        .says("the cluster is ending and takes nothing more")
        .hint("submit again: a new cluster is made"),
    Rule::new(Service, &["Maximum number of active steps"])
        .says("256 steps are waiting on the cluster, which is the most it takes")
        .hint("wait for some to end, or take another cluster"),
    Rule::new(Service, &["Specified job flow ID not valid", "Cluster id '{id}' is not valid"])
        .says("there is no such cluster in this region")
        .hint("see which there are: `aws emr list-clusters --active`"),
];

/// What AWS calls its own faults; asked last, since a message may say more.
pub const FAULTS: &[Rule] = &[Rule::new(Service, &["Internal", "ServiceUnavailable", "ServiceException"])
    .says("the service had an internal error")
    .hint("run it again; https://health.aws.amazon.com/health/status tells of outages")];
