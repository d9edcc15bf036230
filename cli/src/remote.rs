//! A project's stack on AWS: an engine over its table, bucket and functions.
//!
//! The stack's planner runs the executions; this side starts, reads and stops them.

use std::collections::BTreeMap;
use std::sync::Arc;

use sidestep_aws::deploy::{DeployError, SdkConfig, Stack, Stacks, account_config, caller, state};
use sidestep_aws::object::S3ObjectStore;
use sidestep_aws::{EngineOptions, ServiceEndpoints, stack_engine, stack_jobs};
use sidestep_deploy::{Buckets, Place, StackName};
use sidestep_engine::engine::Engine;
use sidestep_engine::memory::definitions::Definition;
use sidestep_engine::ports::Deployment;

use crate::blueprint::{buckets, event_bus, stack_name};
use crate::output::error::{CommandError, user};
use crate::project::Project;
use crate::session::Session;
use crate::source_paths::SourcePaths;

/// An AWS account: its configuration and its stacks.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) config: SdkConfig,
    pub(crate) stacks: Stacks,
}

impl Account {
    /// Finds credentials, region and endpoint as the AWS CLI does.
    pub(crate) async fn open() -> Result<Self, CommandError> {
        let config = account_config().await.map_err(|error| match error {
            DeployError::NoRegion => {
                user("no region is set").hint("set AWS_REGION, or `region` in the AWS profile")
            }
            error => error.into(),
        })?;
        Ok(Self { stacks: Stacks::new(&config), config })
    }

    /// Returns the endpoints of the services; one variable may name an endpoint for all of them.
    pub(crate) fn endpoints(&self) -> ServiceEndpoints {
        let named = ServiceEndpoints::from_env();
        let all = self.config.endpoint_url().map(str::to_owned);
        ServiceEndpoints {
            s3: named.s3.or_else(|| all.clone()),
            dynamodb: named.dynamodb.or_else(|| all.clone()),
            lambda: named.lambda.or_else(|| all.clone()),
            sqs: named.sqs.or_else(|| all.clone()),
            eventbridge: named.eventbridge.or(all),
            sagemaker: None,
        }
    }

    /// Returns the account and the region that the credentials are for.
    pub(crate) async fn place(&self) -> Result<Place, CommandError> {
        let caller = caller(&self.config).await?;
        Ok(Place { account_id: caller.id, region: caller.region })
    }

    /// Returns the configuration for S3.
    pub(crate) fn s3(&self) -> SdkConfig {
        let mut builder = self.config.clone().into_builder();
        builder.set_endpoint_url(self.endpoints().s3);
        builder.build()
    }

    /// Returns the configuration for SQS.
    pub(crate) fn sqs(&self) -> SdkConfig {
        let mut builder = self.config.clone().into_builder();
        builder.set_endpoint_url(self.endpoints().sqs);
        builder.build()
    }

    /// Returns the account's S3.
    pub(crate) fn objects(&self) -> S3ObjectStore {
        S3ObjectStore::new(&self.s3())
    }
}

/// A project's stack and an engine over it.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) account: Account,
    pub(crate) engine: Arc<Engine>,
    pub(crate) stack: StackName,
    pub(crate) table: String,
    pub(crate) account_id: String,
    pub(crate) region: String,
    buckets: Buckets,
}

impl Remote {
    /// Opens the project's stack with two requests at most: credentials, and the stack's outputs.
    pub(crate) async fn open(project: &Project) -> Result<Self, CommandError> {
        let account = Account::open().await?;
        let name = stack_name(project)?;
        let Some(stack) = account.stacks.find(name.as_str()).await? else {
            let problem = format!("there is no stack `{name}` in this account and region");
            return Err(user(problem).hint("`sidestep deploy` creates it"));
        };
        Self::of(project, account, name, &stack)
    }

    /// Opens a stack that was already looked up.
    pub(crate) fn of(
        project: &Project,
        account: Account,
        stack_name: StackName,
        stack: &Stack,
    ) -> Result<Self, CommandError> {
        let output = |key: &str| {
            let value = stack.outputs.get(key).cloned();
            value.ok_or_else(|| {
                let status = &stack.status;
                // A stack that failed or is being made has no outputs.
                match state(status)
                    .filter(|_| !status.ends_with("_COMPLETE") || status.contains("ROLLBACK"))
                {
                    Some(row) => {
                        user(format!("stack `{stack_name}` is {status}")).hint(row.way_out)
                    }
                    None => user(format!(
                        "stack `{stack_name}` was not created by sidestep: it has no output `{key}`"
                    )),
                }
            })
        };
        let (table, artifact_bucket) = (output("TableName")?, output("ArtifactBucket")?);
        let (account_id, region) = (output("AccountId")?, output("Region")?);
        let deployment =
            Deployment { artifact_bucket, region: region.clone(), account_id: account_id.clone() };
        // A stack of an earlier version has no queue of timers: its sweep finds what is due.
        let timers = stack.outputs.get("TimersUrl").cloned();
        let endpoints = account.endpoints();
        let bus = event_bus(&project.settings.deploy)?;
        let options = EngineOptions {
            handoff: project.settings.engine.handoff,
            jobs: stack.outputs.get("JobsArn").map(|arn| stack_jobs(arn)),
            watcher: bus.map(|name| sidestep_aws::event_bus(&account.config, &endpoints, &name)),
            ..EngineOptions::default()
        };
        let settings = sidestep_aws::Settings {
            table: table.clone(),
            timers,
            reports: None,
            deployment,
            options,
        };
        let engine = stack_engine(&account.config, &endpoints, settings, stack_name.as_str());
        Ok(Self {
            engine: Arc::new(engine),
            buckets: buckets(project)?,
            stack: stack_name,
            account,
            table,
            account_id,
            region,
        })
    }

    /// Returns a session for the commands that read and follow executions.
    pub(crate) fn session(&self, project: &Project) -> Session {
        let state = project.state_folder();
        Session {
            engine: Arc::clone(&self.engine),
            cloud: None,
            endpoints: None,
            state,
            starter: None,
            owner: None,
            ticket: None,
            sources: SourcePaths::of(&project.settings),
        }
    }

    /// Returns the name in the account of a bucket of the project.
    pub(crate) fn bucket(&self, bucket: &str) -> String {
        self.buckets.account_name(bucket, &self.stack, &self.account_id, &self.region)
    }

    /// Returns the project's buckets with their names in the account.
    pub(crate) fn buckets(&self) -> BTreeMap<String, String> {
        let names = self.buckets.created.iter().chain(self.buckets.existing.keys());
        names.map(|name| (name.clone(), self.bucket(name))).collect()
    }

    /// Replaces the project's bucket names in a definition by those of the account.
    pub(crate) fn definition(&self, definition: Definition) -> Definition {
        let Definition { text, format } = definition;
        let text = self.buckets.rename_in(&text, |bucket| self.bucket(bucket));
        Definition { text, format }
    }
}
