//! A publisher that dies at any of its calls, before or after the call was done: what comes next completes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use soflow::catalog::Catalog;
use soflow::event::{Event, Sink};
use soflow::store::Owner;
use tokio::sync::{Notify, mpsc};

use super::lab::{Lab, monthly, whole};
use crate::twin::{Act, Call, Fault, FaultKind, Moment, Twin};

/// Longer than a turn.
const TWO_MINUTES: SignedDuration = SignedDuration::from_mins(2);
const FIRST: &str = "daily.2026-11-21.1";
const SECOND: &str = "daily.2026-11-22.1";

/// Publishes over an older version and dies at the call of that number; returns whether there was such a call.
async fn publish_and_die(lab: &Lab, catalog: Catalog, at: usize, when: Moment) -> bool {
    let seen = catalog.index().await.unwrap();
    lab.twin.reset_calls();
    let died = Arc::new(Notify::new());
    let tell = died.clone();
    lab.twin.kill_hook(move |call: &Call, moment| {
        if call.number < at || (call.number == at && moment != when) {
            return Act::Go;
        }
        tell.notify_one();
        Act::Drop
    });
    let versions = [
        monthly("questions", SECOND, &[("2026-09", FIRST), ("2026-10", SECOND), ("2026-11", SECOND)]),
        whole("tags", SECOND),
        monthly("fresh", SECOND, &[("2026-11", SECOND)]),
    ];
    let ended = tokio::select! {
        ended = catalog.publish(&seen, &versions) => Some(ended),
        () = died.notified() => None,
    };
    lab.twin.kill_hook(|_, _| Act::Go);
    ended.is_none_or(|ended| {
        assert!(ended.unwrap().is_none());
        false
    })
}

async fn start(lab: &Lab) {
    let months = [("2026-08", FIRST), ("2026-09", FIRST), ("2026-10", FIRST)];
    lab.publish(&[monthly("questions", FIRST, &months), whole("tags", FIRST)]).await;
}

#[test]
fn a_publisher_that_dies_at_any_call_leaves_what_settling_completes() {
    for when in [Moment::Before, Moment::After] {
        let (mut old, mut new) = (0, 0);
        for at in 1.. {
            let lab = Lab::new(&format!("crash-{at}-{}", if when == Moment::Before { "before" } else { "after" }));
            let died = lab.run(async {
                start(&lab).await;
                if !publish_and_die(&lab, lab.catalog().await, at, when).await {
                    return false;
                }
                let fresh = lab.table("fresh");
                if fresh["Parameters"]["soflow.run"].is_string() || fresh["StorageDescriptor"]["Columns"][0].is_object()
                {
                    assert_eq!(lab.places("fresh").len(), 1, "died {when:?} call {at}: a table without its partitions");
                }
                // The dead one's turn has run out by then.
                lab.catalog_of(&lab.curated, TWO_MINUTES).await.settle().await.unwrap();
                let index = lab.must_agree(&format!("died {when:?} call {at}")).await;
                let current: Vec<_> = index.tables.values().map(|entry| entry.current.to_string()).collect();
                if index.generation == 1 {
                    old += 1;
                    assert_eq!(current, [FIRST, FIRST]);
                } else {
                    new += 1;
                    assert_eq!(current, [SECOND, SECOND, SECOND]);
                }
                true
            });
            if !died {
                break;
            }
        }
        assert!(old > 3 && new > 5, "{old} and {new}: the sweep missed a side");
    }
}

#[test]
fn the_next_publisher_shows_what_a_dead_one_published() {
    let lab = Lab::new("crash-next");
    lab.run(async {
        start(&lab).await;
        lab.twin.fault(Fault::new("glue", "UpdateTable", FaultKind::AccessDenied).always());
        let catalog = lab.catalog().await;
        let seen = catalog.index().await.unwrap();
        let refused = catalog.publish(&seen, &[whole("tags", SECOND)]).await.unwrap().unwrap();
        assert!(refused.hints.iter().any(|hint| hint.contains("the lake has it")), "{:?}", refused.hints);
        assert_eq!(lab.table("tags")["Parameters"]["soflow.run"], FIRST);
    });
    // Without the fault.
    let lab = Lab { twin: Twin::start(), ..lab };
    lab.run(async {
        lab.publish(&[monthly("questions", SECOND, &[("2026-10", SECOND)])]).await;
        let index = lab.must_agree("after the next").await;
        let current: BTreeMap<_, _> =
            index.tables.iter().map(|(t, entry)| (t.as_str(), entry.current.to_string())).collect();
        assert_eq!(current, BTreeMap::from([("questions", SECOND.to_string()), ("tags", SECOND.to_string())]));
    });
}

