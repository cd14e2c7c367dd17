//! Large files into S3: in parts, several at a time, going on where an earlier upload of the same file stopped.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_types::byte_stream::Length;
use fs_err as fs;
use futures_util::{StreamExt as _, TryStreamExt as _};
use md5::{Digest as _, Md5};

use super::s3::place;
use crate::aws::s3_failed;
use crate::error::{Error, Kind, Result};
use crate::names::Uri;

/// Files up to this size are written by one request.
const ONE_REQUEST: u64 = 16 << 20;

/// Smallest part, in bytes. S3 takes parts from 5 MiB; larger ones cost memory, smaller ones requests.
const PART: u64 = 8 << 20;

/// Most parts of an upload. Source: S3's multipart upload limits.
const MOST_PARTS: u64 = 10_000;

/// Parts on their way at once: enough to fill a line.
const AT_ONCE: usize = 4;

/// How much of a part is read from the file at a time, in bytes.
const READ: usize = 256 << 10;

/// Writes a file to `uri`.
pub(super) async fn put_file(client: &Client, uri: &Uri, file: &Path, progress: &(dyn Fn(u64) + Sync)) -> Result<()> {
    let bytes = fs::metadata(file)?.len();
    let (bucket, key) = place(uri)?;
    if bytes <= ONE_REQUEST {
        let body = ByteStream::from(fs::read(file)?);
        client
            .put_object()
            .bucket(bucket)
            .key(key)
            .body(body)
            .send()
            .await
            .map_err(|e| s3_failed("PutObject", uri, &e))?;
        progress(bytes);
        return Ok(());
    }
    let upload = Upload { client, uri, file: file.to_path_buf(), bytes, part: PART.max(bytes.div_ceil(MOST_PARTS)) };
    let (id, there) = upload.resume_or_create().await?;
    let parts = upload.send_parts(&id, there, progress).await?;
    let whole = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let complete = client.complete_multipart_upload().bucket(bucket).key(key).upload_id(id).multipart_upload(whole);
    complete.send().await.map(drop).map_err(|error| s3_failed("CompleteMultipartUpload", uri, &error))
}

struct Upload<'a> {
    client: &'a Client,
    uri: &'a Uri,
    file: PathBuf,
    bytes: u64,
    part: u64,
}

impl Upload<'_> {
    /// Returns an upload's id and the tags of the parts that are there, by number.
    async fn resume_or_create(&self) -> Result<(String, BTreeMap<i32, (String, u64)>)> {
        let (bucket, key) = place(self.uri)?;
        let listed = self.client.list_multipart_uploads().bucket(bucket).prefix(key).send().await;
        // Who may write but not list starts anew.
        let open = listed.map(|listed| listed.uploads.unwrap_or_default()).unwrap_or_default();
        let latest = open
            .into_iter()
            .filter(|upload| upload.key() == Some(key))
            .max_by_key(|upload| upload.initiated().map_or(0, |at| at.secs()));
        if let Some(id) = latest.and_then(|upload| upload.upload_id) {
            let parts = self.client.list_parts().bucket(bucket).key(key).upload_id(&id).into_paginator().items().send();
            if let Ok(parts) = parts.collect::<Result<Vec<_>, _>>().await {
                let known = parts
                    .into_iter()
                    .filter_map(|part| Some((part.part_number?, (part.e_tag?, u64::try_from(part.size?).ok()?))));
                return Ok((id, known.collect()));
            }
        }
        let made = self.client.create_multipart_upload().bucket(bucket).key(key).send().await;
        let made = made.map_err(|error| s3_failed("CreateMultipartUpload", self.uri, &error))?;
        let id = made.upload_id.ok_or_else(|| Error::new(Kind::Machine, "S3 gave a multipart upload no id"))?;
        Ok((id, BTreeMap::new()))
    }

    async fn send_parts(
        &self,
        id: &str,
        there: BTreeMap<i32, (String, u64)>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<CompletedPart>> {
        let sent = AtomicU64::new(0);
        let numbers = 1..=i32::try_from(self.bytes.div_ceil(self.part)).unwrap_or(i32::MAX);
        let one = |number: i32| {
            let (there, sent) = (there.get(&number), &sent);
            async move {
                let (tag, bytes) = self.send_part(id, number, there).await?;
                progress(sent.fetch_add(bytes, Ordering::Relaxed) + bytes);
                Ok::<_, Error>(CompletedPart::builder().part_number(number).e_tag(tag).build())
            }
        };
        futures_util::stream::iter(numbers.map(one)).buffered(AT_ONCE).try_collect().await
    }

    /// Sends a part unless the one that is there has the same content.
    async fn send_part(&self, id: &str, number: i32, there: Option<&(String, u64)>) -> Result<(String, u64)> {
        let start = (number as u64 - 1) * self.part;
        let bytes = self.part.min(self.bytes - start);
        if let Some((tag, size)) = there
            && *size == bytes
            && *tag.trim_matches('"') == self.md5(start, bytes).await?
        {
            return Ok((tag.clone(), bytes));
        }
        let body =
            ByteStream::read_from().path(&self.file).offset(start).length(Length::Exact(bytes)).buffer_size(READ);
        let unread =
            |error| Error::new(Kind::Machine, format!("`{}` cannot be read", self.file.display())).caused_by(error);
        let body = body.build().await.map_err(unread)?;
        let (bucket, key) = place(self.uri)?;
        let part = self.client.upload_part().bucket(bucket).key(key).upload_id(id).part_number(number).body(body);
        let done = part.send().await.map_err(|error| s3_failed("UploadPart", self.uri, &error))?;
        let tag = done.e_tag.ok_or_else(|| Error::new(Kind::Machine, "S3 gave a part no tag"))?;
        Ok((tag, bytes))
    }

    /// Returns the MD5 of a part of the file, which is what S3 tags parts with.
    async fn md5(&self, start: u64, bytes: u64) -> Result<String> {
        let file = self.file.clone();
        let read = tokio::task::spawn_blocking(move || md5(&file, start, bytes));
        read.await.map_err(|error| Error::new(Kind::Internal, "a file reader ended unexpectedly").caused_by(error))?
    }
}

fn md5(file: &Path, start: u64, bytes: u64) -> Result<String> {
    let mut part = fs::File::open(file)?;
    part.seek(SeekFrom::Start(start))?;
    let mut part = part.take(bytes);
    let (mut digest, mut piece) = (Md5::new(), vec![0; READ]);
    loop {
        let read = part.read(&mut piece)?;
        if read == 0 {
            return Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        digest.update(&piece[..read]);
    }
}
