//! A step's entry in a job file, put into its text: what people have written there stays as it is.

use std::collections::BTreeMap;
use std::path::Path;

use fs_err as fs;

use super::StepDraft;
use super::trial::TriedTable;
use crate::error::{Error, Kind, Result};
use crate::yaml::{self, Problems, Source};

/// Returns the text of a job file with the step and its tables.
///
/// # Errors
/// `Usage` for a text that is not YAML, or that has its steps or tables in braces.
pub fn added(text: &str, path: &Path, step: &StepDraft, tried: &BTreeMap<String, TriedTable>) -> Result<String> {
    let with_step = inserted(text, path, "steps", &[step_lines(step)])?;
    let tables: Vec<Vec<String>> = step.writes.iter().map(|table| table_lines(table, tried.get(table))).collect();
    let whole = inserted(&with_step, path, "tables", &tables)?;
    // Lines are parsed without their ends; the file keeps the ones it has.
    Ok(if text.contains("\r\n") { whole.replace('\n', "\r\n") } else { whole })
}

/// Replaces a job file, whole or not at all.
///
/// # Errors
/// `Machine` when it cannot be written.
pub fn replace(path: &Path, text: &str) -> Result<()> {
    // A link stays one.
    let path = fs::canonicalize(path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    file.as_file().set_permissions(fs::metadata(&path)?.permissions())?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

/// Returns the text with entries at the end of the mapping at `key`, which is added when there is none.
fn inserted(text: &str, path: &Path, key: &str, entries: &[Vec<String>]) -> Result<String> {
    let source = Source::file(path.display().to_string(), text);
    let mut problems = Problems::default();
    let Some(root) = yaml::parse(&source, &mut problems) else { return Err(problems.into()) };
    let mut lines = source.lines.clone();
    let found = root.entry(key).filter(|entry| !entry.value.is_null());
    let (at, indent) = match (found, root.entry(key)) {
        (Some(entry), _) => {
            let first = entry.value.entries().first().filter(|first| first.place.line > entry.place.line);
            let first = first.ok_or_else(|| in_braces(path, key, entries))?;
            (end_of_block(&lines, entry.place.line), first.place.column - 1)
        }
        (None, Some(entry)) => (entry.place.line, 2),
        (None, None) => {
            while lines.last().is_some_and(|line| line.trim().is_empty()) {
                lines.pop();
            }
            lines.extend([String::new(), format!("{key}:"), String::new()]);
            (lines.len() - 1, 2)
        }
    };
    let indented = |line: &String| format!("{}{line}", " ".repeat(indent));
    // Entries with an empty line between them go on so.
    let apart = lines[..at].iter().rev().take_while(|line| line.starts_with(' ') || line.trim().is_empty());
    let apart = apart.clone().any(|line| line.trim().is_empty());
    let added = entries.iter().flat_map(|entry| {
        let gap = apart.then(String::new);
        gap.into_iter().chain(entry.iter().map(indented))
    });
    lines.splice(at..at, added.collect::<Vec<_>>());
    Ok(lines.join("\n"))
}

/// Returns the index behind the last line of what is below the key in line `key`, counted from 1: comments and empty lines in
/// front of the next key are that one's.
fn end_of_block(lines: &[String], key: usize) -> usize {
    let is_inside = |line: &String| line.starts_with(' ') && !line.trim().is_empty();
    let is_over = |line: &String| !line.starts_with([' ', '#']) && !line.trim().is_empty();
    let below = lines[key..].iter().take_while(|line| !is_over(line));
    key + below.enumerate().filter(|(_, line)| is_inside(line)).map(|(at, _)| at + 1).last().unwrap_or_default()
}

fn in_braces(path: &Path, key: &str, entries: &[Vec<String>]) -> Error {
    let wanted: Vec<String> = entries.iter().flatten().map(|line| format!("  {line}")).collect();
    Error::new(Kind::Usage, format!("`{key}` in {} is written in braces: nothing can be added to it", path.display()))
        .detail(format!("{key}:\n{}", wanted.join("\n")))
        .hint(format!("write `{key}:` with one entry a line, and try again"))
}

fn step_lines(step: &StepDraft) -> Vec<String> {
    let mut lines = vec![format!("{}:", step.name), format!("  {}: {}", step.code.key(), step.code.path().display())];
    if !step.reads.is_empty() {
        lines.push(format!("  reads: [{}]", step.reads.join(", ")));
    }
    lines.push(format!("  writes: [{}]", step.writes.join(", ")));
    lines
}

fn table_lines(table: &str, tried: Option<&TriedTable>) -> Vec<String> {
    let Some(tried) = tried else { return vec![format!("{table}: {{}}")] };
    let mut lines = vec![format!("{table}:")];
    if !tried.key.is_empty() {
        lines.push(format!("  key: [{}]", names(&tried.key)));
    }
    lines.push("  checks:".into());
    if tried.rows > 0 {
        lines.push("    - rows-at-least: 1".into());
    }
    if !tried.not_null.is_empty() {
        lines.push(format!("    - not-null: [{}]", names(&tried.not_null)));
    }
    lines.push("    - columns:".into());
    lines.extend(tried.columns.iter().map(|(name, kind)| format!("        {}: {}", scalar(name), scalar(kind))));
    lines
}

fn names(columns: &[String]) -> String {
    columns.iter().map(|name| scalar(name)).collect::<Vec<_>>().join(", ")
}

/// Returns a text as YAML has it; one that may be read as something else is in quotes.
fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !["true", "false", "null"].contains(&text.to_lowercase().as_str());
    if plain { text.into() } else { serde_json::Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::job::StepCode;

    fn step() -> StepDraft {
        StepDraft {
            name: "best".into(),
            code: StepCode::Sql(PathBuf::from("steps/best.sql")),
            reads: vec!["sales".into()],
            writes: vec!["best".into()],
        }
    }

    fn tried() -> BTreeMap<String, TriedTable> {
        let columns = [("day", "date"), ("odd name", "array<string>")];
        let columns = columns.map(|(name, kind)| (name.to_string(), kind.to_string())).to_vec();
        let table = TriedTable { rows: 7, columns, key: vec!["day".into()], not_null: vec!["odd name".into()] };
        BTreeMap::from([("best".to_string(), table)])
    }

    fn put_into(text: &str) -> String {
        added(text, Path::new("jobs/sold.yaml"), &step(), &tried()).unwrap()
    }

    #[test]
    fn entries_go_to_the_end_of_their_mappings_and_comments_stay_where_they_are() {
        let before = "# A job.\nsteps:\n  sales:  # sold\n    script: steps/sales.py\n    writes: [sales]\n    # of sales\n\n\
                      # What must hold.\ntables:\n  sales: {}\n\n# Said of it.\ninsights: []\n";
        let expected = "# A job.\nsteps:\n  sales:  # sold\n    script: steps/sales.py\n    writes: [sales]\n    # of sales\n  \
                        best:\n    sql: steps/best.sql\n    reads: [sales]\n    writes: [best]\n\n\
                        # What must hold.\ntables:\n  sales: {}\n  best:\n    key: [day]\n    checks:\n      \
                        - rows-at-least: 1\n      - not-null: [\"odd name\"]\n      - columns:\n          day: date\n          \
                        \"odd name\": \"array<string>\"\n\n# Said of it.\ninsights: []\n";
        assert_eq!(put_into(before), expected);
    }

    #[test]
    fn entries_that_are_apart_stay_apart_and_tables_may_be_missing() {
        let before =
            "steps:\n    one: { script: steps/one.py, writes: [a] }\n\n    two: { script: steps/two.py, writes: [b] }";
        let after = put_into(before);
        assert!(after.contains("writes: [b] }\n\n    best:\n      sql: steps/best.sql\n"), "{after}");
        assert!(after.contains("\n\ntables:\n  best:\n    key: [day]\n"), "{after}");
    }

    #[test]
    fn line_ends_stay_as_they_are() {
        let before = "steps:\r\n  one: { script: steps/one.py, writes: [a] }\r\ntables:\r\n  a: {}\r\n";
        let after = put_into(before);
        assert_eq!(after.matches('\n').count(), after.matches("\r\n").count(), "{after:?}");
        assert!(after.contains("writes: [a] }\r\n  best:\r\n"), "{after:?}");
    }

    #[test]
    fn what_is_in_braces_is_left_to_the_person() {
        let error =
            added("steps: { a: { script: steps/a.py, writes: [a] } }\n", Path::new("jobs/x.yaml"), &step(), &tried());
        assert!(error.unwrap_err().message.contains("`steps` in jobs/x.yaml is written in braces"));
    }
}
