//! A stack: deployed to a CloudFormation of others, and its template seen by the linters of others: none has a finding but those that are suppressed, each with its
//! reason.
//!
//! What they need is installed once, pinned by hashes, beside the environments of the engines.

mod checkov;
mod cloudformation;
mod deploying;
mod guard;
pub mod policies;

use std::path::PathBuf;

use serde_json::Value as Json;
use soflow::config::{self, Layers, TargetKind};
use soflow::deploy::{Stack, template};

pub const SETTINGS: &str = "
default-target: prod
targets:
  prod:
    kind: emr
    lake:
      raw: s3://acme-raw
      curated: s3://acme-curated/tables
      artifacts: s3://acme-work/artifacts
      logs: s3://acme-work/logs
    database: stackoverflow
    stack:
      schedules: { daily: cron(15 2 * * ? *), weekly: rate(7 days) }
      alert-emails: [data-team@example.com]
";

/// Returns the template of a stack with two jobs; `more` are settings of the stack.
fn example(more: &str) -> Json {
    made_of(format!("{SETTINGS}{more}"))
}

/// Returns the template of the stack that settings describe.
pub fn made_of(settings: String) -> Json {
    let file = Some((PathBuf::from("config/soflow.yaml"), settings));
    let layers = Layers { root: "/project".into(), file, ..Layers::default() };
    let settings = config::read(layers, &|_| false).unwrap().settings;
    let target = &settings.targets["prod"];
    let TargetKind::Emr(emr) = &target.kind else { panic!("not a target of EMR") };
    template(&Stack { target: "prod", emr, lake: &target.lake, clusters: "soflow/1a2b3c4d/" }).unwrap()
}

/// The template of the bucket for the functions' code, which comes first.
const CODE_BUCKET: &str = include_str!("../../config/stack/code.json");

/// The settings of a stack that makes as little as it can.
const SMALL: &str = "      buckets: existing\n      database: existing\n      ingest: none\n";
