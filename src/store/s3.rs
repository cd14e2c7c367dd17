//! Objects in S3.

mod bucket;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::operation::list_objects_v2::builders::ListObjectsV2FluentBuilder;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use aws_smithy_types::retry::RetryConfig;
use bytes::Bytes;
use jiff::Timestamp;

use super::upload;
use super::{Object, Store, Tag};
use crate::aws::{self, CUT, CallError, Retry, Session};
use crate::error::{Error, Kind, Result};
use crate::names::Uri;
use crate::net;

/// Most keys of one DeleteObjects call.
const DELETE_AT_ONCE: usize = 1000;

/// Answers to a write whose condition does not hold: the object is another one (412), another conditional write of it is
/// going on (409), it is gone (404). Source: S3's API model, PutObject and DeleteObject.
const REFUSED: [&str; 3] = ["PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"];

/// What S3 says of an object that was removed, replaced, or replaced by a shorter one.
const GONE: [&str; 3] = ["NoSuchKey", "PreconditionFailed", "InvalidRange"];

/// The store of `s3://` locations. Every operation may be repeated, and is: after lost connections, throttles and failures
/// of the service, with the patience of all calls to AWS.
#[derive(Clone, Debug)]
pub struct S3Store {
    pub(super) client: Client,
    session: Session,
}

impl S3Store {
    /// Returns the store that a session reaches.
    pub fn new(session: &Session) -> Self {
        // The SDK's own retries know neither our patience nor when keys are to be read again.
        let config = session.s3().config().to_builder().retry_config(RetryConfig::disabled());
        Self { client: Client::from_conf(config.build()), session: session.clone() }
    }

    /// Returns an address at which anybody can read an object of this media type for so long, or for as long as the credentials
    /// last that sign it. Nothing is asked of S3.
    ///
    /// # Errors
    /// `Usage` for more than S3 allows, a week; `Machine` without credentials.
    pub async fn link(&self, uri: &Uri, media_type: &str, lasting: Duration) -> Result<String> {
        let (bucket, key) = place(uri)?;
        let lasting = PresigningConfig::expires_in(lasting)
            .map_err(|error| Error::new(Kind::Usage, "a link cannot last so long").caused_by(error))?;
        let get = self.client.get_object().bucket(bucket).key(key).response_content_type(media_type);
        match get.presigned(lasting).await {
            Ok(signed) => Ok(signed.uri().to_string()),
            Err(error) => Err(aws::s3_failed(uri, self.told("GetObject", &error))),
        }
    }

    /// Makes a call on `uri` with the patience of all calls.
    async fn ask<T, F: Future<Output = Result<T, CallError>>>(&self, uri: &Uri, call: impl Fn() -> F) -> Result<T> {
        self.patiently(call).await.map_err(|failure| aws::s3_failed(uri, failure))
    }

