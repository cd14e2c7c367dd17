//! The commands of `docs/guides` that are marked `verified`: run on the sample, and their output compared.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use fs_err as fs;

use super::support::{Project, engine_is_there};
use super::{notebook, readers};
use crate::twin::tools;

/// A block of a guide that is run, and the text it prints.
struct Verified<'a> {
    language: &'a str,
    /// What it needs besides soflow.
    needs: Option<&'a str>,
    text: &'a str,
    printed: &'a str,
}

fn verified(guide: &str) -> Vec<Verified<'_>> {
    // Text and blocks take turns.
    let blocks: Vec<&str> = guide.split("```").skip(1).step_by(2).collect();
    let parts = |block: &str| block.split_once('\n').map(|(head, _)| head.len());
    let mut found = Vec::new();
    for (at, block) in blocks.iter().enumerate() {
        let (head, text) = block.split_at(parts(block).unwrap());
        let Some((language, needs)) = head.split_once(" verified") else { continue };
        let printed = blocks.get(at + 1).and_then(|next| next.strip_prefix("text\n"));
        let printed = printed.unwrap_or_else(|| panic!("what it prints is not there:{text}"));
        found.push(Verified { language, needs: needs.strip_prefix(" with "), text, printed });
    }
    found
}

fn run(project: &Project, block: &Verified<'_>) -> Output {
    let mut command = match block.language {
        "sh" => Command::new("bash"),
        _ => tools::python("readers", readers::LOCK),
    };
    let script = project.path().join("verified");
    fs::write(&script, block.text).unwrap();
    if block.language == "sh" {
        command.args(["-euo", "pipefail"]);
    }
    command.arg(script).current_dir(project.path()).env_clear().envs(project.environment()).stdin(Stdio::null());
    command.output().unwrap()
}

#[test]
fn what_the_guides_say_is_printed_is() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides");
    let program = Path::new(env!("CARGO_BIN_EXE_soflow")).parent().unwrap().display();
    engine_is_there();
    // Not a copy: the views for DuckDB name whole paths.
    let project = Project::empty().with("PATH", &format!("{program}:/usr/local/bin:/usr/bin:/bin"));
    project.soflow(["init", ".", "--template", "daily"]).succeeded();
    assert_eq!(project.soflow(["submit", "daily", "--sample"]).code, Some(0));
    for name in ["analyst", "business", "redshift", "scientist"] {
        let guide = fs::read_to_string(folder.join(format!("{name}.md"))).unwrap();
        let blocks = verified(&guide);
        assert!(!blocks.is_empty(), "{name} has nothing that is verified");
        for block in blocks {
            let is_wanted = match block.needs {
                None => true,
                Some("readers") => readers::is_wanted(),
                Some("notebook") => notebook::is_wanted(),
                Some(other) => panic!("{name}: nobody knows how to verify with {other}"),
            };
            if !is_wanted {
                continue;
            }
            let output = run(&project, &block);
            let (printed, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success(), "{name}:{}\n{printed}{told}", block.text);
            assert_eq!(printed, block.printed, "{name}:{}\n{told}", block.text);
        }
    }
}

#[test]
fn a_guide_is_one_page_and_links_to_what_is_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides");
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.lines().count() <= 100, "{} is more than a page", path.display());
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            assert!(link.is_empty() || folder.join(link).is_file(), "{}: {link} is not there", path.display());
        }
    }
}
