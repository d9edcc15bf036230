//! Engines over the embedded cloud, put together from `shared/aws`: what runs here runs on AWS.

use std::sync::Arc;

use sidestep_aws::counter::Counter;
use sidestep_aws::{ServiceEndpoints, Settings, counted_engine, engine};
use sidestep_engine::engine::Engine;
use sidestep_engine::options::EngineOptions;
use sidestep_engine::ports::Deployment;

use super::jobs::{LocalJobs, local_job_settings};
use super::names::{ARTIFACT_BUCKET, TABLE, TIMERS_URL};
use crate::account::{ACCOUNT_ID, REGION};
use crate::cloud::Cloud;
use crate::config::config_of;
use crate::folder::Endpoints;

/// Makes an engine that reaches the embedded cloud by its endpoints, also one of another process.
pub fn local_engine(endpoints: &Endpoints, options: EngineOptions) -> Engine {
    let (services, settings) = local_settings(endpoints, options);
    engine(&config_of(&endpoints.credentials), &services, settings)
}

/// Makes an engine for the servers at `endpoints`, those of `cloud` without a socket.
pub fn engine_beside(cloud: &Cloud, endpoints: &Endpoints, options: EngineOptions) -> Engine {
    let (services, settings) = local_settings(endpoints, options);
    let config = config_of(&endpoints.credentials).into_builder();
    let engine = engine(&config.http_client(cloud.http_client()).build(), &services, settings);
    engine.with_jobs(jobs(cloud))
}

/// Makes an engine for a cloud of this process, which it reaches without sockets where it can.
pub fn cloud_engine(cloud: &Cloud, options: EngineOptions) -> Engine {
    let (endpoints, settings) = local_settings(cloud.endpoints(), options);
    engine(&cloud.config(), &endpoints, settings).with_jobs(jobs(cloud))
}

/// Makes an engine like [`cloud_engine`], whose requests `counter` counts.
pub fn counted_cloud_engine(cloud: &Cloud, counter: &Counter, options: EngineOptions) -> Engine {
    let (endpoints, settings) = local_settings(cloud.endpoints(), options);
    counted_engine(&cloud.config(), &endpoints, settings, counter).with_jobs(jobs(cloud))
}

fn jobs(cloud: &Cloud) -> Arc<LocalJobs> {
    Arc::new(LocalJobs { service: cloud.jobs().clone() })
}

fn local_settings(endpoints: &Endpoints, options: EngineOptions) -> (ServiceEndpoints, Settings) {
    // A process of an older version may serve no SQS. Then there are no timers, and its sweep finds
    // what is due.
    let timers = endpoints.sqs.is_some().then(|| TIMERS_URL.to_owned());
    let services = ServiceEndpoints {
        s3: Some(endpoints.s3.clone()),
        dynamodb: Some(endpoints.dynamodb.clone()),
        lambda: Some(endpoints.lambda.clone()),
        sqs: endpoints.sqs.clone(),
        eventbridge: None,
        sagemaker: None,
    };
    let deployment = Deployment {
        artifact_bucket: ARTIFACT_BUCKET.to_owned(),
        region: REGION.to_owned(),
        account_id: ACCOUNT_ID.to_owned(),
    };
    // The cloud serves only the functions that the command has built.
    let jobs = Some(local_job_settings());
    let options = EngineOptions { checks_functions: true, is_traced: true, jobs, ..options };
    (services, Settings { table: TABLE.to_owned(), timers, reports: None, deployment, options })
}
