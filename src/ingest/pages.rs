//! `soflow ingest pages`: downloaded API pages into raw, untouched, each exactly once however often it is tried.
//!
//! What a run folder is called follows from what is in it, and a page whose body raw holds already for the date is
//! left out. So an interrupted ingest is completed by the same command, and a repeated one writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use fs_err as fs;
use jiff::civil::Date;
use jiff::{Timestamp, Unit};

use super::files::{self, PageFile};
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
pub struct Request {
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
    found: PageFile,
    /// Digest of the file as it was when it was inspected.
    file: String,
    /// Digest of its body.
    body: String,
    line: Line,
    /// Why it is no readable page.
    unreadable: Option<String>,
}

/// Puts the pages of a folder into raw.
///
/// # Errors
/// `Usage`, before anything is written, when there is no page or the endpoint of one cannot be told.
/// `Machine` when reading or writing fails: no page counts then that was not complete, and the same call goes on.
pub async fn ingest(store: &dyn Store, request: &Request, sink: &mut dyn Sink) -> Result<Summary> {
    raw::check_names(&request.site, request.endpoint.as_deref().as_slice())?;
    sample::refuse_mixture(store, &request.raw, &request.site, "pages-").await?;
    let (found, skipped) = find(request)?;
    let mut summary = Summary { site: request.site.clone(), skipped, ..Summary::default() };
    for (endpoint, inputs) in sort_out(request, found)? {
        let written = write(store, request, endpoint, inputs, &mut summary).await?;
        summary.endpoints.push(written);
    }
    for files in [&mut summary.skipped, &mut summary.unreadable] {
        files.sort_by(|a, b| files::natural(&a.path, &b.path));
    }
    summary.emit(&request.raw, sink);
    Ok(summary)
}

fn find(request: &Request) -> Result<(Vec<PageFile>, Vec<Skipped>)> {
    let folder = request.folder.display();
    if !request.folder.exists() {
        return Err(Error::new(Kind::Usage, format!("there is no folder `{folder}`")));
    }
    let (found, skipped) = files::find(&request.folder, request.raw.to_path().as_deref())?;
    if found.is_empty() {
        let others = match skipped.len() {
            0 => String::new(),
            number => format!(", only {}", counted(number, "other file")),
        };
        let error = Error::new(Kind::Usage, format!("there are no pages in `{folder}`{others}"));
        return Err(error.hint("a page is one response of the API in a file `<name>.json` or `<name>.json.gz`"));
    }
    Ok((found, skipped))
}

/// Returns the pages by endpoint. Holds one page in memory at a time.
fn sort_out(request: &Request, found: Vec<PageFile>) -> Result<BTreeMap<String, Vec<PageInput>>> {
    let own_name = fs::canonicalize(&request.folder)?;
    let own_name = if own_name.is_dir() { Some(own_name.as_path()) } else { own_name.parent() };
    let own_name = own_name.and_then(|path| path.file_name()).unwrap_or_default().to_string_lossy();
    let mut sorted: BTreeMap<String, Vec<PageInput>> = BTreeMap::new();
    let mut untold = Vec::new();
    for found in found {
        let (file, facts) = look(&found.path)?;
        match endpoint_of(&format!("{own_name}/{}", found.name), &facts, request.endpoint.as_deref()) {
            Ok(endpoint) => {
                let fetched_at = Some(modified(&found, request.now)?);
                let (source, sha256) = (Some(found.name.clone()), Some(facts.digest.clone()));
                let line = Line { source, fetched_at, sha256, ..facts.line };
                let (body, unreadable) = (facts.digest, facts.unreadable);
                sorted.entry(endpoint).or_default().push(PageInput { found, file, body, line, unreadable });
            }
            Err(why) => untold.push(format!("{}: {why}", found.name)),
        }
    }
    if untold.is_empty() { Ok(sorted) } else { Err(untold_error(&untold)) }
}

/// Returns the digest of a file, and what it says about itself.
fn look(path: &Path) -> Result<(String, PageFacts)> {
    match page::whole(fs::File::open(path)?) {
        Ok(bytes) => Ok((page::sha256(&bytes), page::inspect(&bytes))),
        Err(error) if error.kind() == ErrorKind::FileTooLarge => {
            let digest = page::sha256_of(path)?;
            Ok((digest.clone(), PageFacts::sealed(digest, page::too_large())))
        }
        Err(error) => Err(error.into()),
    }
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
fn modified(found: &PageFile, now: Timestamp) -> Result<Timestamp> {
    let modified = Timestamp::try_from(fs::metadata(&found.path)?.modified()?).unwrap_or(now).min(now);
    let round = jiff::TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Floor);
    Ok(modified.round(round).unwrap_or(modified))
}

async fn write(
    store: &dyn Store,
    request: &Request,
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
    let run = format!("pages-{}", Digest::of(new.iter().map(|input| &input.body)).short());
    folder.run.clone_from(&run);
    let mut writer = Writer::new(store, &request.raw, folder, PageFormat::Json);
    for input in new {
        put(&mut writer, input).await?;
    }
    Ok(Written { already, ..Written::new(endpoint, run, &writer.commit().await?) })
}

/// Stores a page, which must be as it was when it was looked at.
async fn put(
    writer: &mut Writer<'_>,
    PageInput { found: PageFile { path, name }, file, line, .. }: PageInput,
) -> Result<()> {
    let unchanged = |now: String| {
        let error = Error::new(Kind::Machine, format!("`{name}` changed while it was ingested"));
        let error = error.hint("run the same command again when nothing writes to the folder any more");
        if now == file { Ok(()) } else { Err(error) }
    };
    match page::whole(fs::File::open(&path)?) {
        Ok(bytes) => {
            unchanged(page::sha256(&bytes))?;
            writer.page(&page::to_stored(bytes)?, line).await
        }
        Err(error) if error.kind() == ErrorKind::FileTooLarge => {
            unchanged(page::sha256_of(&path)?)?;
            let packed = page::to_stored_file(&path)?;
            writer.page_file(packed.as_ref().map_or(&path, |packed| packed.path()), line).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns the inputs that raw does not hold yet, each body once, and how many it holds.
fn without_copies(inputs: Vec<PageInput>, held: &BTreeSet<String>, summary: &mut Summary) -> (Vec<PageInput>, u64) {
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    let (mut new, mut already) = (Vec::new(), 0);
    for input in inputs {
        if let Some(original) = first.get(&input.body) {
            let reason = format!("the same page as `{original}`");
            summary.skipped.push(Skipped { path: input.found.name, reason });
            continue;
        }
        let unreadable = input.unreadable.clone();
        summary.unreadable.extend(unreadable.map(|reason| Skipped { path: input.found.name.clone(), reason }));
        first.insert(input.body.clone(), input.found.name.clone());
        if held.contains(&input.body) {
            already += 1;
        } else {
            new.push(input);
        }
    }
    (new, already)
}

#[cfg(test)]
mod tests;
