//! Who holds a lease: enough for people to know whom to ask, and for soflow to see that a holder is gone.

use fs_err as fs;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

/// A process that holds something others want.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// A person or a CI job: `anna@laptop`.
    pub who: String,
    /// The machine, as it calls itself.
    pub host: String,
    /// The process on that machine.
    pub process: u32,
    /// When that process started, in the machine's own count: tells it from a later one of the same number.
    pub started: Option<u64>,
    /// Where its number means something: the boot of the kernel and the namespace of process numbers. Containers of one
    /// host name have different ones. `None` where the system does not tell.
    pub space: Option<String>,
}

impl Owner {
    /// Returns this process.
    pub fn me(who: &str, host: &str) -> Self {
        let process = std::process::id();
        Self { who: who.into(), host: host.into(), process, started: started(process).flatten(), space: space() }
    }

    /// Returns whether this holder surely ended: its number is one of `me`'s own space, where no such process runs any more.
    pub fn is_gone(&self, me: &Self) -> bool {
        let comparable = self.space.is_some() && self.space == me.space && self.started.is_some();
        comparable && started(self.process).is_none_or(|at| at.is_some() && at != self.started)
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.process {
            // No process of its own: a job of another system.
            0 => write!(f, "{}", self.who),
            process => write!(f, "{} (process {process})", self.who),
        }
    }
}

/// Returns what tells this kernel's boot and this namespace of process numbers from all others. Source: random(4),
/// pid_namespaces(7).
fn space() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let numbers = fs::read_link("/proc/self/ns/pid").ok()?;
    // A `/proc` of another namespace counts other numbers than this process knows.
    let shown = fs::read_link("/proc/self").ok()?;
    let own = shown.to_str().and_then(|number| number.parse().ok()) == Some(std::process::id());
    own.then(|| format!("{} {}", boot.trim(), numbers.display()))
}

/// Returns when a process started, in clock ticks since the machine did; within, `None` when the system does not tell:
/// `hidepid`, or no `/proc`. `None` when no such process runs. One that ended and whose parent has not asked how is still
/// listed, in the state `Z`: in a container without an init process that may be for good.
fn started(process: u32) -> Option<Option<u64>> {
    let number = Pid::from_raw(i32::try_from(process).ok()?)?;
    if test_kill_process(number) == Err(Errno::SRCH) {
        return None;
    }
    let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) else { return Some(None) };
    // The name in parentheses may hold anything, also parentheses; the state and the start time are the first and the 20th
    // field after it. Source: proc_pid_stat(5).
    let fields: Vec<&str> = stat.rsplit_once(") ").map_or_else(Vec::new, |(_, rest)| rest.split(' ').collect());
    if matches!(fields.first(), Some(&"Z" | &"X")) {
        return None;
    }
    Some(fields.get(19).and_then(|started| started.parse().ok()))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_process_that_ended_is_gone_where_its_number_means_something() {
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
        let tells = other.started.is_some() && me.space.is_some();
        assert_eq!(other.is_gone(&me), tells);
        let reused = Owner { started: me.started.map(|at| at + 1), ..me.clone() };
        assert_eq!(reused.is_gone(&me), tells);
        // Another container of the same host name, or the same machine before it was started again.
        other.space = me.space.as_ref().map(|space| format!("{space}0"));
        assert!(!other.is_gone(&me));
        other.space = None;
        assert!(!other.is_gone(&me), "written where the system does not tell");
    }
}
