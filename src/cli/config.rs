//! `soflow config`: the settings in force and where each is from.

use serde_json::json;

use super::app::App;
use super::args::ConfigCommand;
use crate::config;
use crate::error::Result;
use crate::report::{TextCell, TextTable};

/// Shows settings.
pub fn config(app: &App, command: &ConfigCommand) -> Result<u8> {
    let ConfigCommand::Show { origin } = command else {
        return app.print(&config::reference()).map(|()| 0);
    };
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
