//! Large files into S3: in parts, several at a time, going on where an earlier upload of the same file stopped.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_s3::config::Builder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Part};
use aws_smithy_types::byte_stream::Length;
use fs_err as fs;
use futures_util::{StreamExt as _, TryStreamExt as _};
use md5::{Digest as _, Md5};

use super::s3::{S3Store, place};
use crate::aws::{CallError, s3_failed, timeouts};
use crate::error::{Error, Kind, Result};
use crate::names::Uri;
use crate::net::chain;

/// Files up to this size are written by one request.
const ONE_REQUEST: u64 = 16 << 20;

/// Smallest part, in bytes. S3 takes parts from 5 MiB; larger ones cost memory, smaller ones requests.
const PART: u64 = 8 << 20;

/// Most parts of an upload. Source: S3's multipart upload limits.
const MOST_PARTS: u64 = 10_000;

/// Parts on their way at once: enough to fill a line.
const AT_ONCE: usize = 4;

/// How long S3 may take to answer a part or a file of one request: 30 s, and what the largest usual one takes on a line of
/// 64 KiB/s. A line that stands still is noticed much sooner, by the SDK.
const ANSWER: Duration = Duration::from_secs(30 + (ONE_REQUEST >> 16));

/// How often an upload is begun that someone else completes, aborts or cleans up meanwhile.
const ROUNDS: u32 = 3;

/// What S3 says when an upload was completed, aborted or cleaned up.
const NO_UPLOAD: &str = "NoSuchUpload";

/// The code of a failure that is none of S3's: the file cannot be read.
const UNREAD: &str = "Unread";

/// How much of a part is read from the file at a time, in bytes.
const READ: usize = 256 << 10;

/// Writes a file to `uri`.
pub(super) async fn put_file(store: &S3Store, uri: &Uri, file: &Path, progress: &(dyn Fn(u64) + Sync)) -> Result<()> {
    let bytes = fs::metadata(file)?.len();
    if bytes <= ONE_REQUEST {
        store.put_bytes(uri, fs::read(file)?.into(), Some(ANSWER)).await?;
        progress(bytes);
        return Ok(());
    }
    let part = PART.max(bytes.div_ceil(MOST_PARTS));
    let upload = Upload { store, place: place(uri)?, file: file.to_path_buf(), bytes, part };
    let failed = |failure: CallError| match failure.code.as_str() {
        UNREAD => Error::new(Kind::Machine, format!("`{}` cannot be read", file.display())).detail(failure.message),
        _ => s3_failed(uri, failure),
    };
    let mut round = 1;
    while let Err(failure) = upload.once(round == 1, progress).await {
        // Ours, whose answer was lost, or that of another client with the same file.
        if failure.code == NO_UPLOAD && upload.is_there().await.map_err(failed)? {
            progress(bytes);
            break;
        }
        if failure.code != NO_UPLOAD || round == ROUNDS {
            return Err(failed(failure));
        }
        round += 1;
    }
    Ok(())
}

struct Upload<'a> {
    store: &'a S3Store,
    /// The bucket and the key.
    place: (&'a str, &'a str),
    file: PathBuf,
    bytes: u64,
    part: u64,
}

