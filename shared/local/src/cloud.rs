//! The running servers of the embedded cloud.
//!
//! They know nothing of pipelines. S3 events reach functions through the outbox; the planner and
//! the trigger are functions like any other, which [`deployment`](crate::deployment) registers.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use sidestep_admission::{Answer, Doors, Gate, raise_descriptors};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::address::{Address, OneAddress, SageMaker};
use crate::delivery::{BatchFunction, FunctionSink};
use crate::dynamodb::DynamoDbServer;
use crate::event_source::EventSources;
use crate::folder::{Endpoints, StateFolder};
use crate::guard::Guard;
use crate::host_options::host_options;
use crate::jobs::{JobsOptions, JobsServer};
use crate::lambda::{LambdaHost, Runtimes};
use crate::open_s3::open_s3;
use crate::s3::S3Server;
use crate::servers::{Listeners, Servers, ended};
use crate::sqs::{Batches, SqsServer};
use crate::transport::Services;
use crate::variables::variables;

pub use crate::account::{ACCOUNT_ID, REGION};
pub use crate::cloud_error::{CloudError, PlannerFailure};
pub use crate::config::config_of;
pub use crate::delivery::EventHandler;

/// The ports on loopback. 0 takes a free one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ports {
    pub s3: u16,
    pub dynamodb: u16,
    pub lambda: u16,
    pub sqs: u16,
}

/// The running servers.
///
/// When dropped they stop at once, as in a crash; [`Cloud::shutdown`] ends them in order.
#[derive(Debug)]
pub struct Cloud {
    folder: StateFolder,
    endpoints: Endpoints,
    servers: Servers,
    jobs: JobsServer,
    /// The servers for requests of this process.
    services: Services,
    sources: EventSources,
    /// Where functions call SageMaker, until it is served.
    sagemaker: Option<TcpListener>,
    /// SageMaker's API on the one address.
    api: SageMaker,
    doors: Doors,
    tasks: JoinSet<()>,
    stop: CancellationToken,
    failed: watch::Sender<Option<PlannerFailure>>,
}

impl Cloud {
    /// Takes the folder and starts the servers.
    ///
    /// Events are not delivered before [`Cloud::deliver_events`], and requests from outside wait
    /// for [`Cloud::open_doors`].
    pub async fn start(path: &Path, ports: Ports) -> Result<Self, CloudError> {
        Self::start_in(StateFolder::open(path)?, ports, None).await
    }

    /// Starts the servers of a folder, with all services on `address`, too.
    ///
    /// Without it they are on a free port. Where it is not loopback, functions have one that is.
    pub async fn start_in(
        folder: StateFolder,
        ports: Ports,
        address: Option<TcpListener>,
    ) -> Result<Self, CloudError> {
        let path = folder.path();
        raise_descriptors();
        let s3 = open_s3(&path.join("s3")).await?;
        let dynamodb =
            DynamoDbServer::open(Some(&path.join("dynamodb.sqlite")))?.guarded(s3.guards());
        let (s3_socket, s3_url) = listen("S3", ports.s3).await?;
        let (dynamodb_socket, dynamodb_url) = listen("DynamoDB", ports.dynamodb).await?;
        let (lambda_socket, lambda_url) = listen("Lambda", ports.lambda).await?;
        let (sqs_socket, sqs_url) = listen("SQS", ports.sqs).await?;
        let one = one_address(address).await?;
        let (sagemaker, sagemaker_url) = listen("SageMaker", 0).await?;
        let listeners = Listeners {
            s3: s3_socket,
            dynamodb: dynamodb_socket,
            lambda: lambda_socket,
            sqs: sqs_socket,
        };
        let sqs =
            SqsServer::open(&path.join("sqs.sqlite"), &sqs_url, ACCOUNT_ID)?.guarded(s3.guards());
        let endpoints = Endpoints {
            aws: Some(one.url.clone()),
            s3: s3_url,
            dynamodb: dynamodb_url,
            lambda: lambda_url,
            sqs: Some(sqs_url),
            credentials: folder.credentials()?,
        };
        let environment = variables(&endpoints, &sagemaker_url);
        let jobs =
            JobsServer::open(JobsOptions::new(path.to_owned(), s3.clone(), environment.clone()))?;
        let lambda = LambdaHost::new(host_options(path, environment, &s3))?;
        let servers = Servers { s3, dynamodb, lambda, sqs };
        let (stop, doors) = (CancellationToken::new(), Doors::default());
        let gate = |service| Gate::locked(service, endpoints.credentials.clone(), &doors);
        let mut tasks = servers.spawn(listeners, gate, &stop);
        let api = SageMaker::default();
        let key = (path, &endpoints.credentials);
        let address = Address::new(&servers, key, gate, api.clone());
        address.spawn(one.listeners, &stop, &mut tasks);
        let services = servers.services(&endpoints);
        Ok(Self {
            folder,
            endpoints,
            servers,
            jobs,
            services,
            sources: EventSources::default(),
            sagemaker: Some(sagemaker),
            api,
            doors,
            tasks,
            stop,
            failed: watch::Sender::new(None),
        })
    }

