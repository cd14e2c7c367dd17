//! What a step reads and writes, as written: `raw.questions`, `questions`, `quarantine/endpoint=questions/dt={date}`.

use super::insights::unknown_template;
use super::model::{Output, Source};
use super::parse::named;
use crate::yaml::{Place, Problems};

/// Returns what `text` in `reads` names.
pub(super) fn source(text: &str, place: &Place, problems: &mut Problems) -> Option<Source> {
    match text.split_once('.') {
        Some(("raw", endpoint)) => {
            named(endpoint, "raw endpoint", false, place, problems).then(|| Source::Raw(endpoint.into()))
        }
        Some(_) => {
            let problem = problems.error(place, format!("`{text}` is neither a table nor raw pages"));
            problem.hint("write a table's name, or `raw.<endpoint>` such as `raw.questions`");
            None
        }
        None if text.contains('/') => {
            let problem =
                problems.error(place, format!("`{text}` is a part of a table, and a step reads whole tables"));
            problem.hint("write the table's name alone");
            None
        }
        None => named(text, "table", false, place, problems).then(|| Source::Table(text.into())),
    }
}

/// Returns what `text` in `writes` names. Whether the columns are the table's is checked later.
pub(super) fn output(text: &str, place: &Place, problems: &mut Problems) -> Option<Output> {
    let (table, rest) = text.split_once('/').map_or((text, None), |(table, rest)| (table, Some(rest)));
    if table == "raw" || table.starts_with("raw.") {
        problems.error(place, "raw pages are written by `soflow ingest`, not by steps");
        return None;
    }
    if !named(table, "table", false, place, problems) {
        return None;
    }
    let mut only: Vec<(String, String)> = Vec::new();
    for part in rest.into_iter().flat_map(|rest| rest.split('/')) {
        let Some((column, value)) =
            part.split_once('=').filter(|(column, value)| !column.is_empty() && !value.is_empty())
        else {
            let problem = problems
                .error(place, format!("`{}` does not fix a partition", if part.is_empty() { text } else { part }));
            problem.hint("write `<table>/<column>=<value>`, such as `quarantine/endpoint=questions/dt={date}`");
            return None;
        };
        if only.iter().any(|(other, _)| other == column) {
            problems.error(place, format!("`{column}` is fixed twice"));
            return None;
        }
        if unknown_template(value, place, problems) {
            return None;
        }
        only.push((column.into(), value.into()));
    }
    Some(Output { table: table.into(), only })
}
