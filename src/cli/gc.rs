//! `soflow gc`: removes what neither readers nor later runs need.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::app::App;
use super::args::GcArgs;
use super::connections::Connections;
use crate::error::Result;
use crate::report::{Answer, Layout, bytes, plural};
use crate::run::{Collection, Garbage, LakeLock};

/// Most names printed.
const FEW: usize = 20;

/// Removes garbage, or shows it.
pub async fn gc(app: &App, args: &GcArgs) -> Result<u8> {
    let project = app.project(None)?;
    let lake = &project.target()?.lake;
    // Also for looking: a run that is on its way has files that nothing refers to yet.
    let _lock = LakeLock::guard(&lake.artifacts, "gc", Timestamp::now())?;
    let Connections { store, catalog, .. } = app.connect(&project).await?;
    if !args.dry_run {
        // Nobody may point at files that are about to go.
        catalog.telling(catalog.settle(), app.sink().as_mut()).await?;
    }
    let keep = SignedDuration::from_secs(project.resolved.settings.keep_seconds);
    let (now, dry_run) = (store.now(), args.dry_run);
    let collection = Collection { lake, store: store.as_ref(), catalog: catalog.as_ref(), now, keep, dry_run };
    let garbage = collection.collect().await?;
    app.answer(&Collected { removed: !dry_run, garbage })
}

/// What was removed, or would be.
#[derive(Serialize)]
struct Collected {
    /// Whether it was.
    removed: bool,
    garbage: Garbage,
}

impl Answer for Collected {
    fn text(&self, _: &Layout) -> String {
        let Self { removed, garbage } = self;
        let (versions, files) = (garbage.versions.len(), garbage.files.len() + garbage.leftovers.len());
        let mut text = "Nothing to remove.\n".to_string();
        if versions + files > 0 {
            let verb = if *removed { "Removed" } else { "Would remove" };
            let (versions, files) = (plural(versions as u64, "version"), plural(files as u64, "file"));
            let about = garbage.versions.iter().map(|(table, run)| format!("version {run} of {table}"));
            let named = about.chain(garbage.files.iter().chain(&garbage.leftovers).map(ToString::to_string));
            text = format!("{verb} {versions} and {files}, {}:\n{}", bytes(garbage.bytes), few(named));
        }
        if !garbage.going_on.is_empty() {
            let runs = few(garbage.going_on.iter().map(ToString::to_string));
            text.push_str(&format!("\nKept all that runs which go on refer to:\n{runs}"));
        }
        if !garbage.unknown.is_empty() {
            let (what, named) = (plural(garbage.unknown.len() as u64, "file"), garbage.unknown.iter());
            let named = few(named.map(ToString::to_string));
            text.push_str(&format!("\nLeft {what} alone that no run of soflow wrote:\n{named}"));
        }
        text
    }
}

/// Returns a line for each of the first few, and how many more there are.
fn few(names: impl Iterator<Item = String>) -> String {
    let mut lines: Vec<String> = names.map(|name| format!("  {name}\n")).collect();
    let rest = lines.len().saturating_sub(FEW);
    lines.truncate(FEW);
    if rest > 0 {
        lines.push(format!("  and {rest} more\n"));
    }
    lines.concat()
}
