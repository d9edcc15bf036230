//! What a template would change in a stack: proposed as a change set, then applied or dropped.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::{Capability, ChangeSetStatus, ChangeSetType, Parameter};

use super::error::{DeployError, code, message, service};
use super::stack::{ResourceEvent, Stack, Stacks};

/// Where the template's text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Template {
    /// The text itself, of at most [`Template::TEXT_BYTES`].
    Text(String),
    /// The URL of an object in S3.
    Url(String),
}

impl Template {
    /// The limit of a template that is sent along with the request. See
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>.
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
    /// `Add`, `Modify` or `Remove`.
    pub action: String,
    /// `True`, `False` or `Conditional`, for `Modify`.
    pub replacement: Option<String>,
    pub resource_type: String,
    pub logical_id: String,
}

impl Stacks {
    /// Asks what the template would change. Returns `None` if that is nothing.
    ///
    /// A stack that is stuck is brought out of it first.
    pub async fn propose(
        &self,
        name: &str,
        template: &Template,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Option<Proposal>, DeployError> {
        let is_new = self.settle(name, &mut |_| ()).await?;
        let kind = if is_new { ChangeSetType::Create } else { ChangeSetType::Update };
        let change_set = format!("sidestep-{}", uuid::Uuid::new_v4());
        let parameters = parameters.iter().map(|(key, value)| {
            Parameter::builder().parameter_key(key).parameter_value(value).build()
        });
        let (text, url) = match template {
            Template::Text(text) => (Some(text.clone()), None),
            Template::Url(url) => (None, Some(url.clone())),
        };
        let request = self
            .client
            .create_change_set()
            .stack_name(name)
            .change_set_name(&change_set)
            .change_set_type(kind)
            // Resources that an earlier stack of this name left behind are imported. Their names
            // must be texts in the template.
            .set_import_existing_resources(is_new.then_some(true))
            .capabilities(Capability::CapabilityIam)
            .set_parameters(Some(parameters.collect()))
            .set_template_body(text)
            .set_template_url(url);
        request.send().await.map_err(|error| match code(&error) {
            Some("ValidationError") => {
                DeployError::Refused { stack: name.to_owned(), reason: message(&error).to_owned() }
            }
            _ => service("propose a change of stack", name)(error),
        })?;
        if !self.wait_for_change_set(name, &change_set).await? {
            return Ok(None);
        }
        let changes = self.changes(name, &change_set).await?;
        Ok(Some(Proposal { stack: name.to_owned(), change_set, is_new, changes }))
    }

    /// Waits until CloudFormation has worked out the changes. Returns false if there are none.
    async fn wait_for_change_set(&self, name: &str, change_set: &str) -> Result<bool, DeployError> {
        loop {
            let describe = self.client.describe_change_set().stack_name(name);
            let found = describe.change_set_name(change_set).send().await;
            let described = found.map_err(service("look up the change of stack", name))?;
            match described.status() {
                Some(ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress) => {
                    tokio::time::sleep(self.poll).await;
                }
                Some(ChangeSetStatus::CreateComplete) => return Ok(true),
                _ => {
                    let delete = self.client.delete_change_set().stack_name(name);
                    // A change set that stays behind does no harm.
                    drop(delete.change_set_name(change_set).send().await);
                    let reason = described.status_reason().unwrap_or_default().to_owned();
                    let is_empty = reason.contains("didn't contain changes")
                        || reason.contains("No updates are to be performed");
                    if is_empty {
                        return Ok(false);
                    }
                    return Err(DeployError::Refused { stack: name.to_owned(), reason });
                }
            }
        }
    }

    async fn changes(&self, name: &str, change_set: &str) -> Result<Vec<Change>, DeployError> {
        let mut changes = Vec::new();
        let mut next = None;
        loop {
            let describe = self.client.describe_change_set().stack_name(name);
            let described = describe.change_set_name(change_set).set_next_token(next).send().await;
            let page = described.map_err(service("look up the change of stack", name))?;
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

    /// Applies a proposal and returns the stack. Each resource's event is passed to `on_event`.
    pub async fn apply(
        &self,
        proposal: Proposal,
        on_event: &mut (dyn FnMut(ResourceEvent) + Send),
    ) -> Result<Stack, DeployError> {
        let Proposal { stack: name, change_set, .. } = proposal;
        let mut seen = self.event_ids(&name).await?;
        let execute = self.client.execute_change_set().stack_name(&name);
        let executed = execute.change_set_name(change_set).send().await;
        executed.map_err(service("change stack", &name))?;
        self.wait_until_done(&name, &mut seen, on_event).await?;
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

    /// Drops a proposal that is not wanted.
    pub async fn discard(&self, proposal: Proposal) -> Result<(), DeployError> {
        let Proposal { stack, change_set, is_new, .. } = proposal;
        let delete = self.client.delete_change_set().stack_name(&stack);
        let deleted = delete.change_set_name(change_set).send().await;
        deleted.map_err(service("drop the change of stack", &stack))?;
        if is_new {
            // The proposal had created an empty stack.
            let deleted = self.client.delete_stack().stack_name(&stack).send().await;
            deleted.map_err(service("drop stack", &stack))?;
        }
        Ok(())
    }
}
