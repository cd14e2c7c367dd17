//! What a day of a stack costs, idle and working, as docs/operations.md tells it: computed here, and held to what a run of the
//! daily job was seen to ask for.

use fs_err as fs;

use crate::daily::lab::repository;
use crate::stack::{SETTINGS, made_of};
use crate::unattended::daily::{Calls, Daily, counted};

/// Dollars, us-east-1. Sources: docs/operations.md.
mod price {
    pub const TRANSITION: f64 = 0.025 / 1e3;
    pub const INVOCATION: f64 = 0.20 / 1e6;
    pub const GB_SECOND: f64 = 0.000_013_333_4;
    pub const S3_WRITE: f64 = 0.005 / 1e3;
    pub const S3_READ: f64 = 0.000_4 / 1e3;
    pub const KEY_MONTH: f64 = 1.0;
    pub const SECRET_MONTH: f64 = 0.40;
    pub const ALARM_MONTH: f64 = 0.10;
    pub const METRIC_MONTH: f64 = 0.30;
    pub const STORED_GB_MONTH: f64 = 0.023;
    pub const LOG_GB: f64 = 0.50;
    pub const TRAIL_EVENT: f64 = 0.10 / 1e5;
    /// The days of a month of prices.
    pub const DAYS: f64 = 30.0;
}

/// What one call of a function is taken to last, in seconds, a cold start among them: the handler, its memory in GB, seconds.
const LASTS: [(&str, f64, f64); 8] = [
    ("begin", 0.5, 4.0),
    ("cluster", 0.25, 4.0),
    ("submit", 0.25, 4.0),
    ("check", 0.25, 2.0),
    ("publish", 1.0, 20.0),
    ("ended", 0.25, 4.0),
    ("reap", 0.25, 4.0),
    ("ingest", 0.5, 20.0),
];

/// How long the run is taken to last: its cluster starts for 7 minutes and works for 20, in seconds.
const RUN: u32 = 27 * 60;

/// What a run asks for at most, besides its looks; and what one look asks for, on the average over a run.
const BESIDES: Calls = Calls { emr: 20, glue: 80, writes: 140, reads: 270 };
const LOOK: Calls = Calls { emr: 4, glue: 0, writes: 17, reads: 28 };
/// What the command line asks for, besides its looks, of which each is one call to EMR, and its heartbeats.
const COMMAND: Calls = Calls { emr: 8, glue: 80, writes: 160, reads: 190 };
/// The states besides looks: two for each of five parts, and the end.
const STATES: usize = 11;

/// Pages that are read in a day, and what is kept of tables and pages, in GB.
const PAGES: f64 = 200.0;
const KEPT: f64 = 10.0;
/// What all functions and machines print in a day, in GB.
const PRINTED: f64 = 0.02;

/// Returns how many looks a run of so many seconds takes: a tenth of its age apart, 5 to 30 seconds.
fn looks(seconds: u32) -> usize {
    std::iter::successors(Some(0), |age: &u32| Some(age + (age / 10).clamp(5, 30)))
        .take_while(|age| *age < seconds)
        .count()
}

/// Returns GB-seconds of so many calls of a function.
fn gb_seconds(handler: &str, calls: usize) -> f64 {
    let (_, memory, seconds) = LASTS.iter().find(|(name, ..)| *name == handler).unwrap();
    memory * seconds * calls as f64
}

fn functions(calls: usize, gb_seconds: f64) -> f64 {
    calls as f64 * price::INVOCATION + gb_seconds * price::GB_SECOND
}

fn s3(calls: Calls) -> f64 {
    calls.writes as f64 * price::S3_WRITE + calls.reads as f64 * price::S3_READ
}

fn dollars(amount: f64) -> String {
    format!("${amount:.3}")
}

impl Calls {
    fn and(self, times: usize, more: Self) -> Self {
        Self {
            emr: self.emr + times * more.emr,
            glue: self.glue + times * more.glue,
            writes: self.writes + times * more.writes,
            reads: self.reads + times * more.reads,
        }
    }

    fn is_within(self, most: Self) -> bool {
        self.emr <= most.emr && self.glue <= most.glue && self.writes <= most.writes && self.reads <= most.reads
    }
}

