//! CloudFormation: a stack's state, what a template would change of it, and the change itself, watched to its end.

mod answers;
mod look;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use crate::aws::{CLOUDFORMATION, CallError, Session, Xml};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::names::Digest;
use crate::store::document;
use answers::{StackEvent, change, is_no_change, stack, stack_event};
pub use look::{Drift, Made};

/// Longest time that a change set is waited for: it is compared by CloudFormation, and nothing is made meanwhile.
const LOOKS_AT_CHANGE_SET: u32 = 100;

/// A stack as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StackState {
    /// Its name.
    pub name: String,
    /// Such as `UPDATE_COMPLETE`.
    pub status: String,
    /// Why, when something failed.
    pub reason: String,
    /// When it was changed last, as CloudFormation writes it.
    pub changed: String,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// Its parameters.
    pub parameters: BTreeMap<String, String>,
}

impl StackState {
    /// Returns whether something is being changed.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS") && !self.is_only_planned()
    }

    /// Returns whether there is no more of it than a change set.
    #[must_use]
    pub fn is_only_planned(&self) -> bool {
        self.status == "REVIEW_IN_PROGRESS"
    }

    /// Returns whether it was never made whole: it can only be deleted.
    #[must_use]
    pub fn is_stillborn(&self) -> bool {
        ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"].contains(&self.status.as_str())
    }

    /// Returns whether it is there and whole.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"]
            .contains(&self.status.as_str())
    }
}

/// What would be done to one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `Add`, `Modify`, `Remove`.
    pub action: String,
    /// Its name in the template.
    pub resource: String,
    /// Such as `AWS::Lambda::Function`.
    pub kind: String,
    /// `True`, `False`, or `Conditional`: whether another one takes its place; empty for what is added or removed.
    pub replacement: String,
    /// The properties that change.
    pub properties: Vec<String>,
}

/// A change set that can be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSet {
    /// Its ARN.
    pub id: String,
    /// Whether it would make the stack.
    pub is_new: bool,
    /// What it would do.
    pub changes: Vec<Change>,
}

/// A template and what is filled in.
pub struct Wanted<'a> {
    /// The stack's name.
    pub name: &'a str,
    /// What it is to be made from.
    pub template: Template<'a>,
    /// Its parameters.
    pub parameters: &'a [(&'a str, String)],
    /// Tags of the stack, which its resources get too.
    pub tags: &'a [(&'a str, String)],
}

/// A template.
pub enum Template<'a> {
    /// Its text: at most 51,200 bytes. Source: the API reference of CloudFormation, `TemplateBody`.
    Text(&'a str),
    /// The HTTPS address of an object in S3.
    At(&'a str),
    /// The one it was made from; parameters that are not said keep their values.
    Same,
}

/// The stacks of a session's account and region.
#[derive(Clone, Copy)]
pub struct Stacks<'a> {
    /// The way to AWS.
    pub session: &'a Session,
    /// The pause between two looks at what goes on.
    pub pause: Duration,
}

