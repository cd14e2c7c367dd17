//! The layout of raw: `site=<site>/endpoint=<endpoint>/dt=<date>/run=<run>/000001.json.gz` and `_manifest.jsonl` beside it.
//!
//! The one place that spells and reads these paths.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::manifest::{self, Line};
use crate::error::{Error, Kind, Result};
use crate::names::{Uri, name_problem};
use crate::store::Store;

/// Starts with `_`, so listings and Spark pass it over.
const MANIFEST: &str = "_manifest.jsonl";

/// Which other endpoints' folders may have items of an endpoint in them; their manifests say whether they do.
const CARRIERS: [(&str, &[&str]); 3] =
    [("questions", &["posts"]), ("answers", &["questions", "posts"]), ("comments", &["questions", "answers", "posts"])];

/// Returns the endpoints whose items may be inside the items of `folder`.
fn carried_by(folder: &str) -> Vec<String> {
    let carried = CARRIERS.iter().filter(|(_, by)| by.contains(&folder));
    carried.map(|(endpoint, _)| (*endpoint).to_string()).collect()
}

/// What a page is written in, and what its name ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageFormat {
    /// One response of the API.
    Json,
    /// Rows of a data dump, one XML element a line.
    Xml,
}

impl PageFormat {
    const ALL: [Self; 2] = [Self::Json, Self::Xml];

    const fn suffix(self) -> &'static str {
        match self {
            Self::Json => ".json.gz",
            Self::Xml => ".xml.gz",
        }
    }
}

/// A run folder: the pages of one endpoint that came in together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Folder {
    /// `stackoverflow`.
    pub site: String,
    /// `questions`.
    pub endpoint: String,
    /// The logical date the pages are for.
    pub date: Date,
    /// Says where the pages come from: `pages-0123456789ab`.
    pub run: String,
}

impl Folder {
    /// Returns where the folder is.
    pub fn uri(&self, raw: &Uri) -> Uri {
        of_date(raw, &self.site, &self.endpoint, self.date).join(&format!("run={}", self.run))
    }

    /// Returns the name of page `number`, which counts from 1; six digits keep a million in order.
    pub fn page_name(number: u64, form: PageFormat) -> String {
        format!("{number:06}{}", form.suffix())
    }

    /// Returns where the manifest is.
    pub fn manifest(&self, raw: &Uri) -> Uri {
        self.uri(raw).join(MANIFEST)
    }

    /// Returns the folder of a page and the page's name, or `None` when `uri` is no page of this layout.
    pub fn parse(raw: &Uri, uri: &Uri) -> Option<(Self, String)> {
        let parts: Vec<&str> = uri.below(raw)?.split('/').collect();
        let [site, endpoint, date, run, page] = parts.as_slice() else { return None };
        let folder = Self {
            site: site.strip_prefix("site=")?.into(),
            endpoint: endpoint.strip_prefix("endpoint=")?.into(),
            date: date.strip_prefix("dt=")?.parse().ok()?,
            run: run.strip_prefix("run=")?.into(),
        };
        PageFormat::ALL.iter().any(|form| page.ends_with(form.suffix())).then(|| (folder, (*page).to_string()))
    }
}

/// Returns the folder of everything an endpoint has for `date`.
pub(super) fn of_date(raw: &Uri, site: &str, endpoint: &str, date: Date) -> Uri {
    raw.join(&format!("site={site}/endpoint={endpoint}/dt={date}"))
}

/// Refuses names that would leave the layout.
///
/// # Errors
/// `Usage` for anything but a site's API name, such as `ru.stackoverflow`, and an endpoint's name.
pub fn check_names(site: &str, endpoints: &[&str]) -> Result<()> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
    if !site.starts_with(|c: char| c.is_ascii_alphanumeric()) || !site.chars().all(fits) {
        let hint = "a site has the name the API calls it by, such as `stackoverflow` or `ru.stackoverflow`";
        return Err(Error::new(Kind::Usage, format!("`{site}` is not a site")).hint(hint));
    }
    match endpoints.iter().find_map(|endpoint| name_problem(endpoint, true).map(|problem| (endpoint, problem))) {
        Some((endpoint, problem)) => {
            let error = Error::new(Kind::Usage, format!("`{endpoint}` is not an endpoint: {problem}"));
            Err(error.hint("endpoints are `questions`, `answers` and `comments`"))
        }
        None => Ok(()),
    }
}

