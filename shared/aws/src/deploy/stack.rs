//! Stacks of CloudFormation: found, deleted, and followed until a change is done.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::StackEvent;

use super::error::{DeployError, message, service};
use crate::http::http_client;

/// The pause between two looks at a running change.
const POLL: Duration = Duration::from_millis(1500);
/// The same at a configured endpoint, an emulator, where a change takes milliseconds.
const POLL_EMULATOR: Duration = Duration::from_millis(100);

/// A stack as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// CloudFormation's word, such as `UPDATE_COMPLETE`.
    pub status: String,
    /// The first line of the template that made it.
    pub description: String,
    pub outputs: BTreeMap<String, String>,
}

/// What became of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceEvent {
    pub logical_id: String,
    pub resource_type: String,
    pub status: String,
    pub reason: Option<String>,
}

/// The stacks of an account and region.
#[derive(Debug, Clone)]
pub struct Stacks {
    pub(super) client: Client,
    pub(super) poll: Duration,
}

impl Stacks {
    /// Makes the adapter without any request.
    pub fn new(config: &SdkConfig) -> Self {
        let poll = if config.endpoint_url().is_some() { POLL_EMULATOR } else { POLL };
        let builder = aws_sdk_cloudformation::config::Builder::from(config);
        let config = builder.http_client(http_client(config)).build();
        Self { client: Client::from_conf(config), poll }
    }

    /// Returns the stack, unless it does not exist or was never more than a proposal.
    pub async fn find(&self, name: &str) -> Result<Option<Stack>, DeployError> {
        let described = match self.client.describe_stacks().stack_name(name).send().await {
            Err(error) if message(&error).contains("does not exist") => return Ok(None),
            described => described.map_err(service("look up stack", name))?,
        };
        let Some(stack) = described.stacks().first() else { return Ok(None) };
        let status = stack.stack_status().map(|s| s.as_str().to_owned()).unwrap_or_default();
        let description = stack.description().unwrap_or_default().to_owned();
        if status == "REVIEW_IN_PROGRESS" || status == "DELETE_COMPLETE" {
            return Ok(None);
        }
        let outputs = stack.outputs().iter().filter_map(|output| {
            Some((output.output_key()?.to_owned(), output.output_value()?.to_owned()))
        });
        Ok(Some(Stack { status, description, outputs: outputs.collect() }))
    }

    /// Waits before a second try. At an emulator nothing has to pass.
    pub async fn pause(&self, pause: Duration) {
        tokio::time::sleep(if self.poll == POLL { pause } else { self.poll }).await;
    }

    /// Returns the stack's status, also that of a proposal that was never applied.
    pub(super) async fn status(&self, name: &str) -> Result<Option<String>, DeployError> {
        let described = match self.client.describe_stacks().stack_name(name).send().await {
            Err(error) if message(&error).contains("does not exist") => return Ok(None),
            described => described.map_err(service("look up stack", name))?,
        };
        let status = described.stacks().first().and_then(|stack| stack.stack_status());
        Ok(status.map(|status| status.as_str().to_owned()))
    }

    /// Returns the template of the stack as it was sent.
    pub async fn template(&self, name: &str) -> Result<String, DeployError> {
        let got = self.client.get_template().stack_name(name).send().await;
        let output = got.map_err(service("read the template of stack", name))?;
        Ok(output.template_body().unwrap_or_default().to_owned())
    }

    /// Deletes the stack. What its template retains stays, and so do these resources, which only a
    /// stack takes that could not be deleted before. Twice: the second call finds nothing.
    pub(super) async fn delete(
        &self,
        name: &str,
        retained: Vec<String>,
        on_event: &mut (dyn FnMut(ResourceEvent) + Send),
    ) -> Result<(), DeployError> {
        // The id is needed, because a deleted stack can be described only by its id.
        let described = self.client.describe_stacks().stack_name(name).send().await;
        let Ok(described) = described else { return self.find(name).await.map(drop) };
        let Some(id) = described.stacks().first().and_then(|s| s.stack_id()) else { return Ok(()) };
        let mut seen = self.event_ids(id).await?;
        let delete = self.client.delete_stack().stack_name(name);
        let retained = Some(retained).filter(|ids| !ids.is_empty());
        let deleted = delete.set_retain_resources(retained).send().await;
        deleted.map_err(service("delete stack", name))?;
        self.wait_until_done(id, &mut seen, on_event).await?;
        match self.find(name).await? {
            None => Ok(()),
            Some(stack) => {
                let reason = self.first_failure(name).await?;
                Err(DeployError::Failed { stack: name.to_owned(), status: stack.status, reason })
            }
        }
    }

    /// Waits until no change of the stack is in progress. Each new event is passed to `on_event`.
    pub(super) async fn wait_until_done(
        &self,
        name: &str,
        seen: &mut BTreeSet<String>,
        on_event: &mut (dyn FnMut(ResourceEvent) + Send),
    ) -> Result<(), DeployError> {
        loop {
            let described = match self.client.describe_stacks().stack_name(name).send().await {
                Err(error) if message(&error).contains("does not exist") => return Ok(()),
                described => described.map_err(service("look up stack", name))?,
            };
            let status = described.stacks().first().and_then(|stack| stack.stack_status());
            let is_running = status.is_some_and(|s| s.as_str().ends_with("_IN_PROGRESS"));
            for event in self.events(name).await?.into_iter().rev() {
                if seen.insert(event.event_id().unwrap_or_default().to_owned()) {
                    on_event(resource_event(&event));
                }
            }
            if !is_running {
                return Ok(());
            }
            tokio::time::sleep(self.poll).await;
        }
    }

    pub(super) async fn event_ids(&self, name: &str) -> Result<BTreeSet<String>, DeployError> {
        let events = self.events(name).await?;
        Ok(events.iter().filter_map(|event| event.event_id()).map(str::to_owned).collect())
    }

    /// Returns the newest page of events, newest first.
    async fn events(&self, name: &str) -> Result<Vec<StackEvent>, DeployError> {
        match self.client.describe_stack_events().stack_name(name).send().await {
            Err(error) if message(&error).contains("does not exist") => Ok(Vec::new()),
            described => {
                let events = described.map_err(service("read the events of stack", name))?;
                Ok(events.stack_events().to_vec())
            }
        }
    }

    /// Returns why the last change failed: the oldest failure since it began.
    pub(super) async fn first_failure(&self, name: &str) -> Result<Option<String>, DeployError> {
        let events = self.events(name).await?;
        let begins = |event: &StackEvent| {
            event.logical_resource_id() == Some(name)
                && resource_event(event).reason.as_deref() == Some("User Initiated")
        };
        let of_change = events.iter().take_while(|event| !begins(event)).map(resource_event);
        // Resources that were only cancelled because another one failed are not the cause.
        let failed = of_change.filter(|event| {
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
