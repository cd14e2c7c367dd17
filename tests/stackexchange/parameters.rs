//! A request's parameters, checked as the API checks them.

use super::Kind;
use super::log::Asked;
use super::methods::{Bounds, Sort, Source};
use super::refusal::Refusal;

/// How many items a page has when the request does not say, and at most.
const PAGE_SIZE: (i64, i64) = (30, 100);

/// What a request asks for.
#[derive(Debug)]
pub struct Query {
    pub page: i64,
    pub page_size: i64,
    pub ascending: bool,
    pub sort: &'static Sort,
    pub min: Option<Bound>,
    pub max: Option<Bound>,
    pub from: Option<i64>,
    pub to: Option<i64>,
    /// All of these tags.
    pub tagged: Vec<String>,
}

/// A value of `min` or `max`.
#[derive(Debug)]
pub enum Bound {
    Number(i64),
    Text(String),
}

impl Query {
    /// Returns what a request asks of items from a source. Parameters that the API does not know mean nothing.
    ///
    /// # Errors
    /// `bad_parameter` with the parameter's name.
    pub fn read(asked: &Asked, source: Source) -> Result<Self, Refusal> {
        let sorts = source.sorts();
        let sort = match asked.param("sort") {
            None => &sorts[0],
            Some(name) => sorts.iter().find(|sort| sort.name == name).ok_or_else(|| Refusal::parameter("sort"))?,
        };
        let ascending = match asked.param("order") {
            None | Some("desc") => false,
            Some("asc") => true,
            Some(_) => return Err(Refusal::parameter("order")),
        };
        let page = number(asked, "page")?.unwrap_or(1);
        let page_size = number(asked, "pagesize")?.unwrap_or(PAGE_SIZE.0);
        if page < 1 {
            return Err(Refusal::parameter("page"));
        }
        if !(0..=PAGE_SIZE.1).contains(&page_size) {
            return Err(Refusal::parameter("pagesize"));
        }
        let tagged = asked.param("tagged").filter(|_| source == Source::One(Kind::Questions)).unwrap_or_default();
        Ok(Self {
            page,
            page_size,
            ascending,
            sort,
            min: bound(asked, sort, "min")?,
            max: bound(asked, sort, "max")?,
            from: number(asked, "fromdate")?,
            to: number(asked, "todate")?,
            tagged: tagged.split(';').filter(|tag| !tag.is_empty()).map(str::to_string).collect(),
        })
    }
}

fn bound(asked: &Asked, sort: &Sort, name: &str) -> Result<Option<Bound>, Refusal> {
    match (sort.bounds, asked.param(name)) {
        (_, None) => Ok(None),
        (Bounds::Numbers, Some(_)) => Ok(number(asked, name)?.map(Bound::Number)),
        (Bounds::Text, Some(text)) => Ok(Some(Bound::Text(text.to_string()))),
        (Bounds::None, Some(_)) => Err(Refusal::parameter(name)),
    }
}

fn number(asked: &Asked, name: &str) -> Result<Option<i64>, Refusal> {
    asked.param(name).map(|text| text.parse().map_err(|_| Refusal::parameter(name))).transpose()
}
