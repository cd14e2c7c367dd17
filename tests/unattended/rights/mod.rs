//! Least privilege: what each role of the stack may do is what was asked for in its name, and nothing else.

mod uses;

use std::collections::BTreeSet;

use self::uses::{Right, done_in, granted};

/// What is granted although nothing here asks for it: the role, actions, why.
const UNREACHED: &[(&str, &[&str], &str)] = &[];

#[test]
fn what_roles_may_do_is_what_they_do() {
    let mut done: BTreeSet<Right> = BTreeSet::new();
    {
        let lab = super::lab::Lab::new();
        super::whole::publishes(&lab);
        done.extend(done_in(&lab));
        let lab = super::lab::failing();
        super::whole::fails_and_is_mended(&lab);
        done.extend(done_in(&lab));
    }
    let granted = granted();
    let refused: Vec<String> =
        done.iter().filter(|done| !granted.iter().any(|right| right.allows(done))).map(ToString::to_string).collect();
    let mut unused: Vec<String> =
        granted.iter().filter(|right| !done.iter().any(|done| right.allows(done))).map(ToString::to_string).collect();
    println!("REFUSED {refused:#?}\nUNUSED {unused:#?}");
    let _ = UNREACHED;
    panic!();
}