impl Stacks<'_> {
    async fn call(&self, operation: &str, fields: &[(&str, &str)]) -> Result<Xml, CallError> {
        let fields: Vec<_> = fields.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect();
        self.session.query(&CLOUDFORMATION, operation, &fields).await
    }

    /// Returns a stack; `None` when there is none of that name.
    ///
    /// # Errors
    /// Those of CloudFormation.
    pub async fn find(&self, name: &str) -> Result<Option<StackState>, CallError> {
        match self.call("DescribeStacks", &[("StackName", name)]).await {
            Ok(answer) => {
                Ok(answer.list("Stacks").first().map(stack).filter(|stack| stack.status != "DELETE_COMPLETE"))
            }
            // CloudFormation has no error code of its own for this.
            Err(error) if error.code == "ValidationError" && error.message.contains("does not exist") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns what a template would change; `None` when it changes nothing. A stack that was never made whole must be gone.
    ///
    /// # Errors
    /// `Usage` when CloudFormation refuses the template; `Machine` otherwise.
    pub async fn plan(&self, wanted: &Wanted<'_>, there: Option<&StackState>) -> Result<Option<ChangeSet>> {
        let is_new = there.is_none_or(StackState::is_only_planned);
        let nonce = document::nonce();
        let set = format!("soflow-{}", Digest::of([wanted.name, &nonce]).short());
        let mut fields = vec![
            ("StackName".to_string(), wanted.name.to_string()),
            ("ChangeSetName".into(), set.clone()),
            ("ChangeSetType".into(), if is_new { "CREATE" } else { "UPDATE" }.into()),
            ("Capabilities.member.1".into(), "CAPABILITY_NAMED_IAM".into()),
        ];
        fields.push(match wanted.template {
            Template::Text(text) => ("TemplateBody".into(), text.into()),
            Template::At(address) => ("TemplateURL".into(), address.into()),
            Template::Same => ("UsePreviousTemplate".into(), "true".into()),
        });
        let mut parameters: Vec<_> =
            wanted.parameters.iter().map(|(key, value)| (*key, "ParameterValue", value.as_str())).collect();
        if let (Template::Same, Some(there)) = (&wanted.template, there) {
            let kept = there.parameters.keys().filter(|key| wanted.parameters.iter().all(|(said, _)| said != *key));
            parameters.extend(kept.map(|key| (key.as_str(), "UsePreviousValue", "true")));
        }
        for (at, (key, how, value)) in parameters.into_iter().enumerate() {
            fields.push((format!("Parameters.member.{}.ParameterKey", at + 1), key.into()));
            fields.push((format!("Parameters.member.{}.{how}", at + 1), value.into()));
        }
        for (at, (key, value)) in wanted.tags.iter().enumerate() {
            fields.push((format!("Tags.member.{}.Key", at + 1), (*key).into()));
            fields.push((format!("Tags.member.{}.Value", at + 1), value.clone()));
        }
        match self.session.query(&CLOUDFORMATION, "CreateChangeSet", &fields).await {
            Ok(_) => {}
            // An earlier request of ours, to which no answer came.
            Err(error) if error.code.starts_with("AlreadyExists") => {}
            Err(error) => return Err(error.into()),
        }
        let worked_out = self.worked_out(wanted.name, &set).await;
        if !matches!(worked_out, Ok(Some(_))) {
            self.discard(wanted.name, &set, is_new).await?;
        }
        Ok(worked_out?.map(|(id, changes)| ChangeSet { id, is_new, changes }))
    }

    /// Waits until a change set has been worked out; returns its ARN and what it would do.
    async fn worked_out(&self, name: &str, set: &str) -> Result<Option<(String, Vec<Change>)>> {
        for _ in 0..LOOKS_AT_CHANGE_SET {
            let (mut changes, mut next) = (Vec::new(), None::<String>);
            let answer = loop {
                let mut fields = vec![("StackName", name), ("ChangeSetName", set)];
                fields.extend(next.as_deref().map(|next| ("NextToken", next)));
                let answer = self.call("DescribeChangeSet", &fields).await?;
                changes.extend(answer.list("Changes").iter().filter_map(change));
                next = answer.find("NextToken").map(|token| token.text.clone()).filter(|token| !token.is_empty());
                if next.is_none() {
                    break answer;
                }
            };
            let text = |name: &str| answer.find(name).map(|found| found.text.clone()).unwrap_or_default();
            let reason = text("StatusReason");
            match text("Status").as_str() {
                "CREATE_COMPLETE" if changes.is_empty() => return Ok(None),
                "CREATE_COMPLETE" => return Ok(Some((text("ChangeSetId"), changes))),
                // The only way in which CloudFormation says so.
                "FAILED" if is_no_change(&reason) => return Ok(None),
                "FAILED" => {
                    return Err(Error::new(Kind::Machine, format!("CloudFormation cannot change stack `{name}`"))
                        .detail(reason)
                        .hint("mend what it names and run the same command again"));
                }
                _ => tokio::time::sleep(self.pause).await,
            }
        }
        Err(Error::new(Kind::Machine, format!("CloudFormation has not worked out what to change of stack `{name}`"))
            .hint("run the same command again"))
    }

    /// Removes a change set that is not wanted, and the empty stack that it made.
    ///
    /// # Errors
    /// Those of CloudFormation.
    pub async fn discard(&self, name: &str, set: &str, and_stack: bool) -> Result<(), CallError> {
        self.call("DeleteChangeSet", &[("StackName", name), ("ChangeSetName", set)]).await?;
        if and_stack {
            self.call("DeleteStack", &[("StackName", name)]).await?;
        }
        Ok(())
    }

    /// Carries a change set out and waits for its end.
    ///
    /// # Errors
    /// `Machine` when it failed: the stack is as it was before then, or never made.
    pub async fn apply(&self, name: &str, set: &ChangeSet, sink: &mut dyn Sink) -> Result<StackState> {
        let mut seen = self.events(name).await?.into_iter().map(|event| event.id).collect();
        match self.call("ExecuteChangeSet", &[("ChangeSetName", &set.id), ("StackName", name)]).await {
            Ok(_) => {}
            // An earlier request of ours was heard.
            Err(error) if error.code.starts_with("InvalidChangeSetStatus") => {}
            Err(error) => return Err(error.into()),
        }
        self.settled(name, &mut seen, sink).await
    }

    /// Waits until nothing is being changed of a stack; tells what failed on the way.
    ///
    /// # Errors
    /// `Machine` when a change failed.
    pub async fn settle(&self, name: &str, sink: &mut dyn Sink) -> Result<StackState> {
        self.settled(name, &mut BTreeSet::new(), sink).await
    }

    async fn settled(&self, name: &str, seen: &mut BTreeSet<String>, sink: &mut dyn Sink) -> Result<StackState> {
        let (mut failures, mut told) = (Vec::new(), String::new());
        loop {
            let there = self.find(name).await?;
            let events = self.events(name).await?;
            for event in events.into_iter().rev().filter(|event| seen.insert(event.id.clone())) {
                if event.is_failure() {
                    failures.push(format!("{} {}: {}", event.resource, event.status, event.reason));
                    sink.emit(Event::Warning { text: failures.last().cloned().unwrap_or_default() });
                }
            }
            let Some(there) = there else {
                return Err(
                    Error::new(Kind::Machine, format!("stack `{name}` is gone")).hint("run the same command again")
                );
            };
            if there.status != told {
                sink.emit(Event::Note { text: format!("Stack {name} is {}.", there.status) });
                told.clone_from(&there.status);
            }
            if there.is_busy() || there.is_only_planned() {
                tokio::time::sleep(self.pause).await;
                continue;
            }
            if there.status == "CREATE_COMPLETE" || there.status == "UPDATE_COMPLETE" {
                return Ok(there);
            }
            // What failed because something else had is no cause.
            failures.retain(|failure| !failure.ends_with("Resource creation cancelled"));
            let what = if there.is_stillborn() { "was not made" } else { "is as it was before" };
            return Err(Error::new(Kind::Machine, format!("stack `{name}` {what}"))
                .detail(if failures.is_empty() { there.reason } else { failures.join("\n") })
                .hint("mend what it names and run the same command again"));
        }
    }

    /// Deletes a stack and waits until it is gone. What it retains stays.
    ///
    /// # Errors
    /// `Machine` with what could not be deleted.
    pub async fn delete(&self, name: &str, sink: &mut dyn Sink) -> Result<()> {
        self.call("DeleteStack", &[("StackName", name)]).await?;
        sink.emit(Event::Note { text: format!("Stack {name} is being deleted.") });
        while let Some(there) = self.find(name).await? {
            if there.status == "DELETE_FAILED" {
                let failed = self.events(name).await?.into_iter().filter(StackEvent::is_failure);
                let failed: Vec<String> = failed.map(|event| format!("{}: {}", event.resource, event.reason)).collect();
                return Err(Error::new(Kind::Machine, format!("stack `{name}` could not be deleted"))
                    .detail(if failed.is_empty() { there.reason } else { failed.join("\n") })
                    .hint("mend what it names and run the same command again"));
            }
            tokio::time::sleep(self.pause).await;
        }
        Ok(())
    }

    async fn events(&self, name: &str) -> Result<Vec<StackEvent>, CallError> {
        match self.call("DescribeStackEvents", &[("StackName", name)]).await {
            Ok(answer) => Ok(answer.list("StackEvents").iter().map(stack_event).collect()),
            Err(error) if error.code == "ValidationError" && error.message.contains("does not exist") => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}
