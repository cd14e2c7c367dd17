//! Secrets are not repeated: whatever is shown, told or stored of logs, answers and settings passes here first.

use std::borrow::Cow;
use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::bytes::{Captures, Regex};
use serde::Serializer;

/// What stands where a secret stood.
const HIDDEN: &[u8] = "…".as_bytes();

/// Names that only secrets have, alone or at the end of longer ones.
const NAMES: &str = concat!(
    "pass(?:word|wd|phrase|code)",
    "|(?:secret|access|private|api|account|signing|encryption|master|auth|shared)[ ._-]?(?:access[ ._-]?)?key(?:[ ._-]?id)?",
    "|(?:client|app|application|shared|consumer)[ ._-]?secret",
    "|(?:access|refresh|session|security|auth|api|bearer|oauth|personal|private|identity)[ ._-]?token",
);

/// Names of secrets that are also parts of other words: they count at the beginning of a word.
const WORDS: &str = "secret|token|pwd";

/// A value in quotes, also in those of JSON inside of JSON, and when the line ends before they do.
const QUOTED: &str = concat!(
    r#""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'"#,
    r#"|\\"(?:[^"\\\n]|\\\\\\"|\\\\[^"\n]|\\[^"\\\n])*\\"|\\?["'][^\n]*"#,
);

/// Words of which every name of a secret has one.
const IN_NAMES: &str = "pass key secret token pwd";

/// A form in which secrets come: what is kept of it, and what is hidden.
struct Form {
    /// Text without any of these words, in upper or lower case, does not have it: most text has none.
    words: &'static str,
    /// Nor does text without any of these bytes; all may when there are none.
    signs: &'static [u8],
    pattern: String,
    /// Made when it is first needed: to make all of them takes longer than most commands.
    regex: OnceLock<Regex>,
}

