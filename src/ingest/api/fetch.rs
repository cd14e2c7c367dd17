//! Reads windows of endpoints into raw, each page stored before the state says that it was read.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;

use super::ask::NAP;
use super::ask::{filtered_out, stuck_at};
use super::client::{ApiResponse, Client};
use super::cursor::{Cursor, ItemKey, PAGE};
use super::endpoint::{Endpoint, ReadOrder};
use super::response::Expected;
use super::run_folder::ApiRunFolder;
use super::state::{Book, Last, Progress, Task, Trouble};
use super::window::Window;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::ingest::manifest::Line;
use crate::ingest::raw::{self, Folder};
use crate::ingest::{Summary, Written, sample};
use crate::names::Uri;
use crate::store::{Owner, Store};

/// Time, and chance.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Returns the time, UTC.
    fn now(&self) -> Timestamp;
    /// Waits.
    async fn sleep(&self, time: Duration);
    /// Returns a number from 0 to 1 that others do not get.
    fn spread(&self) -> f64;
}

/// What to read.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// Where pages go.
    pub raw: Uri,
    /// Where the state is.
    pub artifacts: Uri,
    /// The site, `stackoverflow`.
    pub site: String,
    /// The endpoints, in this order.
    pub endpoints: Vec<&'static Endpoint>,
    /// Of what time.
    pub span: Span,
    /// The logical date that pages are filed under.
    pub date: Date,
    /// The API's filter of each endpoint; those without one have the API's default.
    pub filters: BTreeMap<String, String>,
    /// Read also what has been read before.
    pub again: bool,
    /// Who we are.
    pub me: Owner,
    /// Whether to take the right to read from someone else.
    pub force: bool,
}

/// Of what time to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// From the first second to before the second one, seconds since 1970.
    Between(i64, i64),
    /// From where reading ended last.
    Follow,
}

/// Reads everything that was created or changed in a span of time.
///
/// A window that an earlier call began is finished first.
///
/// # Errors
/// `Held` while someone else reads; `Quota` when no requests are left; `Usage` when the API refuses the question; `Machine`
/// when it does not answer. What was read is stored, and the same call goes on.
pub async fn fetch(
    store: Arc<dyn Store>,
    request: &ApiRequest,
    client: &Client,
    clock: &dyn Clock,
    sink: &mut dyn Sink,
) -> Result<Summary> {
    raw::check_names(&request.site, &[])?;
    sample::refuse_mixture(store.as_ref(), &request.raw, &request.site, "api-").await?;
    let mut reader = ApiReader::begin(store, request, client, clock, sink).await?;
    let done = reader.read_all().await;
    let ApiReader { book, sink, .. } = reader;
    let closed = book.close().await;
    let summary = done?;
    closed?;
    summary.emit(&request.raw, sink);
    Ok(summary)
}

/// A window that is being read.
pub(super) struct Current<'a> {
    endpoint: &'static Endpoint,
    pub(super) task: Task,
    pub(super) pages: ApiRunFolder<'a>,
    /// The ids on the pages read by this process.
    known: HashSet<ItemKey>,
}

/// Who reads, and with what.
pub(super) struct ApiReader<'a> {
    store: Arc<dyn Store>,
    pub(super) request: &'a ApiRequest,
    pub(super) client: &'a Client,
    pub(super) clock: &'a dyn Clock,
    pub(super) sink: &'a mut dyn Sink,
    pub(super) book: Book,
    pub(super) asked_at: Option<Timestamp>,
    /// From when on all answers came inside their questions.
    threads: Option<(i64, i64)>,
}

impl<'a> ApiReader<'a> {
    /// Takes the right to read.
    pub(super) async fn begin(
        store: Arc<dyn Store>,
        request: &'a ApiRequest,
        client: &'a Client,
        clock: &'a dyn Clock,
        sink: &'a mut dyn Sink,
    ) -> Result<Self> {
        let book = Book::take(store.clone(), &request.artifacts, &request.me, request.force).await?;
        Ok(Self { store, request, client, clock, sink, book, asked_at: None, threads: None })
    }

    async fn read_all(&mut self) -> Result<Summary> {
        let mut summary = Summary { site: self.request.site.clone(), ..Summary::default() };
        for endpoint in &self.request.endpoints {
            match self.endpoint(endpoint).await {
                Ok(written) => summary.endpoints.push(written),
                Err(error) => {
                    let trouble = Trouble { at: self.clock.now(), message: error.message.clone() };
                    self.book.state.progress(&self.request.site, endpoint.name).error = Some(trouble);
                    // What went wrong counts, also when it cannot be written down.
                    let _ = self.book.save().await;
                    return Err(error);
                }
            }
        }
        Ok(summary)
    }

