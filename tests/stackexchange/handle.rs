//! From a request to its answer.

use hyper::Method;
use serde_json::{Value, json};

use super::answer::{Answer, Page};
use super::faults::{FaultKind, met};
use super::limits::{Limits, Who};
use super::log::Asked;
use super::methods::{self, About, Source};
use super::parameters::Query;
use super::refusal::Refusal;
use super::select::select;
use super::server::Shared;
use super::shape::{Filter, Shaper};
use super::{Kind, World};
use crate::wire::Closed;

impl Shared {
    /// Answers a request: lets the test change the world, lets the request meet its fault, executes it.
    pub fn answer(&self, verb: &Method, asked: &mut Asked) -> (Option<FaultKind>, Result<Answer, Closed>) {
        let mut world = self.world();
        let now = self.tell_time(&mut world);
        asked.at = world.now;
        if let Some(hook) = self.hook.lock().unwrap().as_mut() {
            hook(&mut world, asked.number);
        }
        let mut limits = self.limits.lock().unwrap();
        let encoding = self.options.encoding;
        if limits.banned(&self.options, now) {
            return (None, Ok(Answer::edge(self.options.ban_status)));
        }
        let fault = met(&mut self.faults.lock().unwrap(), asked);
        asked.spoilt = fault.is_some();
        if let Some(answer) = fault.as_ref().and_then(FaultKind::on_the_way) {
            return (fault, answer);
        }
        let executed = match fault.as_ref().and_then(FaultKind::refusal) {
            Some(refusal) => Err(refusal),
            None if verb != Method::GET => Err(Refusal::new(404, "no method found with this name")),
            None => self.execute(&world, &mut limits, asked, (now, fault.as_ref())),
        };
        let answer = match executed {
            Ok(mut wrapper) => {
                let encoding = fault.as_ref().map_or(encoding, |fault| fault.encoding(encoding));
                fault.iter().for_each(|fault| fault.reshape(&mut wrapper));
                Answer::json(200, &wrapper, encoding)
            }
            Err(refusal) => {
                asked.error = Some(refusal.id);
                Answer::refusal(&refusal, encoding)
            }
        };
        let answer = match &fault {
            Some(fault) => fault.damage(answer),
            None => Ok(answer),
        };
        (fault, answer)
    }

    /// Returns the answer's JSON.
    fn execute(
        &self,
        world: &World,
        limits: &mut Limits,
        asked: &mut Asked,
        (now, fault): (i64, Option<&FaultKind>),
    ) -> Result<Value, Refusal> {
        let (method, ids) = methods::route(&asked.path)?;
        let who = Limits::who(&self.options, asked)?;
        let left = limits.spend(&self.options, who, now)?;
        limits.backoff(method.template, now)?;
        let page = match method.about {
            About::Error => return Err(error(&ids)),
            About::NewFilter => return Err(Refusal::new(403, "filters are named when the double starts")),
            About::Sites => Page::of(vec![json!({ "api_site_parameter": world.site, "name": world.site })]),
            About::Info => {
                site(world, asked)?;
                Page::of(vec![info(world)])
            }
            About::Items(source, by) => self.items(world, limits, asked, (source, by, &ids, who, now))?,
        };
        asked.items = page.items.len();
        let backoff = match fault {
            Some(FaultKind::Backoff(seconds)) => Some(limits.leave_alone(method.template, *seconds, now)),
            _ => limits.next_backoff(&self.options, method.template, now),
        };
        Ok(page.wrapped(backoff, Limits::quota_max(&self.options, who), left))
    }

    fn items(
        &self,
        world: &World,
        limits: &mut Limits,
        asked: &Asked,
        (source, by, ids, who, now): (Source, &str, &[i64], Who, i64),
    ) -> Result<Page, Refusal> {
        site(world, asked)?;
        let query = Query::read(asked, source)?;
        let filter = Filter::named(asked, &self.options)?;
        Limits::page(who, query.page)?;
        if let Some(page) = limits.cached(asked, now).filter(|_| self.options.cache) {
            return Ok(page);
        }
        let selected = select(world, source, (by, ids), &query);
        let items = match filter {
            Filter::Items(features) => {
                let shaper = Shaper::new(world, source, features);
                selected.items.iter().map(|(kind, item)| shaper.show(*kind, item)).collect()
            }
            Filter::Total | Filter::Nothing => Vec::new(),
        };
        let page = Page { items, has_more: selected.has_more, total: selected.total, filter };
        if self.options.cache {
            limits.keep(asked, &page, now);
        }
        Ok(page)
    }
}

fn site(world: &World, asked: &Asked) -> Result<(), Refusal> {
    match asked.param("site") {
        None | Some("") => Err(Refusal::new(400, "site is required")),
        Some(site) if site == world.site => Ok(()),
        Some(site) => Err(Refusal::new(400, format!("No site found for name `{site}`"))),
    }
}

fn error(ids: &[i64]) -> Refusal {
    ids.first().and_then(|id| Refusal::known(*id)).unwrap_or_else(|| Refusal::parameter("id"))
}

fn info(world: &World) -> Value {
    let count = |kind| world.items(kind).count();
    let accepted = world.items(Kind::Questions).filter(|question| !question["accepted_answer_id"].is_null()).count();
    let unanswered = world.items(Kind::Questions).filter(|question| question["is_answered"] != true).count();
    json!({
        "total_questions": count(Kind::Questions),
        "total_unanswered": unanswered,
        "total_accepted": accepted,
        "total_answers": count(Kind::Answers),
        "total_comments": count(Kind::Comments),
        "total_users": count(Kind::Users),
        "api_revision": "2026.11.23.1",
    })
}
