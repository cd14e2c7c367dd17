//! Settings of reading the Stack Exchange API.

use std::collections::BTreeMap;

use reqwest::Url;

use super::forms::{self, Form, made_of};
use super::reader::Reader;
use super::suggestion;
use crate::config::ingest::{Auth, ENDPOINTS, Ingest};
use crate::yaml::{Content, Node, Problems};

/// As `api_site_parameter` of the API's `/sites` has them; they become folders of raw.
const SITE: Form = Form::new(
    |text| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-')
    },
    "the name the API calls a site by, such as `stackoverflow` or `ru.stackoverflow`",
);

/// Those of the API are far shorter than 128; what other characters do to a request is not known.
const FILTER: Form =
    Form::new(|text| made_of(text, 1..=128, |c| c.is_ascii_graphic()), "a filter: 1 to 128 visible ASCII characters");

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Ingest> {
    let site = reader.formed("site", &SITE);
    let endpoints = reader.node("endpoints").and_then(|node| endpoints(node, reader.problems));
    let api = reader.node("api").and_then(|node| api(node, reader.problems));
    let ways = [Auth::Bearer, Auth::Query].map(|auth| (auth.name(), auth));
    let auth = reader.node("auth").and_then(|node| node.choice("auth", &ways, reader.problems));
    let (key_file, token_file) = (reader.optional_path("key-file"), reader.optional_path("token-file"));
    let secret = reader.optional("secret", &forms::SECRET);
    let filters = filters(&mut reader.below("filters"));
    Some(Ingest {
        site: site?,
        endpoints: endpoints?,
        api: api?,
        auth: auth?,
        key_file: key_file?,
        token_file: token_file?,
        secret: secret?,
        filters: filters?,
    })
}

fn endpoints(list: &Node, problems: &mut Problems) -> Option<Vec<String>> {
    let items = list.items("endpoints", problems);
    let mut names: Vec<String> = Vec::new();
    for item in &items {
        let Some(name) = item.scalar("endpoints", problems) else { continue };
        if !ENDPOINTS.contains(&name.as_str()) {
            let hint = suggestion(&name, "endpoints", &ENDPOINTS.map(String::from));
            problems.error(&item.place, format!("there is no endpoint `{name}`")).hint(hint);
        } else if names.contains(&name) {
            problems.error(&item.place, format!("`{name}` is there twice"));
        }
        names.push(name);
    }
    if matches!(&list.content, Content::List(items) if items.is_empty()) {
        problems.error(&list.place, "`endpoints` names no endpoint");
    }
    Some(names)
}

/// Returns the address without the slashes at its end: paths such as `/questions` are added to it.
fn api(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.scalar("api", problems)?;
    // The reader of addresses would leave out white space without a word.
    let url =
        Some(&text).filter(|text| text.chars().all(|c| c.is_ascii_graphic())).and_then(|text| Url::parse(text).ok());
    let Some(url) = url.filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host()) else {
        let message =
            format!("`api` must be an address such as `https://api.stackexchange.com/2.3`, found {}", node.describe());
        problems.error(&node.place, message);
        return None;
    };
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        let problem = problems.error(&node.place, "`api` can have no user, no parameters and no fragment");
        problem.hint("the key is kept apart: see `key-file`");
        return None;
    }
    if url.scheme() == "http" && !is_this_machine(&url) {
        let problem = problems.error(&node.place, "`api` must be `https`: anyone on the way could read the key");
        problem.hint("`http` is for this machine only, such as `http://127.0.0.1:8080/2.3`");
        return None;
    }
    Some(url.as_str().trim_end_matches('/').into())
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Returns the filters by endpoint; one that is written `none` is left out.
fn filters(reader: &mut Reader<'_>) -> Option<BTreeMap<String, String>> {
    let read = |endpoint: &&str| match reader.optional(endpoint, &FILTER) {
        Some(filter) => filter.map(|filter| Some(((*endpoint).to_string(), filter))),
        None => Some(None),
    };
    ENDPOINTS.iter().filter_map(read).collect()
}
