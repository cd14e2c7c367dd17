//! How a bucket is set up: closed, encrypted, and what becomes of what nobody needs.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{BucketVersioningStatus, ExpirationStatus};

use super::ask::{Asked, Asker, why};
use super::buckets::Bucket;
use super::finding::Finding;

/// A rule that removes what uploads that were cut short have left.
const RULE: &str = r#"{"Rules":[{"ID":"unfinished-uploads","Status":"Enabled","Filter":{},"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":7}}]}"#;

/// Checks the settings of a bucket.
pub(super) async fn check(ask: &Asker<'_>, client: &Client, bucket: &Bucket<'_>) -> Vec<Finding> {
    let (closed, encrypted, kept) =
        tokio::join!(closed(ask, client, bucket.name), encrypted(ask, client, bucket.name), kept(ask, client, bucket));
    [closed, encrypted].into_iter().chain(kept).collect()
}

async fn closed(ask: &Asker<'_>, client: &Client, name: &str) -> Finding {
    let check = "public access";
    let answer = ask.turn(client.get_public_access_block().bucket(name).send()).await;
    let open = || {
        let all = "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true";
        let command =
            format!("`aws s3api put-public-access-block --bucket {name} --public-access-block-configuration {all}`");
        Finding::problem(check, format!("`{name}` does not block it")).mend(command)
    };
    let asked = asked(ask, "GetPublicAccessBlock", answer, "NoSuchPublicAccessBlockConfiguration");
    match asked.or_tell(check, &format!("`{name}`"), |_| open()) {
        Err(finding) => finding,
        Ok(answer) => {
            let blocks = answer.public_access_block_configuration.as_ref().is_some_and(|all| {
                let four = [
                    all.block_public_acls,
                    all.ignore_public_acls,
                    all.block_public_policy,
                    all.restrict_public_buckets,
                ];
                four.iter().all(|one| *one == Some(true))
            });
            if blocks { Finding::ok(check, format!("`{name}` blocks it")) } else { open() }
        }
    }
}

async fn encrypted(ask: &Asker<'_>, client: &Client, name: &str) -> Finding {
    let check = "encryption";
    let answer = ask.turn(client.get_bucket_encryption().bucket(name).send()).await;
    let plain = |_| {
        let rule = r#"{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]}"#;
        let options = format!("--server-side-encryption-configuration '{rule}'");
        Finding::problem(check, format!("`{name}` has no default encryption"))
            .mend(format!("`aws s3api put-bucket-encryption --bucket {name} {options}`"))
    };
    let asked = asked(ask, "GetBucketEncryption", answer, "ServerSideEncryptionConfigurationNotFoundError");
    match asked.or_tell(check, &format!("`{name}`"), plain) {
        Err(finding) => finding,
        Ok(answer) => {
            let rules = answer.server_side_encryption_configuration.map(|all| all.rules).unwrap_or_default();
            let default = rules.iter().find_map(|rule| rule.apply_server_side_encryption_by_default.as_ref());
            let with = default.map_or("AES256", |rule| rule.sse_algorithm.as_str());
            Finding::ok(check, format!("`{name}` encrypts with `{with}`"))
        }
    }
}

/// What is only advice: neither stops a run.
async fn kept(ask: &Asker<'_>, client: &Client, bucket: &Bucket<'_>) -> Vec<Finding> {
    let name = bucket.name;
    let (versions, rules) = tokio::join!(
        ask.turn(client.get_bucket_versioning().bucket(name).send()),
        ask.turn(client.get_bucket_lifecycle_configuration().bucket(name).send())
    );
    let mut findings = Vec::new();
    let none = |_| Finding::ok("versioning", format!("`{name}` keeps no old versions"));
    match asked(ask, "GetBucketVersioning", versions, "").or_tell("versioning", &format!("`{name}`"), none) {
        Ok(answer) if answer.status == Some(BucketVersioningStatus::Enabled) => {
            let what = format!("`{name}` keeps every version of every object");
            let advice = "what `soflow gc` removes is still paid for: let a lifecycle rule expire noncurrent versions";
            findings.push(Finding::ok("versioning", what).mend(advice));
        }
        Ok(_) => findings.push(none(String::new())),
        Err(finding) => findings.push(finding),
    }
    let check = "unfinished uploads";
    let stay = |_| {
        // It replaces all rules, so it is only advised where there are none.
        let command = format!(
            "`aws s3api put-bucket-lifecycle-configuration --bucket {name} --lifecycle-configuration '{RULE}'`"
        );
        Finding::ok(check, format!("`{name}` keeps them for ever")).mend(command)
    };
    let asked = asked(ask, "GetBucketLifecycleConfiguration", rules, "NoSuchLifecycleConfiguration");
    findings.push(match asked.or_tell(check, &format!("`{name}`"), stay) {
        Err(finding) => finding,
        Ok(answer) => {
            let removes = |rule: &aws_sdk_s3::types::LifecycleRule| {
                rule.status == ExpirationStatus::Enabled && rule.abort_incomplete_multipart_upload.is_some()
            };
            if answer.rules().iter().any(removes) {
                Finding::ok(check, format!("`{name}` removes them"))
            } else {
                let advice = "add a rule with `AbortIncompleteMultipartUpload` to its lifecycle";
                Finding::ok(check, format!("`{name}` keeps them for ever")).mend(advice)
            }
        }
    });
    findings
}

fn asked<T, E>(ask: &Asker<'_>, operation: &str, answer: Result<T, SdkError<E>>, absent: &str) -> Asked<T>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match answer {
        Ok(answer) => Asked::Is(answer),
        Err(error) if error.code() == Some(absent) => Asked::Absent(error.message().unwrap_or_default().into()),
        Err(error) => Asked::Unknown(why(&ask.session.failed("S3", operation, &error))),
    }
}
