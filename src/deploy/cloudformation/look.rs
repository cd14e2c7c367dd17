//! What CloudFormation tells of a stack that it has made.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value as Json;

use super::{LOOKS_AT_CHANGE_SET, Stacks};
use crate::aws::{CallError, Xml};
use crate::error::{Error, Kind, Result};

/// What a resource has become since it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// Its name in the template.
    pub resource: String,
    /// `MODIFIED` or `DELETED`.
    pub status: String,
    /// The properties that differ.
    pub properties: Vec<String>,
}

/// A resource as it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Its name in the template.
    pub resource: String,
    /// When CloudFormation made or changed it last, UTC.
    pub changed: Option<Timestamp>,
}

impl Stacks<'_> {
    /// Returns the template that a stack was made from.
    ///
    /// # Errors
    /// Those of CloudFormation; `Machine` when it is none of ours.
    pub async fn template(&self, name: &str) -> Result<Json> {
        let answer = self.call("GetTemplate", &[("StackName", name)]).await?;
        let text = answer.find("TemplateBody").map(|body| body.text.as_str()).unwrap_or_default();
        serde_json::from_str(text).map_err(|error| {
            Error::new(Kind::Machine, format!("stack `{name}` was not made by soflow: its template is no JSON"))
                .caused_by(error)
                .hint("give the stack of the target another name: `stack: { name: … }`")
        })
    }

    /// Returns the resources of a stack.
    ///
    /// # Errors
    /// Those of CloudFormation.
    pub async fn resources(&self, name: &str) -> Result<Vec<Made>, CallError> {
        let (mut found, mut next) = (Vec::new(), None::<String>);
        loop {
            let mut fields = vec![("StackName", name)];
            fields.extend(next.as_deref().map(|next| ("NextToken", next)));
            let answer = self.call("ListStackResources", &fields).await?;
            found.extend(answer.list("StackResourceSummaries").iter().map(|one| Made {
                resource: one.text_of("LogicalResourceId").into(),
                changed: one.text_of("LastUpdatedTimestamp").parse().ok(),
            }));
            next = answer.find("NextToken").map(|token| token.text.clone()).filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(found);
            }
        }
    }

    /// Returns what has been changed of a stack's resources behind CloudFormation's back.
    ///
    /// # Errors
    /// Those of CloudFormation.
    pub async fn drift(&self, name: &str) -> Result<Vec<Drift>, CallError> {
        let begun = self.call("DetectStackDrift", &[("StackName", name)]).await?;
        let id = begun.find("StackDriftDetectionId").map(|id| id.text.clone()).unwrap_or_default();
        for _ in 0..LOOKS_AT_CHANGE_SET {
            let fields = [("StackDriftDetectionId", id.as_str())];
            let answer = self.call("DescribeStackDriftDetectionStatus", &fields).await?;
            if answer.find("DetectionStatus").is_none_or(|status| status.text != "DETECTION_IN_PROGRESS") {
                break;
            }
            tokio::time::sleep(self.pause).await;
        }
        let fields = [
            ("StackName", name),
            ("StackResourceDriftStatusFilters.member.1", "MODIFIED"),
            ("StackResourceDriftStatusFilters.member.2", "DELETED"),
        ];
        let answer = self.call("DescribeStackResourceDrifts", &fields).await?;
        let drift = |found: &Xml| Drift {
            resource: found.text_of("LogicalResourceId").into(),
            status: found.text_of("StackResourceDriftStatus").into(),
            properties: found
                .list("PropertyDifferences")
                .iter()
                .map(|one| one.text_of("PropertyPath").into())
                .collect(),
        };
        Ok(answer.list("StackResourceDrifts").iter().map(drift).collect())
    }
}