/// A page in raw.
#[derive(Clone, Debug, PartialEq)]
pub struct RawPage {
    /// Where it is.
    pub uri: Uri,
    /// Its size as stored.
    pub bytes: u64,
    /// Changes whenever the stored page is replaced.
    pub etag: String,
    /// When it was fetched from the API; when it was stored, if the manifest does not say.
    pub fetched_at: Timestamp,
    /// What the manifest says of it.
    pub line: Line,
}

/// Returns, for each of `endpoints`, the pages of all complete runs that have items of it, sorted by URI.
///
/// One listing for each endpoint and for each that may carry its items, and one small read a run, side by side.
pub async fn list(
    store: &dyn Store,
    raw: &Uri,
    site: &str,
    endpoints: &[&str],
    date: Date,
) -> Result<BTreeMap<String, Vec<RawPage>>> {
    let carriers = CARRIERS.iter().filter(|(endpoint, _)| endpoints.contains(endpoint)).flat_map(|(_, by)| *by);
    let folders: BTreeSet<&str> = endpoints.iter().chain(carriers).copied().collect();
    let listed = folders.into_iter().map(|folder| of_folder(store, raw, site, folder, date));
    let mut pages: BTreeMap<String, Vec<RawPage>> = endpoints.iter().map(|name| ((*name).into(), Vec::new())).collect();
    for (endpoint, holds, page) in try_join_all(listed).await?.into_iter().flatten() {
        for name in std::iter::once(endpoint).chain(holds) {
            if let Some(pages) = pages.get_mut(&name) {
                pages.push(page.clone());
            }
        }
    }
    for pages in pages.values_mut() {
        pages.sort_by(|a, b| a.uri.cmp(&b.uri));
    }
    Ok(pages)
}

/// Returns the pages in an endpoint's folders, each with the endpoint and what else it holds.
async fn of_folder(
    store: &dyn Store,
    raw: &Uri,
    site: &str,
    endpoint: &str,
    date: Date,
) -> Result<Vec<(String, Vec<String>, RawPage)>> {
    let mut manifests: HashMap<Folder, Option<HashMap<String, Line>>> = HashMap::new();
    let mut pages = Vec::new();
    for object in store.list(&of_date(raw, site, endpoint, date)).await? {
        let Some((folder, name)) = Folder::parse(raw, &object.uri) else { continue };
        if !manifests.contains_key(&folder) {
            let read = store.get(&folder.manifest(raw)).await?.map(|text| manifest::parse(&text));
            manifests.insert(folder.clone(), read);
        }
        let Some(Some(lines)) = manifests.get_mut(&folder) else { continue };
        let line = lines.remove(&name);
        // Of a page that the manifest says nothing of, every step looks at whatever there may be inside.
        let holds = line.as_ref().map_or_else(|| carried_by(&folder.endpoint), |line| line.holds.clone());
        let line = line.unwrap_or_default();
        let fetched_at = line.fetched_at.unwrap_or(object.modified);
        let page = RawPage { uri: object.uri, bytes: object.bytes, etag: object.etag, fetched_at, line };
        pages.push((folder.endpoint, holds, page));
    }
    Ok(pages)
}

/// What raw holds of an endpoint for a date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldPages {
    /// `questions`.
    pub endpoint: String,
    /// The logical date.
    pub date: Date,
    /// Pages in complete runs.
    pub pages: u64,
    /// Pages in run folders without a manifest: an interrupted ingest, or pages put there by other means.
    pub unfinished: u64,
}

