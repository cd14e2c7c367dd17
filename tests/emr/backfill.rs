//! Several dates at once: each a run of its own, published one after the other.

use crate::emr::lab::{Lab, TABLES};

#[test]
fn two_dates_at_once() {
    let lab = Lab::new();
    let command = ["backfill", "chain", "--from", "2026-11-20", "--to", "2026-11-22", "--parallel", "2", "--yes"];
    let said = lab.run(&command);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stderr.contains("no earlier run of this job says how long it takes; "), "{said}");
    lab.check_invariants("after the backfill");
    assert_eq!(lab.published(), TABLES);
    for date in ["2026-11-20", "2026-11-21", "2026-11-22"] {
        let line = said.stdout.lines().find(|line| line.starts_with(date)).unwrap();
        assert!(line.contains("done") || line.contains("up to date"), "{said}");
    }
    let dry = lab.json(&["backfill", "chain", "--from", "2026-11-20", "--to", "2026-11-22", "--dry-run"]);
    assert_eq!(dry["to_run"], 0, "{dry:#}");
}
