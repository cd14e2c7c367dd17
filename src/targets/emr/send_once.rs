//! Requests that must not be executed twice, to a service that has no token for that.
//!
//! EMR may execute a request although the connection broke, at once or many seconds later. So after a request without an
//! answer its name is looked for, for a time of its own, and only when nothing has come up by then is it sent again. What
//! comes up even later is told from what was meant by being the second of its name: see `steps::Found` and `create::Resent`.

use std::time::Duration;

use tokio::sync::watch;

use crate::aws::CallError;
use crate::targets::Stop;

/// How often a request is sent whose answers are all lost.
const SENDS: u32 = 3;

/// How often to look after one of them. The pauses double, so the first is a sixty-third of all of them: with the default
/// of a minute one second.
const LOOKS: u32 = 6;

/// The part of all looks that is made although the person wants to leave: what was sent is mostly there a moment later.
/// With the default of a minute three seconds.
const FIRST_LOOKS: u32 = 20;

/// Something that is asked for once.
pub(super) trait UniqueRequest {
    /// What comes of it.
    type Made;

    /// Sends it.
    async fn send(&mut self) -> Result<Self::Made, CallError>;

    /// Looks for what it has made, by name.
    async fn look(&mut self) -> Result<Option<Self::Made>, CallError>;
}

/// What a request came to.
#[derive(Debug, PartialEq)]
pub(super) struct Sent<T> {
    /// What it has made.
    pub made: T,
    /// Whether it was sent again: then there may be a second one of it, now or in a while.
    pub again: bool,
}

/// Why nothing came of a request.
#[derive(Debug)]
pub(super) struct Unsent {
    /// Its failure; with `maybe_done` set it may have been executed.
    pub error: CallError,
    /// Whether it was looked for as long as it makes sense, in vain.
    pub given_up: bool,
}

impl From<CallError> for Unsent {
    fn from(error: CallError) -> Self {
        Self { error, given_up: false }
    }
}

/// Sends a request, and again when it surely was not executed. `doubt`: an earlier process may have sent it. A change of
/// `stop` ends the looking.
///
/// # Errors
/// That of the request, or of looking for what it made.
pub(super) async fn send_once<R: UniqueRequest>(
    request: &mut R,
    patience: Duration,
    stop: &mut watch::Receiver<Stop>,
    doubt: bool,
) -> Result<Sent<R::Made>, Unsent> {
    let mut sends = 0;
    if doubt && let Some(made) = look_for(request, patience).await? {
        return Ok(Sent { made, again: false });
    }
    loop {
        sends += 1;
        let again = doubt || sends > 1;
        let lost = match request.send().await {
            Ok(made) => return Ok(Sent { made, again }),
            Err(error) if error.maybe_done => error,
            Err(error) => return Err(error.into()),
        };
        let found = tokio::select! {
            found = look_for(request, patience) => found?,
            () = left(stop, patience) => return Err(lost.into()),
        };
        match found {
            Some(made) => return Ok(Sent { made, again }),
            None if sends == SENDS => return Err(Unsent { error: lost, given_up: true }),
            None => {}
        }
    }
}

/// Looks until something has come up, or the time is over.
async fn look_for<R: UniqueRequest>(request: &mut R, patience: Duration) -> Result<Option<R::Made>, CallError> {
    let mut pause = patience / (2_u32.pow(LOOKS) - 1);
    let mut last = Ok(None);
    for _ in 0..LOOKS {
        tokio::time::sleep(pause).await;
        pause *= 2;
        last = match request.look().await {
            Ok(Some(made)) => return Ok(Some(made)),
            // Nothing may be sent after a time in which nobody could look.
            Err(error) if error.is_passing() => Err(CallError { maybe_done: true, ..error }),
            Err(error) => return Err(CallError { maybe_done: true, ..error }),
            nothing => nothing,
        };
    }
    last
}

/// Returns when the person does not want to wait any more, and the first looks have been made.
async fn left(stop: &mut watch::Receiver<Stop>, patience: Duration) {
    tokio::time::sleep(patience / FIRST_LOOKS).await;
    // A sender that is gone never says stop.
    if stop.wait_for(|stop| *stop != Stop::Go).await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;
