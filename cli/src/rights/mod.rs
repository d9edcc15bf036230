//! `[engine] rights`: decides the requests of the embedded cloud by the roles that `deploy` would
//! create.
//!
//! The template is made when a function, the planner or the trigger sends the first request, so a
//! command without any pays nothing.

mod account;
mod advice;
mod roles;
mod told;

use std::sync::Arc;

use async_trait::async_trait;
use sidestep_local::guard::{Asked, Caller, Guard};
use tokio::sync::OnceCell;

use self::roles::{Denial, Roles, role_of};
use self::told::tell;
use crate::project::Project;
use crate::settings::RightsSettings;

/// Returns the guard of a project's cloud, unless its settings want none.
pub(crate) fn guard(project: &Project) -> Option<Arc<dyn Guard>> {
    let mode = project.settings.engine.rights;
    if mode == RightsSettings::Off {
        return None;
    }
    Some(Arc::new(StackGuard { mode, project: project.clone(), roles: OnceCell::new() }))
}

/// Decides by the roles of a project's stack.
#[derive(Debug)]
struct StackGuard {
    mode: RightsSettings,
    project: Project,
    /// The roles, or why there are none.
    roles: OnceCell<Result<Roles, String>>,
}

impl StackGuard {
    async fn roles(&self) -> &Result<Roles, String> {
        let make = || async {
            let project = self.project.clone();
            let made = tokio::task::spawn_blocking(move || Roles::of(&project)).await;
            made.unwrap_or_else(|error| Err(error.to_string()))
        };
        self.roles.get_or_init(make).await
    }
}

#[async_trait]
impl Guard for StackGuard {
    async fn refusal(&self, caller: &Caller, asked: &Asked) -> Option<String> {
        let is_enforced = self.mode == RightsSettings::Enforce;
        let roles = match self.roles().await {
            Ok(roles) => roles,
            Err(why) => {
                tracing::debug!(%why, "permissions are not checked");
                return is_enforced.then(|| format!("permissions cannot be checked: {why}"));
            }
        };
        let denial = roles.denies(caller, asked)?;
        tell(self.mode, &self.project, caller, asked, &denial);
        let (Asked { action, resource, .. }, role) = (asked, role_of(caller));
        let why = match denial {
            Denial::By(statement) => format!("with an explicit deny in {statement}"),
            Denial::Missing => {
                format!("because no identity-based policy allows the {action} action")
            }
        };
        let advice = advice::advice(&self.project, caller, asked);
        is_enforced.then(|| {
            format!(
                "User: {role} is not authorized to perform: {action} on resource: \"{resource}\" {why} ({advice})"
            )
        })
    }
}
