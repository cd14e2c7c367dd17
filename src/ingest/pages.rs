//! `soflow ingest pages`: downloaded API pages into raw, untouched, each exactly once however often it is tried.
//!
//! What a run folder is called follows from what is in it, and a page whose body raw holds already for the date is
//! left out. So an interrupted ingest is completed by the same command, and a repeated one writes nothing.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use fs_err as fs;
use jiff::civil::Date;
use jiff::{Timestamp, Unit};

use super::manifest::Line;
use super::page::{self, PageFacts};
use super::raw::{self, Folder, PageFormat, Writer};
use super::sample;
use super::summary::{Skipped, Summary, Written, counted};
use crate::error::{Error, Kind, Result};
use crate::event::Sink;
use crate::names::{Digest, Uri};
use crate::store::Store;

/// Folder names that tell an endpoint.
const ENDPOINTS: [&str; 6] = ["answers", "comments", "posts", "questions", "tags", "users"];

/// Most files an error names; the rest are counted.
const NAMED_AT_MOST: usize = 10;

/// What to ingest, and where to.
#[derive(Clone, Debug)]
pub struct PagesRequest {
    /// The folder of pages, or a single page.
    pub folder: PathBuf,
    /// The target's raw location.
    pub raw: Uri,
    /// The site the pages are from, `stackoverflow`.
    pub site: String,
    /// The logical date they are for.
    pub date: Date,
    /// The endpoint of pages that neither their folder nor their items tell.
    pub endpoint: Option<String>,
    /// The time now: a file's modification time counts as the time of fetching unless it is later.
    pub now: Timestamp,
}

/// A file that goes to raw.
struct PageInput {
    path: PathBuf,
    /// Its path below the folder with `/` between the parts, for people and for the manifest.
    name: String,
    /// Digest of the file as it was when it was inspected.
    digest: String,
    facts: PageFacts,
}

/// A file, and its path below the folder with `/` between the parts.
type NamedPath = (PathBuf, String);

/// Puts the pages of a folder into raw.
///
/// # Errors
/// `Usage`, before anything is written, when there is no page or the endpoint of one cannot be told.
/// `Machine` when reading or writing fails: no page counts then that was not complete, and the same call goes on.
pub async fn ingest(store: &dyn Store, request: &PagesRequest, sink: &mut dyn Sink) -> Result<Summary> {
    raw::check_names(&request.site, request.endpoint.as_deref().as_slice())?;
    sample::refuse_mixture(store, &request.raw, &request.site, "pages-").await?;
    let (found, skipped) = find(request)?;
    let mut summary = Summary { site: request.site.clone(), skipped, ..Summary::default() };
    for (endpoint, inputs) in sort_out(request, found)? {
        let written = write(store, request, endpoint, inputs, &mut summary).await?;
        summary.endpoints.push(written);
    }
    for files in [&mut summary.skipped, &mut summary.unreadable] {
        files.sort_by(|a, b| natural(&a.path, &b.path));
    }
    summary.emit(&request.raw, sink);
    Ok(summary)
}

/// Returns the files that may be pages, each with its name, and those that are none; hidden ones are in neither.
fn find(request: &PagesRequest) -> Result<(Vec<NamedPath>, Vec<Skipped>)> {
    let folder = &request.folder;
    let shown = folder.display();
    if !folder.exists() {
        return Err(Error::new(Kind::Usage, format!("there is no folder `{shown}`")));
    }
    let mut walk = FolderWalk { raw: request.raw.to_path(), ..FolderWalk::default() };
    if folder.is_dir() {
        walk.folder(folder, "")?;
    } else {
        walk.found.push((folder.clone(), folder.file_name().unwrap_or_default().to_string_lossy().into_owned()));
    }
    let FolderWalk { mut found, skipped, .. } = walk;
    if found.is_empty() {
        let others = match skipped.len() {
            0 => String::new(),
            number => format!(", only {}", counted(number, "other file")),
        };
        let error = Error::new(Kind::Usage, format!("there are no pages in `{shown}`{others}"));
        return Err(error.hint("a page is one response of the API in a file `<name>.json` or `<name>.json.gz`"));
    }
    found.sort_by(|(_, a), (_, b)| natural(a, b));
    Ok((found, skipped))
}

