//! The embedded S3: the wire protocol over a folder on disk, durable and atomic where S3 is.
//!
//! ```text
//! wire: no signature, aws-chunked -> s3s: HTTP, XML
//!     -> service: S3's rules -> store: one SQLite transaction + blobs
//! ```
//!
//! A write is one transaction. It decides `If-None-Match` and `If-Match`, replaces the object's row
//! and files its event. So exactly one of many writers that must be first is first, readers see the
//! old object or the new one and never a mixture, and `kill -9` at any time leaves an object and
//! its event or neither.
//!
//! Left out: versions, policies of buckets, tags, encryption, lifecycle. Signatures are checked by
//! the gate in front; only those of forms and of version 2 come this far. The guard decides what a
//! caller may do.

mod aws_chunked;
mod blob;
mod checksum;
mod content;
mod error;
mod files;
mod form;
mod index;
mod join;
mod listing;
mod object;
mod outbox;
mod read;
mod receive;
mod service;
mod store;
mod upload;
mod wire;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse as _;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use sidestep_admission::{Gate, Limits};
use sidestep_core::execution::trace::TRACE_BUCKET;
use tokio::net::TcpListener;

use crate::events::{self, EventSink, FunctionNotification};
use crate::guard::Guards;
use crate::tracer::Tracer;
use crate::transport;

pub use error::S3ServerError;

pub(crate) use store::{Store, now_ms, timestamp};

use service::{Access, Counts, Keys, Service};

/// How long after its signature a form may arrive, in seconds: a week, as on AWS.
const FORM_TIME: u32 = 7 * 24 * 60 * 60;

/// An S3 server whose objects live below a folder. Clones share it.
#[derive(Clone)]
pub struct S3Server {
    store: Arc<Store>,
    service: S3Service,
    counts: Counts,
    keys: Keys,
    tracer: Tracer,
    guards: Guards,
}

impl fmt::Debug for S3Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Server").field("region", &self.store.region).finish_non_exhaustive()
    }
}

impl S3Server {
    /// Opens the store below `dir`, and removes what a crash left behind. Creates it if needed.
    ///
    /// One process at a time owns a store; another one gets [`S3ServerError::InUse`].
    pub fn open(dir: &Path, region: &str, account_id: &str) -> Result<Self, S3ServerError> {
        let store = Arc::new(Store::open(dir, region, account_id)?);
        let (counts, keys) = (Counts::default(), Keys::default());
        let tracer = Tracer::default();
        let guards = Guards::new(tracer.clone());
        let service =
            Service { store: Arc::clone(&store), tracer: tracer.clone(), guards: guards.clone() };
        let mut builder = S3ServiceBuilder::new(service);
        builder.set_auth(keys.clone());
        builder.set_access(Access { counts: counts.clone(), guards: guards.clone() });
        // A form is valid until its policy ends, which may be days after its signature.
        let mut config = S3Config::default();
        config.presigned_url_max_skew_time_secs = FORM_TIME;
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        Ok(Self { store, service: builder.build(), counts, keys, tracer, guards })
    }

    /// Serves every key until `shutdown`, then finishes the requests that are running.
    ///
    /// Clients must address buckets by path, as with `force_path_style`.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        self.serve_behind(Gate::open(sidestep_admission::Service::S3), listener, shutdown).await
    }

    /// Does [`S3Server::serve`] for the requests that the gate lets in.
    pub(crate) async fn serve_behind(
        &self,
        gate: Gate,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        self.keys.learn(gate.credentials());
        let (limits, answer) = (Limits::default(), self.service());
        sidestep_admission::serve(listener, limits, gate, answer, shutdown).await
    }

    /// Returns the same protocol for requests of this process.
    pub(crate) fn service(&self) -> transport::Service {
        let (service, tracer) = (self.service.clone(), self.tracer.clone());
        Arc::new(move |request| Box::pin(answer(service.clone(), tracer.clone(), request)))
    }

    /// Creates a bucket, unless it exists.
    pub async fn create_bucket(&self, bucket: &str) -> Result<(), S3ServerError> {
        let bucket = checked(bucket)?;
        self.store
            .run(move |store| match store.index.create_bucket(&bucket, store::now_ms()) {
                Err(S3ServerError::BucketAlreadyOwnedByYou { .. }) => Ok(()),
                result => result,
            })
            .await
    }

    /// Creates a bucket, unless it exists, and replaces its notification configuration.
    ///
    /// Both happen at once: no upload comes between them and is not notified.
    pub async fn create_notifying_bucket(
        &self,
        bucket: &str,
        notifications: Vec<FunctionNotification>,
    ) -> Result<(), S3ServerError> {
        let bucket = checked(bucket)?;
        self.store.run(move |store| store.create_notifying_bucket(&bucket, &notifications)).await
    }

    /// Replaces the bucket's notification configuration, which is kept across restarts.
    pub async fn set_notifications(
        &self,
        bucket: &str,
        notifications: Vec<FunctionNotification>,
    ) -> Result<(), S3ServerError> {
        let bucket = bucket.to_owned();
        self.store.run(move |store| store.set_notifications(&bucket, &notifications)).await
    }

    /// Delivers events to `sink` until the future is dropped. Events of earlier processes come
    /// first.
    ///
    /// Must run once per store: two dispatchers would both deliver every event.
    pub async fn dispatch(&self, sink: Arc<dyn EventSink>) {
        events::dispatch(Arc::clone(&self.store), sink).await;
    }

    /// Waits until every event so far is delivered.
    ///
    /// [`dispatch`](Self::dispatch) must be running meanwhile, and a function that never takes its
    /// events makes this wait for ever.
    pub async fn drained(&self) {
        let mut undelivered = self.store.undelivered.subscribe();
        // The sender lives in the store, which `self` holds, so this cannot fail.
        let _ = undelivered.wait_for(|count| *count == 0).await;
    }

    /// Returns what traces the attempts of functions.
    pub(crate) fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    /// Returns the guard of the services.
    pub(crate) fn guards(&self) -> &Guards {
        &self.guards
    }

    /// Returns how often each operation was requested over HTTP, by S3's name, such as `PutObject`.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.counts.get()
    }
}

/// Returns a name that a bucket may have.
fn checked(bucket: &str) -> Result<String, S3ServerError> {
    if s3s::path::check_bucket_name(bucket) {
        Ok(bucket.to_owned())
    } else {
        Err(S3ServerError::InvalidBucketName { bucket: bucket.to_owned() })
    }
}

/// Answers one request.
async fn answer(service: S3Service, tracer: Tracer, request: Request<Body>) -> Response<Body> {
    if let Some(attempt) = traced_attempt(&request) {
        return match tracer.trace(attempt) {
            Some(trace) => Json(trace).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        };
    }
    match service.call(wire::unsigned(request)).await {
        Ok(response) => response.map(Body::new),
        Err(error) => {
            tracing::error!(?error, "could not answer an S3 request");
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
}

/// Returns the attempt whose trace a request asks for.
fn traced_attempt(request: &Request<Body>) -> Option<&str> {
    request.uri().path().strip_prefix('/')?.strip_prefix(TRACE_BUCKET)?.strip_prefix('/')
}
