//! The one adviser: what a failed call means and what a person can do. Every error of AWS becomes an [`Error`] here, and
//! the doctor asks here too.

use super::errors::{BAD_REQUEST, CallError, NO_ANSWER, NO_CREDENTIALS, NOT_SENT, UNTRUSTED};
use super::permission::{permission, resource};
use crate::diagnose;
use crate::error::{Error, Kind};
use crate::names::Uri;
use crate::net::NAME_AUTHORITY;

/// What a failed call means, whichever service and whichever of its codes said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Calls come too fast.
    Throttled,
    /// The caller may not do this.
    Denied,
    /// The credentials were good once.
    Expired,
    /// This machine's clock is wrong.
    Clock,
    /// The secret does not belong to the key.
    Signature,
    /// AWS does not know the key.
    UnknownKey,
    /// There are no credentials.
    NoCredentials,
    /// The account has not signed up for the service.
    NotSignedUp,
    /// The bucket is elsewhere.
    OtherRegion,
    /// There is no such bucket.
    NoBucket,
    /// EMR knows no such cluster or step.
    NoCluster,
    /// The cluster takes nothing more.
    ClusterEnding,
    /// The cluster has as many steps as it takes.
    ClusterFull,
    /// The request is not one that the service takes.
    Invalid,
    /// The address has no machine.
    NoAddress,
    /// The machine that answers is not AWS's.
    NotTrusted,
    /// No connection could be made.
    NotReached,
    /// A connection was lost, or no answer came in time.
    NoAnswer,
    /// The service, or something on the way to it, failed.
    Fault,
    /// Nothing that is known.
    Other,
}

/// Something known about failed calls.
struct Known {
    meaning: Meaning,
    /// The codes it comes with, AWS's and our own.
    codes: &'static [&'static str],
    /// One of these is in the message then; none: whatever the message is.
    words: &'static [&'static str],
    /// What it means; empty: AWS's words say it best.
    says: &'static str,
    hints: &'static [&'static str],
}

const AGAIN: &str = "run the same command again: what was done is found, not repeated";
const WAY: &str = "`soflow doctor` checks the way to AWS";
const INVALID: &[&str] = &["ValidationException", "InvalidRequestException"];

/// What is known, the more particular first. Sources: the common errors of each service's API reference, S3's list of error
/// codes, the SDKs' list of throttling codes, and EMR's words where one code has many meanings.
const KNOWN: &[Known] = &[
    Known {
        meaning: Meaning::Throttled,
        codes: &[
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestThrottled",
            "RequestThrottledException",
            "TooManyRequestsException",
            "RequestLimitExceeded",
            "BandwidthLimitExceeded",
            "SlowDown",
            "PriorRequestNotComplete",
        ],
        words: &[],
        says: "{service} is throttling this account: {operation}",
        hints: &[AGAIN, "ask for a higher quota, or lower what else calls {service} in this account"],
    },
    Known {
        meaning: Meaning::Denied,
        codes: &["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"],
        words: &[],
        says: "{service} does not allow {operation}",
        hints: &["`aws sts get-caller-identity` shows who is asking; `soflow doctor` lists what is missing"],
    },
    Known {
        meaning: Meaning::Clock,
        codes: &["RequestTimeTooSkewed", "RequestExpired"],
        words: &[],
        says: CLOCK,
        hints: SET_CLOCK,
    },
    Known {
        meaning: Meaning::Clock,
        codes: SIGNATURE,
        words: &["Signature expired", "Signature not yet current"],
        says: CLOCK,
        hints: SET_CLOCK,
    },
    Known {
        meaning: Meaning::Signature,
        codes: SIGNATURE,
        words: &[],
        says: "AWS does not accept the signature: the secret does not belong to the key",
        hints: &["put in the key's secret again: `aws configure`; if it is right, look at the clock: `timedatectl`"],
    },
    Known {
        meaning: Meaning::Expired,
        codes: &["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"],
        words: &[],
        says: "the AWS credentials have expired",
        hints: SIGN_IN,
    },
    Known {
        meaning: Meaning::Expired,
        codes: &[NO_CREDENTIALS],
        words: &["expired"],
        says: "the AWS credentials have expired",
        hints: SIGN_IN,
    },
    Known {
        meaning: Meaning::Expired,
        codes: &[BAD_REQUEST],
        words: &[],
        says: "S3 does not say why it refuses {operation}, as when the credentials have expired",
        hints: &["`aws sts get-caller-identity` tells whether they have; sign in again: `aws sso login`"],
    },
    Known {
        meaning: Meaning::UnknownKey,
        codes: &[
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "InvalidAccessKeyId",
            "AuthFailure",
            "InvalidToken",
            "InvalidSecurity",
        ],
        words: &[],
        says: "AWS does not know these credentials",
        hints: &[
            "see which ones are used: `aws configure list`; then check `profile:` of the target, AWS_PROFILE and \
                  AWS_ACCESS_KEY_ID",
        ],
    },
    Known {
        meaning: Meaning::NoCredentials,
        codes: &[NO_CREDENTIALS, "MissingAuthenticationToken", "MissingAuthenticationTokenException"],
        words: &[],
        says: "no AWS credentials were found",
        hints: &[
            "sign in: `aws sso login`, `aws login` or `aws configure`; in CI give the job a role",
            "`soflow doctor` says which one the profile takes",
        ],
    },
    Known {
        meaning: Meaning::NotSignedUp,
        codes: &["OptInRequired", "SubscriptionRequiredException", "NotSignedUp"],
        words: &[],
        says: "the account has not signed up for {service}, or not in this region",
        hints: &[
            "open the service once in the AWS console, in this region; `aws sts get-caller-identity` shows the account",
        ],
    },
    Known {
        meaning: Meaning::OtherRegion,
        codes: &[
            "PermanentRedirect",
            "TemporaryRedirect",
            "Redirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
        ],
        words: &[],
        says: "bucket `{bucket}` is in another region than the target's",
        hints: &["see where it is, `aws s3api get-bucket-location --bucket {bucket}`, and set `region:` of the target"],
    },
    Known {
        meaning: Meaning::NoBucket,
        codes: &["NoSuchBucket"],
        words: &[],
        says: "there is no bucket `{bucket}`",
        hints: &["make it: `aws s3 mb s3://{bucket}`, or correct `lake:` in config/soflow.yaml"],
    },
    Known {
        meaning: Meaning::ClusterEnding,
        codes: INVALID,
        words: &["shutting down", "terminated"],
        says: "the cluster is ending and takes nothing more",
        hints: &["submit again: a new cluster is made; `soflow cluster list` shows which there are"],
    },
    Known {
        meaning: Meaning::NoCluster,
        codes: INVALID,
        words: &["Specified job flow ID not valid", "Cluster id {} is not valid", "Step id {} is not valid"],
        says: "EMR knows no such cluster in this region, or none any more",
        hints: &["`soflow cluster list` shows those of this target"],
    },
    Known {
        meaning: Meaning::ClusterFull,
        codes: INVALID,
        words: &["Maximum number of active steps"],
        says: "256 steps are waiting on the cluster, which is the most it takes",
        hints: &["wait for some to end, or take another cluster: `soflow cluster up`"],
    },
    Known { meaning: Meaning::Invalid, codes: INVALID, words: &[], says: "", hints: &[] },
    Known {
        meaning: Meaning::NoAddress,
        codes: &[NOT_SENT],
        words: &["dns error", "failed to lookup address", "name resolution"],
        says: "{service} has no address: no network, or a region that does not exist",
        hints: &[AGAIN, "check the network, the region, and HTTPS_PROXY if there is a proxy: `soflow doctor`"],
    },
    Known {
        meaning: Meaning::NotTrusted,
        codes: &[UNTRUSTED],
        words: &[],
        says: "what answers is not {service}: its certificate is not trusted",
        hints: &[NAME_AUTHORITY],
    },
    Known {
        meaning: Meaning::NotReached,
        codes: &[NOT_SENT],
        words: &[],
        says: "{service} cannot be reached",
        hints: &[AGAIN, WAY],
    },
    Known {
        meaning: Meaning::NoAnswer,
        codes: &[NO_ANSWER],
        words: &[],
        says: "{service} did not answer {operation}",
        hints: &[AGAIN, WAY],
    },
];