    /// As [`Self::ask`], when the failure says what to do next.
    pub(super) async fn patiently<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        call: impl Fn() -> F,
    ) -> Result<T, CallError> {
        self.session.patiently("S3", "any", Retry::Safe, call).await
    }

    /// Returns what a failed operation means.
    pub(super) fn told<E>(&self, operation: &str, error: &SdkError<E>) -> CallError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.session.failed("S3", operation, error)
    }

    /// Returns the failure of an operation whose answer is not what it must be, or not whole.
    pub(super) fn odd(&self, operation: &str, code: &str, message: impl Into<String>) -> CallError {
        self.session.failure(("S3", operation), code, message, true)
    }

    /// Reads an object, or a part of one that has not been replaced; `None` when there is none.
    async fn read(&self, get: GetObjectFluentBuilder) -> Result<Option<(Bytes, Tag)>, CallError> {
        let found = match get.send().await {
            Ok(found) => found,
            Err(error) if error.code().is_some_and(|code| GONE.contains(&code)) => return Ok(None),
            Err(error) => return Err(self.told("GetObject", &error)),
        };
        let tag = found.e_tag.clone().ok_or_else(|| self.odd("GetObject", "BadAnswer", "the object has no tag"))?;
        match found.body.collect().await {
            Ok(body) => Ok(Some((body.into_bytes(), Tag(tag)))),
            Err(error) => Err(self.odd("GetObject", CUT, net::chain(&error))),
        }
    }

    /// Returns the size and the tag of an object; `None` when there is none.
    pub(super) async fn head(&self, bucket: &str, key: &str) -> Result<Option<(u64, Tag)>, CallError> {
        match self.client.head_object().bucket(bucket).key(key).send().await {
            Ok(found) => {
                let bytes = found.content_length.and_then(|bytes| bytes.try_into().ok());
                let lacks = || self.odd("HeadObject", "BadAnswer", "the object has no size or no tag");
                bytes.zip(found.e_tag.map(Tag)).map(Some).ok_or_else(lacks)
            }
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => Ok(None),
            Err(error) => {
                // The answer to HEAD has no words; the same question asked otherwise is refused for the same reason, with them.
                let refused = error.raw_response().is_some_and(|answer| answer.status().is_client_error());
                if error.code().is_none() && refused {
                    self.read(self.client.get_object().bucket(bucket).key(key).range("bytes=0-0")).await?;
                }
                Err(self.told("HeadObject", &error))
            }
        }
    }

    /// Writes under a condition; `None` when it does not hold.
    ///
    /// An answer may be lost after the object was written: the repeated request then fails on our own object, which is
    /// told from someone else's by its content. A refusal although the condition does hold is of a moment, and asked again.
    async fn put_if(&self, uri: &Uri, body: &[u8], tag: Option<&Tag>) -> Result<Option<Tag>> {
        let (bucket, key) = place(uri)?;
        let bytes = Bytes::copy_from_slice(body);
        self.ask(uri, || async {
            let put = self.client.put_object().bucket(bucket).key(key).body(ByteStream::from(bytes.clone()));
            let put = match tag {
                Some(tag) => put.if_match(&tag.0),
                None => put.if_none_match("*"),
            };
            let refusal = match put.send().await {
                Ok(done) => {
                    let lost = || self.odd("PutObject", "BadAnswer", "the object has no tag");
                    return done.e_tag.map(|tag| Some(Tag(tag))).ok_or_else(lost);
                }
                Err(error) => self.told("PutObject", &error),
            };
            if !REFUSED.contains(&refusal.code.as_str()) {
                return Err(refusal);
            }
            match self.read(self.client.get_object().bucket(bucket).key(key)).await? {
                Some((found, tag)) if found == bytes => Ok(Some(tag)),
                there if there.as_ref().map(|(_, tag)| tag) == tag => Err(CallError { maybe_done: true, ..refusal }),
                _ => Ok(None),
            }
        })
        .await
    }

    /// Writes an object; `answer`: how long it may take until S3 answers, when that is longer than usual.
    pub(super) async fn put_bytes(&self, uri: &Uri, body: Bytes, answer: Option<Duration>) -> Result<()> {
        let (bucket, key) = place(uri)?;
        self.ask(uri, || async {
            let put = self.client.put_object().bucket(bucket).key(key).body(ByteStream::from(body.clone()));
            let put = match answer {
                Some(answer) => put.customize().config_override(Builder::new().timeout_config(aws::timeouts(answer))),
                None => put.customize(),
            };
            put.send().await.map(drop).map_err(|error| self.told("PutObject", &error))
        })
        .await
    }

    /// Returns a page of what has keys that begin with `start`, from the token `after` on.
    async fn page(
        &self,
        list: ListObjectsV2FluentBuilder,
        start: &str,
        after: Option<String>,
    ) -> Result<ListObjectsV2Output> {
        let bucket = list.get_bucket().as_deref().unwrap_or_default();
        self.ask(&Uri::in_bucket(bucket, start.trim_end_matches('/')), || async {
            let page = list.clone().prefix(start).set_continuation_token(after.clone()).send().await;
            let page = page.map_err(|error| self.told("ListObjectsV2", &error))?;
            if page.is_truncated == Some(true) && page.next_continuation_token.is_none() {
                return Err(self.odd("ListObjectsV2", "BadAnswer", "the page does not say how to go on"));
            }
            Ok(page)
        })
        .await
    }

    async fn delete(&self, bucket: &str, names: &[&str]) -> Result<()> {
        for names in names.chunks(DELETE_AT_ONCE) {
            let named = names.iter().filter_map(|name| ObjectIdentifier::builder().key(*name).build().ok());
            self.delete_named(bucket, named.collect()).await?;
        }
        Ok(())
    }

    /// Removes objects, or versions of them: at most `DELETE_AT_ONCE`.
    async fn delete_named(&self, bucket: &str, named: Vec<ObjectIdentifier>) -> Result<()> {
        let Ok(delete) = Delete::builder().quiet(true).set_objects(Some(named)).build() else { return Ok(()) };
        self.ask(&Uri::in_bucket(bucket, ""), || async {
            let done = self.client.delete_objects().bucket(bucket).delete(delete.clone()).send().await;
            let done = done.map_err(|error| self.told("DeleteObjects", &error))?;
            let Some(error) = done.errors().first() else { return Ok(()) };
            let (code, key) = (error.code().unwrap_or("Failed"), error.key().unwrap_or("?"));
            let message = format!("`s3://{bucket}/{key}` cannot be removed: {}", error.message().unwrap_or(code));
            let maybe_done = code == "InternalError";
            Err(CallError { maybe_done, ..self.odd("DeleteObjects", code, message) })
        })
        .await
    }
}

/// Returns the bucket and the key of an object, or of a prefix.
pub(super) fn place(uri: &Uri) -> Result<(&str, &str)> {
    uri.bucket_and_key().ok_or_else(|| Error::new(Kind::Usage, format!("`{uri}` is not in S3")))
}

