//! Least privilege: what each role of the stack may do is what was asked for in its name, and nothing else.

mod uses;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use self::uses::granted;
pub use self::uses::{Right, done_in};
use super::{reach, stops, whole};

/// Something that happens to a stack, and what is asked for meanwhile. One test is about how it ends, another one about what it
/// asks for: it happens once, whichever comes first.
pub struct Scenario {
    happen: fn() -> BTreeSet<Right>,
    done: OnceLock<BTreeSet<Right>>,
}

impl Scenario {
    pub const fn of(happen: fn() -> BTreeSet<Right>) -> Self {
        Self { happen, done: OnceLock::new() }
    }

    /// Returns what was asked for, after it has happened.
    pub fn done(&self) -> &BTreeSet<Right> {
        self.done.get_or_init(self.happen)
    }
}

/// What is granted although nothing here asks for it: the role, actions, why.
const UNREACHED: &[(&str, &[&str], &str)] = &[];

#[test]
fn what_roles_may_do_is_what_they_do() {
    let scenarios = [
        &whole::DAY,
        &whole::MENDED,
        &whole::LOSSES,
        &stops::STOPPED,
        &reach::GONE,
        &reach::MOVES,
        &reach::SPARE,
        &reach::LEFT,
        &reach::SHOWN,
        &reach::INGESTED,
    ];
    let done: BTreeSet<Right> = scenarios.iter().flat_map(|scenario| scenario.done().clone()).collect();
    let granted = granted();
    let refused: Vec<String> =
        done.iter().filter(|done| !granted.iter().any(|right| right.allows(done))).map(ToString::to_string).collect();
    let unused: Vec<String> =
        granted.iter().filter(|right| !done.iter().any(|done| right.allows(done))).map(ToString::to_string).collect();
    println!("REFUSED {refused:#?}\nUNUSED {unused:#?}");
    let _ = UNREACHED;
    panic!();
}