const SIGNATURE: &[&str] = &["SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"];
const SIGN_IN: &[&str] = &["sign in again, `aws sso login`, or renew the keys; then run the same command"];
const CLOCK: &str = "this machine's clock is wrong: AWS refuses what was signed minutes from now";
const SET_CLOCK: &[&str] = &[
    "set the clock, `sudo timedatectl set-ntp true`, or restart a virtual machine that slept; then run the same command",
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

fn known(call: &CallError) -> Option<&'static Known> {
    let fits = |known: &&Known| {
        let said = |words: &&str| match words.split_once("{}") {
            Some((before, after)) => call.message.contains(before) && call.message.contains(after),
            None => call.message.contains(*words),
        };
        known.codes.contains(&call.code.as_str()) && (known.words.is_empty() || known.words.iter().any(said))
    };
    KNOWN.iter().find(fits)
}

/// Returns what a failed call means.
pub(super) fn meaning(call: &CallError) -> Meaning {
    known(call).map_or(if call.maybe_done { Meaning::Fault } else { Meaning::Other }, |known| known.meaning)
}

/// Returns what to say and to do about a failed call; `on` is the object of S3 that it was about.
pub fn advice(call: &CallError, on: Option<&Uri>) -> Advice {
    let CallError { service, operation, message, partition, .. } = call;
    let bucket = on.and_then(|uri| uri.bucket_and_key()).map_or("BUCKET", |(bucket, _)| bucket);
    let filled =
        |text: &str| text.replace("{service}", service).replace("{operation}", operation).replace("{bucket}", bucket);
    let known = known(call);
    let meaning = meaning(call);
    let mut what = known.map_or(String::new(), |known| filled(known.says));
    let mut hints: Vec<String> = known.map_or(&[][..], |known| known.hints).iter().map(|hint| filled(hint)).collect();
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
            what = format!("{service} refused {operation}: {message}");
            hints.extend(diagnose::request(message).and_then(|finding| finding.hint));
        }
        Meaning::Fault => {
            what = format!("{service} failed at {operation}: {message}");
            hints.extend([AGAIN, "https://health.aws.amazon.com/health/status tells of outages"].map(String::from));
        }
        _ if what.is_empty() => what = format!("{service} refused {operation}: {message}"),
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
