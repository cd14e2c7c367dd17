//! `soflow config`: the settings in force and where each is from, and what can be set at all.

use serde_json::json;

use super::app::App;
use super::args::{ConfigCommand, SchemaOf};
use crate::error::Result;
use crate::report::{TextCell, TextTable};
use crate::{config, job};

/// Shows settings, or what they can be.
pub fn config(app: &App, command: &ConfigCommand) -> Result<u8> {
    match command {
        ConfigCommand::Show { origin } => show(app, *origin),
        ConfigCommand::Reference => app.print(&config::reference()).map(|()| 0),
        ConfigCommand::Schema { of } => {
            let schema = match of {
                SchemaOf::Settings => config::settings_schema(),
                SchemaOf::Job => job::job_schema(),
            };
            app.print(&format!("{schema:#}\n")).map(|()| 0)
        }
    }
}

fn show(app: &App, origin: bool) -> Result<u8> {
    let project = app.project(None)?;
    app.warn(&project, app.sink().as_mut());
    if app.json {
        let document = json!({ "settings": project.resolved.settings, "origins": project.resolved.origins });
        return app.print_json(&document).map(|()| 0);
    }
    let mut table = TextTable::new(["key", "value"].into_iter().chain(origin.then_some("from")));
    for known in &project.resolved.origins {
        let from = TextCell::from(known.origin.clone()).styled(app.out_style.dim);
        table.row([TextCell::from(known.key.clone()), TextCell::from(known.value.clone()), from]);
    }
    app.print(&table.render(&app.out_style, app.width)).map(|()| 0)
}