/// Returns the table of one run, and what it costs.
fn run() -> (Vec<String>, f64) {
    let looks = looks(RUN);
    let (transitions, invocations) = (STATES + 3 * (looks - 1), looks + 5);
    let parts = ["begin", "cluster", "submit", "publish", "ended"];
    let seconds: f64 = parts.iter().map(|part| gb_seconds(part, 1)).sum::<f64>() + gb_seconds("check", looks);
    let stack = BESIDES.and(looks, LOOK);
    let beats = RUN as usize / 30;
    let command = COMMAND.and(beats, Calls { emr: 1, writes: 2, ..Calls::default() });
    let cost = transitions as f64 * price::TRANSITION + functions(invocations, seconds) + s3(stack);
    let row = |name: &str, stack: String, command: String| format!("| {name} | {stack} | {command} |");
    let lines = vec![
        row("state transitions", transitions.to_string(), "0".into()),
        row("calls of functions", invocations.to_string(), "0".into()),
        row("GB-seconds", format!("{seconds:.0}"), "0".into()),
        row("calls to EMR", stack.emr.to_string(), command.emr.to_string()),
        row("calls to Glue", stack.glue.to_string(), command.glue.to_string()),
        row("S3: written, listed", stack.writes.to_string(), command.writes.to_string()),
        row("S3: read", stack.reads.to_string(), command.reads.to_string()),
        row("dollars, besides the cluster", dollars(cost), dollars(s3(command))),
    ];
    (lines, cost)
}

/// Returns what each row of the first table of docs/operations.md costs a day.
fn days() -> [(&'static str, String); 4] {
    let (reads, reaps) = (48, 96);
    let pages = Calls { writes: (2.0 * PAGES) as usize + 3 * reads, reads: 5 * reads, ..Calls::default() };
    let ingest = functions(reads, gb_seconds("ingest", reads)) + s3(pages);
    let reap = functions(reaps, gb_seconds("reap", reaps)) + s3(Calls { writes: 3 * reaps, ..Calls::default() });
    let template = made_of(SETTINGS.replace(", weekly: rate(7 days)", ""));
    let resources = template["Resources"].as_object().unwrap().values();
    let alarms: Vec<_> = resources.filter(|resource| resource["Type"] == "AWS::CloudWatch::Alarm").collect();
    // One alarm a metric of soflow's own; AWS's own metrics cost nothing.
    let metrics = alarms.iter().filter(|alarm| alarm["Properties"]["Namespace"] == "soflow").count();
    let monthly = price::KEY_MONTH
        + price::SECRET_MONTH
        + alarms.len() as f64 * price::ALARM_MONTH
        + metrics as f64 * price::METRIC_MONTH
        + KEPT * price::STORED_GB_MONTH;
    let (_, run) = run();
    let events = BESIDES.and(looks(RUN), LOOK);
    let always =
        monthly / price::DAYS + PRINTED * price::LOG_GB + (events.writes + events.reads) as f64 * price::TRAIL_EVENT;
    [
        ("| `ingest`", dollars(ingest)),
        ("| `schedules`", dollars(run)),
        ("| every 15 minutes", dollars(reap)),
        ("| always", dollars(always)),
    ]
}

#[test]
fn what_a_day_costs_is_what_the_prices_say() {
    let text = fs::read_to_string(repository().join("docs/operations.md")).unwrap();
    let (lines, _) = run();
    let table = lines.join("\n");
    println!("{table}\n{:#?}", days());
    assert!(text.contains(&table), "docs/operations.md has not\n{table}");
    assert!(text.contains(&format!("seconds, {} times", looks(RUN))), "looks: {}", looks(RUN));
    for (what, amount) in days() {
        let told = text.lines().find(|line| line.starts_with(what));
        let told = told.unwrap_or_else(|| panic!("docs/operations.md has no row `{what}`"));
        assert!(told.contains(&format!("| {amount}")), "{what} costs {amount}: {told}");
    }
}

#[test]
fn a_run_of_the_daily_job_asks_for_no_more_than_is_told() {
    let Some(Daily { states, handlers, command, .. }) = counted() else { return };
    let (checks, looked) = handlers["check"];
    assert_eq!(*states, STATES + 3 * (checks - 1));
    let mut besides = Calls::default();
    for (handler, (calls, asked)) in handlers {
        if handler != "check" {
            assert_eq!(*calls, 1, "{handler}");
            besides = besides.and(1, *asked);
        }
    }
    println!("besides looks {besides:?}\n{checks} looks {looked:?}\ncommand line {command:?}");
    assert!(besides.is_within(BESIDES), "{besides:?}, and not {BESIDES:?}");
    assert!(looked.is_within(Calls::default().and(checks, LOOK)), "{checks} looks: {looked:?}");
    assert!(command.is_within(COMMAND), "{command:?}, and not {COMMAND:?}");
}
