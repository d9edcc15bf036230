//! Stacks of CloudFormation: what is there, what a template would change, and changing it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{
    Capability, ChangeSetStatus, ChangeSetType, Parameter, StackDriftDetectionStatus, StackEvent,
    StackResourceDriftStatus,
};

use super::error::{DeployError, code, message, service};
use crate::http::http_client;

/// How often a running change is looked at.
const POLL: Duration = Duration::from_millis(1500);
/// The same at an endpoint of one's own, where a change takes milliseconds.
const POLL_EMULATOR: Duration = Duration::from_millis(100);

/// A stack as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// CloudFormation's word, `UPDATE_COMPLETE` say.
    pub status: String,
    pub outputs: BTreeMap<String, String>,
}

/// Where the template's text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Template {
    /// At most 51,200 bytes.
    Text(String),
    /// An object in S3.
    Url(String),
}

impl Template {
    /// The limit of a template that is sent along with the request
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>).
    pub const TEXT_BYTES: usize = 51_200;
}

/// What applying a template would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    stack: String,
    change_set: String,
    pub is_new: bool,
    pub changes: Vec<Change>,
}

/// One resource that would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `Add`, `Modify`, `Remove`.
    pub action: String,
    /// `True`, `False` or `Conditional`, for `Modify`.
    pub replacement: Option<String>,
    pub resource_type: String,
    pub logical_id: String,
}

/// What became of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceEvent {
    pub logical_id: String,
    pub resource_type: String,
    pub status: String,
    pub reason: Option<String>,
}

/// A resource that is no longer as the template made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drifted {
    pub logical_id: String,
    /// `MODIFIED` or `DELETED`.
    pub status: String,
}

/// The stacks of an account and region.
#[derive(Debug, Clone)]
pub struct Stacks {
    client: Client,
    poll: Duration,
}

impl Stacks {
    /// Makes the adapter without any request.
    pub fn new(config: &SdkConfig) -> Self {
        let poll = if config.endpoint_url().is_some() { POLL_EMULATOR } else { POLL };
        let builder = aws_sdk_cloudformation::config::Builder::from(config);
        let config = builder.http_client(http_client(config)).build();
        Self { client: Client::from_conf(config), poll }
    }

    /// The stack, unless there is none or it was never more than a proposal.
    pub async fn find(&self, name: &str) -> Result<Option<Stack>, DeployError> {
        let described = match self.client.describe_stacks().stack_name(name).send().await {
            Err(error) if message(&error).contains("does not exist") => return Ok(None),
            described => described.map_err(service("look up stack", name))?,
        };
        let Some(stack) = described.stacks().first() else { return Ok(None) };
        let status = stack.stack_status().map(|s| s.as_str().to_owned()).unwrap_or_default();
        if status == "REVIEW_IN_PROGRESS" || status == "DELETE_COMPLETE" {
            return Ok(None);
        }
        let outputs = stack.outputs().iter().filter_map(|output| {
            Some((output.output_key()?.to_owned(), output.output_value()?.to_owned()))
        });
        Ok(Some(Stack { status, outputs: outputs.collect() }))
    }

    /// What somebody changed by hand since the template was applied. `None` where that cannot be told.
    pub async fn drift(&self, name: &str) -> Result<Option<Vec<Drifted>>, DeployError> {
        let asked = match self.client.detect_stack_drift().stack_name(name).send().await {
            Err(error) if matches!(code(&error), Some("InvalidAction" | "UnknownOperation")) => {
                return Ok(None);
            }
            asked => asked.map_err(service("look for drift of stack", name))?,
        };
        let id = asked.stack_drift_detection_id().unwrap_or_default();
        loop {
            let status = self.client.describe_stack_drift_detection_status();
            let status = status.stack_drift_detection_id(id).send().await;
            let status = status.map_err(service("look for drift of stack", name))?;
            match status.detection_status() {
                Some(StackDriftDetectionStatus::DetectionInProgress) => {
                    tokio::time::sleep(self.poll).await;
                }
                // Failed: of some resources it could not be told; those that drifted are listed all the same.
                _ => break,
            }
        }
        let described = self.client.describe_stack_resource_drifts().stack_name(name);
        let described = described
            .stack_resource_drift_status_filters(StackResourceDriftStatus::Modified)
            .stack_resource_drift_status_filters(StackResourceDriftStatus::Deleted);
        let described = described.send().await.map_err(service("read drift of stack", name))?;
        let drifts = described.stack_resource_drifts().iter().map(|drift| Drifted {
            logical_id: drift.logical_resource_id().unwrap_or_default().to_owned(),
            status: drift
                .stack_resource_drift_status()
                .map(|status| status.as_str().to_owned())
                .unwrap_or_default(),
        });
        Ok(Some(drifts.collect()))
    }

