//! The formats of texts in a job file: names, columns, scripts, what a step reads and writes, the template `{date}`.

use std::path::{Component, Path};

use jiff::civil::Date;

use super::model::{Output, Source};
use super::parse::{CodeFile, Options};
use crate::names::name_problem;
use crate::yaml::{Refusal, did_you_mean};

/// Refuses a text that does not have a format.
pub(super) fn judge(options: &Options<'_>, format: &str, text: &str) -> Result<Option<String>, Refusal> {
    match format {
        "step name" | "parameter name" => named(text, format.trim_end_matches(" name"), true),
        "table name" => named(text, "table", false),
        "column name" => column(text),
        "partition column" => column(text).and_then(|()| partition_column(text)),
        "script" => code_file(options, text, "script", "py"),
        "sql file" => code_file(options, text, "SQL file", "sql"),
        "notebook" => code_file(options, text, "notebook", "ipynb"),
        "source" => source(text).map(drop),
        "output" => output(text).map(drop),
        "query" => query(text),
        "spark option" => option(text),
        "spark property" => property(text),
        _ => Ok(()),
    }
    .map(|()| Some(text.into()))
}

/// Refuses a text that cannot name a `what`.
fn named(text: &str, what: &str, hyphens: bool) -> Result<(), Refusal> {
    match name_problem(text, hyphens) {
        Some(_) if text.is_empty() => Err(Refusal::plain(format!("the name of a {what} is missing"))),
        Some(why) => Err(Refusal::plain(format!("`{text}` cannot name a {what}: {why}"))),
        None => Ok(()),
    }
}

fn column(text: &str) -> Result<(), Refusal> {
    if text.is_empty() {
        return Err(Refusal::plain("the name of a column is missing"));
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) || !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let why = "a name has letters, digits and `_`, no digit first";
        return Err(Refusal::plain(format!("`{text}` cannot name a column: {why}")));
    }
    Ok(())
}

fn partition_column(text: &str) -> Result<(), Refusal> {
    let why = match text {
        "run" => ", the column soflow keeps versions in",
        _ if text.starts_with('_') => ": engines pass over directories whose name begins with `_`",
        _ => return Ok(()),
    };
    Err(Refusal::plain(format!("a table cannot be partitioned by `{text}`{why}")))
}

/// Refuses what is no file below the code folder that a step can run.
fn code_file(options: &Options<'_>, text: &str, what: &str, ending: &str) -> Result<(), Refusal> {
    let path = Path::new(text);
    if !path.components().all(|part| matches!(part, Component::Normal(_))) || text.contains('\\') {
        let message = format!("{what} `{text}` is not a path below the code folder");
        return Err(Refusal::new(message, format!("write it as `steps/<name>.{ending}`")));
    }
    if path.extension().is_none_or(|extension| extension != ending) {
        let of = if ending == "py" { "Python file" } else { what };
        return Err(Refusal::new(format!("`{text}` is not a {of}"), format!("its name must end in `.{ending}`")));
    }
    match (options.file)(path) {
        CodeFile::Good => Ok(()),
        CodeFile::Missing => {
            let known: Vec<String> = options.files.iter().map(|file| file.display().to_string()).collect();
            let near = did_you_mean(text, known.iter().filter(|known| known.ends_with(ending)).map(String::as_str));
            let where_from = || format!("a {what} is looked for below the code folder, `code` in the settings");
            Err(Refusal::new(format!("{what} `{text}` does not exist"), near.unwrap_or_else(where_from)))
        }
        CodeFile::Bad { why, remedy } => Err(Refusal::new(format!("{what} `{text}` {why}"), remedy)),
    }
}