    async fn endpoint(&mut self, endpoint: &'static Endpoint) -> Result<Written> {
        let mut sum = Written { endpoint: endpoint.name.into(), ..Written::default() };
        if endpoint.name == "answers" && self.came_along().await? {
            return Ok(sum);
        }
        if let Some(task) = self.progress(endpoint).task.clone() {
            let text = format!("Going on with {} from {}.", endpoint.name, shown(task.window.from));
            self.sink.emit(Event::Note { text });
            let Window { from, asked, .. } = task.window;
            self.run(endpoint, task, &mut sum).await?;
            if matches!(self.request.span, Span::Between(first, end) if first == from && Some(end) == asked) {
                return Ok(sum);
            }
        }
        if let Some(window) = self.wanted(endpoint)? {
            let task = self.start(endpoint, self.request.date, window).await?;
            self.run(endpoint, task, &mut sum).await?;
        } else if sum.pages == 0 {
            let progress = self.progress(endpoint);
            sum.already = progress.last.as_ref().map_or(0, |last| last.pages);
            if let Some(read) = progress.read.end().map(shown) {
                self.sink.emit(Event::Note { text: format!("{} are read to {read} already.", endpoint.name) });
            }
        }
        Ok(sum)
    }

    /// Returns whether the answers wanted came inside the questions that were read just now, and takes note of it.
    ///
    /// A new or changed answer moves its question, so questions read to now have all of them. Comments do not.
    async fn came_along(&mut self) -> Result<bool> {
        let Some((from, until)) = self.threads else { return Ok(false) };
        let progress = self.book.state.progress(&self.request.site, "answers");
        // The questions may have been those of another window, which an earlier call had left unfinished.
        let wanted = match self.request.span {
            Span::Between(first, end) => from <= first && end <= until,
            Span::Follow => progress.read.end().is_some_and(|end| from <= end),
        };
        if progress.task.is_some() || !wanted {
            return Ok(false);
        }
        progress.read.add(from, until);
        self.book.save().await?;
        self.sink.emit(Event::Note { text: "The answers came inside their questions.".into() });
        Ok(true)
    }

    pub(super) fn progress(&mut self, endpoint: &Endpoint) -> &mut Progress {
        self.book.state.progress(&self.request.site, endpoint.name)
    }

    /// Returns the window to read, or `None` when it has been read.
    pub(super) fn wanted(&mut self, endpoint: &Endpoint) -> Result<Option<Window>> {
        let (now, again) = (self.clock.now().as_second(), self.request.again);
        let span = self.request.span;
        let read = &self.progress(endpoint).read;
        match span {
            Span::Between(from, until) if read.cover(from, until) && !again => Ok(None),
            Span::Between(from, until) => Ok(Some(Window::new(from, until, now))),
            Span::Follow if endpoint.order == ReadOrder::Name => Ok(Some(Window::new(now, now, now))),
            Span::Follow => read.end().map(|end| Some(Window::following(end))).ok_or_else(|| {
                let message = format!("{} were never read: there is nothing to follow", endpoint.name);
                let hint = format!("begin with `soflow ingest api {} --since 2026-01-01`", endpoint.name);
                Error::new(Kind::Usage, message).hint(hint)
            }),
        }
    }

    /// Begins a window, in a run folder of its own.
    async fn start(&mut self, endpoint: &Endpoint, date: Date, window: Window) -> Result<Task> {
        // Two windows may begin within a second.
        let run = format!("api-{}-{}", self.clock.now().strftime("%Y%m%dT%H%M%SZ"), self.book.state.writing);
        let task = Task::new(date, run, window, window.lists(endpoint));
        self.progress(endpoint).task = Some(task.clone());
        self.book.save().await?;
        Ok(task)
    }

    /// Reads what is left of a window; all of it when pages of it are gone or not whole.
    async fn run(&mut self, endpoint: &'static Endpoint, mut task: Task, sum: &mut Written) -> Result<()> {
        let (store, request) = (self.store.clone(), self.request);
        let folder = |task: &Task| Folder {
            site: request.site.clone(),
            endpoint: endpoint.name.into(),
            date: task.date,
            run: task.run.clone(),
        };
        let mut pages = ApiRunFolder { store: store.as_ref(), raw: &request.raw, folder: folder(&task) };
        if !pages.is_whole(&task).await? {
            let text = format!("Pages of {} are gone from raw, or not whole there: reading them again.", endpoint.name);
            self.sink.emit(Event::Note { text });
            task = self.start(endpoint, task.date, task.window).await?;
            pages.folder = folder(&task);
        }
        let mut current = Current { endpoint, task, pages, known: HashSet::new() };
        while let Some(cursor) = current.task.walks.first().cloned() {
            let params = self.params(endpoint, &cursor);
            let response = self.ask(endpoint, &params, Expected::Items, Some(&mut current)).await?;
            sum.bytes += self.take(cursor, params, &response, &mut current).await?;
            sum.pages += 1;
            sum.items += response.page.items.len() as u64;
        }
        let Current { task, pages, .. } = current;
        pages.commit(&task).await?;
        let at = self.clock.now();
        let progress = self.progress(endpoint);
        if endpoint.order != ReadOrder::Name {
            let seen = task.newest.map_or(task.window.settled, |newest| newest.max(task.window.settled));
            let until = task.window.until.unwrap_or(seen);
            progress.read.add(task.window.from, until);
            if endpoint.name == "questions" && task.window.until.is_none() && task.nested {
                self.threads = Some((task.window.from, until));
            }
        }
        let progress = self.progress(endpoint);
        progress.last = Some(Last::new(&task, at));
        (progress.task, progress.error) = (None, None);
        sum.run = Some(task.run.clone());
        self.book.save().await?;
        self.tell(endpoint, &task, true);
        pages.tidy(&task).await
    }

