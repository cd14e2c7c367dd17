//! `soflow doctor`: everything that would stop a run on an EMR target, found beforehand.

use serde::Serialize;

use super::app::App;
use crate::aws::{Options, Session};
use crate::doctor::{self, Finding, Report, State, Subject};
use crate::error::{Kind, Result};
use crate::report::{Align, Style, line, pad, paint, plural, wrap};

/// Least columns for what was found, however narrow the terminal is.
const NARROW: usize = 30;

/// The answer for programs.
#[derive(Serialize)]
struct Answer<'a> {
    target: &'a str,
    /// Whether nothing was found that would stop a run.
    ok: bool,
    #[serde(flatten)]
    report: &'a Report,
}

/// Examines a target and prints what was found.
///
/// # Errors
/// Those of writing the answer. What AWS refuses is in the answer; the exit code is 3 when there is a problem.
pub async fn run(app: &App) -> Result<u8> {
    let project = app.project(None)?;
    let (target, emr, lake) = (&project.resolved.settings.target, project.emr()?, &project.target()?.lake);
    let options = Options { region: emr.region.clone(), profile: emr.profile.clone(), quota: emr.api_quota };
    let report = match Session::load(&options).await {
        Ok(session) => doctor::examine(&Subject { session: &session, emr, lake }).await,
        Err(error) => doctor::without_session(&error.message, &error.hints),
    };
    let ok = report.count(State::Problem) == 0;
    if app.json {
        app.print_json(&Answer { target, ok, report: &report })?;
    } else {
        app.print(&text(target, &report, &app.out_style, app.width))?;
    }
    Ok(if ok { 0 } else { Kind::Machine.exit_code() })
}

/// Returns the report for people. What is to be typed is never broken into lines.
fn text(target: &str, report: &Report, style: &Style, width: Option<usize>) -> String {
    let region = report.region.as_deref().map(|region| format!(" in {region}")).unwrap_or_default();
    let mut text = format!("{}{}\n\n", paint(style.strong, &line(target)), line(&region));
    let checks = report.findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    for finding in &report.findings {
        text += &one(finding, checks, style, width);
    }
    text + "\n" + &summary(report, style) + "\n"
}

fn one(finding: &Finding, checks: usize, style: &Style, width: Option<usize>) -> String {
    let (word, colour) = match finding.state {
        State::Ok => ("ok", style.good),
        State::Problem => ("problem", style.bad),
        State::Unknown => ("unknown", style.warning),
    };
    let indent = "problem".len() + 2 + checks + 2;
    let room = width.map(|width| width.saturating_sub(indent).max(NARROW));
    let what = line(&finding.what);
    let mut lines = room.map_or_else(|| vec![what.clone()], |room| wrap(&what, room));
    lines.extend(finding.mend.iter().map(|advice| paint(style.command, &line(advice))));
    let head = format!(
        "{}  {}  ",
        paint(colour, &pad(word, "problem".len(), Align::Left)),
        pad(finding.check, checks, Align::Left)
    );
    head + &lines.join(&format!("\n{}", " ".repeat(indent))) + "\n"
}

fn summary(report: &Report, style: &Style) -> String {
    let [ok, problems, unknown] = [State::Ok, State::Problem, State::Unknown].map(|state| report.count(state));
    let rest = if unknown == 0 { String::new() } else { format!(", {unknown} not checked") };
    match problems {
        0 => format!("{} {ok} ok{rest}", paint(style.good, "Nothing was found that would stop a run:")),
        some => format!("{}, {ok} ok{rest}", paint(style.bad, &plural(some as u64, "problem"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let finding = |check, state, what: &str, mend: &[&str]| Finding {
            check,
            state,
            what: what.into(),
            mend: mend.iter().map(ToString::to_string).collect(),
        };
        Report {
            region: Some("eu-west-1".into()),
            findings: vec![
                finding(
                    "credentials",
                    State::Ok,
                    "`arn:aws:iam::123456789012:user/ada`, account 123456789012 (from profile)",
                    &[],
                ),
                finding(
                    "service role",
                    State::Problem,
                    "`EMR_DefaultRole` does not exist",
                    &["`aws emr create-default-roles`"],
                ),
                finding(
                    "quota of spot",
                    State::Unknown,
                    "`L-34B43A08` could not be checked: `servicequotas:GetServiceQuota` is not allowed",
                    &[],
                ),
                finding(
                    "unfinished uploads",
                    State::Ok,
                    "`lake\u{1b}[2J` keeps them for ever",
                    &["add a rule", "or not"],
                ),
            ],
        }
    }

    #[test]
    fn for_people() {
        insta::assert_snapshot!(text("dev", &report(), &Style::default(), None));
        insta::assert_snapshot!(text("dev", &report(), &Style::default(), Some(80)));
        let mut fine = report();
        fine.findings.remove(1);
        insta::assert_snapshot!(summary(&fine, &Style::default()), @"Nothing was found that would stop a run: 2 ok, 1 not checked");
    }

    #[test]
    fn for_programs() {
        let report = report();
        insta::assert_snapshot!(
            serde_json::to_string_pretty(&Answer { target: "dev", ok: false, report: &report }).unwrap()
        );
    }
}
