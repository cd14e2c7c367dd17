//! `soflow gc`: removes what neither readers nor later runs need.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::app::App;
use super::args::GcArgs;
use super::ground::Ground;
use crate::catalog;
use crate::error::Result;
use crate::report::{bytes, plural};
use crate::run::{self, LakeLock};

/// Most names printed.
const FEW: usize = 20;

/// Removes garbage, or shows it.
pub async fn gc(app: &App, args: &GcArgs) -> Result<u8> {
    let project = app.project(None)?;
    let lake = &project.target()?.lake;
    // Also for looking: a run that is on its way has files that nothing refers to yet.
    let _lock = LakeLock::guard(&lake.artifacts, "gc", Timestamp::now())?;
    let Ground { store, catalog, .. } = app.ground(&project).await?;
    if !args.dry_run {
        // Nobody may point at files that are about to go.
        catalog::telling(catalog.as_ref(), catalog.settle(), app.sink().as_mut()).await?;
    }
    let keep = SignedDuration::from_secs(project.resolved.settings.keep_seconds);
    let (index, garbage) = run::find_garbage(lake, store.as_ref(), catalog.as_ref(), Timestamp::now(), keep).await?;
    if !args.dry_run {
        run::collect(&index, &garbage, store.as_ref(), catalog.as_ref()).await?;
    }
    if app.json {
        return app.print_json(&json!({ "removed": !args.dry_run, "garbage": garbage })).map(|()| 0);
    }
    let (versions, files) = (garbage.versions.len(), garbage.files.len() + garbage.leftovers.len());
    if versions + files == 0 {
        return app.print("Nothing to remove.\n").map(|()| 0);
    }
    let mut shown: Vec<String> =
        garbage.versions.iter().map(|(table, run)| format!("  version {run} of {table}")).collect();
    shown.extend(garbage.files.iter().chain(&garbage.leftovers).map(|uri| format!("  {uri}")));
    let rest = shown.len().saturating_sub(FEW);
    shown.truncate(FEW);
    if rest > 0 {
        shown.push(format!("  and {rest} more"));
    }
    let verb = if args.dry_run { "Would remove" } else { "Removed" };
    let what = format!(
        "{} and {}, {}",
        plural(versions as u64, "version"),
        plural(files as u64, "file"),
        bytes(garbage.bytes)
    );
    app.print(&format!("{verb} {what}:\n{}\n", shown.join("\n"))).map(|()| 0)
}
