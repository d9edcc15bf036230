//! The four servers of the embedded cloud on their listeners, each behind its gate.

use std::future::Future;
use std::io;

use sidestep_admission::{Gate, Service};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::dynamodb::DynamoDbServer;
use crate::folder::Endpoints;
use crate::lambda::LambdaHost;
use crate::s3::S3Server;
use crate::sqs::SqsServer;
use crate::transport::Services;

/// The servers. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Servers {
    pub(crate) s3: S3Server,
    pub(crate) dynamodb: DynamoDbServer,
    pub(crate) lambda: LambdaHost,
    pub(crate) sqs: SqsServer,
}

/// The sockets on which the servers are reached from outside.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) s3: TcpListener,
    pub(crate) dynamodb: TcpListener,
    pub(crate) lambda: TcpListener,
    pub(crate) sqs: TcpListener,
}

impl Servers {
    /// Serves on the listeners until `stop` is cancelled or the tasks are dropped.
    pub(crate) fn spawn(
        &self,
        listeners: Listeners,
        gate: impl Fn(Service) -> Gate,
        stop: &CancellationToken,
    ) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let stopped = || stop.clone().cancelled_owned();
        let Self { s3, dynamodb, lambda, sqs } = self.clone();
        let (at, end) = (gate(Service::S3), stopped());
        tasks.spawn(async move { ended("S3", s3.serve_behind(at, listeners.s3, end)).await });
        let (at, end) = (gate(Service::DynamoDb), stopped());
        tasks.spawn(async move {
            ended("DynamoDB", dynamodb.serve_behind(at, listeners.dynamodb, end)).await;
        });
        let (at, end) = (gate(Service::Lambda), stopped());
        tasks.spawn(async move {
            ended("Lambda", lambda.serve_behind(at, listeners.lambda, end)).await;
        });
        let (at, end) = (gate(Service::Sqs), stopped());
        tasks.spawn(async move { ended("SQS", sqs.serve_behind(at, listeners.sqs, end)).await });
        tasks
    }

    /// Returns the servers for requests of this process, by their endpoints.
    pub(crate) fn services(&self, endpoints: &Endpoints) -> Services {
        Services::new([
            (&endpoints.s3, self.s3.service()),
            (&endpoints.dynamodb, self.dynamodb.service()),
            (&endpoints.lambda, self.lambda.service()),
            (endpoints.sqs.as_deref().unwrap_or_default(), self.sqs.service()),
        ])
    }
}

/// Waits for the end of a server, and reports its failure.
pub(crate) async fn ended(server: &str, served: impl Future<Output = io::Result<()>>) {
    if let Err(error) = served.await {
        tracing::error!(%error, server, "an embedded server ended");
    }
}
