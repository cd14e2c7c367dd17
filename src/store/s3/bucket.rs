//! Whole buckets: whose they are, and their end.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::ObjectIdentifier;

use super::S3Store;
use crate::error::{Error, Kind, Result};
use crate::names::Uri;

/// How often a bucket is emptied that others still write to: access logs come hours late.
const ROUNDS: u32 = 5;

impl S3Store {
    /// Returns the names of all buckets of the account.
    ///
    /// # Errors
    /// Those of S3.
    pub async fn buckets(&self) -> Result<Vec<String>> {
        let (mut names, mut after) = (Vec::new(), None);
        loop {
            let list = || async {
                let page = self.client.list_buckets().set_continuation_token(after.clone()).send().await;
                page.map_err(|error| self.told("ListBuckets", &error))
            };
            let page = self.patiently(list).await?;
            names.extend(page.buckets().iter().filter_map(|bucket| bucket.name().map(String::from)));
            after = page.continuation_token;
            if after.is_none() {
                return Ok(names);
            }
        }
    }

    /// Returns the value of a bucket's tag, `None` within when it has no such tag; `None` when there is no such bucket.
    ///
    /// # Errors
    /// Those of S3.
    pub async fn bucket_tag(&self, bucket: &str, key: &str) -> Result<Option<Option<String>>> {
        self.ask(&Uri::in_bucket(bucket, ""), || async {
            match self.client.get_bucket_tagging().bucket(bucket).send().await {
                Ok(found) => {
                    let tag = found.tag_set().iter().find(|tag| tag.key() == key);
                    Ok(Some(tag.map(|tag| tag.value().to_string())))
                }
                Err(error) => match error.code() {
                    Some("NoSuchTagSet") => Ok(Some(None)),
                    Some("NoSuchBucket") => Ok(None),
                    _ => Err(self.told("GetBucketTagging", &error)),
                },
            }
        })
        .await
    }

    /// Removes every version of every object of a bucket, a page at a time.
    ///
    /// # Errors
    /// Those of S3.
    pub async fn empty_bucket(&self, bucket: &str) -> Result<()> {
        let whole = Uri::in_bucket(bucket, "");
        loop {
            let found = self
                .ask(&whole, || async {
                    match self.client.list_object_versions().bucket(bucket).send().await {
                        Ok(page) => Ok(Some(page)),
                        Err(error) if error.code() == Some("NoSuchBucket") => Ok(None),
                        Err(error) => Err(self.told("ListObjectVersions", &error)),
                    }
                })
                .await?;
            let Some(page) = found else { return Ok(()) };
            let versions = page.versions().iter().map(|one| (one.key(), one.version_id()));
            let markers = page.delete_markers().iter().map(|one| (one.key(), one.version_id()));
            let named = versions.chain(markers).filter_map(|(key, version)| {
                ObjectIdentifier::builder().key(key?).set_version_id(version.map(String::from)).build().ok()
            });
            let named: Vec<ObjectIdentifier> = named.collect();
            if named.is_empty() {
                return Ok(());
            }
            self.delete_named(bucket, named).await?;
        }
    }

    /// Empties and deletes a bucket; one that is not there is no error.
    ///
    /// # Errors
    /// `Machine` when others write to it all the time; those of S3.
    pub async fn delete_bucket(&self, bucket: &str) -> Result<()> {
        for _ in 0..ROUNDS {
            self.empty_bucket(bucket).await?;
            let delete = || async {
                match self.client.delete_bucket().bucket(bucket).send().await {
                    Ok(_) => Ok(true),
                    Err(error) => match error.code() {
                        Some("NoSuchBucket") => Ok(true),
                        Some("BucketNotEmpty") => Ok(false),
                        _ => Err(self.told("DeleteBucket", &error)),
                    },
                }
            };
            if self.ask(&Uri::in_bucket(bucket, ""), delete).await? {
                return Ok(());
            }
        }
        Err(Error::new(Kind::Machine, format!("others write to bucket `{bucket}` all the time"))
            .hint("run the same command again in an hour"))
    }
}
