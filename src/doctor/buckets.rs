//! The buckets of the lake: there, here, closed to the public, writable.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::head_bucket::{HeadBucketError, HeadBucketOutput};
use aws_sdk_s3::primitives::ByteStream;
use futures_util::future::join_all;

use super::ask::{Asker, why};
use super::finding::Finding;
use super::settings;
use crate::aws::{self, permission};
use crate::config::Lake;
use crate::names::Uri;

/// A bucket and what the lake has in it.
#[derive(Debug)]
pub(super) struct Bucket<'a> {
    /// Its name.
    pub name: &'a str,
    /// The parts of the lake in it, such as `curated`.
    pub parts: Vec<&'static str>,
    /// The location that is tried out.
    pub probe: &'a Uri,
}

/// Checks every bucket once, whatever the lake has in it.
pub(super) async fn check(ask: &Asker<'_>, lake: &Lake) -> Vec<Finding> {
    let (buckets, elsewhere) = group(lake);
    let client = ask.session.s3();
    let checked = join_all(buckets.iter().map(|bucket| one(ask, &client, bucket))).await;
    elsewhere.into_iter().chain(checked.into_iter().flatten()).collect()
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
            let finding = Finding::problem("bucket", format!("{part} is at `{uri}`, where no cluster can reach it"));
            elsewhere.push(finding.mend(format!("set `lake.{part}` of the target to `s3://BUCKET/PREFIX`")));
            continue;
        };
        match buckets.iter_mut().find(|known| known.name == name) {
            Some(known) => known.parts.push(part),
            None => buckets.push(Bucket { name, parts: vec![part], probe: uri }),
        }
    }
    (buckets, elsewhere)
}

async fn one(ask: &Asker<'_>, client: &Client, bucket: &Bucket<'_>) -> Vec<Finding> {
    let head = ask.turn(client.head_bucket().bucket(bucket.name).send()).await;
    let place = placed(ask, bucket, &head);
    // What a bucket elsewhere is like does not matter; one that may not be listed may still be written.
    if place.state == super::State::Problem {
        return vec![place];
    }
    let (safety, writing) = tokio::join!(settings::check(ask, client, bucket), probe(ask, client, bucket));
    [place].into_iter().chain(safety).chain([writing]).collect()
}

fn placed(ask: &Asker<'_>, bucket: &Bucket<'_>, head: &Result<HeadBucketOutput, SdkError<HeadBucketError>>) -> Finding {
    let name = bucket.name;
    let (status, there) = match head {
        Ok(head) => (200, head.bucket_region().map(String::from)),
        Err(error) => match error.raw_response() {
            None => {
                let told = why(&ask.session.failed("S3", "HeadBucket", error));
                return Finding::unknown("bucket", format!("`{name}` could not be checked: {told}"));
            }
            Some(answer) => {
                let region = answer.headers().get("x-amz-bucket-region").map(String::from);
                (answer.status().as_u16(), region)
            }
        },
    };
    judge(bucket, ask.session.region(), status, there.as_deref())
}

/// The answer to HEAD has no body: only the status and the region tell.
fn judge(bucket: &Bucket<'_>, region: &str, status: u16, there: Option<&str>) -> Finding {
    let (name, parts) = (bucket.name, bucket.parts.join(", "));
    match (status, there) {
        (404, _) => Finding::problem("bucket", format!("`{name}` ({parts}) does not exist"))
            .mend(format!("`aws s3 mb s3://{name} --region {region}`")),
        (_, Some(there)) if there != region => {
            let what = format!("`{name}` ({parts}) is in `{there}`, the target in `{region}`");
            Finding::problem("bucket", what)
                .mend(format!("set the target's `region` to `{there}`, or use another bucket"))
        }
        (200, _) => Finding::ok("bucket", format!("`{name}` ({parts}) is in `{region}`")),
        (403, _) => {
            let right = permission("S3", "HeadBucket");
            let what = format!("`{name}` ({parts}) could not be checked: `{right}` is not allowed, or it is not yours");
            Finding::unknown("bucket", what)
        }
        (status, _) => Finding::unknown("bucket", format!("`{name}` ({parts}) could not be checked: HTTP {status}")),
    }
}

/// Writes, reads, lists and removes an object.
async fn probe(ask: &Asker<'_>, client: &Client, bucket: &Bucket<'_>) -> Finding {
    let uri = bucket.probe.join(&format!("_soflow-doctor-{:016x}", drawn()));
    let key = uri.bucket_and_key().map_or("", |(_, key)| key);
    let name = bucket.name;
    let refused = |failure: &aws::CallError| {
        let what = format!("{} in `{}`: {}", failure.operation, bucket.probe, why(failure));
        let hints = aws::advice(failure, Some(bucket.probe)).hints;
        hints.into_iter().fold(Finding::problem("writing", what), Finding::mend)
    };
    let put = client.put_object().bucket(name).key(key).body(ByteStream::from_static(b"soflow doctor\n"));
    if let Err(error) = ask.turn(put.send()).await {
        return refused(&ask.session.failed("S3", "PutObject", &error));
    }
    let read = ask.turn(client.get_object().bucket(name).key(key).send()).await.map(drop);
    let listed = ask.turn(client.list_objects_v2().bucket(name).prefix(key).max_keys(1).send()).await.map(drop);
    if let Err(error) = ask.turn(client.delete_object().bucket(name).key(key).send()).await {
        return refused(&ask.session.failed("S3", "DeleteObject", &error))
            .mend(format!("it is still there: `aws s3 rm {uri}`"));
    }
    let failures = [
        read.map_err(|error| ask.session.failed("S3", "GetObject", &error)).err(),
        listed.map_err(|error| ask.session.failed("S3", "ListObjectsV2", &error)).err(),
    ];
    match failures.into_iter().flatten().next() {
        Some(failure) => refused(&failure),
        None => {
            Finding::ok("writing", format!("an object in `{}` was written, read, listed and removed", bucket.probe))
        }
    }
}

/// Returns a number that is another one each time. Of hash seeds, which the standard library draws at random.
fn drawn() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::State;
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
            let finding = judge(&buckets[0], "eu-west-1", status, there);
            assert!(finding.state == state && finding.what.contains(word), "{status} {there:?}: {finding:?}");
        }
    }
}
