//! Where tables are published and queried: the Glue database and the Athena workgroup.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::ask::{Asked, Asker};
use super::finding::Finding;
use crate::aws::{ATHENA, GLUE};
use crate::config::Emr;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    work_group: Workgroup,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Workgroup {
    state: String,
}

/// Checks both.
pub(super) async fn check(ask: &Asker<'_>, emr: &Emr) -> Vec<Finding> {
    let (database, workgroup) = tokio::join!(database(ask, &emr.database), workgroup(ask, &emr.workgroup));
    vec![database, workgroup]
}

async fn database(ask: &Asker<'_>, name: &str) -> Finding {
    let check = "database";
    let asked: Asked<IgnoredAny> =
        ask.json(&GLUE, "GetDatabase", json!({ "Name": name }), &["EntityNotFoundException"]).await;
    let first = |_| Finding::ok(check, format!("`{name}` is made with the first publication"));
    match asked.or_tell(check, &format!("`{name}`"), first) {
        Ok(_) => Finding::ok(check, format!("`{name}` is in Glue")),
        Err(finding) => finding,
    }
}

async fn workgroup(ask: &Asker<'_>, name: &str) -> Finding {
    let check = "workgroup";
    let asked: Asked<Answer> =
        ask.json(&ATHENA, "GetWorkGroup", json!({ "WorkGroup": name }), &["InvalidRequestException"]).await;
    let missing = |_| {
        let what = format!("Athena has no workgroup `{name}`: `soflow query` will not work");
        Finding::problem(check, what).mend(format!("`aws athena create-work-group --name {name}`"))
    };
    match asked.or_tell(check, &format!("`{name}`"), missing) {
        Ok(answer) if answer.work_group.state == "DISABLED" => {
            let what = format!("`{name}` is disabled: `soflow query` will not work");
            let command = format!("`aws athena update-work-group --work-group {name} --state ENABLED`");
            Finding::problem(check, what).mend(command)
        }
        Ok(_) => Finding::ok(check, format!("`{name}` is enabled")),
        Err(finding) => finding,
    }
}
