//! What is read below `ingest`, and a bad value for every key of it.

use super::mistakes::{line, marked, problems};
use super::*;

fn ingest(file: &str) -> Ingest {
    resolve(layers(file, &[], &[])).unwrap_or_else(|error| panic!("{file}\n{:?}", error.detail)).settings.ingest
}

#[test]
fn without_a_word_it_is_stack_overflow() {
    let ingest = ingest("");
    assert_eq!((ingest.site.as_str(), ingest.api.as_str()), ("stackoverflow", "https://api.stackexchange.com/2.3"));
    assert_eq!(ingest.endpoints, ["questions", "answers", "comments"]);
    assert_eq!(ingest.auth, Auth::Bearer);
    assert_eq!((ingest.key_file, ingest.token_file, ingest.secret), (None, None, None));
    let filters: Vec<_> = ingest.filters.keys().map(String::as_str).collect();
    assert_eq!(filters, ["answers", "comments", "posts", "questions"]);
}

#[test]
fn what_is_written_is_taken() {
    let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:soflow/api-AbCdEf";
    let ingest = ingest(&format!(
        "ingest:\n  site: ru.stackoverflow\n  endpoints: tags\n  api: http://[::1]:8080/2.3//\n  auth: query\n  key-file: keys/api\n  \
         token-file: /run/token\n  secret: {arn}\n  filters: {{ questions: \"!nNPvSNPI7A\", answers: none }}\n"
    ));
    assert_eq!((ingest.site.as_str(), ingest.auth), ("ru.stackoverflow", Auth::Query));
    assert_eq!((ingest.endpoints, ingest.api.as_str()), (vec!["tags".to_string()], "http://[::1]:8080/2.3"));
    assert_eq!(ingest.key_file.as_deref(), Some(Path::new("/project/keys/api")));
    assert_eq!(ingest.token_file.as_deref(), Some(Path::new("/run/token")));
    assert_eq!(ingest.secret.as_deref(), Some(arn));
    let filters: Vec<_> = ingest.filters.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(filters, [("comments", "withbody"), ("posts", "withbody"), ("questions", "!nNPvSNPI7A")]);
}

/// A key below `ingest`, a bad value, what is said, and what the caret marks.
const BAD: &[(&str, &str, &str, &str)] = &[
    (
        "site",
        "Stack Overflow",
        "`site` must be such as `stackoverflow` or `ru.stackoverflow`, found `Stack Overflow`",
        "Stack Overflow",
    ),
    (
        "endpoints",
        "[questions, anwsers]",
        "`endpoints` must be `questions` or `answers` or `comments` or `posts` or `tags` or `synonyms` or `users`, found `anwsers`",
        "anwsers",
    ),
    ("endpoints", "[tags, tags]", "`tags` is there twice", "tags"),
    ("endpoints", "[]", "`endpoints` is empty", "["),
    (
        "api",
        "api.stackexchange.com",
        "`api` must be an address such as `https://api.stackexchange.com/2.3`, found `api.stackexchange.com`",
        "api.stackexchange.com",
    ),
    (
        "api",
        "ftp://api.stackexchange.com",
        "`api` must be an address such as `https://api.stackexchange.com/2.3`, found `ftp://api.stackexchange.com`",
        "ftp://api.stackexchange.com",
    ),
    (
        "api",
        "http://example.org/2.3",
        "`api` must be an address such as `https://api.stackexchange.com/2.3`, found `http://example.org/2.3`",
        "http://example.org/2.3",
    ),
    (
        "api",
        "http://127.0.0.1.nip.io",
        "`api` must be an address such as `https://api.stackexchange.com/2.3`, found `http://127.0.0.1.nip.io`",
        "http://127.0.0.1.nip.io",
    ),
    (
        "api",
        "https://a.org?key=k",
        "`api` must be an address such as `https://api.stackexchange.com/2.3`, found `https://a.org?key=k`",
        "https://a.org?key=k",
    ),
    (
        "api",
        "https://me@a.org",
        "`api` must be an address such as `https://api.stackexchange.com/2.3`, found `https://me@a.org`",
        "https://me@a.org",
    ),
    (
        "api",
        "https://a.org#x",
        "`api` must be an address such as `https://api.stackexchange.com/2.3`, found `https://a.org#x`",
        "https://a.org#x",
    ),
    ("auth", "header", "`auth` must be `bearer` or `query`, found `header`", "header"),
    ("key-file", "\"\"", "`key-file` must be text or `none`, found nothing", "\"\""),
    ("token-file", "[a]", "`token-file` must be text or `none`, found a list", "["),
    ("secret", "[a]", "`secret` must be a single value or `none`, found a list", "["),
    ("filters", "{ question: x }", "unknown key `question`", "question"),
    ("filters", "withbody", "`filters` must be a mapping, found `withbody`", "withbody"),
    ("filters.tags", "\"a b\"", "`tags` must be such as `withbody` or `none`, found `a b`", "\"a b\""),
    ("sites", "x", "unknown key `sites`", "sites"),
];

#[test]
fn a_bad_value_of_every_key_is_refused_where_it_is() {
    for (key, value, message, mark) in BAD {
        let file = format!("ingest:\n  {}\n", line(key, value));
        let found = problems(&file);
        let errors: Vec<_> = found.iter().map(|problem| (problem.message.as_str(), marked(&problem.place))).collect();
        assert_eq!(errors, [(*message, (*mark).to_string())], "\n{file}");
        assert_eq!(found[0].place.source.origin, "config/soflow.yaml", "{file}");
    }
    for key in keys("Ingest") {
        assert!(BAD.iter().any(|(path, ..)| *path == key), "no bad value for `{key}`");
    }
    let unquoted = &problems("ingest: { filters: { questions: !nNPvSNPI7A } }\n")[0];
    assert_eq!(unquoted.hint.as_deref(), Some("remove it, or quote text that begins with `!`"));
}

#[test]
fn addresses_of_this_machine_need_no_https() {
    for api in ["http://localhost:1/2.3", "http://127.0.0.1:8080", "http://127.8.8.8", "https://example.org"] {
        assert_eq!(ingest(&format!("ingest: {{ api: \"{api}/\" }}\n")).api, api);
    }
}

#[test]
fn the_key_in_the_environment_is_no_setting_and_is_not_shown() {
    let environment = [("SOFLOW_API_KEY", "k3y"), ("SOFLOW_API_TOKEN", "t0ken"), ("SOFLOW_API_TOKN", "x")];
    let resolved = resolve(layers("", &environment, &[])).unwrap();
    let shown = serde_json::to_string(&resolved).unwrap();
    assert!(!shown.contains("k3y") && !shown.contains("t0ken"), "{shown}");
    assert_eq!(resolved.warnings, ["the variable `SOFLOW_API_TOKN` sets nothing: did you mean `SOFLOW_API_TOKEN`?"]);
}
