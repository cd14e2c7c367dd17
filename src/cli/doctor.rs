//! `soflow doctor`: everything that would stop a run on an EMR target, found beforehand.

use serde_json::{Value as Json, json};

use super::app::App;
use super::args::TargetOptions;
use super::workspace::aws_options;
use crate::aws::Session;
use crate::doctor::{self, Report, State, Subject};
use crate::error::{Kind, Result};
use crate::report::{Layout, Style, line, paint, plural, wrap};

/// Least columns for what was found, however narrow the terminal is.
const NARROW: usize = 30;

/// Examines a target and prints what was found.
///
/// # Errors
/// Those of writing the answer. What AWS refuses is in the answer; the exit code is 3 when there is a problem.
pub async fn doctor(app: &App) -> Result<u8> {
    let project = app.project(&TargetOptions::default())?;
    let (target, emr, lake) = (&project.settings.target, project.emr()?, &project.target.lake);
    let mut report = match Session::load(&aws_options(emr)).await {
        Ok(session) => doctor::examine(&Subject { session: &session, emr, lake }).await,
        Err(error) => doctor::without_session(&error.message, &error.hints),
    };
    for finding in &mut report.findings {
        finding.mend = finding.mend.iter().filter_map(|advice| without_doctor(advice)).collect();
    }
    app.answer(&document(target, &report), |layout| text(target, &report, layout))?;
    Ok(if report.count(State::Problem) == 0 { 0 } else { Kind::Machine.exit_code() })
}

fn document(target: &str, report: &Report) -> Json {
    let ok = report.count(State::Problem) == 0;
    json!({ "target": target, "ok": ok, "region": report.region, "findings": report.findings })
}

/// Returns what advice for other commands says besides that doctor should be asked.
fn without_doctor(advice: &str) -> Option<String> {
    let advice = advice.replace(": `soflow doctor`", "");
    let parts: Vec<&str> = advice.split("; ").filter(|part| !part.contains("`soflow doctor`")).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn text(target: &str, report: &Report, layout: &Layout) -> String {
    let style = &layout.style;
    let region = report.region.as_deref().map(|region| format!(" in {region}")).unwrap_or_default();
    let mut text = format!("{}{}\n\n", paint(style.strong, &line(target)), line(&region));
    let checks = report.findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let indent = "problem".len() + 2 + checks + 2;
    for finding in &report.findings {
        let (word, colour) = match finding.state {
            State::Ok => ("ok", style.good),
            State::Problem => ("problem", style.bad),
            State::Unknown => ("unknown", style.warning),
        };
        let room = layout.width.map_or(usize::MAX, |width| width.saturating_sub(indent).max(NARROW));
        let mut lines = wrap(&line(&finding.what), room);
        // What is to be typed is never broken into lines.
        lines.extend(finding.mend.iter().map(|advice| paint(style.command, &line(advice))));
        let lines = lines.join(&format!("\n{}", " ".repeat(indent)));
        text += &format!("{}  {:<checks$}  {lines}\n", paint(colour, &format!("{word:<7}")), finding.check);
    }
    text + "\n" + &summary(report, style) + "\n"
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
    use crate::doctor::Finding;

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
    fn doctor_does_not_advise_to_ask_doctor() {
        for (advice, left) in [
            (
                "`aws sts get-caller-identity` shows who; `soflow doctor` lists what is missing",
                Some("`aws sts get-caller-identity` shows who"),
            ),
            ("check the network: `soflow doctor`", Some("check the network")),
            ("`soflow doctor` checks the way to AWS", None),
        ] {
            assert_eq!(without_doctor(advice).as_deref(), left);
        }
    }

    #[test]
    fn for_people() {
        insta::assert_snapshot!(text("dev", &report(), &Layout::default()));
        insta::assert_snapshot!(text("dev", &report(), &Layout { width: Some(80), ..Layout::default() }));
        let mut fine = report();
        fine.findings.remove(1);
        insta::assert_snapshot!(summary(&fine, &Style::default()), @"Nothing was found that would stop a run: 2 ok, 1 not checked");
    }

    #[test]
    fn for_programs() {
        insta::assert_snapshot!(format!("{:#}", document("dev", &report())));
    }
}