    /// Asks what the template would change. `None`: nothing.
    pub async fn propose(
        &self,
        name: &str,
        template: &Template,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Option<Proposal>, DeployError> {
        let found = self.find(name).await?;
        if found.as_ref().is_some_and(|stack| stack.status == "ROLLBACK_COMPLETE") {
            // It failed when it was made and holds nothing; CloudFormation wants it gone first.
            self.delete(name, &mut |_| ()).await?;
        }
        let is_new = found.is_none_or(|stack| stack.status == "ROLLBACK_COMPLETE");
        let kind = if is_new { ChangeSetType::Create } else { ChangeSetType::Update };
        let change_set = format!("sidestep-{}", uuid::Uuid::new_v4());
        let parameters = parameters.iter().map(|(key, value)| {
            Parameter::builder().parameter_key(key).parameter_value(value).build()
        });
        let request = self.client.create_change_set().stack_name(name);
        let request = request.change_set_name(&change_set).change_set_type(kind);
        // What an earlier stack of this name left behind is taken in again.
        let request = if is_new { request.import_existing_resources(true) } else { request };
        let request = request.capabilities(Capability::CapabilityIam);
        let request = request.set_parameters(Some(parameters.collect()));
        let request = match template {
            Template::Text(text) => request.template_body(text),
            Template::Url(url) => request.template_url(url),
        };
        request.send().await.map_err(|error| match code(&error) {
            Some("ValidationError") => {
                DeployError::Refused { stack: name.to_owned(), reason: message(&error).to_owned() }
            }
            _ => service("propose a change of stack", name)(error),
        })?;
        self.proposed(name, change_set, is_new).await
    }

    /// Waits until CloudFormation has worked out the changes.
    async fn proposed(
        &self,
        name: &str,
        change_set: String,
        is_new: bool,
    ) -> Result<Option<Proposal>, DeployError> {
        loop {
            let described = self.client.describe_change_set().stack_name(name);
            let described = described.change_set_name(&change_set).send().await;
            let described = described.map_err(service("look up the change of stack", name))?;
            let reason = described.status_reason().unwrap_or_default().to_owned();
            match described.status() {
                Some(ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress) => {
                    tokio::time::sleep(self.poll).await;
                }
                Some(ChangeSetStatus::CreateComplete) => break,
                _ => {
                    let delete = self.client.delete_change_set().stack_name(name);
                    drop(delete.change_set_name(&change_set).send().await);
                    let is_empty = reason.contains("didn't contain changes")
                        || reason.contains("No updates are to be performed");
                    if is_empty {
                        return Ok(None);
                    }
                    return Err(DeployError::Refused { stack: name.to_owned(), reason });
                }
            }
        }
        let changes = self.changes(name, &change_set).await?;
        Ok(Some(Proposal { stack: name.to_owned(), change_set, is_new, changes }))
    }

    async fn changes(&self, name: &str, change_set: &str) -> Result<Vec<Change>, DeployError> {
        let mut changes = Vec::new();
        let mut next = None;
        loop {
            let page = self.client.describe_change_set().stack_name(name);
            let page = page.change_set_name(change_set).set_next_token(next).send().await;
            let page = page.map_err(service("look up the change of stack", name))?;
            let resources = page.changes().iter().filter_map(|change| change.resource_change());
            changes.extend(resources.map(|change| Change {
                action: change.action().map(|a| a.as_str().to_owned()).unwrap_or_default(),
                replacement: change.replacement().map(|r| r.as_str().to_owned()),
                resource_type: change.resource_type().unwrap_or_default().to_owned(),
                logical_id: change.logical_resource_id().unwrap_or_default().to_owned(),
            }));
            next = page.next_token().map(str::to_owned);
            if next.is_none() {
                return Ok(changes);
            }
        }
    }

    /// Drops a proposal that is not wanted.
    pub async fn discard(&self, proposal: Proposal) -> Result<(), DeployError> {
        let Proposal { stack, change_set, is_new, .. } = proposal;
        let delete = self.client.delete_change_set().stack_name(&stack);
        let deleted = delete.change_set_name(change_set).send().await;
        deleted.map_err(service("drop the change of stack", &stack))?;
        if is_new {
            // Proposing made an empty stack.
            let deleted = self.client.delete_stack().stack_name(&stack).send().await;
            deleted.map_err(service("drop stack", &stack))?;
        }
        Ok(())
    }

    /// Makes the change, telling `said` what becomes of each resource, and returns the stack.
    pub async fn apply(
        &self,
        proposal: Proposal,
        said: &mut (dyn FnMut(ResourceEvent) + Send),
    ) -> Result<Stack, DeployError> {
        let Proposal { stack: name, change_set, .. } = proposal;
        let mut heard = self.heard(&name).await?;
        let execute = self.client.execute_change_set().stack_name(&name);
        let executed = execute.change_set_name(change_set).send().await;
        executed.map_err(service("change stack", &name))?;
        self.settle(&name, &mut heard, said).await?;
        let stack = self.find(&name).await?.ok_or_else(|| DeployError::Failed {
            stack: name.clone(),
            status: "DELETE_COMPLETE".to_owned(),
            reason: None,
        })?;
        if matches!(stack.status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE") {
            return Ok(stack);
        }
        let reason = self.first_failure(&name).await?;
        Err(DeployError::Failed { stack: name, status: stack.status, reason })
    }

    /// Deletes the stack; what its template retains stays. Twice: the second finds nothing to do.
    pub async fn delete(
        &self,
        name: &str,
        said: &mut (dyn FnMut(ResourceEvent) + Send),
    ) -> Result<(), DeployError> {
        let described = self.client.describe_stacks().stack_name(name).send().await;
        let Ok(described) = described else {
            // Only to know the id, under which a deleted stack can still be asked for.
            return self.find(name).await.map(drop);
        };
        let Some(id) = described.stacks().first().and_then(|s| s.stack_id()) else { return Ok(()) };
        let mut heard = self.heard(id).await?;
        let deleted = self.client.delete_stack().stack_name(name).send().await;
        deleted.map_err(service("delete stack", name))?;
        self.settle(id, &mut heard, said).await?;
        match self.find(name).await? {
            None => Ok(()),
            Some(stack) => {
                let reason = self.first_failure(name).await?;
                Err(DeployError::Failed { stack: name.to_owned(), status: stack.status, reason })
            }
        }
    }

    /// Follows the stack until nothing is in progress.
    async fn settle(
        &self,
        name: &str,
        heard: &mut BTreeSet<String>,
        said: &mut (dyn FnMut(ResourceEvent) + Send),
    ) -> Result<(), DeployError> {
        loop {
            let described = self.client.describe_stacks().stack_name(name).send().await;
            let status = match described {
                Err(error) if message(&error).contains("does not exist") => return Ok(()),
                described => {
                    let described = described.map_err(service("look up stack", name))?;
                    let status = described.stacks().first().and_then(|s| s.stack_status());
                    status.map(|s| s.as_str().to_owned()).unwrap_or_default()
                }
            };
            for event in self.events(name).await?.into_iter().rev() {
                let id = event.event_id().unwrap_or_default().to_owned();
                if heard.insert(id) {
                    said(resource_event(&event));
                }
            }
            if !status.ends_with("_IN_PROGRESS") {
                return Ok(());
            }
            tokio::time::sleep(self.poll).await;
        }
    }

    async fn heard(&self, name: &str) -> Result<BTreeSet<String>, DeployError> {
        let events = self.events(name).await?;
        Ok(events.iter().filter_map(|event| event.event_id()).map(str::to_owned).collect())
    }

    /// The newest page of events, newest first.
    async fn events(&self, name: &str) -> Result<Vec<StackEvent>, DeployError> {
        match self.client.describe_stack_events().stack_name(name).send().await {
            Err(error) if message(&error).contains("does not exist") => Ok(Vec::new()),
            events => {
                let events = events.map_err(service("read the events of stack", name))?;
                Ok(events.stack_events().to_vec())
            }
        }
    }

    /// Why the last change failed: the oldest failure since it began.
    async fn first_failure(&self, name: &str) -> Result<Option<String>, DeployError> {
        let events = self.events(name).await?;
        let begins = |event: &StackEvent| {
            event.logical_resource_id() == Some(name)
                && resource_event(event).reason.as_deref() == Some("User Initiated")
        };
        let last = events.iter().take_while(|event| !begins(event)).map(resource_event);
        let failed = last.filter(|event| {
            event.status.ends_with("_FAILED")
                && !event.reason.as_deref().unwrap_or_default().contains("cancelled")
        });
        Ok(failed
            .last()
            .map(|event| format!("{} {}", event.logical_id, event.reason.unwrap_or_default())))
    }
}

fn resource_event(event: &StackEvent) -> ResourceEvent {
    ResourceEvent {
        logical_id: event.logical_resource_id().unwrap_or_default().to_owned(),
        resource_type: event.resource_type().unwrap_or_default().to_owned(),
        status: event.resource_status().map(|s| s.as_str().to_owned()).unwrap_or_default(),
        reason: event.resource_status_reason().map(str::to_owned),
    }
}
