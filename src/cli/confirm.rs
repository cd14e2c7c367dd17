//! A question to the person, before something that costs or cannot be taken back.

use std::io::{IsTerminal as _, Write as _};

use tokio::sync::{oneshot, watch};

use crate::error::{Error, Kind, Result};
use crate::targets::Stop;

/// Asks a question. `hints` say how to do without it, `unless` what holds when the answer is no.
///
/// # Errors
/// `Usage` where nobody can be asked, `Interrupted` when the answer is anything but yes.
pub async fn confirm(question: &str, unless: &str, stop: watch::Receiver<Stop>, hints: &[String]) -> Result<()> {
    let is_yes = |answer: &str| ["y", "yes"].contains(&answer.to_lowercase().as_str());
    ask(&format!("{question} [y/N] "), is_yes, unless, stop, hints).await
}

/// Asks a question to which only one answer is `right`. The rest is as in [`confirm`].
///
/// # Errors
/// `Usage` where nobody can be asked, `Interrupted` when the answer is another one.
pub async fn ask(
    question: &str,
    right: impl Fn(&str) -> bool,
    unless: &str,
    mut stop: watch::Receiver<Stop>,
    hints: &[String],
) -> Result<()> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let error = Error::new(Kind::Usage, "nobody is here to be asked whether to begin");
        return Err(hints.iter().fold(error, |error, hint| error.hint(hint)));
    }
    let mut stderr = std::io::stderr();
    write!(stderr, "{question}")?;
    stderr.flush()?;
    let (tell, told) = oneshot::channel();
    // A thread of its own: Ctrl-C must be heard while the terminal is read, and a pool would wait for its last reader.
    std::thread::spawn(move || {
        let mut answer = String::new();
        let _ = std::io::stdin().read_line(&mut answer);
        let _ = tell.send(answer);
    });
    let yes = tokio::select! {
        answer = told => answer.is_ok_and(|answer| right(answer.trim())),
        _ = stop.wait_for(|stop| *stop != Stop::Go) => { writeln!(stderr)?; false }
    };
    match yes {
        true => Ok(()),
        false => Err(Error::new(Kind::Interrupted, format!("not confirmed: {unless}"))),
    }
}
