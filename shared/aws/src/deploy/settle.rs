//! Brings a stack out of any state: to one that takes a template, or to none.

use aws_sdk_cloudformation::types::ResourceStatus;

use super::error::{DeployError, message, service};
use super::stack::{ResourceEvent, Stacks};
use super::status::{BeforeDeploy, BeforeDestroy, state};

/// The most steps out of a stuck state: wait, delete, wait again.
const STEPS: usize = 5;

/// What became of a stack that was to go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// True if there was a stack.
    pub was_there: bool,
    /// Resources that could not be deleted and are no longer part of any stack: type and name.
    pub left: Vec<(String, String)>,
}

impl Stacks {
    /// Brings the stack into a state in which a template can be applied. Returns true if the stack
    /// has to be created.
    ///
    /// Twice: the second call finds nothing to do. If this is stopped half-way, the next call goes
    /// on.
    pub async fn settle(
        &self,
        name: &str,
        on_event: &mut (dyn FnMut(ResourceEvent) + Send),
    ) -> Result<bool, DeployError> {
        for _ in 0..STEPS {
            let Some(status) = self.status(name).await? else { return Ok(true) };
            let Some(row) = state(&status) else {
                return Err(stuck(name, &status, "it is in a state that sidestep does not know"));
            };
            match row.deploy {
                BeforeDeploy::Create => return Ok(true),
                BeforeDeploy::Update => return Ok(false),
                BeforeDeploy::Delete => drop(self.remove(name, on_event).await?),
                BeforeDeploy::Wait => self.follow(name, on_event).await?,
                BeforeDeploy::ContinueRollback => {
                    let call = self.client.continue_update_rollback().stack_name(name);
                    let called = call.send().await;
                    called.map_err(service("continue the rollback of stack", name))?;
                    self.follow(name, on_event).await?;
                    if self.status(name).await?.as_deref() == Some(row.status) {
                        return Err(stuck(name, row.status, row.way_out));
                    }
                }
                BeforeDeploy::RollBack => {
                    let called = self.client.rollback_stack().stack_name(name).send().await;
                    called.map_err(service("roll back stack", name))?;
                    self.follow(name, on_event).await?;
                    if self.status(name).await?.as_deref() == Some(row.status) {
                        return Err(stuck(name, row.status, row.way_out));
                    }
                }
            }
        }
        let status = self.status(name).await?.unwrap_or_default();
        Err(stuck(name, &status, "it does not come to rest"))
    }

    /// Deletes the stack, whatever state it is in. What its template retains stays, and so does
    /// what still cannot be deleted at the second try; it is then part of no stack.
    ///
    /// Twice: the second call finds nothing.
    pub async fn remove(
        &self,
        name: &str,
        on_event: &mut (dyn FnMut(ResourceEvent) + Send),
    ) -> Result<Removed, DeployError> {
        let mut removed = Removed::default();
        let mut has_failed = false;
        for _ in 0..STEPS {
            let Some(status) = self.status(name).await? else { return Ok(removed) };
            let destroy = state(&status).map_or(BeforeDestroy::Delete, |row| row.destroy);
            match destroy {
                BeforeDestroy::Nothing => return Ok(removed),
                BeforeDestroy::Wait => self.follow(name, on_event).await?,
                BeforeDestroy::Delete => {
                    removed.was_there |= status != "REVIEW_IN_PROGRESS";
                    let retained = if has_failed { self.undeletable(name).await? } else { vec![] };
                    let ids = retained.iter().map(|(id, _, _)| id.clone()).collect();
                    let result = self.delete(name, ids, on_event).await;
                    removed.left.extend(retained.into_iter().map(|(_, kind, name)| (kind, name)));
                    match result {
                        // The next try leaves out what could not be deleted now.
                        Err(DeployError::Failed { status, .. })
                            if status == "DELETE_FAILED" && !has_failed =>
                        {
                            has_failed = true;
                        }
                        result => result?,
                    }
                }
            }
        }
        let status = self.status(name).await?.unwrap_or_default();
        Err(stuck(name, &status, "it cannot be deleted"))
    }

    /// Returns the resources of a stack that could not be deleted: id, type and name.
    async fn undeletable(&self, name: &str) -> Result<Vec<(String, String, String)>, DeployError> {
        let described = match self.client.describe_stack_resources().stack_name(name).send().await {
            Err(error) if message(&error).contains("does not exist") => return Ok(Vec::new()),
            described => described.map_err(service("look at the resources of stack", name))?,
        };
        let failed = described
            .stack_resources()
            .iter()
            .filter(|one| one.resource_status() == Some(&ResourceStatus::DeleteFailed));
        Ok(failed
            .map(|one| {
                (
                    one.logical_resource_id().unwrap_or_default().to_owned(),
                    one.resource_type().unwrap_or_default().to_owned(),
                    one.physical_resource_id().unwrap_or_default().to_owned(),
                )
            })
            .collect())
    }

    /// Waits for the end of the change that runs.
    async fn follow(
        &self,
        name: &str,
        on_event: &mut (dyn FnMut(ResourceEvent) + Send),
    ) -> Result<(), DeployError> {
        let mut seen = self.event_ids(name).await?;
        self.wait_until_done(name, &mut seen, on_event).await
    }
}

fn stuck(stack: &str, status: &str, way_out: &str) -> DeployError {
    DeployError::Stuck {
        stack: stack.to_owned(),
        status: status.to_owned(),
        way_out: way_out.to_owned(),
    }
}
