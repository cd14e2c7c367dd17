//! The messages that people get: what failed, why, what it has cost, and what to type.

use super::ended::EndedExecution;
use crate::cli::workspace::Workspace;
use crate::error::Result;
use crate::mask;
use crate::names::RunKey;
use crate::report::seconds;
use crate::run::RunRecord;

/// Longest subject that SNS takes, in characters; it takes ASCII only. Source: SNS API reference, `Publish`.
const LONGEST_SUBJECT: usize = 100;

/// Longest text of an error in a message: the rest is one command away.
const LONGEST_TEXT: usize = 4_000;

/// Where it happened.
pub struct Place<'a> {
    /// The target's name.
    pub target: &'a str,
    /// The region.
    pub region: &'a str,
    /// The second part of the region's ARNs.
    pub partition: &'a str,
}

impl<'a> Place<'a> {
    /// Returns where a workspace's runs are.
    pub fn of(work: &'a Workspace<'_>) -> Result<Self> {
        let session = work.session()?;
        Ok(Self { target: &work.project.settings.target, region: session.region(), partition: session.partition() })
    }
}

/// A message.
pub struct Message {
    /// One line of ASCII.
    pub subject: String,
    /// Lines of text.
    pub text: String,
}

impl Message {
    fn new(subject: &str, lines: &[String]) -> Self {
        let plain = subject.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' });
        let text = lines.join("\n");
        Self { subject: plain.take(LONGEST_SUBJECT).collect(), text: mask::text(&text) }
    }
}

/// Returns what is told of an execution that failed, and of its run.
pub fn failed(place: &Place<'_>, execution: &EndedExecution, record: Option<&RunRecord>) -> Message {
    let (RunKey { job, date }, none) = (&execution.key, (String::new(), String::new()));
    let (name, text) = execution.error.as_ref().unwrap_or(&none);
    let first = text.lines().next().unwrap_or_default();
    let mut lines = vec![format!("The job `{job}` for {date} failed: {first}"), String::new()];
    let mut line = |name: &str, told: String| lines.push(format!("{name:<9} {told}"));
    line("target", place.target.into());
    line("error", name.clone());
    if let Some(record) = record {
        let took = record.ended_at.map(|ended| seconds(ended.duration_since(record.started_at).as_secs_f64()));
        let took = took.map_or_else(String::new, |took| format!(", ended after {took}"));
        line("run", format!("{}, begun {:.0}{took}", record.run, record.started_at));
        if let Some(estimate) = record.cost.as_ref().and_then(|bill| bill.estimate.as_ref()) {
            line("cost", format!("{} so far", estimate.total));
        }
    }
    let rest: String = text.lines().skip(1).flat_map(|line| [line, "\n"]).collect();
    let rest: String = rest.trim().chars().take(LONGEST_TEXT).collect();
    if !rest.is_empty() {
        lines.extend([String::new(), rest]);
    }
    lines.extend([String::new(), "What to type:".into()]);
    match record {
        Some(record) => {
            let run = &record.run;
            if let Some(step) = record.steps.iter().find(|step| step.cause.is_some()) {
                lines.push(format!("  soflow logs {run} {}", step.name));
            }
            lines.push(format!("  soflow runs show {run}"));
            lines.push(format!("  soflow retry {run}"));
        }
        None => lines.push(format!("  soflow submit {job} --date {date}")),
    }
    lines.extend([String::new(), console(place, &execution.arn)]);
    Message::new(&format!("soflow: {job} {date} failed: {name}"), &lines)
}

/// Returns what is told of a cluster that ended with an error and belongs to no run.
pub fn lost(place: &Place<'_>, cluster: &str, reason: &str) -> Message {
    let what = format!("The cluster `{cluster}` of target `{}` ended: {reason}", place.target);
    let lines = [
        what,
        String::new(),
        "What to type:".into(),
        format!("  soflow cluster show {cluster}"),
        "  soflow cluster up".into(),
    ];
    Message::new(&format!("soflow: cluster {cluster} ended with an error"), &lines)
}

/// Returns what is told of a job and date that is published after it had failed.
pub fn recovered(place: &Place<'_>, RunKey { job, date }: &RunKey, about: &str) -> Message {
    let what = format!("The job `{job}` for {date}, which had failed, is published.");
    let lines = [what, String::new(), format!("{:<9} {}", "target", place.target), format!("{:<9} {about}", "run")];
    Message::new(&format!("soflow: {job} {date} recovered"), &lines)
}

/// Returns the address of an execution in AWS's console.
fn console(Place { region, partition, .. }: &Place<'_>, arn: &str) -> String {
    let domain = match *partition {
        "aws-cn" => "console.amazonaws.cn",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        _ => "console.aws.amazon.com",
    };
    format!("https://{region}.{domain}/states/home?region={region}#/v2/executions/details/{arn}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_why_and_what_to_type_and_no_secret() {
        let key = RunKey { job: "daily".into(), date: "2026-11-22".parse().unwrap() };
        let arn = "arn:aws:states:eu-west-1:123456789012:execution:soflow-prod-daily:8f1b";
        let text = "step `sentiment` of run `daily.2026-11-22.1` failed: ValueError: bad data in row 7\n  \
                    File \"steps/sentiment.py\", line 7\n  connect(password=hunter2)\nhint: `soflow logs`";
        let error = Some(("JobFailed".to_string(), text.to_string()));
        let execution = EndedExecution { arn: arn.into(), key: key.clone(), run: None, error };
        let place = Place { target: "prod", region: "eu-west-1", partition: "aws" };
        let mut record = RunRecord::example("daily.2026-11-22.1");
        record.ended_at = Some("1970-01-01T00:14:05Z".parse().unwrap());
        let message = failed(&place, &execution, Some(&record));
        insta::assert_snapshot!(format!("{}\n\n{}", message.subject, message.text));
        let message = recovered(&place, &key, "daily.2026-11-22.2");
        insta::assert_snapshot!(format!("{}\n\n{}", message.subject, message.text));
    }

    #[test]
    fn a_subject_is_one_line_of_ascii() {
        let message = Message::new(&format!("soflow: träge\n{}", "x".repeat(200)), &[]);
        assert_eq!(message.subject.len(), LONGEST_SUBJECT);
        assert!(message.subject.starts_with("soflow: tr?ge?x"));
    }
}