/// Returns what raw holds of `site`, by endpoint and date. One listing, and one small read a run.
pub async fn dates(store: &dyn Store, raw: &Uri, site: &str) -> Result<Vec<HeldPages>> {
    let mut runs: BTreeMap<Folder, u64> = BTreeMap::new();
    for object in store.list(&raw.join(&format!("site={site}"))).await? {
        if let Some((folder, _)) = Folder::parse(raw, &object.uri) {
            *runs.entry(folder).or_default() += 1;
        }
    }
    let mut held: BTreeMap<(String, Date), (u64, u64)> = BTreeMap::new();
    for (folder, pages) in runs {
        let complete = store.get(&folder.manifest(raw)).await?.is_some();
        let (finished, unfinished) = held.entry((folder.endpoint, folder.date)).or_default();
        *(if complete { finished } else { unfinished }) += pages;
    }
    let held =
        held.into_iter().map(|((endpoint, date), (pages, unfinished))| HeldPages { endpoint, date, pages, unfinished });
    Ok(held.collect())
}

/// Returns the digests of the bodies raw holds of an endpoint for `date`.
pub(super) async fn digests(store: &dyn Store, raw: &Uri, of: &Folder) -> Result<BTreeSet<String>> {
    let pages = of_folder(store, raw, &of.site, &of.endpoint, of.date).await?;
    Ok(pages.into_iter().filter_map(|(_, _, page)| page.line.sha256).collect())
}

/// Fills a run folder page by page; nobody sees them before `commit`.
pub(super) struct Writer<'a> {
    store: &'a dyn Store,
    raw: &'a Uri,
    folder: Folder,
    form: PageFormat,
    lines: Vec<Line>,
}

impl<'a> Writer<'a> {
    /// Returns a writer of `folder`. Pages that an interrupted writer left there are written over.
    pub fn new(store: &'a dyn Store, raw: &'a Uri, folder: Folder, form: PageFormat) -> Self {
        Self { store, raw, folder, form, lines: Vec::new() }
    }

    /// Stores the next page.
    pub async fn page(&mut self, stored: &[u8], line: Line) -> Result<()> {
        self.store.put(&self.next(), stored).await?;
        self.note(stored.len() as u64, line);
        Ok(())
    }

    /// Stores the next page, which is too large for memory, from a file.
    pub async fn page_file(&mut self, stored: &Path, line: Line) -> Result<()> {
        self.store.put_file(&self.next(), stored, &|_| ()).await?;
        self.note(fs_err::metadata(stored)?.len(), line);
        Ok(())
    }

    fn next_name(&self) -> String {
        Folder::page_name(self.lines.len() as u64 + 1, self.form)
    }

    fn next(&self) -> Uri {
        self.folder.uri(self.raw).join(&self.next_name())
    }

    fn note(&mut self, stored: u64, line: Line) {
        let (page, endpoint) = (self.next_name(), Some(self.folder.endpoint.clone()));
        self.lines.push(Line { page, endpoint, stored_bytes: Some(stored), ..line });
    }

