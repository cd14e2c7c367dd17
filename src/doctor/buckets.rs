//! The buckets of the lake: there, here, closed to the public, encrypted, writable; and what becomes of what nobody needs.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, ExpirationStatus, LifecycleRule};

use super::State;
use super::finding::{Asker, Checked, Finding, line, why};
use crate::aws::{CallError, advice, permission};
use crate::config::Lake;
use crate::names::Uri;

/// A bucket and what the lake has in it.
#[derive(Debug)]
struct Bucket<'a> {
    name: &'a str,
    /// The parts of the lake in it, such as `curated`.
    parts: Vec<&'static str>,
    /// The location that is tried out.
    probe: &'a Uri,
}

/// Checks every bucket once, whatever the lake has in it.
pub(super) async fn check(ask: &Asker<'_>, lake: &Lake) -> Vec<Finding> {
    let (buckets, mut findings) = group(lake);
    let client = ask.session.s3();
    for bucket in &buckets {
        let place = place(ask, &client, bucket).await;
        // What a bucket elsewhere is like does not matter; one that may not be listed may still be written.
        let elsewhere = place.state == State::Problem;
        findings.push(place);
        if elsewhere {
            continue;
        }
        let (name, subject) = (bucket.name, format!("`{}`", bucket.name));
        findings.extend([
            line("public access", &subject, closed(ask, &client, name).await),
            line("encryption", &subject, encrypted(ask, &client, name).await),
            line("versioning", &subject, versioning(ask, &client, name).await),
            line("unfinished uploads", &subject, unfinished(ask, &client, name).await),
            probe(ask, &client, bucket).await.unwrap_or_else(|finding| finding).of("writing"),
        ]);
    }
    findings
}

/// Returns the buckets of a lake, and the parts that no cluster can reach. The location tried out in a bucket is the
/// first of those that soflow writes most.
fn group(lake: &Lake) -> (Vec<Bucket<'_>>, Vec<Finding>) {
    let mut buckets: Vec<Bucket<'_>> = Vec::new();
    let mut elsewhere = Vec::new();
    for (part, uri) in
        [("artifacts", &lake.artifacts), ("curated", &lake.curated), ("raw", &lake.raw), ("logs", &lake.logs)]
    {
        let Some((name, _)) = uri.bucket_and_key() else {
            let finding = Finding::problem(format!("{part} is at `{uri}`, where no cluster can reach it"));
            let advice = format!("set `lake.{part}` of the target to `s3://BUCKET/PREFIX`");
            elsewhere.push(finding.mend(advice).of("bucket"));
            continue;
        };
        match buckets.iter_mut().find(|known| known.name == name) {
            Some(known) => known.parts.push(part),
            None => buckets.push(Bucket { name, parts: vec![part], probe: uri }),
        }
    }
    (buckets, elsewhere)
}

/// The answer to HEAD has no body: only the status and the region tell.
async fn place(ask: &Asker<'_>, client: &Client, bucket: &Bucket<'_>) -> Finding {
    let answer = match client.head_bucket().bucket(bucket.name).send().await {
        Ok(head) => Ok((200, head.bucket_region().map(String::from))),
        Err(error) => match error.raw_response() {
            Some(answer) => {
                Ok((answer.status().as_u16(), answer.headers().get("x-amz-bucket-region").map(String::from)))
            }
            None => Err(why(&ask.session.failed("S3", "HeadBucket", &error))),
        },
    };
    let region = ask.session.region();
    let judged = answer.and_then(|(status, there)| judge(bucket, region, status, there.as_deref()));
    line("bucket", &format!("`{}` ({})", bucket.name, bucket.parts.join(", ")), judged)
}

