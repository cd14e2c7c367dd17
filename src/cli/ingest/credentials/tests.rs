//! Where a key is looked for, and that it is never shown.

mod manager;

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::config::{self, ENDPOINTS, Layers};
use crate::ingest::api::endpoint;

/// The settings of a project at `root` with this section `ingest`.
fn settings(root: &Path, ingest: &str) -> Ingest {
    let file = Some(("config/soflow.yaml".into(), format!("ingest: {ingest}\n")));
    let layers = Layers { root: root.into(), file, ..Layers::default() };
    config::read(layers, &|_| false).unwrap().settings.ingest
}

fn environment(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn write(path: &Path, content: impl AsRef<[u8]>, mode: u32) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn exposed(found: &Credentials) -> (Option<&str>, Option<&str>) {
    (found.key.as_ref().map(Secret::expose), found.token.as_ref().map(Secret::expose))
}

/// Everything a person, a log or a report could show of an error.
fn shown(error: &Error) -> String {
    format!("{error} {:?} {:?} {:?} {error:?}", error.detail, error.hints, error.causes())
}

async fn nobody(_: &str) -> Result<String> {
    panic!("Secrets Manager was asked");
}

#[tokio::test]
async fn the_nearest_place_is_taken_and_no_other_is_touched() {
    let home = tempfile::tempdir().unwrap();
    // Files that are not there would be an error if anybody looked.
    let all = settings(home.path(), "{ key-file: key, token-file: token, secret: api }");
    let both = environment(&[("SOFLOW_API_KEY", "k1"), ("SOFLOW_API_TOKEN", " t1\n")]);
    assert_eq!(exposed(&gather(&both, &all, nobody).await.unwrap()), (Some("k1"), Some("t1")));

    write(&home.path().join("token"), "t2\n", 0o600);
    let key = environment(&[("SOFLOW_API_KEY", "k1"), ("SOFLOW_API_TOKEN", "")]);
    assert_eq!(exposed(&gather(&key, &all, nobody).await.unwrap()), (Some("k1"), Some("t2")));

    write(&home.path().join("key"), "k2", 0o400);
    let none = BTreeMap::new();
    assert_eq!(exposed(&gather(&none, &all, nobody).await.unwrap()), (Some("k2"), Some("t2")));

    let two = settings(home.path(), "{ key-file: key, secret: api }");
    let kept = async |name: &str| {
        assert_eq!(name, "api");
        Ok(r#"{"key": "k3", "access_token": "t3"}"#.to_string())
    };
    assert_eq!(exposed(&gather(&none, &two, kept).await.unwrap()), (Some("k2"), Some("t3")));
    let neither = settings(home.path(), "{}");
    assert_eq!(gather(&none, &neither, nobody).await.unwrap(), Credentials::default());
}

#[test]
fn a_file_that_others_may_use_is_refused_with_what_to_type() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("key");
    for mode in [0o600, 0o400, 0o700] {
        write(&path, "s3cret", mode);
        assert_eq!(read_file(&path, "ingest.key-file").unwrap().expose(), "s3cret", "{mode:o}");
    }
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666] {
        write(&path, "s3cret", mode);
        let error = read_file(&path, "ingest.key-file").unwrap_err();
        assert_eq!(error.kind, Kind::Usage);
        assert_eq!(error.hints, [format!("chmod 600 {}", path.display())], "{mode:o}");
        let expected =
            format!("`ingest.key-file` cannot be used: others may use `{}`: its mode is {mode:04o}", path.display());
        assert_eq!(error.message, expected);
    }
}

#[test]
fn only_a_small_file_with_a_key_in_its_first_line_is_one() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("key");
    let read = |content: &[u8]| {
        write(&path, content, 0o600);
        read_file(&path, "ingest.key-file").map(|secret| secret.expose().to_string())
    };
    assert_eq!(read(b" U4DMV*8nvp((\r\nmore that is not read, \xff").unwrap(), "U4DMV*8nvp((");
    assert_eq!(read(&[b'k'; 4096]).unwrap().len(), 4096);
    assert_eq!(read(b"\xef\xbb\xbfU4DMV\rmore").unwrap(), "U4DMV");
    let refused: [(&[u8], &str); 8] = [
        (&[b's'; 4097], "has more than 4096 bytes"),
        (b"", "is empty"),
        (b"\ns3cret", "is empty"),
        (b"s3cret s3cret", "white space or characters outside ASCII"),
        (b"s3cret\x1bs3cret", "white space or characters outside ASCII"),
        ("s3crét".as_bytes(), "white space or characters outside ASCII"),
        (b"s3cret\xff", "is text in Latin-1 or Windows-1252"),
        (b"\xff\xfes\x003\0c\0r\0e\0t\0\r\0\n\0", "is UTF-16 text"),
    ];
    for (content, why) in refused {
        let error = read(content).unwrap_err();
        assert_eq!(error.kind, Kind::Usage);
        assert!(error.message.contains(why), "{error}");
        assert!(!shown(&error).contains("s3cr"), "{error:?}");
    }
    let error = read_file(home.path(), "ingest.key-file").unwrap_err();
    assert!(error.message.ends_with("is not a file"), "{error}");
    let error = read_file(&home.path().join("gone"), "ingest.token-file").unwrap_err();
    assert!(error.kind == Kind::Usage && error.message.starts_with("`ingest.token-file` cannot be used: there is no"));
}

