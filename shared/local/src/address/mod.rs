//! The one address: all services on one port, each behind its gate.
//!
//! ```text
//! request -> route: the service, by the signature's scope or the request's shape
//!         -> the gate of that service: Host, Origin, signature by the folder's key
//!         -> s3, dynamodb, lambda, sqs | sts, iam, logs, events | SageMaker | refusal
//! ```
//!
//! SageMaker's API decides itself whom it lets in: on loopback every key of this machine.

mod events;
mod iam;
mod json;
mod listeners;
mod logs;
mod query;
mod route;
mod sagemaker;
mod sts;
mod virtual_host;

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, Response};
use axum::response::IntoResponse as _;
use sidestep_admission::{Answer, Credentials, Gate, Limits, Service};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) use self::listeners::OneAddress;
pub(crate) use self::sagemaker::SageMaker;

use self::events::Events;
use self::logs::LogReader;
use self::route::{Route, route};
use crate::refusal::refuse;
use crate::servers::{Servers, ended};

/// The answer to a question whether the address is there. It says nothing else.
const HEALTH: &str = r#"{"edition":"sidestep","services":{"dynamodb":"running","events":"running","iam":"running","lambda":"running","logs":"running","s3":"running","sagemaker":"running","sqs":"running","sts":"running"}}"#;

/// The services of the one address. Clones share them.
#[derive(Clone)]
pub(crate) struct Address(Arc<Services>);

struct Services {
    /// Each service with its gate.
    gated: Vec<(Service, Gate, Answer)>,
    sagemaker: SageMaker,
    /// Keeps pages out where no signature is asked for.
    open: Gate,
}

impl Address {
    /// Takes the services. `gate` makes the gate of each.
    pub(crate) fn new(
        servers: &Servers,
        (state, credentials): (&std::path::Path, &Credentials),
        gate: impl Fn(Service) -> Gate,
        sagemaker: SageMaker,
    ) -> Self {
        let logs = LogReader::new(state.join("logs"));
        let answers = [
            (Service::S3, virtual_host::within(servers.s3.service())),
            (Service::DynamoDb, servers.dynamodb.service()),
            (Service::Lambda, servers.lambda.service()),
            (Service::Sqs, servers.sqs.service()),
            (Service::Sts, sts::service(credentials.clone())),
            (Service::Iam, iam::service()),
            (Service::Logs, logs.service()),
            (Service::Events, Events::new(state).service()),
        ];
        let gated = answers.map(|(service, answer)| (service, gate(service), answer)).into();
        Self(Arc::new(Services { gated, sagemaker, open: Gate::open(Service::Events) }))
    }

    /// Serves on the listeners until `stop` is cancelled or the tasks are dropped.
    pub(crate) fn spawn(
        &self,
        listeners: Vec<TcpListener>,
        stop: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) {
        for listener in listeners {
            let served = self.clone().serve(listener, stop.clone().cancelled_owned());
            tasks.spawn(async move { ended("all services", served).await });
        }
    }

    async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let answer: Answer = Arc::new(move |request| {
            let services = Arc::clone(&self.0);
            Box::pin(async move { services.answer(request).await })
        });
        // Each request meets the gate of its own service.
        let (limits, gate) = (Limits::default(), Gate::ajar());
        sidestep_admission::serve(listener, limits, gate, answer, shutdown).await
    }
}

impl Services {
    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (gate, answer) = match route(&request) {
            Route::SageMaker => return self.sagemaker.answer(request).await,
            Route::To(service) => {
                let found = self.gated.iter().find(|(at, ..)| *at == service);
                match found {
                    Some((_, gate, answer)) => (gate, Arc::clone(answer)),
                    None => (&self.open, other()),
                }
            }
            Route::Health => (&self.open, health()),
            Route::Other => (&self.open, other()),
        };
        match gate.admit(request).await {
            Ok(admitted) => answer(admitted).await,
            Err(refusal) => refusal,
        }
    }
}

/// Returns what refuses the services that are not here.
fn other() -> Answer {
    Arc::new(|request| Box::pin(async move { refuse(request.headers()) }))
}

fn health() -> Answer {
    let headers = [("content-type", "application/json")];
    Arc::new(move |_| Box::pin(async move { (headers, HEALTH).into_response() }))
}
