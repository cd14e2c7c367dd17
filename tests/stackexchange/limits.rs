//! How much one may ask, and how often.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::Options;
use super::answer::Page;
use super::log::Asked;
use super::refusal::Refusal;

/// Of the day: the quota is full again when it has passed.
const DAY: i64 = 24 * 60 * 60;
/// More requests within a second are not answered.
const PER_SECOND: usize = 30;
/// How long an answer is good for those who ask the same again, in milliseconds.
const CACHED: i64 = 60_000;
/// The last page of those who do not say who they are.
const ANONYMOUS_PAGES: i64 = 25;

/// Whose quota a request is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Anonymous,
    Key,
    Token,
}

/// What the double remembers of those who asked. All times are milliseconds of the world's clock.
#[derive(Default)]
pub struct Limits {
    left: BTreeMap<Who, i64>,
    set: Option<i64>,
    day: i64,
    backoff: HashMap<&'static str, i64>,
    recent: VecDeque<i64>,
    banned_until: i64,
    pages: u64,
    cache: HashMap<String, (i64, Page)>,
}

impl Limits {
    /// Returns who asks.
    ///
    /// # Errors
    /// When the key or the token is not known.
    pub fn who(options: &Options, asked: &Asked) -> Result<Who, Refusal> {
        let known = |sent: &str, known: &Option<String>| known.as_deref() == Some(sent);
        if let Some(header) = asked.header("authorization") {
            let sent = header.strip_prefix("Bearer ").unwrap_or_default();
            return match (known(sent, &options.token), known(sent, &options.key)) {
                (true, _) => Ok(Who::Token),
                (false, true) => Ok(Who::Key),
                (false, false) => Err(Refusal::new(400, "`key` is not valid")),
            };
        }
        match (asked.param("access_token"), asked.param("key")) {
            (Some(sent), _) if options.query_auth && known(sent, &options.token) => Ok(Who::Token),
            (Some(_), _) if options.query_auth => Err(Refusal::new(402, "`access_token` is not valid")),
            (None, Some(sent)) if options.query_auth && known(sent, &options.key) => Ok(Who::Key),
            (None, Some(_)) if options.query_auth => Err(Refusal::new(400, "`key` is not valid")),
            _ => Ok(Who::Anonymous),
        }
    }

    /// Refuses a page that takes a key.
    pub fn page(who: Who, page: i64) -> Result<(), Refusal> {
        let denied = who == Who::Anonymous && page > ANONYMOUS_PAGES;
        if denied { Err(Refusal::new(403, "page above 25 requires access token or app key")) } else { Ok(()) }
    }

    /// Sets how many requests everybody has left.
    pub fn set_quota(&mut self, remaining: i64) {
        self.left.clear();
        self.set = Some(remaining);
    }

    /// Returns how many requests somebody may make a day.
    pub fn quota_max(options: &Options, who: Who) -> i64 {
        if who == Who::Anonymous { options.anonymous_quota } else { options.quota }
    }

    /// Takes a request from somebody's quota and returns what is left.
    ///
    /// # Errors
    /// When nothing was left.
    pub fn spend(&mut self, options: &Options, who: Who, now: i64) -> Result<i64, Refusal> {
        let seconds = now.div_euclid(1000);
        let day = seconds.div_euclid(DAY);
        if day != self.day {
            if self.day != 0 {
                self.set = None;
                self.left.clear();
            }
            self.day = day;
        }
        let full = self.set.unwrap_or_else(|| Self::quota_max(options, who));
        let left = self.left.entry(who).or_insert(full);
        if *left <= -options.overdraft {
            return Err(exhausted(Some((day + 1) * DAY - seconds)));
        }
        *left -= 1;
        Ok(*left)
    }

    /// Whether the edge drops a request, because there were too many within a second.
    pub fn banned(&mut self, options: &Options, now: i64) -> bool {
        if !options.rate_limit {
            return false;
        }
        self.recent.push_back(now);
        while self.recent.front().is_some_and(|at| *at <= now - 1000) {
            self.recent.pop_front();
        }
        if self.recent.len() > PER_SECOND {
            self.banned_until = now + options.ban_seconds * 1000;
        }
        now < self.banned_until
    }

    /// Refuses a method that was to be left alone.
    pub fn backoff(&self, template: &str, now: i64) -> Result<(), Refusal> {
        let early = self.backoff.get(template).is_some_and(|until| now < *until);
        if early { Err(Refusal::new(502, "Violation of backoff parameter")) } else { Ok(()) }
    }

    /// Returns the `backoff` that a page of a method carries, if it carries one, and holds everybody to it.
    pub fn next_backoff(&mut self, options: &Options, template: &'static str, now: i64) -> Option<i64> {
        self.pages += 1;
        let due = options.backoff_every.is_some_and(|every| self.pages.is_multiple_of(every.max(1)));
        due.then(|| self.leave_alone(template, options.backoff_seconds, now))
    }

    /// Lets nobody call a method for some seconds; returns them.
    pub fn leave_alone(&mut self, template: &'static str, seconds: i64, now: i64) -> i64 {
        self.backoff.insert(template, now + seconds * 1000);
        seconds
    }

    /// Returns what the same request was answered a moment ago.
    pub fn cached(&self, asked: &Asked, now: i64) -> Option<Page> {
        let (at, page) = self.cache.get(&same(asked))?;
        (now < at + CACHED).then(|| page.clone())
    }

    /// Keeps a page for those who ask the same.
    pub fn keep(&mut self, asked: &Asked, page: &Page, now: i64) {
        self.cache.insert(same(asked), (now, page.clone()));
    }
}

/// Returns the refusal of a request that is over the quota, with the seconds until there is more if they are told.
pub fn exhausted(seconds: Option<i64>) -> Refusal {
    let more = seconds.map_or_else(String::new, |seconds| format!(", more requests available in {seconds} seconds"));
    Refusal::new(502, format!("too many requests from this IP{more}"))
}

/// Returns what requests have in common that mean the same.
fn same(asked: &Asked) -> String {
    let secret = |name: &str| name == "key" || name == "access_token";
    let mut params: Vec<_> = asked.params.iter().filter(|(name, _)| !secret(name)).collect();
    params.sort();
    format!("{}?{params:?}", asked.path)
}