#[test]
fn a_lost_answer_to_the_write_that_publishes_is_found_out() {
    let lab = Lab::new("crash-lost");
    lab.run(async {
        start(&lab).await;
        lab.twin.fault(Fault::new("s3", "PutObject", FaultKind::DropAfter).on("catalog.json").times(2));
        lab.publish(&[whole("tags", SECOND)]).await;
        assert_eq!(lab.must_agree("after lost answers").await.generation, 2);
    });
}

#[test]
fn throttles_and_lost_answers_of_glue_are_survived() {
    let lab = Lab::new("crash-throttle");
    lab.run(async {
        start(&lab).await;
        for (operation, kind) in [
            ("GetTable", FaultKind::Throttle),
            ("GetPartitions", FaultKind::Internal { done: false }),
            ("BatchCreatePartition", FaultKind::DropAfter),
            ("BatchDeletePartition", FaultKind::DropAfter),
            ("UpdateTable", FaultKind::DropAfter),
            ("CreateTable", FaultKind::DropAfter),
        ] {
            lab.twin.fault(Fault::new("glue", operation, kind));
        }
        let months = [("2026-09", FIRST), ("2026-10", SECOND), ("2026-11", SECOND)];
        lab.publish(&[monthly("questions", SECOND, &months), monthly("fresh", SECOND, &months)]).await;
        lab.must_agree("after faults").await;
    });
}

/// Publishes as `owner`, who dies while showing the tables in Glue.
async fn die_while_showing(lab: &Lab, owner: Owner) {
    start(lab).await;
    let catalog = lab.catalog_by(owner, &lab.curated, SignedDuration::ZERO).await;
    let seen = catalog.index().await.unwrap();
    let told = Arc::new(Notify::new());
    let tell = told.clone();
    lab.twin.kill_hook(move |call: &Call, _| {
        if call.service != "glue" {
            return Act::Go;
        }
        tell.notify_one();
        Act::Drop
    });
    let versions = [monthly("questions", SECOND, &[("2026-10", SECOND)])];
    tokio::select! {
        ended = catalog.publish(&seen, &versions) => panic!("it did not die: {ended:?}"),
        () = told.notified() => {}
    }
    lab.twin.kill_hook(|_, _| Act::Go);
}

#[test]
fn a_holder_that_is_gone_from_this_machine_is_not_waited_for() {
    let lab = Lab::new("crash-gone");
    lab.run(async {
        let gone = Owner { started: Some(1), ..Owner::me("ben@laptop", "laptop") };
        die_while_showing(&lab, gone).await;
        lab.twin.reset_calls();
        let catalog = lab.catalog().await;
        let mut told = Vec::<Event>::new();
        catalog.telling(catalog.settle(), &mut told).await.unwrap();
        assert_eq!(told, [], "it waited");
        lab.must_agree("after a dead holder").await;
    });
}

/// Passes on what is told, while it is told.
struct Tell(mpsc::UnboundedSender<Event>);

impl Sink for Tell {
    fn emit(&mut self, event: Event) {
        self.0.send(event).unwrap();
    }
}

#[test]
fn whoever_waits_for_a_turn_says_for_whom() {
    let lab = Lab::new("crash-wait");
    lab.run(async {
        die_while_showing(&lab, Owner::me("ben@laptop", "laptop")).await;
        let catalog = lab.catalog().await;
        let (tell, mut heard) = mpsc::unbounded_channel();
        let mut tell = Tell(tell);
        let told = tokio::select! {
            settled = catalog.telling(catalog.settle(), &mut tell) => panic!("it did not wait: {settled:?}"),
            told = heard.recv() => told,
        };
        let Some(Event::Note { text }) = told else { panic!("{told:?}") };
        assert!(text.starts_with("Waiting for ben@laptop (process "), "{text}");
    });
}