fn judge(bucket: &Bucket<'_>, region: &str, status: u16, there: Option<&str>) -> Checked {
    let (name, parts) = (bucket.name, bucket.parts.join(", "));
    match (status, there) {
        (404, _) => Ok(Finding::problem(format!("`{name}` ({parts}) does not exist"))
            .mend(format!("`aws s3 mb s3://{name} --region {region}`"))),
        (_, Some(there)) if there != region => {
            let what = format!("`{name}` ({parts}) is in `{there}`, the target in `{region}`");
            Ok(Finding::problem(what).mend(format!("set the target's `region` to `{there}`, or use another bucket")))
        }
        (200, _) => Ok(Finding::ok(format!("`{name}` ({parts}) is in `{region}`"))),
        (403, _) => Err(format!("`{}` is not allowed, or it is not yours", permission("S3", "HeadBucket"))),
        (status, _) => Err(format!("HTTP {status}")),
    }
}

async fn closed(ask: &Asker<'_>, client: &Client, name: &str) -> Checked {
    let call = client.get_public_access_block().bucket(name).send();
    let asked = ask.s3("GetPublicAccessBlock", call, "NoSuchPublicAccessBlockConfiguration").await?;
    let blocks = asked.and_then(|answer| answer.public_access_block_configuration).is_some_and(|all| {
        let four =
            [all.block_public_acls, all.ignore_public_acls, all.block_public_policy, all.restrict_public_buckets];
        four == [Some(true); 4]
    });
    if blocks {
        return Ok(Finding::ok(format!("`{name}` blocks it")));
    }
    let all = "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true";
    let command =
        format!("`aws s3api put-public-access-block --bucket {name} --public-access-block-configuration {all}`");
    Ok(Finding::problem(format!("`{name}` does not block it")).mend(command))
}

async fn encrypted(ask: &Asker<'_>, client: &Client, name: &str) -> Checked {
    let call = client.get_bucket_encryption().bucket(name).send();
    let asked = ask.s3("GetBucketEncryption", call, "ServerSideEncryptionConfigurationNotFoundError").await?;
    let Some(answer) = asked else {
        let rule = r#"{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]}"#;
        let command = format!(
            "`aws s3api put-bucket-encryption --bucket {name} --server-side-encryption-configuration '{rule}'`"
        );
        return Ok(Finding::problem(format!("`{name}` has no default encryption")).mend(command));
    };
    let rules = answer.server_side_encryption_configuration.map(|all| all.rules).unwrap_or_default();
    let default = rules.iter().find_map(|rule| rule.apply_server_side_encryption_by_default.as_ref());
    let with = default.map_or("AES256", |rule| rule.sse_algorithm.as_str());
    Ok(Finding::ok(format!("`{name}` encrypts with `{with}`")))
}

/// Only advice: it stops no run.
async fn versioning(ask: &Asker<'_>, client: &Client, name: &str) -> Checked {
    let answer = ask.s3("GetBucketVersioning", client.get_bucket_versioning().bucket(name).send(), "").await?;
    if answer.and_then(|answer| answer.status) != Some(BucketVersioningStatus::Enabled) {
        return Ok(Finding::ok(format!("`{name}` keeps no old versions")));
    }
    let advice = "what `soflow gc` removes is still paid for: let a lifecycle rule expire noncurrent versions";
    Ok(Finding::ok(format!("`{name}` keeps every version of every object")).mend(advice))
}

/// Only advice: it stops no run.
async fn unfinished(ask: &Asker<'_>, client: &Client, name: &str) -> Checked {
    let call = client.get_bucket_lifecycle_configuration().bucket(name).send();
    let asked = ask.s3("GetBucketLifecycleConfiguration", call, "NoSuchLifecycleConfiguration").await?;
    let removes = |rule: &LifecycleRule| {
        rule.status == ExpirationStatus::Enabled && rule.abort_incomplete_multipart_upload.is_some()
    };
    let advice = match asked {
        Some(answer) if answer.rules().iter().any(removes) => return Ok(Finding::ok(format!("`{name}` removes them"))),
        Some(_) => "add a rule with `AbortIncompleteMultipartUpload` to its lifecycle".to_string(),
        // It replaces all rules, so it is only advised where there are none.
        None => {
            let rule = r#"{"Rules":[{"ID":"unfinished-uploads","Status":"Enabled","Filter":{},"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":7}}]}"#;
            format!("`aws s3api put-bucket-lifecycle-configuration --bucket {name} --lifecycle-configuration '{rule}'`")
        }
    };
    Ok(Finding::ok(format!("`{name}` keeps them for ever")).mend(advice))
}

