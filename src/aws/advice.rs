//! The one adviser: what a failed call means and what a person can do. Every error of AWS becomes an [`Error`] here, and
//! the doctor asks here too.

use super::errors::{BAD_ANSWER, BAD_REQUEST, CallError, NO_ANSWER, NO_CREDENTIALS, NOT_SENT, UNTRUSTED};
use super::service::{permission, resource};
use crate::diagnose;
use crate::error::{Error, Kind};
use crate::names::Uri;
use crate::net::NAME_AUTHORITY;

/// What a failed call means, whichever service and whichever of its codes said so, as far as anything depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Calls come too fast.
    Throttled,
    /// The caller may not do this.
    Denied,
    /// This machine's clock is wrong.
    Clock,
    /// The credentials were good once.
    Expired,
    /// There are no credentials, or none that are good.
    Credentials,
    /// The bucket is elsewhere.
    OtherRegion,
    /// EMR knows no such cluster or step.
    NoCluster,
    /// The cluster takes nothing more.
    ClusterEnding,
    /// The request is not one that the service takes.
    Invalid,
    /// The service, or something on the way to it, failed.
    Fault,
    /// Anything else.
    Other,
}

/// Something known about failed calls: what it means; the codes it comes with, AWS's and our own; what the message has in
/// it then, one of several or, empty, whatever it is; what to say, or, empty, AWS's words; what to do.
struct KnownFailure(Meaning, &'static str, &'static str, &'static str, &'static [&'static str]);

const AGAIN: &str = "run the same command again: what was done is found, not repeated";
const WAY: &str = "`soflow doctor` checks the way to AWS";
const SIGN_IN: &str = "sign in again, `aws sso login`, or renew the keys; then run the same command";
const EXPIRED: &str = "the AWS credentials have expired";
const SIGNATURE: &str = "SignatureDoesNotMatch InvalidSignatureException IncompleteSignature";
const CLOCK: &str = "this machine's clock is wrong: AWS refuses what was signed minutes from now";
const SET_CLOCK: &str = "set the clock, `sudo timedatectl set-ntp true`, or restart a virtual machine that slept; then run \
                         the same command";
const INVALID: &str = "ValidationException InvalidRequestException";

/// What is known, the more particular first. Sources: the common errors of each service's API reference, S3's list of error
/// codes, the SDKs' list of throttling codes, and EMR's words where one code has many meanings.
const KNOWN: &[KnownFailure] = &[
    KnownFailure(
        Meaning::Throttled,
        "Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException \
         TooManyRequestsException RequestLimitExceeded BandwidthLimitExceeded SlowDown PriorRequestNotComplete",
        "",
        "{service} is throttling this account: {operation}",
        &[AGAIN, "ask for a higher quota, or lower what else calls {service} in this account"],
    ),
    KnownFailure(
        Meaning::Denied,
        "AccessDenied AccessDeniedException UnauthorizedOperation AuthorizationError",
        "",
        "{service} does not allow `{operation}`",
        &["`aws sts get-caller-identity` shows who is asking; `soflow doctor` lists what is missing"],
    ),
    KnownFailure(Meaning::Clock, "RequestTimeTooSkewed RequestExpired", "", CLOCK, &[SET_CLOCK]),
    KnownFailure(Meaning::Clock, SIGNATURE, "Signature expired|Signature not yet current", CLOCK, &[SET_CLOCK]),
    KnownFailure(
        Meaning::Credentials,
        SIGNATURE,
        "",
        "AWS does not accept the signature: the secret does not belong to the key",
        &["put in the key's secret again: `aws configure`; if it is right, look at the clock: `timedatectl`"],
    ),
    KnownFailure(Meaning::Expired, "ExpiredToken ExpiredTokenException TokenRefreshRequired", "", EXPIRED, &[SIGN_IN]),
    KnownFailure(Meaning::Expired, NO_CREDENTIALS, "expired", EXPIRED, &[SIGN_IN]),
    KnownFailure(
        Meaning::Expired,
        BAD_REQUEST,
        "",
        "S3 does not say why it refuses `{operation}`, as when the credentials have expired",
        &["`aws sts get-caller-identity` tells whether they have; sign in again: `aws sso login`"],
    ),
    KnownFailure(
        Meaning::Credentials,
        "UnrecognizedClientException InvalidClientTokenId InvalidAccessKeyId AuthFailure InvalidToken InvalidSecurity",
        "",
        "AWS does not know these credentials",
        &["see which ones are used: `aws configure list`; then check `profile:` of the target, AWS_PROFILE and \
           AWS_ACCESS_KEY_ID"],
    ),
    KnownFailure(
        Meaning::Credentials,
        "NoCredentials MissingAuthenticationToken MissingAuthenticationTokenException",
        "",
        "no AWS credentials were found",
        &[
            "sign in: `aws sso login`, `aws login` or `aws configure`; in CI give the job a role",
            "`soflow doctor` says which one the profile takes",
        ],
    ),
    KnownFailure(
        Meaning::Other,
        "OptInRequired SubscriptionRequiredException NotSignedUp",
        "",
        "the account has not signed up for {service}, or not in this region",
        &["open the service once in the AWS console, in this region; `aws sts get-caller-identity` shows the account"],
    ),
    KnownFailure(
        Meaning::OtherRegion,
        "PermanentRedirect TemporaryRedirect Redirect AuthorizationHeaderMalformed IllegalLocationConstraintException",
        "",
        "bucket `{bucket}` is in another region than the target's",
        &["see where it is, `aws s3api get-bucket-location --bucket {bucket}`, and set `region:` of the target"],
    ),
    KnownFailure(
        Meaning::Other,
        "NoSuchBucket",
        "",
        "there is no bucket `{bucket}`",
        &["make it: `aws s3 mb s3://{bucket}`, or correct `lake:` in config/soflow.yaml"],
    ),
    KnownFailure(
        Meaning::ClusterEnding,
        INVALID,
        "shutting down|terminated",
        "the cluster is ending and takes nothing more",
        &["submit again: a new cluster is made; `soflow cluster list` shows which there are"],
    ),
    KnownFailure(
        Meaning::NoCluster,
        INVALID,
        "Specified job flow ID not valid|Cluster id {}is not valid|Step id {}is not valid",
        "EMR knows no such cluster in this region, or none any more",
        &["`soflow cluster list` shows those of this target"],
    ),
    KnownFailure(
        Meaning::Other,
        INVALID,
        "Maximum number of active steps",
        "256 steps are waiting on the cluster, which is the most it takes",
        &["wait for some to end, or take another cluster: `soflow cluster up`"],
    ),
    KnownFailure(Meaning::Invalid, INVALID, "", "", &[]),
    KnownFailure(
        Meaning::Other,
        NOT_SENT,
        "dns error|failed to lookup address|name resolution",
        "{service} has no address: no network, or a region that does not exist",
        &[AGAIN, "check the network, the region, and HTTPS_PROXY if there is a proxy: `soflow doctor`"],
    ),
    KnownFailure(
        Meaning::Other,
        UNTRUSTED,
        "",
        "what answers is not {service}: its certificate is not trusted",
        &[NAME_AUTHORITY],
    ),
    KnownFailure(Meaning::Other, NOT_SENT, "", "{service} cannot be reached", &[AGAIN, WAY]),
    KnownFailure(Meaning::Other, NO_ANSWER, "", "{service} did not answer `{operation}`", &[AGAIN, WAY]),
    KnownFailure(
        Meaning::Other,
        BAD_ANSWER,
        "",
        "the answer of {service} to `{operation}` cannot be used",
        &[AGAIN, WAY],
    ),
];

/// What to say and to do about a failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What it means.
    pub meaning: Meaning,
    /// The same in words, a fragment.
    pub what: String,
    /// Each a command to type or a thing to change.
    pub hints: Vec<String>,
}

fn known(call: &CallError) -> Option<&'static KnownFailure> {
    KNOWN.iter().find(|KnownFailure(_, codes, words, ..)| {
        // The parts around braces; an empty sign is in every message.
        let said = |sign: &str| sign.split("{}").all(|part| call.message.contains(part));
        codes.split(' ').any(|code| code == call.code) && words.split('|').any(said)
    })
}

