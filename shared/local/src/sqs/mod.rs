//! The embedded SQS: standard queues in one SQLite file, spoken to in AWS JSON 1.0.
//!
//! ```text
//! wire: X-Amz-Target, error codes -> api: SQS's rules -> store: one SQLite transaction
//!                                    source: hands a queue's messages to a function
//! ```
//!
//! A message is never delivered before its time, and comes back if its visibility timeout lapses
//! before it is deleted. Everything survives `kill -9`. A queue is found by the last part of its
//! URL, so that definitions may name queues as they are called on AWS. SDKs have used this protocol
//! since 2023.
//!
//! Left out: FIFO queues, dead-letter queues, access policies, tags, the older Query protocol.
//! Signatures are checked by the gate in front.

mod api;
mod attribute;
mod batch;
mod digest;
mod error;
mod message;
mod queue;
mod request;
mod source;
mod store;
mod wire;

use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;

use sidestep_admission::{Gate, Limits, Service};
use tokio::net::TcpListener;

use crate::guard::{Guards, in_front};
use crate::transport;

pub use error::SqsServerError;
pub use queue::QueueSettings;
pub use source::{BatchHandler, Batches};

use source::Source;
use store::Store;

/// An SQS server whose queues live in one file. Clones share it.
#[derive(Debug, Clone)]
pub struct SqsServer {
    store: Arc<Store>,
    guards: Guards,
}

impl SqsServer {
    /// Opens the file at `path` and creates it if needed. URLs of queues begin with `endpoint`.
    pub fn open(path: &Path, endpoint: &str, account_id: &str) -> Result<Self, SqsServerError> {
        let prefix = format!("{endpoint}/{account_id}");
        Ok(Self { store: Arc::new(Store::open(path, prefix)?), guards: Guards::default() })
    }

    /// Returns the server behind a guard.
    pub(crate) fn guarded(self, guards: &Guards) -> Self {
        Self { guards: guards.clone(), ..self }
    }

    /// Serves every key until `shutdown`, then finishes the requests that are running.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        self.serve_behind(Gate::open(Service::Sqs), listener, shutdown).await
    }

    /// Does [`SqsServer::serve`] for the requests that the gate lets in.
    pub(crate) async fn serve_behind(
        &self,
        gate: Gate,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let (limits, answer) = (Limits::default(), self.service());
        sidestep_admission::serve(listener, limits, gate, answer, shutdown).await
    }

    /// Returns the same protocol for requests of this process.
    pub(crate) fn service(&self) -> transport::Service {
        let store = Arc::clone(&self.store);
        let answer: transport::Service =
            Arc::new(move |request| Box::pin(wire::answer(Arc::clone(&store), request)));
        in_front(Service::Sqs, self.guards.clone(), answer)
    }

    /// Creates a queue, unless there is one of this name, and returns its URL.
    pub async fn create_queue(
        &self,
        name: &str,
        settings: QueueSettings,
    ) -> Result<String, SqsServerError> {
        let name = queue::check_name(name)?.to_owned();
        let url = self.store.url(&name);
        self.store
            .run(move |store| match store.create_queue(&name, settings) {
                // The queue was set up with other attributes on purpose, so it is left as it is.
                Err(SqsServerError::QueueNameExists { .. }) => Ok(()),
                result => result,
            })
            .await?;
        Ok(url)
    }

    /// Hands the messages of a queue to `handler`, in batches, until the future is dropped.
    ///
    /// A message is deleted when it was handled. One that failed comes again after the queue's
    /// visibility timeout.
    pub async fn hand_over(
        &self,
        name: &str,
        arn: &str,
        batches: Batches,
        handler: Arc<dyn BatchHandler>,
    ) {
        let source = Source {
            store: Arc::clone(&self.store),
            queue: name.to_owned(),
            arn: arn.to_owned(),
            batches,
        };
        source.hand_over(handler).await;
    }
}