/// Returns what `text` in `reads` names.
pub(super) fn source(text: &str) -> Result<Source, Refusal> {
    match text.split_once('.') {
        Some(("raw", endpoint)) => named(endpoint, "raw endpoint", false).map(|()| Source::Raw(endpoint.into())),
        Some(_) => {
            let hint = "write a table's name, or `raw.<endpoint>` such as `raw.questions`";
            Err(Refusal::new(format!("`{text}` is neither a table nor raw pages"), hint))
        }
        None if text.contains('/') => {
            let message = format!("`{text}` is a part of a table, and a step reads whole tables");
            Err(Refusal::new(message, "write the table's name alone"))
        }
        None => named(text, "table", false).map(|()| Source::Table(text.into())),
    }
}

/// Returns what `text` in `writes` names. Whether the columns are the table's is checked later.
pub(super) fn output(text: &str) -> Result<Output, Refusal> {
    let (table, rest) = text.split_once('/').map_or((text, None), |(table, rest)| (table, Some(rest)));
    if table == "raw" || table.starts_with("raw.") {
        return Err(Refusal::plain("raw pages are written by `soflow ingest`, not by steps"));
    }
    named(table, "table", false)?;
    let mut only: Vec<(String, String)> = Vec::new();
    for part in rest.into_iter().flat_map(|rest| rest.split('/')) {
        let Some((column, value)) =
            part.split_once('=').filter(|(column, value)| !column.is_empty() && !value.is_empty())
        else {
            let message = format!("`{}` does not fix a partition", if part.is_empty() { text } else { part });
            let hint = "write `<table>/<column>=<value>`, such as `quarantine/endpoint=questions/dt={date}`";
            return Err(Refusal::new(message, hint));
        };
        if only.iter().any(|(other, _)| other == column) {
            return Err(Refusal::plain(format!("`{column}` is fixed twice")));
        }
        template(value)?;
        only.push((column.into(), value.into()));
    }
    Ok(Output { table: table.into(), only })
}

fn query(text: &str) -> Result<(), Refusal> {
    if text.trim().trim_end_matches(';').trim().is_empty() {
        return Err(Refusal::plain("the `sql` of an insight is empty"));
    }
    template(text)
}

/// What soflow decides itself, since a step must run the same everywhere.
const OURS: [&str; 9] = [
    "master",
    "deploy-mode",
    "name",
    "class",
    "py-files",
    "spark.master",
    "spark.submit.deployMode",
    "spark.submit.pyFiles",
    "spark.app.name",
];

/// Refuses what is not a step's to set.
fn not_ours(key: &str) -> Result<(), Refusal> {
    if OURS.contains(&key) { Err(Refusal::new(format!("`{key}` is set by soflow"), "remove it")) } else { Ok(()) }
}

/// Refuses what is not a step's to set, and a property where an option belongs; which options there are the schema says.
fn option(key: &str) -> Result<(), Refusal> {
    not_ours(key)?;
    if key.starts_with("spark.") {
        let hint = format!("write it below `conf`: `conf: {{ {key}: ... }}`");
        return Err(Refusal::new(format!("`{key}` is a Spark property, and no option of spark-submit"), hint));
    }
    Ok(())
}

/// Refuses what is no property of Spark, and what is not a step's to set.
fn property(key: &str) -> Result<(), Refusal> {
    not_ours(key)?;
    if !key.starts_with("spark.") || key.contains(char::is_whitespace) || key.contains('=') {
        let hint = "a property starts with `spark.`: spark-submit ignores all others";
        return Err(Refusal::new(format!("`{key}` is not a Spark property"), hint));
    }
    Ok(())
}

/// Refuses a `{name}` that stands for nothing. `{2}` and the like are left alone.
pub(super) fn template(text: &str) -> Result<(), Refusal> {
    for part in text.split('{').skip(1) {
        let Some((name, _)) = part.split_once('}') else { continue };
        let word = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if word && name != "date" {
            let hint = "only `{date}`, the logical date, is filled in";
            return Err(Refusal::new(format!("`{{{name}}}` stands for nothing"), hint));
        }
    }
    Ok(())
}

/// Returns `text` with the logical date in place of `{date}`.
pub(super) fn with_date(text: &str, date: Date) -> String {
    text.replace("{date}", &date.to_string())
}