    /// Makes the pages count, and returns what is known about them.
    pub async fn commit(self) -> Result<Vec<Line>> {
        self.store.put(&self.folder.manifest(self.raw), &manifest::to_bytes(&self.lines)?).await?;
        Ok(self.lines)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::store::FileStore;

    fn folder(run: &str) -> Folder {
        Folder { site: "stackoverflow".into(), endpoint: "questions".into(), date: date(2026, 11, 22), run: run.into() }
    }

    #[test]
    fn the_layout_is_read_as_it_is_written() {
        let raw = Uri::parse("s3://bucket/raw", "/".as_ref()).unwrap();
        let page = folder("pages-1").uri(&raw).join(&Folder::page_name(7, PageFormat::Json));
        let text = "s3://bucket/raw/site=stackoverflow/endpoint=questions/dt=2026-11-22/run=pages-1/000007.json.gz";
        assert_eq!(page.as_str(), text);
        assert_eq!(Folder::parse(&raw, &page), Some((folder("pages-1"), "000007.json.gz".into())));
        for other in ["site=a/endpoint=b/dt=2026-11-22/run=c/notes.txt", "site=a/endpoint=b/dt=never/run=c/1.json.gz"] {
            assert_eq!(Folder::parse(&raw, &raw.join(other)), None, "{other}");
        }
    }

    #[test]
    fn names_cannot_leave_the_layout() {
        check_names("ru.stackoverflow", &["questions"]).unwrap();
        for site in ["", "../x", "a/b", "Stack", ".hidden"] {
            assert!(check_names(site, &[]).is_err(), "{site}");
        }
        assert!(check_names("stackoverflow", &["questions", "a/b"]).is_err());
    }

    #[tokio::test]
    async fn only_complete_runs_are_listed_and_a_damaged_manifest_loses_no_page() {
        let home = tempfile::tempdir().unwrap();
        let raw = Uri::from_path(home.path());
        let fetched_at: Timestamp = "2026-11-22T08:00:00Z".parse().unwrap();
        let mut good = Writer::new(&FileStore, &raw, folder("good"), PageFormat::Json);
        for _ in 0..2 {
            good.page(b"x", Line { fetched_at: Some(fetched_at), ..Line::default() }).await.unwrap();
        }
        good.commit().await.unwrap();
        let manifest = folder("good").manifest(&raw).to_path().unwrap();
        let text = fs_err::read_to_string(&manifest).unwrap();
        fs_err::write(&manifest, &text[..text.len() - 20]).unwrap();
        Writer::new(&FileStore, &raw, folder("half"), PageFormat::Json).page(b"x", Line::default()).await.unwrap();

        let pages = list(&FileStore, &raw, "stackoverflow", &["questions"], date(2026, 11, 22)).await.unwrap();
        let pages = &pages["questions"];
        let names: Vec<_> =
            pages.iter().map(|page| page.uri.as_str().rsplit_once("dt=2026-11-22/").unwrap().1).collect();
        assert_eq!(names, ["run=good/000001.json.gz", "run=good/000002.json.gz"]);
        assert_eq!(pages[0].fetched_at, fetched_at);
        assert_ne!(pages[1].fetched_at, fetched_at);
        // What the damaged line said of answers inside the page is lost, so they are looked for.
        let answers = list(&FileStore, &raw, "stackoverflow", &["answers"], date(2026, 11, 22)).await.unwrap();
        assert_eq!(answers["answers"], pages[1..]);
        let held = HeldPages { endpoint: "questions".into(), date: date(2026, 11, 22), pages: 2, unfinished: 1 };
        assert_eq!(dates(&FileStore, &raw, "stackoverflow").await.unwrap(), [held]);
        assert_eq!(dates(&FileStore, &raw, "superuser").await.unwrap(), []);
    }

    #[tokio::test]
    async fn pages_that_carry_items_of_other_endpoints_count_for_those_too() {
        let home = tempfile::tempdir().unwrap();
        let raw = Uri::from_path(home.path());
        for (endpoint, form, holds) in [
            ("questions", PageFormat::Json, vec!["answers".to_string()]),
            ("posts", PageFormat::Xml, vec!["questions".into(), "answers".into()]),
            ("answers", PageFormat::Json, vec![]),
        ] {
            let folder = Folder { endpoint: endpoint.into(), ..folder("run") };
            let mut writer = Writer::new(&FileStore, &raw, folder, form);
            writer.page(b"x", Line { holds, ..Line::default() }).await.unwrap();
            writer.commit().await.unwrap();
        }
        let endpoints = ["questions", "answers", "comments"];
        let pages = list(&FileStore, &raw, "stackoverflow", &endpoints, date(2026, 11, 22)).await.unwrap();
        let folders = |endpoint: &str| -> Vec<String> {
            let of = |page: &RawPage| Folder::parse(&raw, &page.uri).unwrap().0.endpoint;
            pages[endpoint].iter().map(of).collect()
        };
        assert_eq!(folders("questions"), ["posts", "questions"]);
        assert_eq!(folders("answers"), ["answers", "posts", "questions"]);
        assert_eq!(folders("comments"), Vec::<String>::new());
    }
}
