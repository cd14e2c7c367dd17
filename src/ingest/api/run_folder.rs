//! The run folder that a window is read into: pages as they come, the manifest when it is complete.

use std::collections::HashMap;

use super::client::ApiResponse;
use super::state::Task;
use crate::error::{Error, Kind, Result};
use crate::ingest::manifest::{self, Line};
use crate::ingest::page;
use crate::ingest::raw::{Folder, PageFormat};
use crate::names::Uri;
use crate::store::Store;

/// How many manifest lines the state carries before they get an object of their own.
const LINES: usize = 50;

/// Where the pages of a window go.
pub struct ApiRunFolder<'a> {
    /// The objects.
    pub store: &'a dyn Store,
    /// The location.
    pub raw: &'a Uri,
    /// The run folder.
    pub folder: Folder,
}

impl ApiRunFolder<'_> {
    /// Stores the next page of `task`, and returns its manifest line. A page that an interrupted call left there is
    /// written over.
    pub async fn put(&self, task: &Task, response: &ApiResponse, line: Line) -> Result<Line> {
        let name = Folder::page_name(task.pages + 1, PageFormat::Json);
        let stored = page::compress(&response.body)?;
        self.store.put(&self.folder.uri(self.raw).join(&name), &stored).await?;
        Ok(Line {
            page: name,
            endpoint: Some(self.folder.endpoint.clone()),
            sha256: Some(page::sha256(&response.body)),
            bytes: Some(response.body.len() as u64),
            stored_bytes: Some(stored.len() as u64),
            ..line
        })
    }

    /// Keeps an answer that is no page, apart from the pages: people will want to see it.
    pub async fn put_error(&self, task: &Task, text: &[u8]) -> Result<()> {
        let Folder { site, endpoint, date, run } = &self.folder;
        let path = format!("errors/site={site}/endpoint={endpoint}/dt={date}/run={run}/{:06}.txt.gz", task.requests);
        self.store.put(&self.raw.join(&path), &page::compress(text)?).await
    }

    /// Moves manifest lines out of the state when they have become many.
    pub async fn put_lines(&self, task: &mut Task) -> Result<()> {
        if task.lines.len() >= LINES {
            self.store.put(&self.part(task.parts + 1), &manifest::to_bytes(&task.lines)?).await?;
            task.lines.clear();
            task.parts += 1;
        }
        Ok(())
    }

    /// Makes the pages count.
    ///
    /// # Errors
    /// Those of the store; `Machine` when manifest lines are gone: without them pages would count for less than they hold.
    pub async fn commit(&self, task: &Task) -> Result<()> {
        let mut text = Vec::new();
        for part in 1..=task.parts {
            let uri = self.part(part);
            let lines = self.store.get(&uri).await?;
            text.extend(lines.ok_or_else(|| {
                let error = Error::new(Kind::Machine, format!("`{uri}` is gone from raw while it was read into"));
                error.hint("run the same command again: it reads the whole span anew")
            })?);
        }
        text.extend(manifest::to_bytes(&task.lines)?);
        self.store.put(&self.folder.manifest(self.raw), &text).await
    }

    /// Removes what is of no use once the pages count.
    pub async fn tidy(&self, task: &Task) -> Result<()> {
        let parts: Vec<Uri> = (1..=task.parts).map(|part| self.part(part)).collect();
        self.store.remove_all(&parts).await
    }

    /// Returns whether all pages of `task`, and what is known of them, are still there, each page with all its bytes: a
    /// power cut may leave an empty one.
    pub async fn is_whole(&self, task: &Task) -> Result<bool> {
        let folder = self.folder.uri(self.raw);
        let mut stored: HashMap<String, Option<u64>> =
            task.lines.iter().map(|line| (line.page.clone(), line.stored_bytes)).collect();
        for part in 1..=task.parts {
            let Some(text) = self.store.get(&self.part(part)).await? else { return Ok(false) };
            stored.extend(manifest::parse(&text).into_iter().map(|(page, line)| (page, line.stored_bytes)));
        }
        let objects = self.store.list_all(&folder).await?;
        let there: HashMap<Uri, u64> = objects.into_iter().map(|object| (object.uri, object.bytes)).collect();
        let mut pages = (1..=task.pages).map(|number| Folder::page_name(number, PageFormat::Json));
        Ok(pages.all(|page| {
            let bytes = there.get(&folder.join(&page)).copied();
            bytes.is_some() && stored.get(&page) == Some(&bytes)
        }))
    }

    /// Where some of the manifest's lines wait; hidden, as the manifest is.
    fn part(&self, part: u64) -> Uri {
        self.folder.uri(self.raw).join(&format!("_lines.{part:06}.jsonl"))
    }
}