static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
    let named = format!(r"(?:{NAMES}|(?:^|[^\w:]|_)(?:{WORDS}))");
    let end = r#"["'\\]*[ \t]*"#;
    let forms: [(&str, &[u8], String); 10] = [
        // `password: x`, `"secret": "x"`, `Map(token -> x)`.
        (IN_NAMES, b":>%", format!(r#"(?<kept>{named}{end}(?::|->|=>|%3A)[ \t]*)(?<hidden>{QUOTED}|[^\s"'\\]\S*)"#)),
        // `AWS_SECRET_ACCESS_KEY=x`, `?access_token=x&…`. In addresses a `key` is a secret too.
        (
            "pass key secret token pwd signature credential",
            b"=%",
            format!(
                r#"(?<kept>(?:{named}|\bkey|\bsignature|\bcredential){end}(?:=|%3D)[ \t]*)(?<hidden>{QUOTED}|[^\s"'\\&][^\s&"]*)"#
            ),
        ),
        // `--token x`, also as a list of arguments.
        (
            IN_NAMES,
            b"-",
            format!(r#"(?<kept>--(?:[\w-]*-)?(?:{NAMES}|{WORDS})(?:["'],)?[ \t]+)(?<hidden>{QUOTED}|[^\s"']\S*)"#),
        ),
        // `<password>x</password>`, and Hadoop's properties.
        (IN_NAMES, b"<", format!(r"(?<kept><[\w.:-]*?(?:{NAMES}|{WORDS})>|{named}</name>\s*<value>)(?<hidden>[^<]+)")),
        // Headers, to the end of the line or of the quotes.
        (
            "authorization cookie",
            b":=",
            format!(
                r#"(?<kept>\b(?:authorization|cookie){end}[:=][ \t"'\\]*(?:(?:bearer|basic|digest|token|negotiate|aws4-hmac-sha256)[ \t]+)?)(?<hidden>[^"'\\\n]+)"#
            ),
        ),
        ("bearer", b" \t", r"(?<kept>\bbearer[ \t]+)(?<hidden>[\w.~+/=-]{8,})".into()),
        // `https://user:x@host`; S3's old form, in which the secret has slashes.
        ("://", b"@", r#"(?<kept>\b[a-z][a-z0-9+.-]*://)(?<hidden>[^\s/?#"'<>]+)@"#.into()),
        ("://", b"@", r#"(?<kept>\bs3[an]?://)(?<hidden>[^\s/:@"']+:[^\s@"']+)@"#.into()),
        // What is known by its look: keys and session tokens of AWS; tokens of GitHub, GitLab and PyPI; signed tokens.
        (
            "akia asia fwog fqog iqoj ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- pypi- eyj",
            b"",
            concat!(
                r"(?<kept>)(?<hidden>(?-i:\b(?:A[KS]IA[A-Z0-9]{16}\b|(?:FwoG|FQoG|IQoJ)[\w+/=-]{40,}|gh[pousr]_\w{20,}",
                r"|github_pat_\w{20,}|glpat-[\w-]{20,}|pypi-[\w-]{20,}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*)))"
            )
            .into(),
        ),
        ("-----begin", b"-", r"(?<kept>-----BEGIN [A-Z ]*PRIVATE KEY-----)(?<hidden>(?s:.+?))(?:-----END|$)".into()),
    ];
    forms.into_iter().map(|(words, signs, pattern)| Form { words, signs, pattern, regex: OnceLock::new() }).collect()
});

/// Finds the words of all forms in one pass, and the form that each is of, by its number.
static WORDS_OF_FORMS: LazyLock<(AhoCorasick, Vec<usize>)> = LazyLock::new(|| {
    let of_form = |(at, form): (usize, &'static Form)| form.words.split(' ').map(move |word| (word, at));
    let (words, forms): (Vec<&str>, Vec<_>) = FORMS.iter().enumerate().flat_map(of_form).unzip();
    // The kind that takes least to make: most commands have a few lines to look through.
    let kind = Some(AhoCorasickKind::NoncontiguousNFA);
    let made = AhoCorasick::builder().ascii_case_insensitive(true).prefilter(false).kind(kind).build(words);
    (made.unwrap_or_else(|error| unreachable!("a word is wrong: {error}")), forms)
});

/// Returns the forms that a text can have, as far as its words and signs tell.
fn possible(bytes: &[u8]) -> impl Iterator<Item = &'static Form> {
    let (words, form_of) = &*WORDS_OF_FORMS;
    let mut found = vec![false; FORMS.len()];
    words.find_overlapping_iter(bytes).for_each(|word| found[form_of[word.pattern().as_usize()]] = true);
    let signed = |form: &Form| form.signs.is_empty() || bytes.iter().any(|byte| form.signs.contains(byte));
    FORMS.iter().zip(found).filter_map(move |(form, found)| (found && signed(form)).then_some(form))
}

/// Letters of other languages are no part of a name or a sign here, and would make a form ten times as long to prepare.
fn regex(pattern: &str) -> Regex {
    Regex::new(&format!("(?i-u){pattern}")).unwrap_or_else(|error| unreachable!("a form is wrong: {error}"))
}

/// Returns the text without the secrets in it.
pub fn text(text: &str) -> String {
    String::from_utf8_lossy(&bytes(text.as_bytes())).into_owned()
}

/// Returns bytes, which may be no text, without the secrets in them.
pub fn bytes(bytes: &[u8]) -> Cow<'_, [u8]> {
    possible(bytes).fold(Cow::Borrowed(bytes), |bytes, form| {
        match form.regex.get_or_init(|| regex(&form.pattern)).replace_all(&bytes, hidden) {
            Cow::Borrowed(_) => bytes,
            Cow::Owned(masked) => Cow::Owned(masked),
        }
    })
}

/// Keeps the name before a secret and the quotes around it.
fn hidden(found: &Captures<'_>) -> Vec<u8> {
    let (whole, kept, hidden) = (&found[0], &found["kept"], &found["hidden"]);
    let quotes: &[u8] = match hidden {
        [b'\\', b'"', ..] => b"\\\"",
        [quote @ (b'"' | b'\''), ..] => std::slice::from_ref(quote),
        _ => b"",
    };
    let closed = if hidden.len() >= 2 * quotes.len() && hidden.ends_with(quotes) { quotes } else { b"" };
    [kept, quotes, HIDDEN, closed, &whole[kept.len() + hidden.len()..]].concat()
}

/// Masks what comes in pieces, line by line: a secret may begin in one piece and end in the next.
#[derive(Debug, Default)]
pub struct Pieces {
    left: Vec<u8>,
}

/// How much of a line without an end is held back, in bytes.
const LONGEST_LINE: usize = 64 << 10;

impl Pieces {
    /// Takes the next piece; returns the lines that it ends, without their secrets.
    pub fn next(&mut self, piece: &[u8]) -> Vec<u8> {
        self.left.extend(piece);
        let ended = match self.left.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => at + 1,
            None if self.left.len() > LONGEST_LINE => self.left.len(),
            None => 0,
        };
        let lines: Vec<u8> = self.left.drain(..ended).collect();
        bytes(&lines).into_owned()
    }

    /// Returns the line that has not ended, without its secrets.
    pub fn rest(&mut self) -> Vec<u8> {
        bytes(&std::mem::take(&mut self.left)).into_owned()
    }
}

/// Returns whether the value of a setting of that name is likely to be a secret.
pub fn is_secret(name: &str) -> bool {
    bytes(format!("{name}=x").as_bytes()).ends_with(HIDDEN)
}

/// Writes a text without the secrets in it, for fields of what is stored.
///
/// # Errors
/// Those of the serializer.
pub fn stored<S: Serializer>(told: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(told))
}