/// Compares as people count: `page2` before `page10`. Of two versions of a row that were fetched at the same time, the
/// page that comes later wins. Equal only for equal texts.
fn natural(a: &str, b: &str) -> Ordering {
    // A number as a whole, where its first digit would be; anything else byte by byte.
    fn parts(text: &str) -> impl Iterator<Item = (u8, usize, &[u8])> {
        let runs = text.as_bytes().chunk_by(|a, b| a.is_ascii_digit() && b.is_ascii_digit());
        runs.map(|run| match run {
            [b'0'..=b'9', ..] => {
                let zeros = run.iter().take_while(|digit| **digit == b'0').count();
                (b'0', run.len() - zeros, &run[zeros..])
            }
            other => (other[0], 0, &[][..]),
        })
    }
    parts(a).cmp(parts(b)).then_with(|| a.cmp(b))
}

/// Looks for pages. Links are followed; a folder that was seen already, by whichever name, is not walked again, and
/// neither is raw, which holds what was ingested before.
#[derive(Default)]
struct FolderWalk {
    raw: Option<PathBuf>,
    seen: HashSet<PathBuf>,
    found: Vec<NamedPath>,
    skipped: Vec<Skipped>,
}

impl FolderWalk {
    fn folder(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        let canonical = fs::canonicalize(folder)?;
        let is_raw = self.raw.as_ref().and_then(|raw| fs::canonicalize(raw).ok()).as_ref() == Some(&canonical);
        if is_raw && !prefix.is_empty() {
            self.skip(prefix, "raw itself");
            return Ok(());
        }
        if !self.seen.insert(canonical) {
            self.skip(prefix, "a link to a folder that is read already");
            return Ok(());
        }
        // Sorted, so that of two names of one folder the same is taken every time.
        let mut entries: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        entries.sort();
        for path in entries {
            let part = path.file_name().unwrap_or_default().to_string_lossy();
            if part.starts_with('.') {
                continue;
            }
            let (name, lower) = (format!("{prefix}{part}"), part.to_lowercase());
            let about = match fs::metadata(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.skip(&name, "a link to nothing");
                    continue;
                }
                about => about?,
            };
            if about.is_dir() {
                self.folder(&path, &format!("{name}/"))?;
            } else if !about.is_file() || !(lower.ends_with(".json") || lower.ends_with(".json.gz")) {
                self.skip(&name, "not a `.json` or `.json.gz` file");
            } else {
                self.found.push((path, name));
            }
        }
        Ok(())
    }

    fn skip(&mut self, path: &str, reason: &str) {
        self.skipped.push(Skipped { path: path.trim_end_matches('/').into(), reason: reason.into() });
    }
}

/// Returns the pages by endpoint. Holds one page in memory at a time.
fn sort_out(request: &PagesRequest, found: Vec<NamedPath>) -> Result<BTreeMap<String, Vec<PageInput>>> {
    let own_name = fs::canonicalize(&request.folder)?;
    let own_name = if own_name.is_dir() { Some(own_name.as_path()) } else { own_name.parent() };
    let own_name = own_name.and_then(|path| path.file_name()).unwrap_or_default().to_string_lossy();
    let mut sorted: BTreeMap<String, Vec<PageInput>> = BTreeMap::new();
    let mut untold = Vec::new();
    for (path, name) in found {
        let (digest, bytes) = page::read(&path)?;
        let unread = || PageFacts::sealed(digest.clone(), page::too_large());
        let mut facts = bytes.map_or_else(unread, |bytes| page::inspect(&bytes));
        match endpoint_of(&format!("{own_name}/{name}"), &facts, request.endpoint.as_deref()) {
            Ok(endpoint) => {
                let fetched_at = Some(modified(&path, request.now)?);
                facts.line = Line { source: Some(name.clone()), fetched_at, ..facts.line };
                sorted.entry(endpoint).or_default().push(PageInput { path, name, digest, facts });
            }
            Err(why) => untold.push(format!("{name}: {why}")),
        }
    }
    if untold.is_empty() { Ok(sorted) } else { Err(untold_error(&untold)) }
}