#[async_trait]
impl Store for S3Store {
    async fn list_all(&self, prefix: &Uri) -> Result<Vec<Object>> {
        let (bucket, key) = place(prefix)?;
        let below = if key.is_empty() { String::new() } else { format!("{key}/") };
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = self.page(self.client.list_objects_v2().bucket(bucket), &below, after).await?;
            found.extend(page.contents().iter().filter_map(|object| listed_object(bucket, object)));
            after = page.next_continuation_token;
            if after.is_none() {
                break;
            }
        }
        found.retain(|object| !is_marker(object, prefix));
        found.sort_by(|a, b| a.uri.cmp(&b.uri));
        Ok(found)
    }

    async fn folders(&self, prefix: &Uri) -> Result<Vec<String>> {
        let (bucket, key) = place(prefix)?;
        let below = if key.is_empty() { String::new() } else { format!("{key}/") };
        let (mut names, mut after) = (Vec::new(), None);
        loop {
            let list = self.client.list_objects_v2().bucket(bucket).delimiter("/");
            let page = self.page(list, &below, after).await?;
            let folders = page.common_prefixes().iter().filter_map(|folder| folder.prefix()?.strip_prefix(&below));
            names.extend(folders.map(|name| name.trim_end_matches('/').to_string()));
            after = page.next_continuation_token;
            if after.is_none() {
                return Ok(names);
            }
        }
    }

    /// S3 answers when an object is kept in several places.
    async fn sync(&self, _: &Uri, _: &[Object]) -> Result<()> {
        Ok(())
    }

    async fn put(&self, uri: &Uri, body: &[u8]) -> Result<()> {
        self.put_bytes(uri, Bytes::copy_from_slice(body), None).await
    }

    async fn put_if_absent(&self, uri: &Uri, body: &[u8]) -> Result<Option<Tag>> {
        self.put_if(uri, body, None).await
    }

    async fn get_tagged(&self, uri: &Uri) -> Result<Option<(Vec<u8>, Tag)>> {
        let (bucket, key) = place(uri)?;
        let found = self.ask(uri, || self.read(self.client.get_object().bucket(bucket).key(key))).await?;
        Ok(found.map(|(body, tag)| (body.into(), tag)))
    }

    async fn put_if_match(&self, uri: &Uri, body: &[u8], tag: &Tag) -> Result<Option<Tag>> {
        self.put_if(uri, body, Some(tag)).await
    }

    async fn get_part(&self, object: &Object, range: Range<u64>) -> Result<Option<Bytes>> {
        if range.is_empty() {
            return Ok(Some(Bytes::new()));
        }
        let (bucket, key) = place(&object.uri)?;
        let (bytes, wanted) = (format!("bytes={}-{}", range.start, range.end - 1), range.end - range.start);
        self.ask(&object.uri, || async {
            let get = self.client.get_object().bucket(bucket).key(key).range(&bytes).if_match(&object.etag);
            match self.read(get).await? {
                Some((body, _)) if body.len() as u64 != wanted => {
                    Err(self.odd("GetObject", CUT, format!("{} of {wanted} bytes came", body.len())))
                }
                found => Ok(found.map(|(body, _)| body)),
            }
        })
        .await
    }

    async fn size(&self, uri: &Uri) -> Result<Option<u64>> {
        let (bucket, key) = place(uri)?;
        Ok(self.ask(uri, || self.head(bucket, key)).await?.map(|(bytes, _)| bytes))
    }

    async fn put_file(&self, uri: &Uri, file: &Path, progress: &(dyn Fn(u64) + Sync)) -> Result<()> {
        upload::put_file(self, uri, file, progress).await
    }

    async fn remove(&self, prefix: &Uri) -> Result<()> {
        let (bucket, key) = place(prefix)?;
        let below = format!("{key}/");
        let mut after = None;
        loop {
            let page = self.page(self.client.list_objects_v2().bucket(bucket), key, after).await?;
            let keys = page.contents().iter().filter_map(|object| object.key());
            let mine: Vec<&str> = keys.filter(|name| *name == key || name.starts_with(&below)).collect();
            self.delete(bucket, &mine).await?;
            after = page.next_continuation_token;
            if after.is_none() {
                return Ok(());
            }
        }
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
        self.ask(uri, || async {
            match self.client.delete_object().bucket(bucket).key(key).if_match(&tag.0).send().await {
                Ok(_) => Ok(true),
                Err(error) if REFUSED.contains(&error.code().unwrap_or_default()) => Ok(false),
                Err(error) => Err(self.told("DeleteObject", &error)),
            }
        })
        .await
    }

    fn now(&self) -> Timestamp {
        self.session.clock().now()
    }
}

fn listed_object(bucket: &str, object: &aws_sdk_s3::types::Object) -> Option<Object> {
    let modified = object.last_modified().and_then(|at| Timestamp::from_second(at.secs()).ok());
    Some(Object {
        uri: Uri::in_bucket(bucket, object.key()?),
        bytes: object.size().and_then(|bytes| bytes.try_into().ok()).unwrap_or_default(),
        etag: object.e_tag().unwrap_or_default().into(),
        modified: modified.unwrap_or(Timestamp::UNIX_EPOCH),
    })
}

/// Listings pass over the directory markers that some tools leave.
fn is_marker(object: &Object, prefix: &Uri) -> bool {
    let below = object.uri.below(prefix).unwrap_or_default();
    below.is_empty() || below.ends_with('/') || below.ends_with("_$folder$")
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