/// Writes a text, if there is one, without the secrets in it.
///
/// # Errors
/// Those of the serializer.
pub fn stored_if_any<S: Serializer>(told: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    match told {
        Some(told) => serializer.serialize_some(&text(told)),
        None => serializer.serialize_none(),
    }
}

/// Hides the secrets in all texts of a JSON document.
pub fn json(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(told) => *told = text(told),
        serde_json::Value::Array(items) => items.iter_mut().for_each(json),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(json),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Forms with the place of the secret, and what is shown of each.
    const SEEN: [(&str, &str); 42] = [
        ("GET /2.3/questions?key=§&site=stackoverflow", "GET /2.3/questions?key=…&site=stackoverflow"),
        ("?access_token=§&key=k", "?access_token=…&key=…"),
        ("Authorization: Bearer §", "Authorization: Bearer …"),
        ("curl -H 'authorization: Basic §' https://x", "curl -H 'authorization: Basic …' https://x"),
        ("authorization: §", "authorization: …"),
        ("{\"Authorization\": \"Bearer §\"}", "{\"Authorization\": \"Bearer …\"}"),
        ("set-cookie: §; Path=/", "set-cookie: …"),
        ("sent Bearer § to x", "sent Bearer … to x"),
        ("password: §", "password: …"),
        ("password=§ next", "password=… next"),
        ("the password = '§', next", "the password = '…', next"),
        ("{\"secret\": \"§\", \"n\": 1}", "{\"secret\": \"…\", \"n\": 1}"),
        ("{'secret': '§', 'n': 1}", "{'secret': '…', 'n': 1}"),
        (r#"{"body": "{\"secret\": \"§\"}"}"#, r#"{"body": "{\"secret\": \"…\"}"}"#),
        ("{\"secret\": \"§", "{\"secret\": \"…"),
        ("client_secret=§", "client_secret=…"),
        ("clientSecret: §", "clientSecret: …"),
        ("Map(token -> §", "Map(token -> …"),
        ("run --token § --verbose", "run --token … --verbose"),
        ("run --api-token=§ --verbose", "run --api-token=… --verbose"),
        ("['run', '--token', '§', 'x']", "['run', '--token', '…', 'x']"),
        ("--db-password '§' x", "--db-password '…' x"),
        ("https://user:§@host/simple", "https://…@host/simple"),
        ("https://§@host/simple", "https://…@host/simple"),
        ("--index-url=https://__token__:§@host", "--index-url=https://…@host"),
        ("jdbc:mysql://db/x?user=u&password=§&ssl=true", "jdbc:mysql://db/x?user=u&password=…&ssl=true"),
        ("s3n://AKID:§@bucket/key", "s3n://…@bucket/key"),
        ("AWS_SECRET_ACCESS_KEY=§", "AWS_SECRET_ACCESS_KEY=…"),
        ("aws_secret_access_key = §", "aws_secret_access_key = …"),
        ("\"SecretAccessKey\": \"§\"", "\"SecretAccessKey\": \"…\""),
        ("\"SessionToken\":\"§\"", "\"SessionToken\":\"…\""),
        ("aws_session_token=§", "aws_session_token=…"),
        ("x-amz-security-token:§", "x-amz-security-token:…"),
        ("?X-Amz-Credential=§&X-Amz-Signature=§ HTTP/1.1", "?X-Amz-Credential=…&X-Amz-Signature=… HTTP/1.1"),
        ("spark.hadoop.fs.s3a.secret.key=§", "spark.hadoop.fs.s3a.secret.key=…"),
        ("fs.s3a.access.key: §", "fs.s3a.access.key: …"),
        ("<name>fs.s3a.secret.key</name><value>§</value>", "<name>fs.s3a.secret.key</name><value>…</value>"),
        ("<password>§</password>", "<password>…</password>"),
        ("SOFLOW_API_KEY=§ soflow ingest", "SOFLOW_API_KEY=… soflow ingest"),
        ("SOFLOW_API_TOKEN: §", "SOFLOW_API_TOKEN: …"),
        ("API key: §", "API key: …"),
        ("refresh_token%3D§", "refresh_token%3D…"),
    ];

    /// What is known by its look, one of each kind.
    const LOOKS: [&str; 14] = [
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        "FwoGZXIvYXdzEBYaDH7examplexamplexamplexample",
        "FQoGZXIvYXdzEBYaDH7examplexamplexamplexample",
        "IQoJb3JpZ2luX2VjEBYaDH7examplexamplexamplexam",
        "ghp_0123456789abcdefghij",
        "gho_0123456789abcdefghij",
        "ghu_0123456789abcdefghij",
        "ghs_0123456789abcdefghij",
        "ghr_0123456789abcdefghij",
        "github_pat_0123456789abcdefghij",
        "glpat-0123456789abcdefghij",
        "pypi-AgEIcHlwaS5vcmcCJDAx",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.c2ln",
    ];

    const PEM: &str = "x -----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY----- y";

    /// What is about secrets and has none.
    const PLAIN: [&str; 14] = [
        "ExpiredToken: The provided token has expired.",
        "NoSuchKey: The specified key does not exist",
        "UnrecognizedClientException: The security token included in the request is invalid.",
        "KeyError: 'created_at'",
        "tables: { questions: { key: [question_id] } }",
        "s3://bucket/curated/t/run=daily.2026-11-22.1/p=a@b/part-0.parquet",
        "set `SOFLOW_API_KEY`, or `key-file` below `ingest:`",
        "SignatureDoesNotMatch: Signature expired: 20261123T020000Z is now earlier",
        "arn:aws:iam::111122223333:user/ana",
        "add to the policies of role `ci`: `{\"Effect\": \"Allow\", \"Action\": \"secretsmanager:GetSecretValue\"}`",
        "AWS does not know the key of `AROAEXAMPLEID:session`",
        "file:///home/ana/token.txt, https://host:8443/path",
        "no usable answer of the API to `questions`: the secret `soflow/api` is not there",
        "created_month=2026-10 monkey=2",
    ];

    #[test]
    fn every_form_of_a_secret_is_hidden_and_what_is_around_it_stays() {
        for (form, shown) in SEEN {
            assert_eq!(text(&form.replace('§', "s3cr3t+Xy=")), shown, "{form}");
        }
        for known in LOOKS {
            assert_eq!(text(&format!("as {known} said")), "as … said");
        }
        assert_eq!(text(PEM), "x -----BEGIN RSA PRIVATE KEY-----…-----END RSA PRIVATE KEY----- y");
    }

    #[test]
    fn what_has_no_secret_is_shown_as_it_is() {
        for plain in PLAIN {
            assert_eq!(text(plain), plain);
        }
        assert_eq!(bytes(b"\xff\xfe password=x \0\xff").as_ref(), b"\xff\xfe password=\xe2\x80\xa6 \0\xff");
    }

    #[test]
    fn names_of_settings_tell_their_secrets() {
        for name in
            ["javax.jdo.option.ConnectionPassword", "fs.s3a.secret.key", "fs.s3a.access-key", "SPARK_AUTH_TOKEN"]
        {
            assert!(is_secret(name), "{name}");
        }
        for name in ["fs.s3a.endpoint", "hive.metastore.uris", "token-file", "spark.sql.shuffle.partitions"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_secret_gets_through_whatever_is_around_it(
            form in prop::sample::select(SEEN.to_vec()),
            secret in "[A-Za-z0-9][A-Za-z0-9/+=_.~-]{7,60}",
            before in "[ -~é❤]{0,40}",
            after in "[ -~é❤]{0,40}",
        ) {
            // An address ends its user at the first slash.
            let secret = if form.0.contains("https://") { secret.replace('/', "x") } else { secret };
            let told = format!("{before} {}\n{after}", form.0.replace('§', &secret));
            let shown = text(&told);
            prop_assert!(!shown.contains(&secret), "{told}\n{shown}");
            prop_assert_eq!(text(&shown), shown.clone());
            prop_assert_eq!(shown.lines().count(), told.lines().count());
        }

        #[test]
        fn no_form_is_passed_over_that_a_text_has(
            told in prop::sample::select(SEEN.map(|(form, _)| form).into_iter().chain(LOOKS).chain([PEM]).collect::<Vec<_>>()),
            capitals in any::<u64>(),
            around in prop::array::uniform2("[ -~\n]{0,20}"),
        ) {
            let turned = |(at, c): (usize, char)| if capitals >> (at % 64) & 1 == 1 { c.to_ascii_uppercase() } else { c };
            let swapped: String = told.replace('§', "s3cr3t+Xy=").chars().enumerate().map(turned).collect();
            for told in [told, &swapped] {
                let told = format!("{}{told}{}", around[0], around[1]);
                let missed = FORMS.iter().filter(|form| regex(&form.pattern).is_match(told.as_bytes()));
                for form in missed.filter(|form| !possible(told.as_bytes()).any(|one| one.pattern == form.pattern)) {
                    prop_assert!(false, "{told}\n{}", form.pattern);
                }
            }
        }

        #[test]
        fn it_does_not_matter_how_a_text_is_cut_into_pieces(cuts in prop::collection::vec(1_usize..40, 1..20)) {
            let whole = SEEN.map(|(form, _)| form.replace('§', "s3cr3t+Xy=")).join("\n") + "\npassword: s3cr3t";
            let (mut pieces, mut told, mut rest) = (Pieces::default(), Vec::new(), whole.as_bytes());
            for cut in cuts.iter().cycle() {
                let (piece, next) = rest.split_at((*cut).min(rest.len()));
                told.extend(pieces.next(piece));
                rest = next;
                if rest.is_empty() {
                    break;
                }
            }
            told.extend(pieces.rest());
            let lines: Vec<String> = whole.lines().map(text).collect();
            prop_assert_eq!(String::from_utf8(told).unwrap(), lines.join("\n"));
        }

        #[test]
        fn bytes_of_any_kind_are_taken(any in prop::collection::vec(any::<u8>(), 0..400)) {
            bytes(&any);
        }
    }
}