    /// Stores a page, and goes on behind it. Returns the bytes stored.
    async fn take(
        &mut self,
        mut cursor: Cursor,
        params: BTreeMap<String, String>,
        response: &ApiResponse,
        current: &mut Current<'_>,
    ) -> Result<u64> {
        let Current { endpoint, task, pages, known } = current;
        let rows = response.page.rows(endpoint.id, cursor.sort);
        let filter = params.get("filter").cloned();
        if let (Some(filter), true, false) = (&filter, rows.is_empty(), response.page.items.is_empty()) {
            return Err(filtered_out(endpoint, filter, &format!("{}.{}", endpoint.item, endpoint.id)));
        }
        // A date that is still to come says nothing of how far is read.
        let now = self.clock.now().as_second();
        let newest = rows.iter().filter_map(|row| match &row.value {
            Some(ItemKey::Number(value)) if *value <= now => Some(*value),
            _ => None,
        });
        task.newest = newest.chain(task.newest).max();
        let fresh = rows.iter().filter(|row| known.insert(row.id.clone())).count() > 0;
        let holds = response.page.holds();
        task.nested |= holds.iter().any(|name| name == "answers");
        let line = Line {
            holds,
            method: Some(endpoint.method.into()),
            params,
            status: Some(response.status),
            fetched_at: Some(self.whole_second()),
            n_items: Some(response.page.items.len() as u64),
            watermark_before: self.progress(endpoint).read.end(),
            watermark_after: task.newest,
            has_more: Some(response.page.has_more),
            quota_remaining: response.page.quota_remaining,
            backoff: response.page.backoff,
            ..Line::default()
        };
        // After a long wait for the answer someone else may read on in this folder: then the page is theirs to write.
        if self.asked_at.is_some_and(|at| self.clock.now().duration_since(at).unsigned_abs() > NAP) {
            self.book.save().await?;
        }
        let line = pages.put(task, response, line).await?;
        let bytes = line.stored_bytes.unwrap_or_default();
        task.pages += 1;
        task.items += response.page.items.len() as u64;
        task.lines.push(line);
        let ended = cursor.take(&rows, fresh, response.page.has_more);
        if ended.map_err(|stuck| stuck_at(endpoint, &cursor, stuck, filter.as_ref()))? {
            task.walks.remove(0);
        } else if let Some(first) = task.walks.first_mut() {
            *first = cursor;
        }
        pages.put_lines(task).await?;
        self.progress(endpoint).task = Some(task.clone());
        self.book.save().await?;
        self.tell(endpoint, task, false);
        Ok(bytes)
    }

    fn tell(&mut self, endpoint: &Endpoint, task: &Task, ended: bool) {
        let left = self.book.state.quota.as_ref().map(|quota| quota.remaining);
        let (pages, items) = (task.pages, task.items);
        self.sink.emit(Event::Fetched { endpoint: endpoint.name.into(), pages, items, left, ended });
    }

    pub(super) fn params(&self, endpoint: &Endpoint, cursor: &Cursor) -> BTreeMap<String, String> {
        let (page, size) = cursor.page();
        let mut params = BTreeMap::from([
            ("site".to_string(), self.request.site.clone()),
            ("sort".into(), cursor.sort.name().into()),
            ("order".into(), "asc".into()),
            ("pagesize".into(), size.min(PAGE).to_string()),
        ]);
        let mut more = |name: &str, value: Option<String>| params.extend(value.map(|value| (name.to_string(), value)));
        more("page", (page > 1).then(|| page.to_string()));
        more("min", cursor.min.as_ref().map(ToString::to_string));
        more("max", cursor.max.as_ref().map(ToString::to_string));
        more("fromdate", cursor.created.0.map(|from| from.to_string()));
        more("todate", cursor.created.1.map(|to| to.to_string()));
        more("filter", self.request.filters.get(endpoint.name).cloned());
        params
    }

    fn whole_second(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }
}

/// Returns a time for people.
fn shown(second: i64) -> String {
    Timestamp::from_second(second).map_or_else(|_| second.to_string(), |at| at.to_string())
}
