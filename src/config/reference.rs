//! The reference of all settings, made from the shipped file so that it cannot say something else.

use super::keys::{DEFAULTS, SECRETS, VARIABLES, kind_with};

/// Returns `docs/config.md`.
pub fn reference() -> String {
    let mut page =
        String::from("<!-- Made from config/soflow.yaml. Change that file, not this one. -->\n\n# Settings\n");
    let mut comment: Vec<&str> = Vec::new();
    let mut path: Vec<&str> = Vec::new();
    for line in DEFAULTS.lines() {
        let content = line.trim_start();
        if let Some(text) = content.strip_prefix('#') {
            comment.push(text.strip_prefix(' ').unwrap_or(text));
        } else if content.is_empty() {
            // A comment of its own, not about the key below.
            paragraph(&mut page, &mut comment);
        } else if let Some((key, value)) = content.split_once(':') {
            path.truncate((line.len() - content.len()) / 2);
            path.push(key);
            page.push_str(&format!("\n## {}\n", title(&path)));
            paragraph(&mut page, &mut comment);
            if !matches!(value.trim(), "" | "[]" | "{}") {
                page.push_str(&format!("\nDefault: `{}`\n", value.trim()));
            }
        }
    }
    page.push_str("\n## Environment\n\n| variable | setting |\n|---|---|\n");
    for (variable, key) in VARIABLES {
        let scope = match (key, kind_with(key)) {
            ("default-target", _) => String::new(),
            (_, None) => " of the target in use".into(),
            (_, Some(kind)) => format!(" of the target in use, when that is of kind `{kind}`"),
        };
        page.push_str(&format!("| `{variable}` | `{key}`{scope} |\n"));
    }
    page.push_str(
        "\nTwo more hold secrets, which are no settings and are never shown.\n\n| variable | holds |\n|---|---|\n",
    );
    for (variable, what) in SECRETS {
        page.push_str(&format!("| `{variable}` | {what} |\n"));
    }
    page
}

/// Returns the name of a key as anyone's settings could have it: the shipped entries stand for all of their kind.
pub(super) fn title(path: &[&str]) -> String {
    match path {
        ["targets", kind, rest @ ..] => {
            format!("`{}` of kind `{kind}`", [&["targets", "<name>"], rest].concat().join("."))
        }
        ["clusters", _, rest @ ..] => format!("`{}`", [&["clusters", "<name>"], rest].concat().join(".")),
        other => format!("`{}`", other.join(".")),
    }
}

/// Adds the comment, if any, as a paragraph and forgets it.
fn paragraph(page: &mut String, comment: &mut Vec<&str>) {
    if !comment.is_empty() {
        page.push_str(&format!("\n{}\n", comment.join("\n")));
        comment.clear();
    }
}
