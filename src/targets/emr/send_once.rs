//! Requests that must not be executed twice, to a service that has no token for that.
//!
//! EMR may execute a request although the connection broke, at once or many seconds later. So after a request without an
//! answer its name is looked for, for a time of its own, and only when nothing has come up by then is it sent again. What
//! comes up even later is told from what was meant by being the second of its name: see `steps::ClusterSteps` and `create::Resent`.

use std::time::Duration;

use tokio::sync::watch;

use crate::aws::CallError;
use crate::targets::{Stop, asked};

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

/// Sends a request, and again when it surely was not executed; returns what it made, and whether it was sent again: then
/// there may be a second one of it, now or in a while. `doubt`: an earlier process may have sent it. A change of `stop` ends
/// the looking.
///
/// # Errors
/// That of the request, or of looking for what it made; with `maybe_done` set it may have been executed. It is not when the
/// request was sent and looked for as often as that makes sense.
pub(super) async fn send_once<R: UniqueRequest>(
    request: &mut R,
    patience: Duration,
    stop: &mut watch::Receiver<Stop>,
    doubt: bool,
) -> Result<(R::Made, bool), CallError> {
    let mut sends = 0;
    if doubt && let Some(made) = look_for(request, patience).await? {
        return Ok((made, false));
    }
    loop {
        sends += 1;
        let again = doubt || sends > 1;
        let lost = match request.send().await {
            Err(error) if error.maybe_done => error,
            sent => return sent.map(|made| (made, again)),
        };
        let found = tokio::select! {
            found = look_for(request, patience) => found?,
            // The person does not want to wait, and the first looks have been made.
            () = async { tokio::time::sleep(patience / FIRST_LOOKS).await; asked(stop, |stop| *stop != Stop::Go).await } => {
                return Err(lost);
            }
        };
        match found {
            Some(made) => return Ok((made, again)),
            None if sends == SENDS => return Err(CallError { maybe_done: false, ..lost }),
            None => {}
        }
    }
}

/// Returns a moment after the person has left: an answer that is on its way is mostly there by then.
pub(super) async fn left(stop: &mut watch::Receiver<Stop>, patience: Duration) {
    asked(stop, |stop| *stop == Stop::Detach).await;
    tokio::time::sleep(patience / FIRST_LOOKS).await;
}

/// Looks until something has come up, or the time is over.
async fn look_for<R: UniqueRequest>(request: &mut R, patience: Duration) -> Result<Option<R::Made>, CallError> {
    let mut pause = patience / (2_u32.pow(LOOKS) - 1);
    let mut last = Ok(None);
    for _ in 0..LOOKS {
        tokio::time::sleep(pause).await;
        pause *= 2;
        let found = request.look().await;
        let is_over = match &found {
            Ok(found) => found.is_some(),
            Err(error) => !error.is_passing(),
        };
        // Nothing may be sent after a time in which nobody could look.
        last = found.map_err(|error| CallError { maybe_done: true, ..error });
        if is_over {
            return last;
        }
    }
    last
}

#[cfg(test)]
mod tests;
