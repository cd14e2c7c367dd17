//! `soflow compile`: the state machine that runs a job unattended.

use super::app::{App, yesterday};
use super::args::TargetOptions;
use super::jobs;
use crate::deploy;
use crate::error::Result;

/// After how many seconds an execution is ended: longer than any day's run takes.
const LONGEST_RUN: u32 = 12 * 60 * 60;

/// Prints the state machine of a job.
pub fn compile(app: &App, job: &str) -> Result<u8> {
    let project = app.project(&TargetOptions::default())?;
    let job = jobs::load_job(&project, job, &[], yesterday())?;
    app.print(&format!("{:#}\n", deploy::machine(&job.name, LONGEST_RUN)))
}
