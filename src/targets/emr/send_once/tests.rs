use tokio::time::Instant;

use super::*;
use crate::aws::Pace;

/// An EMR that executes what it gave no answer to after a while, in front of which calls keep to a pace.
struct Late {
    pace: Pace,
    operations: (&'static str, &'static str),
    /// How late each request is executed whose answer is lost; `None`: never. Later ones are answered.
    delays: Vec<Option<Duration>>,
    sent: usize,
    executed: Vec<Instant>,
    refuses_looks: bool,
}

impl Late {
    fn new(quota: f64, operations: (&'static str, &'static str), delays: &[Option<u64>]) -> Self {
        let delays = delays.iter().map(|delay| delay.map(Duration::from_secs)).collect();
        Self { pace: Pace::new(quota), operations, delays, sent: 0, executed: Vec::new(), refuses_looks: false }
    }

    /// Returns how many of what was asked for are there.
    fn there(&self) -> usize {
        self.executed.iter().filter(|at| **at <= Instant::now()).count()
    }
}

fn lost(code: &str, maybe_done: bool) -> CallError {
    CallError {
        service: "EMR",
        operation: "x".into(),
        code: code.into(),
        message: "lost".into(),
        maybe_done,
        partition: "aws",
    }
}

impl UniqueRequest for Late {
    type Made = usize;

    async fn send(&mut self) -> Result<usize, CallError> {
        self.pace.wait("EMR", self.operations.0).await;
        let delay = self.delays.get(self.sent).copied();
        self.sent += 1;
        let Some(delay) = delay else {
            self.executed.push(Instant::now());
            return Ok(self.sent);
        };
        self.executed.extend(delay.map(|delay| Instant::now() + delay));
        Err(lost("NoAnswer", true))
    }

    async fn look(&mut self) -> Result<Option<usize>, CallError> {
        self.pace.wait("EMR", self.operations.1).await;
        if self.refuses_looks {
            return Err(lost("AccessDeniedException", false));
        }
        Ok((self.there() > 0).then_some(self.sent))
    }
}

const MINUTE: Duration = Duration::from_secs(60);

const STEPS: (&str, &str) = ("AddJobFlowSteps", "ListSteps");

fn nobody_stops() -> watch::Receiver<Stop> {
    watch::channel(Stop::Go).1
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_executed_late_is_found_whatever_the_quota() {
    for operations in [("RunJobFlow", "ListClusters"), STEPS] {
        for quota in [0.5, 1.0, 4.0, 10.0, 10_000.0] {
            for late in [0, 1, 5, 9, 16, 35, 59] {
                let what = format!("{operations:?} {late} s late at quota {quota}");
                let mut emr = Late::new(quota, operations, &[Some(late)]);
                let sent = send_once(&mut emr, MINUTE, &mut nobody_stops(), false).await.expect(&what);
                assert_eq!((sent, emr.sent, emr.there()), ((1, false), 1, 1), "{what}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_never_executed_is_sent_again_and_that_there_may_be_two_is_told() {
    let began = Instant::now();
    let mut emr = Late::new(1.0, STEPS, &[None]);
    assert_eq!(send_once(&mut emr, MINUTE, &mut nobody_stops(), false).await.unwrap(), (2, true));
    assert_eq!(began.elapsed().as_secs(), 60);
    // Later than it is looked for: both are there in the end, and the caller ends one.
    let mut emr = Late::new(1.0, STEPS, &[Some(70)]);
    assert!(send_once(&mut emr, MINUTE, &mut nobody_stops(), false).await.unwrap().1);
    tokio::time::sleep(MINUTE).await;
    assert_eq!(emr.there(), 2);
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_never_any_good_end_after_three_requests() {
    let began = Instant::now();
    let mut emr = Late::new(1.0, STEPS, &[None; 9]);
    let error = send_once(&mut emr, MINUTE, &mut nobody_stops(), false).await.unwrap_err();
    assert_eq!((emr.sent, began.elapsed().as_secs(), error.maybe_done), (3, 180, false));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_again_when_nobody_may_look() {
    let mut emr = Late::new(1.0, STEPS, &[None; 9]);
    emr.refuses_looks = true;
    let error = send_once(&mut emr, MINUTE, &mut nobody_stops(), false).await.unwrap_err();
    assert_eq!((emr.sent, error.code.as_str(), error.maybe_done), (1, "AccessDeniedException", true));
}

#[tokio::test(start_paused = true)]
async fn who_wants_to_leave_waits_for_the_first_looks_only() {
    for wish in [Stop::HandOver, Stop::Detach, Stop::Cancel] {
        let (tell, mut stop) = watch::channel(Stop::Go);
        tell.send_replace(wish);
        let mut emr = Late::new(1.0, STEPS, &[Some(1)]);
        assert_eq!(send_once(&mut emr, MINUTE, &mut stop, false).await.unwrap().0, 1);
        let (began, mut emr) = (Instant::now(), Late::new(1.0, STEPS, &[None; 9]));
        let error = send_once(&mut emr, MINUTE, &mut stop, false).await.unwrap_err();
        assert_eq!((emr.sent, error.maybe_done, began.elapsed().as_secs()), (1, true, 3));
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_process_may_have_sent_is_looked_for_first() {
    let mut emr = Late::new(1.0, STEPS, &[]);
    emr.executed.push(Instant::now() + Duration::from_secs(35));
    assert_eq!(send_once(&mut emr, MINUTE, &mut nobody_stops(), true).await.unwrap(), (0, false));
    assert_eq!((emr.sent, emr.there()), (0, 1));
}
