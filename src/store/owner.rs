//! Who holds a lease: enough for people to know whom to ask, and for soflow to see that a holder is gone.

use fs_err as fs;
use serde::{Deserialize, Serialize};

/// A process that holds something others want.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// A person or a CI job: `anna@laptop`.
    pub who: String,
    /// The machine.
    pub host: String,
    /// The process on that machine.
    pub process: u32,
    /// When that process started, in the machine's own count: tells it from a later one of the same number.
    pub started: Option<u64>,
}

impl Owner {
    /// Returns this process.
    pub fn me(who: &str, host: &str) -> Self {
        let process = std::process::id();
        Self { who: who.into(), host: host.into(), process, started: started(process) }
    }

    /// Returns whether this holder surely ended: it was on `me`'s machine, where no such process runs any more.
    pub fn is_gone(&self, me: &Self) -> bool {
        self.host == me.host && self.started.is_some() && started(self.process) != self.started
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (process {})", self.who, self.process)
    }
}

/// Returns when a running process started, in clock ticks since the machine did; `None` where the system does not tell.
///
/// One that ended and whose parent has not asked how is still listed, in the state `Z`: in a container without an init
/// process that may be for good.
fn started(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in parentheses may hold anything, also parentheses; the state and the start time are the first and the 20th
    // field after it. Source: proc_pid_stat(5).
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ended = matches!(fields.first(), Some(&"Z" | &"X"));
    fields.get(19)?.parse().ok().filter(|_| !ended)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_process_that_ended_is_gone_on_its_own_machine_only() {
        let me = Owner::me("anna@laptop", "laptop");
        assert!(!me.is_gone(&me));
        let mut child = std::process::Command::new("true").stdout(std::process::Stdio::piped()).spawn().unwrap();
        let begun = fs::read_to_string(format!("/proc/{}/stat", child.id())).ok();
        let begun = begun.and_then(|stat| stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok());
        let mut other = Owner { process: child.id(), started: begun, ..me.clone() };
        // Ended, and not asked how: its output is closed, and it stays listed.
        child.stdout.take().unwrap().read_to_end(&mut Vec::new()).unwrap();
        while other.started.is_some() && !other.is_gone(&me) {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        if other.started.is_some() {
            assert!(other.is_gone(&me));
        }
        other.host = "elsewhere".into();
        assert!(!other.is_gone(&me));
        let reused = Owner { started: me.started.map(|at| at + 1), ..me.clone() };
        assert_eq!(reused.is_gone(&me), me.started.is_some());
    }
}
