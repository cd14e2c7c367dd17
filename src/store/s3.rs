//! Objects in S3.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::Bytes;
use jiff::Timestamp;

use super::upload;
use super::{Inventory, Object, Store, Tag};
use crate::aws::{self, ServerClock, Session};
use crate::error::{Error, Kind, Result};
use crate::names::Uri;

/// Most keys of one DeleteObjects call.
const DELETE_AT_ONCE: usize = 1000;

/// Answers to a write whose condition does not hold: the object is another one (412), another conditional write of it is
/// going on (409), it is gone (404). Source: S3's API model, PutObject and DeleteObject.
const REFUSED: [&str; 3] = ["PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"];

/// What S3 says of an object that was removed, replaced, or replaced by a shorter one.
const GONE: [&str; 3] = ["NoSuchKey", "PreconditionFailed", "InvalidRange"];

/// How often a part is asked for when its answer breaks off. The SDK repeats requests, but not once an answer has begun.
const TRIES: u32 = 3;

/// The store of `s3://` locations. Every operation may be repeated, which the SDK does after lost connections, throttles
/// and failures of the service.
#[derive(Clone, Debug)]
pub struct S3Store {
    client: Client,
    clock: ServerClock,
}

impl S3Store {
    /// Returns the store that a session reaches.
    pub fn new(session: &Session) -> Self {
        Self { client: session.s3(), clock: session.clock().clone() }
    }

    /// Writes under a condition; `None` when it does not hold.
    ///
    /// An answer may be lost after the object was written: the repeated request then fails on our own object, which is
    /// told from someone else's by its content.
    async fn put_if(&self, uri: &Uri, body: &[u8], tag: Option<&Tag>) -> Result<Option<Tag>> {
        let (bucket, key) = place(uri)?;
        let put = self.client.put_object().bucket(bucket).key(key).body(ByteStream::from(body.to_vec()));
        let put = match tag {
            Some(tag) => put.if_match(&tag.0),
            None => put.if_none_match("*"),
        };
        match put.send().await {
            Ok(done) => Ok(Some(Tag(done.e_tag.unwrap_or_default()))),
            Err(error) => {
                if !REFUSED.contains(&error.code().unwrap_or_default()) {
                    return Err(aws::s3_failed("PutObject", uri, &error));
                }
                let there = self.get_tagged(uri).await?;
                Ok(there.filter(|(found, _)| found == body).map(|(_, tag)| tag))
            }
        }
    }
}

impl S3Store {
    async fn listed(&self, prefix: &Uri) -> Result<Vec<Object>> {
        let (bucket, key) = place(prefix)?;
        let below = if key.is_empty() { String::new() } else { format!("{key}/") };
        let mut pages = self.client.list_objects_v2().bucket(bucket).prefix(below).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| aws::s3_failed("ListObjectsV2", prefix, &error))?;
            found.extend(objects(bucket, &page));
        }
        found.sort_by(|a, b| a.uri.cmp(&b.uri));
        Ok(found)
    }

    async fn delete(&self, bucket: &str, names: &[&str]) -> Result<()> {
        let whole = Uri::in_bucket(bucket, "");
        for names in names.chunks(DELETE_AT_ONCE) {
            let named = names.iter().filter_map(|name| ObjectIdentifier::builder().key(*name).build().ok());
            let Ok(delete) = Delete::builder().quiet(true).set_objects(Some(named.collect())).build() else { continue };
            let done = self.client.delete_objects().bucket(bucket).delete(delete).send().await;
            let done = done.map_err(|error| aws::s3_failed("DeleteObjects", &whole, &error))?;
            if let Some(error) = done.errors().first() {
                let (code, key) = (error.code().unwrap_or("?"), error.key().unwrap_or("?"));
                let message = format!("`s3://{bucket}/{key}` cannot be removed: {code}");
                return Err(Error::new(Kind::Machine, message).hint("`soflow doctor` lists what is missing"));
            }
        }
        Ok(())
    }
}

/// Returns the bucket and the key of an object, or of a prefix.
pub(super) fn place(uri: &Uri) -> Result<(&str, &str)> {
    uri.bucket_and_key().ok_or_else(|| Error::new(Kind::Usage, format!("`{uri}` is not in S3")))
}

#[async_trait]
impl Store for S3Store {
    async fn list(&self, prefix: &Uri) -> Result<Vec<Object>> {
        let mut found = self.listed(prefix).await?;
        found.retain(|object| is_shown(object, prefix));
        Ok(found)
    }

    async fn inventory(&self, prefix: &Uri) -> Result<Inventory> {
        Ok(Inventory { objects: self.listed(prefix).await?, links: Vec::new() })
    }

    /// An object appears whole or not at all; parts of unfinished uploads are for the bucket's lifecycle rule to remove.
    async fn unfinished(&self, _: &Uri) -> Result<Vec<Object>> {
        Ok(Vec::new())
    }

    /// S3 answers when an object is kept in several places.
    async fn sync(&self, _: &Uri, _: &[Object]) -> Result<()> {
        Ok(())
    }

    async fn get(&self, uri: &Uri) -> Result<Option<Vec<u8>>> {
        Ok(self.get_tagged(uri).await?.map(|(body, _)| body))
    }

    async fn put(&self, uri: &Uri, body: &[u8]) -> Result<()> {
        let (bucket, key) = place(uri)?;
        let put = self.client.put_object().bucket(bucket).key(key).body(ByteStream::from(body.to_vec()));
        put.send().await.map(drop).map_err(|error| aws::s3_failed("PutObject", uri, &error))
    }