#[test]
fn a_file_of_somebody_else_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("key");
    write(&path, "s3cret", 0o600);
    if let Err(error) = std::os::unix::fs::chown(&path, Some(65_534), None) {
        eprintln!("skipped: only root can give a file away: {error}");
        return;
    }
    let error = read_file(&path, "ingest.key-file").unwrap_err();
    assert!(error.message.contains("belongs to somebody else"), "{error}");
}

#[tokio::test]
async fn a_variable_that_cannot_be_sent_is_refused_without_showing_it() {
    let home = tempfile::tempdir().unwrap();
    let variables = environment(&[("SOFLOW_API_KEY", "s3cret\ns3cret")]);
    let error = gather(&variables, &settings(home.path(), "{}"), nobody).await.unwrap_err();
    assert_eq!(error.message, "`SOFLOW_API_KEY` has white space or characters outside ASCII within the key");
    assert!(!shown(&error).contains("s3cret"), "{error:?}");
}

#[test]
fn a_secret_is_the_key_alone_or_json() {
    let cases = [
        ("k3y\n", (Some("k3y"), None)),
        (r#"{"key": "k", "access_token": "t", "client_secret": "x", "n": 1}"#, (Some("k"), Some("t"))),
        (" {\"access_token\": \"t\", \"key\": null}\n", (None, Some("t"))),
        (r#"{"key": "k", "access_token": ""}"#, (Some("k"), None)),
    ];
    for (text, expected) in cases {
        assert_eq!(exposed(&read_secret("api", text).unwrap()), expected, "{text}");
    }
    let refused = [
        (r#"{"key": "s3cret""#, "the secret `api` begins like JSON and is none"),
        (r#"{"key": ["s3cret"]}"#, "the secret `api` has a `key` that is no text"),
        (r#"{"apikey": "s3cret"}"#, "the secret `api` has neither a key nor a token"),
        (" \n", "the secret `api` has neither a key nor a token"),
        ("s3cret s3cret", "the secret `api` has white space or characters outside ASCII within the key"),
        (
            r#"{"access_token": "s3cret\ns3cret"}"#,
            "`access_token` of the secret `api` has white space or characters outside ASCII within the key",
        ),
    ];
    for (text, message) in refused {
        let error = read_secret("api", text).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (Kind::Usage, message));
        assert!(!shown(&error).contains("s3cret"), "{error:?}");
    }
}

#[test]
fn the_settings_know_the_endpoints_that_can_be_read() {
    assert_eq!(endpoint::names().collect::<Vec<_>>(), ENDPOINTS);
}

#[tokio::test]
async fn a_function_takes_the_secret_of_its_stack_once_there_is_a_key_in_it() {
    let home = tempfile::tempdir().unwrap();
    let (none, named) = (settings(home.path(), "{}"), settings(home.path(), "{ secret: own }"));
    let stack = environment(&[("SOFLOW_API_KEY_SECRET", "arn:of:stack")]);
    let kept = async |name: &str| Ok(format!("key-of-{}", name.len()));
    assert_eq!(exposed(&gather(&stack, &none, kept).await.unwrap()), (Some("key-of-12"), None));
    assert_eq!(exposed(&gather(&stack, &named, kept).await.unwrap()), (Some("key-of-3"), None));
    let empty = async |_: &str| Err(Error::new(Kind::Usage, "it has no value"));
    assert_eq!(exposed(&gather(&stack, &none, empty).await.unwrap()), (None, None));
    assert_eq!(gather(&stack, &named, empty).await.unwrap_err().kind, Kind::Usage);
    let away = async |_: &str| Err(Error::new(Kind::Machine, "no answer"));
    assert_eq!(gather(&stack, &none, away).await.unwrap_err().kind, Kind::Machine);
}