    /// Returns the servers' addresses.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Returns an HTTP client for SDKs of this process.
    ///
    /// It reaches the servers without a socket, and before the doors are open.
    pub fn http_client(&self) -> SharedHttpClient {
        self.services.client()
    }

    /// Lets requests from outside in, those first that wait since the servers were started.
    ///
    /// Does nothing the second time. Without it they are refused after a while.
    pub fn open_doors(&self) {
        self.doors.open();
    }

    /// Accepts requests that are signed with the user's own keys at AWS, from now on.
    pub(crate) fn accept_any_signer(&self) {
        self.doors.accept_any_signer();
    }

    /// Replaces what decides the requests of functions, planner and trigger. None allows them all.
    pub fn guard(&self, guard: Option<Arc<dyn Guard>>) {
        self.servers.s3.guards().replace(guard);
    }

    /// Returns a configuration for SDKs of this process.
    pub fn config(&self) -> SdkConfig {
        let config = config_of(&self.endpoints.credentials);
        config.into_builder().http_client(self.http_client()).build()
    }

    /// Returns the state folder.
    pub fn folder(&self) -> &StateFolder {
        &self.folder
    }

    /// Returns the S3 server.
    pub fn s3(&self) -> &S3Server {
        &self.servers.s3
    }

    /// Returns the SQS server.
    pub fn sqs(&self) -> &SqsServer {
        &self.servers.sqs
    }

    /// Returns the queues that invoke functions.
    pub(crate) fn sources(&self) -> &EventSources {
        &self.sources
    }

    /// Serves the calls that functions make of SageMaker. Before that they wait.
    pub fn serve_sagemaker<F>(&mut self, serve: impl FnOnce(TcpListener) -> F)
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let Some(listener) = self.sagemaker.take() else { return };
        let served = serve(listener);
        self.tasks.spawn(async move { ended("SageMaker", served).await });
    }

    /// Returns the service that runs SageMaker's jobs.
    pub fn jobs(&self) -> &JobsServer {
        &self.jobs
    }

    /// Accepts functions that are made through the API, and registers those of earlier times.
    ///
    /// Returns why some could not be.
    pub fn accept_functions(&self, runtimes: Arc<dyn Runtimes>) -> Vec<String> {
        let Servers { s3, lambda, .. } = &self.servers;
        lambda.accept_functions(self.folder.path(), s3, runtimes)
    }

    /// Answers requests to SageMaker on the one address. Before that they wait.
    ///
    /// It decides itself whom it lets in.
    pub fn answer_sagemaker(&self, answer: Answer) {
        self.api.set(answer);
    }

    /// Returns the Lambda host.
    pub fn lambda(&self) -> &LambdaHost {
        &self.servers.lambda
    }

    /// Returns the channel on which a planner in this process reports that a store failed it.
    ///
    /// The event is delivered again later, but until then the execution
    /// does not go on.
    pub fn failed(&self) -> &watch::Sender<Option<PlannerFailure>> {
        &self.failed
    }

    /// Begins to deliver S3 events to functions, starting with those left by earlier processes.
    pub fn deliver_events(&mut self, direct: BTreeMap<String, Arc<dyn EventHandler>>) {
        let s3 = self.servers.s3.clone();
        let sink = FunctionSink { lambda: self.servers.lambda.clone(), direct };
        self.tasks.spawn(async move { s3.dispatch(Arc::new(sink)).await });
    }

    /// Begins to deliver a queue's messages to a function. Messages that it fails come again.
    pub fn deliver_messages(&mut self, queue: &str, function_arn: &str) {
        let (sqs, queue) = (self.servers.sqs.clone(), queue.to_owned());
        let function = Arc::new(BatchFunction {
            lambda: self.servers.lambda.clone(),
            function_arn: function_arn.to_owned(),
        });
        let queue_arn = format!("arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{queue}");
        self.tasks.spawn(async move {
            sqs.hand_over(&queue, &queue_arn, Batches::default(), function).await;
        });
    }

    /// Waits until all events so far are delivered, but at most for `limit`.
    pub async fn drained(&self, limit: Duration) {
        if tokio::time::timeout(limit, self.servers.s3.drained()).await.is_err() {
            tracing::warn!("some S3 events are still waiting for their functions");
        }
    }

    /// Stops the servers: running functions get `grace`, then they are killed. State stays in the
    /// folder.
    pub async fn shutdown(mut self, grace: Duration) {
        self.sources.end();
        self.jobs.shutdown().await;
        self.servers.lambda.shutdown(grace).await;
        self.stop.cancel();
        // Connections that clients keep open would hold the servers. Nothing is lost by cutting
        // them.
        self.tasks.shutdown().await;
        if let Err(error) = self.folder.forget_endpoints() {
            tracing::debug!(%error, "could not remove the file of endpoints");
        }
    }
}

async fn one_address(given: Option<TcpListener>) -> Result<OneAddress, CloudError> {
    let (service, address) = ("all services", SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let taken = OneAddress::of(given).await;
    taken.map_err(|source| CloudError::Listen { service, address, source })
}

/// Binds a port on loopback and returns the listener with its URL.
async fn listen(service: &'static str, port: u16) -> Result<(TcpListener, String), CloudError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let refused = |source| CloudError::Listen { service, address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, format!("http://{address}")))
}