    async fn put_if_absent(&self, uri: &Uri, body: &[u8]) -> Result<Option<Tag>> {
        self.put_if(uri, body, None).await
    }

    async fn get_tagged(&self, uri: &Uri) -> Result<Option<(Vec<u8>, Tag)>> {
        let (bucket, key) = place(uri)?;
        let mut tries = 0;
        loop {
            let found = match self.client.get_object().bucket(bucket).key(key).send().await {
                Ok(found) => found,
                Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
                Err(error) => return Err(aws::s3_failed("GetObject", uri, &error)),
            };
            let tag = Tag(found.e_tag.clone().unwrap_or_default());
            let failure = match found.body.collect().await {
                Ok(body) => return Ok(Some((body.to_vec(), tag))),
                Err(error) => aws::s3_cut(uri, error),
            };
            tries += 1;
            if tries == TRIES {
                return Err(failure);
            }
        }
    }

    async fn put_if_match(&self, uri: &Uri, body: &[u8], tag: &Tag) -> Result<Option<Tag>> {
        self.put_if(uri, body, Some(tag)).await
    }

    async fn get_part(&self, object: &Object, range: Range<u64>) -> Result<Option<Bytes>> {
        if range.is_empty() {
            return Ok(Some(Bytes::new()));
        }
        let uri = &object.uri;
        let (bucket, key) = place(uri)?;
        let (bytes, wanted) = (format!("bytes={}-{}", range.start, range.end - 1), range.end - range.start);
        let mut tries = 0;
        loop {
            let get = self.client.get_object().bucket(bucket).key(key).range(&bytes).if_match(&object.etag);
            let found = match get.send().await {
                Ok(found) => found,
                Err(error) if error.code().is_some_and(|code| GONE.contains(&code)) => return Ok(None),
                Err(error) => return Err(aws::s3_failed("GetObject", uri, &error)),
            };
            let failure = match found.body.collect().await.map(|body| body.into_bytes()) {
                Ok(body) if body.len() as u64 == wanted => return Ok(Some(body)),
                Ok(body) => aws::s3_cut(uri, format!("{} of {wanted} bytes came", body.len())),
                Err(error) => aws::s3_cut(uri, error),
            };
            tries += 1;
            if tries == TRIES {
                return Err(failure);
            }
        }
    }

    async fn size(&self, uri: &Uri) -> Result<Option<u64>> {
        let (bucket, key) = place(uri)?;
        match self.client.head_object().bucket(bucket).key(key).send().await {
            Ok(found) => Ok(Some(found.content_length.and_then(|bytes| bytes.try_into().ok()).unwrap_or_default())),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => Ok(None),
            Err(error) => Err(aws::s3_failed("HeadObject", uri, &error)),
        }
    }

    async fn put_file(&self, uri: &Uri, file: &Path, progress: &(dyn Fn(u64) + Sync)) -> Result<()> {
        upload::put_file(&self.client, uri, file, progress).await
    }

    async fn remove(&self, prefix: &Uri) -> Result<()> {
        let (bucket, key) = place(prefix)?;
        let mut pages = self.client.list_objects_v2().bucket(bucket).prefix(key).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| aws::s3_failed("ListObjectsV2", prefix, &error))?;
            let inside = |name: &&str| *name == key || name.strip_prefix(key).is_some_and(|rest| rest.starts_with('/'));
            let names: Vec<&str> = page.contents().iter().filter_map(|object| object.key()).filter(inside).collect();
            self.delete(bucket, &names).await?;
        }
        Ok(())
    }

    async fn remove_all(&self, objects: &[Uri]) -> Result<()> {
        let mut by_bucket: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for object in objects {
            let (bucket, key) = place(object)?;
            by_bucket.entry(bucket).or_default().push(key);
        }
        for (bucket, keys) in by_bucket {
            self.delete(bucket, &keys).await?;
        }
        Ok(())
    }

    async fn remove_if_match(&self, uri: &Uri, tag: &Tag) -> Result<bool> {
        let (bucket, key) = place(uri)?;
        match self.client.delete_object().bucket(bucket).key(key).if_match(&tag.0).send().await {
            Ok(_) => Ok(true),
            Err(error) if REFUSED.contains(&error.code().unwrap_or_default()) => Ok(false),
            Err(error) => Err(aws::s3_failed("DeleteObject", uri, &error)),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

fn objects<'a>(bucket: &'a str, page: &'a ListObjectsV2Output) -> impl Iterator<Item = Object> + 'a {
    page.contents().iter().filter_map(move |object| {
        let modified = object.last_modified().and_then(|at| Timestamp::from_second(at.secs()).ok());
        Some(Object {
            uri: Uri::in_bucket(bucket, object.key()?),
            bytes: object.size().and_then(|bytes| bytes.try_into().ok()).unwrap_or_default(),
            etag: object.e_tag().unwrap_or_default().into(),
            modified: modified.unwrap_or(Timestamp::UNIX_EPOCH),
        })
    })
}

/// Listings pass over what Spark keeps for itself, and the directory markers that some tools leave.
fn is_shown(object: &Object, prefix: &Uri) -> bool {
    let below = object.uri.below(prefix).unwrap_or_default();
    let hidden = |part: &str| part.starts_with(['.', '_']);
    !below.is_empty() && !below.ends_with('/') && !below.ends_with("_$folder$") && !below.split('/').any(hidden)
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
