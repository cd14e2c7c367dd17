//! When the schedules of a stack fire, as it was deployed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::Made;
use super::compare::{Filled, resources};
use crate::config::Schedule;

/// How many times are told.
const NEXT: usize = 3;

/// A schedule of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fires {
    /// Its name, such as `job-daily`.
    pub name: String,
    /// When it fires, as EventBridge Scheduler writes it.
    pub expression: String,
    /// The time zone of that.
    pub time_zone: String,
    /// Whether it fires at all.
    pub enabled: bool,
    /// The next times, UTC. Those of a rate are counted from when CloudFormation made or changed the schedule: EventBridge
    /// Scheduler tells nobody when it began to count.
    pub next: Vec<Timestamp>,
    /// The name in the template of the state machine that it starts, if it starts one.
    pub machine: Option<String>,
}

/// Returns the schedules of a stack by name, and when each fires after `now`; `made`: when its resources were made.
#[must_use]
pub fn fires(deployed: &Filled<'_>, made: &[Made], now: Timestamp) -> Vec<Fires> {
    let changed: BTreeMap<&str, Timestamp> =
        made.iter().filter_map(|one| Some((one.resource.as_str(), one.changed?))).collect();
    let found = resources(deployed).into_iter().filter(|(_, one)| one["Type"] == "AWS::Scheduler::Schedule");
    let mut found: Vec<Fires> = found
        .map(|(id, resource)| {
            let text = |key: &str| resource["Properties"][key].as_str().unwrap_or_default().to_string();
            let (expression, time_zone) = (text("ScheduleExpression"), text("ScheduleExpressionTimezone"));
            let zone = if time_zone.is_empty() { Ok(TimeZone::UTC) } else { TimeZone::get(&time_zone) };
            let enabled = text("State") != "DISABLED";
            let next = match (Schedule::parse(&expression), zone) {
                (Ok(schedule), Ok(zone)) if enabled => {
                    let since = changed.get(id.as_str()).copied().unwrap_or(now);
                    schedule.next(&zone, since, now, NEXT)
                }
                _ => Vec::new(),
            };
            let machine = resource["Properties"]["Target"]["Arn"]["Ref"].as_str().map(String::from);
            Fires { name: text("Name"), expression, time_zone, enabled, next, machine }
        })
        .collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schedules_are_told_as_they_are_deployed() {
        let schedule = |name: &str, expression: &str, zone: &str, arn: serde_json::Value| {
            let target = json!({ "Arn": arn });
            json!({ "Type": "AWS::Scheduler::Schedule", "Properties": { "Name": name, "ScheduleExpression": expression,
                "ScheduleExpressionTimezone": zone, "State": { "Ref": "Schedules" }, "Target": target } })
        };
        let function = json!({ "Fn::GetAtt": ["IngestFunction", "Arn"] });
        let template = json!({
            "Parameters": { "Schedules": { "Default": "ENABLED" } },
            "Resources": {
                "DailyMachineSchedule":
                    schedule("job-daily", "cron(15 2 * * ? *)", "Europe/Berlin", json!({ "Ref": "DailyMachine" })),
                "IngestSchedule": schedule("ingest", "rate(30 minutes)", "UTC", function),
                "Key": { "Type": "AWS::KMS::Key" },
            },
        });
        let made = [Made { resource: "IngestSchedule".into(), changed: "2026-11-20T10:10:00Z".parse().ok() }];
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        let told = |state: &str| {
            let parameters = BTreeMap::from([("Schedules".to_string(), state.to_string())]);
            let found = fires(&Filled { template: &template, parameters }, &made, now);
            let next = |one: &Fires| one.next.first().map(ToString::to_string).unwrap_or_default();
            found.iter().map(|one| (one.name.clone(), one.machine.clone(), next(one))).collect::<Vec<_>>()
        };
        let daily = |next: &str| ("job-daily".to_string(), Some("DailyMachine".to_string()), next.to_string());
        let ingest = |next: &str| ("ingest".to_string(), None, next.to_string());
        assert_eq!(told("ENABLED"), [ingest("2026-11-22T12:10:00Z"), daily("2026-11-23T01:15:00Z")]);
        assert_eq!(told("DISABLED"), [ingest(""), daily("")]);
    }
}
