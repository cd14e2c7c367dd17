//! The question before a backfill begins.

use std::io::{IsTerminal as _, Write as _};

use tokio::sync::{oneshot, watch};

use crate::error::{Error, Kind, Result};
use crate::targets::Stop;

/// Asks whether to begin.
///
/// # Errors
/// `Usage` where nobody can be asked, `Interrupted` when the answer is anything but yes.
pub async fn confirm(mut stop: watch::Receiver<Stop>, command: &str) -> Result<()> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Error::new(Kind::Usage, "nobody is here to be asked whether to begin")
            .hint(format!("to begin without a question: `{command} --yes`"))
            .hint("to see the plan alone: `--dry-run`"));
    }
    let mut stderr = std::io::stderr();
    write!(stderr, "Begin? [y/N] ")?;
    stderr.flush()?;
    let (tell, told) = oneshot::channel();
    // A thread of its own: Ctrl-C must be heard while the terminal is read, and a pool would wait for its last reader.
    std::thread::spawn(move || {
        let mut answer = String::new();
        let _ = std::io::stdin().read_line(&mut answer);
        let _ = tell.send(answer);
    });
    let yes = tokio::select! {
        answer = told => answer.is_ok_and(|answer| ["y", "yes"].contains(&answer.trim().to_lowercase().as_str())),
        _ = stop.wait_for(|wish| *wish != Stop::Go) => { writeln!(stderr)?; false }
    };
    match yes {
        true => Ok(()),
        false => Err(Error::new(Kind::Interrupted, "not confirmed: nothing was run")),
    }
}