/// Returns what a failed call means.
pub(super) fn meaning(call: &CallError) -> Meaning {
    known(call).map_or(if call.maybe_done { Meaning::Fault } else { Meaning::Other }, |known| known.0)
}

/// Returns what to say and to do about a failed call; `on` is the object of S3 that it was about.
pub fn advice(call: &CallError, on: Option<&Uri>) -> Advice {
    let CallError { service, operation, message, partition, .. } = call;
    let bucket = on.and_then(|uri| uri.bucket_and_key()).map_or("BUCKET", |(bucket, _)| bucket);
    let filled =
        |text: &str| text.replace("{service}", service).replace("{operation}", operation).replace("{bucket}", bucket);
    let meaning = meaning(call);
    let (says, advised) = known(call).map_or(("", &[][..]), |KnownFailure(_, _, _, says, hints)| (*says, *hints));
    let mut what = filled(says);
    let mut hints: Vec<String> = advised.iter().map(|hint| filled(hint)).collect();
    match meaning {
        Meaning::Denied => {
            let action = permission(service, operation);
            let resource = on.map_or("*".to_string(), |uri| resource(&action, uri, partition));
            let finding = diagnose::refused(message, &action, &resource);
            what = format!("{what}: {}", finding.summary);
            hints.splice(0..0, finding.hint);
        }
        Meaning::OtherRegion => {
            // It may say which.
            if let Some(region) = message.split("expecting '").nth(1).and_then(|rest| rest.split('\'').next()) {
                what = format!("bucket `{bucket}` is in {region}, which is not the target's region");
                hints = vec![format!("set `region: {region}` of the target, or name a bucket of its region")];
            }
        }
        Meaning::Invalid => {
            what = format!("{service} refused `{operation}`: {message}");
            hints.extend(diagnose::request(message).and_then(|finding| finding.hint));
        }
        Meaning::Fault => {
            what = format!("{service} failed at `{operation}`: {message}");
            hints.extend([AGAIN, "https://health.aws.amazon.com/health/status tells of outages"].map(String::from));
        }
        _ if what.is_empty() => what = format!("{service} refused `{operation}`: {message}"),
        _ => {}
    }
    Advice { meaning, what, hints }
}

/// Returns the error of a failed call, with what it means and what can be done.
pub(super) fn explained(call: CallError, on: Option<&Uri>) -> Error {
    let Advice { what, hints, .. } = advice(&call, on);
    let failure = hints.into_iter().fold(Error::new(Kind::Machine, what).caused_by(call), Error::hint);
    match on {
        Some(uri) => failure.detail(format!("on {uri}")),
        None => failure,
    }
}

#[cfg(test)]
mod tests;
