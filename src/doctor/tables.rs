//! Where tables are published and queried: the Glue database and the Athena workgroup.

use serde_json::{Value as Json, json};

use super::finding::{Asker, Checked, Finding, line};
use crate::aws::{ATHENA, GLUE};
use crate::config::Emr;

/// Checks both.
pub(super) async fn check(ask: &Asker<'_>, emr: &Emr) -> Vec<Finding> {
    vec![
        line("database", &format!("`{}`", emr.database), database(ask, &emr.database).await),
        line("workgroup", &format!("`{}`", emr.workgroup), workgroup(ask, &emr.workgroup).await),
    ]
}

async fn database(ask: &Asker<'_>, name: &str) -> Checked {
    let found = ask.json::<Json>(&GLUE, "GetDatabase", json!({ "Name": name }), "EntityNotFoundException").await?;
    let is = if found.is_some() { "is in Glue" } else { "is made with the first publication" };
    Ok(Finding::ok(format!("`{name}` {is}")))
}

async fn workgroup(ask: &Asker<'_>, name: &str) -> Checked {
    let input = json!({ "WorkGroup": name });
    let found = ask.json::<Json>(&ATHENA, "GetWorkGroup", input, "InvalidRequestException").await?;
    let Some(answer) = found else {
        let what = format!("Athena has no workgroup `{name}`: `soflow query` will not work");
        return Ok(Finding::problem(what).mend(format!("`aws athena create-work-group --name {name}`")));
    };
    if answer["WorkGroup"]["State"] == "DISABLED" {
        let command = format!("`aws athena update-work-group --work-group {name} --state ENABLED`");
        return Ok(Finding::problem(format!("`{name}` is disabled: `soflow query` will not work")).mend(command));
    }
    Ok(Finding::ok(format!("`{name}` is enabled")))
}