/// Writes, reads, lists and removes an object; `Err`: which of these is refused.
async fn probe(ask: &Asker<'_>, client: &Client, bucket: &Bucket<'_>) -> Result<Finding, Finding> {
    // Another name each time: of hash seeds, which the standard library draws at random.
    let drawn = RandomState::new().build_hasher().finish();
    let uri = bucket.probe.join(&format!("_soflow-doctor-{drawn:016x}"));
    let (name, key) = uri.bucket_and_key().unwrap_or_default();
    let refused = |failure: CallError| {
        let what = format!("{} in `{}`: {}", failure.operation, bucket.probe, why(&failure));
        advice(&failure, Some(bucket.probe)).hints.into_iter().fold(Finding::problem(what), Finding::mend)
    };
    let put = client.put_object().bucket(name).key(key).body(ByteStream::from_static(b"soflow doctor\n"));
    put.send().await.map_err(|error| refused(ask.session.failed("S3", "PutObject", &error)))?;
    let read = client.get_object().bucket(name).key(key).send().await;
    let listed = client.list_objects_v2().bucket(name).prefix(key).max_keys(1).send().await;
    let removed = client.delete_object().bucket(name).key(key).send().await;
    removed.map_err(|error| {
        refused(ask.session.failed("S3", "DeleteObject", &error)).mend(format!("it is still there: `aws s3 rm {uri}`"))
    })?;
    read.map_err(|error| refused(ask.session.failed("S3", "GetObject", &error)))?;
    listed.map_err(|error| refused(ask.session.failed("S3", "ListObjectsV2", &error)))?;
    Ok(Finding::ok(format!("an object in `{}` was written, read, listed and removed", bucket.probe)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn lake(places: [&str; 4]) -> Lake {
        let [raw, curated, artifacts, logs] = places.map(|place| Uri::parse(place, Path::new("/")).unwrap());
        Lake { raw, curated, artifacts, logs }
    }

    #[test]
    fn a_bucket_is_checked_once_and_a_folder_is_no_place_for_a_cluster() {
        let lake = lake(["s3://a/raw", "s3://b/curated", "s3://a/artifacts", "file:/tmp/logs"]);
        let (buckets, elsewhere) = group(&lake);
        let shown: Vec<_> = buckets.iter().map(|b| (b.name, b.parts.clone(), b.probe.as_str())).collect();
        let expected = [("a", vec!["artifacts", "raw"], "s3://a/artifacts"), ("b", vec!["curated"], "s3://b/curated")];
        assert_eq!(shown, expected);
        assert_eq!((elsewhere.len(), elsewhere[0].state), (1, State::Problem));
    }

    #[test]
    fn where_a_bucket_is_follows_from_status_and_region() {
        let lake = lake(["s3://a/raw"; 4]);
        let (buckets, _) = group(&lake);
        for (status, there, state, word) in [
            (200, Some("eu-west-1"), State::Ok, "is in"),
            (200, None, State::Ok, "is in"),
            (301, Some("us-east-1"), State::Problem, "is in `us-east-1`"),
            (403, Some("us-east-1"), State::Problem, "is in `us-east-1`"),
            (403, Some("eu-west-1"), State::Unknown, "`s3:ListBucket` is not allowed"),
            (404, None, State::Problem, "does not exist"),
        ] {
            let finding = line("bucket", "`a`", judge(&buckets[0], "eu-west-1", status, there));
            assert!(finding.state == state && finding.what.contains(word), "{status} {there:?}: {finding:?}");
        }
    }
}