/// Returns the endpoint of the page at `path`, or why it cannot be told.
fn endpoint_of(path: &str, facts: &PageFacts, otherwise: Option<&str>) -> std::result::Result<String, String> {
    let (folders, file) = path.rsplit_once('/').unwrap_or_default();
    let known = |name: &str| {
        let name = name.to_lowercase();
        let name = name.strip_prefix("endpoint=").unwrap_or(&name);
        ENDPOINTS.into_iter().find(|endpoint| *endpoint == name)
    };
    let folder = folders.rsplit('/').find_map(known);
    // Only for pages that say nothing themselves, such as `answers_17.json` with an error page inside.
    let by_name = || file.split(|c: char| !c.is_ascii_alphabetic()).next().and_then(known);
    match (folder, facts.endpoint, otherwise) {
        (Some(folder), Some(items), None) if folder != items && folder != "posts" => {
            Err(format!("its folder says `{folder}` and its items say `{items}`"))
        }
        (Some(folder), Some(items), Some(given)) if folder != items => Ok(given.into()),
        (Some(told), _, _) | (None, Some(told), _) => Ok(told.into()),
        (None, None, given) => {
            let told = by_name().or(given).map(str::to_string);
            told.ok_or_else(|| "neither its folder nor its items tell the endpoint".into())
        }
    }
}

fn untold_error(untold: &[String]) -> Error {
    let mut lines: Vec<String> = untold.iter().take(NAMED_AT_MOST).cloned().collect();
    if untold.len() > NAMED_AT_MOST {
        lines.push(format!("and {} more", untold.len() - NAMED_AT_MOST));
    }
    Error::new(
        Kind::Usage,
        format!("cannot tell the endpoint of {}, nothing was written", counted(untold.len(), "page")),
    )
    .detail(lines.join("\n"))
    .hint("say which it is for those pages with `--endpoint questions`, `--endpoint answers` or `--endpoint comments`")
    .hint("or put the pages into folders called `questions`, `answers` and `comments`")
}

/// Returns when the file was written last, cut to seconds, and never a time to come.
fn modified(path: &Path, now: Timestamp) -> Result<Timestamp> {
    let modified = Timestamp::try_from(fs::metadata(path)?.modified()?).unwrap_or(now).min(now);
    let round = jiff::TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Floor);
    Ok(modified.round(round).unwrap_or(modified))
}

async fn write(
    store: &dyn Store,
    request: &PagesRequest,
    endpoint: String,
    inputs: Vec<PageInput>,
    summary: &mut Summary,
) -> Result<Written> {
    let mut folder =
        Folder { site: request.site.clone(), endpoint: endpoint.clone(), date: request.date, run: String::new() };
    let held = raw::digests(store, &request.raw, &folder).await?;
    let (new, already) = without_copies(inputs, &held, summary);
    if new.is_empty() {
        return Ok(Written { endpoint, already, ..Written::default() });
    }
    let run = format!("pages-{}", Digest::of(new.iter().filter_map(|input| input.facts.line.sha256.as_ref())).short());
    folder.run.clone_from(&run);
    let mut writer = Writer::new(store, &request.raw, folder, PageFormat::Json);
    for PageInput { path, name, digest, facts } in new {
        let (now, bytes) = page::read(&path)?;
        if now != digest {
            let error = Error::new(Kind::Machine, format!("`{name}` changed while it was ingested"));
            return Err(error.hint("run the same command again when nothing writes to the folder any more"));
        }
        if let Some(bytes) = bytes {
            writer.page(&page::to_stored(bytes)?, facts.line).await?;
        } else {
            let packed = page::to_stored_file(&path)?;
            writer.page_file(packed.as_ref().map_or(&path, |packed| packed.path()), facts.line).await?;
        }
    }
    Ok(Written { already, ..Written::new(endpoint, run, &writer.commit().await?) })
}

/// Returns the inputs that raw does not hold yet, each body once, and how many it holds.
fn without_copies(inputs: Vec<PageInput>, held: &BTreeSet<String>, summary: &mut Summary) -> (Vec<PageInput>, u64) {
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    let (mut new, mut already) = (Vec::new(), 0);
    for input in inputs {
        let body = input.facts.line.sha256.clone().unwrap_or_default();
        if let Some(original) = first.get(&body) {
            summary.skipped.push(Skipped { path: input.name, reason: format!("the same page as `{original}`") });
            continue;
        }
        let unreadable = input.facts.unreadable.clone();
        summary.unreadable.extend(unreadable.map(|reason| Skipped { path: input.name.clone(), reason }));
        let is_held = held.contains(&body);
        first.insert(body, input.name.clone());
        if is_held {
            already += 1;
        } else {
            new.push(input);
        }
    }
    (new, already)
}

#[cfg(test)]
mod tests;