impl Upload<'_> {
    async fn once(&self, resume: bool, progress: &(dyn Fn(u64) + Sync)) -> Result<(), CallError> {
        let (id, there) = match if resume { self.open().await } else { None } {
            Some(open) => open,
            None => (self.create().await?, BTreeMap::new()),
        };
        let parts = self.send_parts(&id, there, progress).await?;
        let whole = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let (bucket, key) = self.place;
        let complete = || async {
            let complete = self.store.client.complete_multipart_upload().bucket(bucket).key(key).upload_id(&id);
            let done = complete.multipart_upload(whole.clone()).customize().config_override(patient()).send().await;
            done.map(drop).map_err(|error| self.store.told("CompleteMultipartUpload", &error))
        };
        self.store.patiently(complete).await
    }

    /// Returns the id of an upload of this object that is open, and the tags of the parts that are there, by number.
    async fn open(&self) -> Option<(String, BTreeMap<i32, (String, u64)>)> {
        let (client, (bucket, key)) = (&self.store.client, self.place);
        let listed = self.store.patiently(|| async {
            let listed = client.list_multipart_uploads().bucket(bucket).prefix(key).send().await;
            listed.map_err(|error| self.store.told("ListMultipartUploads", &error))
        });
        // Who may write but not list starts anew.
        let open =
            listed.await.ok()?.uploads.unwrap_or_default().into_iter().filter(|upload| upload.key() == Some(key));
        let id = open.max_by_key(|upload| upload.initiated().map_or(0, |at| at.secs()))?.upload_id?;
        let parts = self.store.patiently(|| async {
            let parts = client.list_parts().bucket(bucket).key(key).upload_id(&id).into_paginator().items().send();
            let parts = parts.collect::<std::result::Result<Vec<_>, _>>().await;
            parts.map_err(|error| self.store.told("ListParts", &error))
        });
        let known = |part: Part| Some((part.part_number?, (part.e_tag?, u64::try_from(part.size?).ok()?)));
        let parts = parts.await.ok()?.into_iter().filter_map(known).collect();
        Some((id, parts))
    }

    async fn create(&self) -> Result<String, CallError> {
        let (bucket, key) = self.place;
        let create = || async {
            let made = self.store.client.create_multipart_upload().bucket(bucket).key(key).send().await;
            let made = made.map_err(|error| self.store.told("CreateMultipartUpload", &error))?;
            made.upload_id.ok_or_else(|| self.store.odd("CreateMultipartUpload", "BadAnswer", "the upload has no id"))
        };
        self.store.patiently(create).await
    }

    async fn send_parts(
        &self,
        id: &str,
        there: BTreeMap<i32, (String, u64)>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<CompletedPart>, CallError> {
        let sent = AtomicU64::new(0);
        let one = async |number: i32| {
            let (tag, bytes) = self.send_part(id, number, there.get(&number)).await?;
            progress(sent.fetch_add(bytes, Ordering::Relaxed) + bytes);
            Ok(CompletedPart::builder().part_number(number).e_tag(tag).build())
        };
        futures_util::stream::iter(self.numbers().map(one)).buffered(AT_ONCE).try_collect().await
    }

    /// Returns the numbers of all parts.
    fn numbers(&self) -> std::ops::RangeInclusive<i32> {
        1..=i32::try_from(self.bytes.div_ceil(self.part)).unwrap_or(i32::MAX)
    }

    /// Returns where a part starts and how long it is.
    fn range(&self, number: i32) -> (u64, u64) {
        let start = (number as u64 - 1) * self.part;
        (start, self.part.min(self.bytes - start))
    }

    /// Sends a part unless the one that is there has the same content.
    async fn send_part(
        &self,
        id: &str,
        number: i32,
        there: Option<&(String, u64)>,
    ) -> Result<(String, u64), CallError> {
        let (start, bytes) = self.range(number);
        if let Some((tag, size)) = there
            && *size == bytes
            && *tag.trim_matches('"') == hex(&self.md5(start, bytes).await?)
        {
            return Ok((tag.clone(), bytes));
        }
        let (bucket, key) = self.place;
        let send = || async {
            // A file that cannot be read any more is told here, where it is not taken for a failure of S3.
            fs::File::open(&self.file).map_err(|error| self.unread(&error))?;
            let body = ByteStream::read_from().path(&self.file).offset(start).length(Length::Exact(bytes));
            let body = body.buffer_size(READ).build().await.map_err(|error| self.unread(&error))?;
            let part = self.store.client.upload_part().bucket(bucket).key(key).upload_id(id).part_number(number);
            let done = part.body(body).customize().config_override(patient()).send().await;
            let done = done.map_err(|error| self.store.told("UploadPart", &error))?;
            done.e_tag.ok_or_else(|| self.store.odd("UploadPart", "BadAnswer", "the part has no tag"))
        };
        Ok((self.store.patiently(send).await?, bytes))
    }

    fn unread(&self, error: &(dyn std::error::Error + 'static)) -> CallError {
        CallError { maybe_done: false, ..self.store.odd("UploadPart", UNREAD, chain(error)) }
    }

    /// Returns whether the whole file is at its place, by the tag that S3 gives what was uploaded in these parts.
    async fn is_there(&self) -> Result<bool, CallError> {
        let (bucket, key) = self.place;
        let found = self.store.patiently(|| self.store.head(bucket, key)).await?;
        let Some((_, tag)) = found.filter(|(bytes, _)| *bytes == self.bytes) else { return Ok(false) };
        let (mut whole, mut parts) = (Md5::new(), 0);
        for number in self.numbers() {
            let (start, bytes) = self.range(number);
            whole.update(self.md5(start, bytes).await?);
            parts += 1;
        }
        Ok(tag.0.trim_matches('"') == format!("{}-{parts}", hex(&whole.finalize())))
    }

    /// Returns the MD5 of a part of the file, which is what S3 tags parts with.
    async fn md5(&self, start: u64, bytes: u64) -> Result<[u8; 16], CallError> {
        let file = self.file.clone();
        let read = tokio::task::spawn_blocking(move || md5(&file, start, bytes)).await;
        read.map_err(std::io::Error::other).flatten().map_err(|error| self.unread(&error))
    }
}

fn md5(file: &Path, start: u64, bytes: u64) -> std::io::Result<[u8; 16]> {
    let mut part = fs::File::open(file)?;
    part.seek(SeekFrom::Start(start))?;
    let mut part = part.take(bytes);
    let (mut digest, mut piece) = (Md5::new(), vec![0; READ]);
    loop {
        let read = part.read(&mut piece)?;
        if read == 0 {
            return Ok(digest.finalize().into());
        }
        digest.update(&piece[..read]);
    }
}

/// Returns how a call differs that takes longer than others.
fn patient() -> Builder {
    Builder::new().timeout_config(timeouts(ANSWER))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
