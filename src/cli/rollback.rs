//! `soflow rollback`: readers see an earlier version of a table, at once and without writing any data.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::app::App;
use super::args::RollbackArgs;
use super::connections::Connections;
use super::tables::entry_of;
use crate::error::{Error, Kind, Result};
use crate::names::RunId;
use crate::report::{Answer, Layout};
use crate::run::LakeLock;

/// Points a table at an earlier version.
pub async fn rollback(app: &App, args: &RollbackArgs) -> Result<u8> {
    let project = app.project(None)?;
    let what = format!("rollback of {}", args.table);
    let _lock = LakeLock::guard(&project.target()?.lake.artifacts, &what, Timestamp::now())?;
    let Connections { catalog, .. } = app.connect(&project).await?;
    let index = catalog.index().await?;
    let entry = entry_of(&index, &args.table)?;
    let to: RunId = match &args.to {
        Some(run) => run.parse()?,
        None => {
            let before = entry.before().ok_or_else(|| {
                Error::new(Kind::Usage, format!("table `{}` has no version before `{}`", args.table, entry.current))
                    .hint(format!("`soflow tables show {}` lists its versions", args.table))
            })?;
            before.run.clone()
        }
    };
    let from = entry.current.clone();
    let wanted = BTreeMap::from([(args.table.clone(), to.clone())]);
    let moved = catalog.point(&index, &wanted);
    let unshown = catalog.telling(moved, app.sink().as_mut()).await?;
    if let Some(error) = unshown {
        let table = &args.table;
        return Err(Error::new(
            error.kind,
            format!("`{table}` is at version {to} in the lake, and Glue does not show it yet"),
        )
        .caused_by(error)
        .hint(format!("when that is mended, the same again shows it: `soflow rollback {table} --to {to}`")));
    }
    app.answer(&RolledBack { table: &args.table, from, to })
}

/// Which version readers saw, and which they see now.
#[derive(Serialize)]
struct RolledBack<'a> {
    table: &'a str,
    from: RunId,
    to: RunId,
}

impl Answer for RolledBack<'_> {
    fn text(&self, _: &Layout) -> String {
        let Self { table, from, to } = self;
        if from == to {
            return format!("`{table}` is at version {to} already.\n");
        }
        format!(
            "Readers of `{table}` now see version {to} instead of {from}.\n  soflow rollback {table} --to {from}   takes this back\n"
        )
    }
}
