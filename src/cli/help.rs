//! What `--help` has besides clap's own: commands in groups, of which clap has one list, and examples.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use fs_err as fs;
use serde_json::json;

use super::app::App;
use super::args::Cli;
use crate::error::Result;

/// Each group of commands, and examples of each command. A test sees to it that none is missing.
type Groups = [(&'static str, &'static [(&'static str, &'static [&'static str])])];

const GROUPS: &Groups = &[
    (
        "Run jobs",
        &[
            ("submit", &["daily --sample", "daily --date 2026-11-22", "daily --target dev --wait 0s"]),
            ("watch", &["daily --sample", "daily --from tag_pairs"]),
            ("plan", &["daily", "daily --from questions --output json"]),
            ("backfill", &["daily --from 2026-11-01 --dry-run", "daily --from 2026-11-01 --to 2026-11-22 --yes"]),
            ("retry", &["daily.2026-11-22.3"]),
            ("attach", &["daily.2026-11-22.3 --wait 30m"]),
            ("cancel", &["daily.2026-11-22.3"]),
            ("parity", &["daily --date 2026-11-22"]),
        ],
    ),
    (
        "Look",
        &[
            ("report", &["daily --open", "daily --format markdown", "daily --target dev --link"]),
            ("runs", &["--job daily --limit 5", "show daily.2026-11-22.3"]),
            ("logs", &["daily.2026-11-22.3 questions --stream stderr", "daily.2026-11-22.3 questions --follow"]),
            ("tables", &["", "show questions", "paths questions"]),
            (
                "query",
                &[
                    "\"select tag, n_questions from tag_trends_weekly\"",
                    "\"select * from questions\" --limit 0 --csv",
                    "\"select * from answers\" --limit 0 --to answers.parquet",
                ],
            ),
            ("sql", &["", "-c \"select count(*) from questions\"", "-f report.sql --csv"]),
            ("notebook", &["", "trends.ipynb", "trends.ipynb --execute", "--kernel-only"]),
        ],
    ),
    (
        "Data",
        &[
            ("ingest", &["api --since 2026-11-01 --plan", "dump stackoverflow.com-Posts.7z", "status"]),
            ("rollback", &["questions", "questions --to daily.2026-11-22.3"]),
            ("gc", &["--dry-run"]),
        ],
    ),
    (
        "Clusters",
        &[
            ("cluster", &["up", "list", "reap --dry-run"]),
            ("open", &["hue", "spark daily.2026-11-22.3", "jupyterhub --print"]),
            ("doctor", &["--target dev"]),
        ],
    ),
    (
        "Unattended",
        &[
            ("deploy", &["--target prod --check", "--target prod"]),
            ("status", &["--target prod"]),
            ("destroy", &["--target prod"]),
            ("compile", &["daily"]),
        ],
    ),
    (
        "Set-up",
        &[
            ("init", &["my-project", "my-project --template daily"]),
            (
                "new",
                &[
                    "step busy_tags --from-sql \"select tag, count(*) as n from question_tags group by tag\"",
                    "step best --from-notebook best.ipynb --job daily",
                ],
            ),
            ("validate", &["", "daily --output json"]),
            ("config", &["show --origin"]),
            ("completions", &["bash", "fish"]),
            ("man", &["~/.local/share/man/man1"]),
            ("version", &["--output json"]),
            ("engine", &["install", "python -- my_script.py"]),
        ],
    ),
];

/// Shown with the program's own help.
const FIRST_STEPS: [&str; 7] = [
    "  soflow init my-project                  make a project of your own",
    "  soflow submit daily --sample            run the job `daily` on made-up pages",
    "  soflow plan daily                       show what a run would do, and why",
    "  soflow runs show daily.2026-11-22.1     show how a run went",
    "  soflow query \"select * from questions\"  see what readers see",
    "",
    "`soflow COMMAND --help` shows more of them.",
];

/// Returns the command line with its commands in groups and examples of each.
pub fn command() -> Command {
    let mut command = Cli::command();
    let (header, literal) = (*command.get_styles().get_header(), *command.get_styles().get_literal());
    let mut list = String::new();
    for (title, commands) in GROUPS {
        let _ = writeln!(list, "{header}{title}:{header:#}");
        for (name, examples) in *commands {
            let about = command.find_subcommand(name).and_then(Command::get_about).map(ToString::to_string);
            let _ = writeln!(list, "  {literal}{name:<8}{literal:#}  {}", about.unwrap_or_default());
            let mut help = format!("{header}Examples:{header:#}");
            examples.iter().for_each(|example| help.push_str(format!("\n  soflow {name} {example}").trim_end()));
            // Hidden from clap's own list alone: it is found, and suggested for a mistyped one.
            command = command.mut_subcommand(name, |command| command.after_help(help).hide(true));
        }
        list.push('\n');
    }
    let template = format!("{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{list}{{all-args}}{{after-help}}");
    let examples = format!("{header}Examples:{header:#}\n{}", FIRST_STEPS.join("\n"));
    command.override_usage("soflow [OPTIONS] <COMMAND>").after_help(examples).help_template(template)
}

/// Writes the man pages of the program and of each command.
pub fn write_man(app: &App, folder: &Path) -> Result<u8> {
    fs::create_dir_all(folder)?;
    // Not the command line with groups: a page has lists of its own.
    clap_mangen::generate_to(Cli::command(), folder)?;
    app.answer(&json!({ "folder": folder }), |_| format!("Man pages are in {}.\n", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        let names = GROUPS.iter().flat_map(|(_, commands)| commands.iter().map(|(name, _)| *name));
        let mut grouped: Vec<&str> = names.collect();
        grouped.sort_unstable();
        let command = Cli::command();
        let mut all: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
        all.sort_unstable();
        assert_eq!(grouped, all);
    }

    #[test]
    fn every_example_is_understood() {
        for (name, examples) in GROUPS.iter().flat_map(|(_, commands)| *commands) {
            for example in *examples {
                let words = example.split('"').enumerate().flat_map(|(at, part)| match at % 2 {
                    0 => part.split_whitespace().collect(),
                    _ => vec![part],
                });
                let line: Vec<&str> = ["soflow", name].into_iter().chain(words).collect();
                assert!(command().try_get_matches_from(&line).is_ok(), "{line:?}");
            }
        }
    }
}
