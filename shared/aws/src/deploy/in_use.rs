//! The code that stacks of the account may still need.

use std::collections::BTreeSet;

use aws_sdk_cloudformation::types::StackStatus;

use super::error::{DeployError, service};
use super::stack::Stacks;

impl Stacks {
    /// Returns the parameters' values of all stacks of the account and region, among which are the
    /// keys of their code.
    ///
    /// Returns `None` while one of them changes or failed to: it may go back to the code before.
    pub async fn values_in_use(&self) -> Result<Option<BTreeSet<String>>, DeployError> {
        let described = self.client.describe_stacks().into_paginator().items().send();
        let stacks = described.collect::<Result<Vec<_>, _>>().await;
        let mut values = BTreeSet::new();
        for stack in stacks.map_err(service("look up stacks of", "this account"))? {
            let parameters = stack.parameters().iter();
            let own: Vec<_> = parameters.filter_map(|it| it.parameter_value()).collect();
            let has_code = own.iter().any(|value| value.starts_with("code/"));
            let status = stack.stack_status().map(StackStatus::as_str).unwrap_or_default();
            if has_code && (status.ends_with("_IN_PROGRESS") || status.ends_with("_FAILED")) {
                return Ok(None);
            }
            values.extend(own.into_iter().map(str::to_owned));
        }
        Ok(Some(values))
    }
}
