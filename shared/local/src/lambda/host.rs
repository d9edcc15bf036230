//! The Lambda host as its users see it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sidestep_admission::{Gate, Limits, Service};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::api;
use super::control::{Control, Runtimes};
use super::error::{HostError, InvokeError};
use super::function::FunctionConfig;
use super::invocation::{InvocationType, InvokeOutput, InvokeRequest};
use super::log::LogLine;
use super::log_key::LogKey;
use super::metrics::{Counts, Load};
use super::options::HostOptions;
use super::shared::Shared;
use crate::guard::in_front;
use crate::s3::S3Server;
use crate::transport;

/// Runs Lambda functions on this machine. Clones are one host.
#[derive(Debug, Clone)]
pub struct LambdaHost {
    shared: Arc<Shared>,
}

impl LambdaHost {
    /// Sets up a host. Must be called within a tokio runtime, on which the host then lives.
    pub fn new(options: HostOptions) -> Result<Self, HostError> {
        Ok(Self { shared: Arc::new(Shared::new(options)?) })
    }

    /// Adds a function, or replaces the one of that name.
    ///
    /// Attempts that run finish with the old code, and queued events run with the code for which
    /// they were accepted. The old code stays under its version.
    pub fn register(&self, config: FunctionConfig) -> Result<(), HostError> {
        self.shared.register(config)
    }

    /// Accepts functions that are made through the API, from now on, and registers those of
    /// earlier times. Returns why some could not be. The project's own go before them.
    pub(crate) fn accept_functions(
        &self,
        state: &Path,
        s3: &S3Server,
        runtimes: Arc<dyn Runtimes>,
    ) -> Vec<String> {
        let (control, mut failed) = Control::open(state, s3.clone(), runtimes);
        let control = Arc::new(control);
        if self.shared.control.set(Arc::clone(&control)).is_err() {
            return failed;
        }
        for made in control.functions() {
            let registered = made.and_then(|function| {
                let name = function.name.clone();
                if self.shared.scheduler.function_named(&name).is_some() {
                    return Err(format!(
                        "function `{name}` of the project goes before that of the API"
                    ));
                }
                self.register(function).map_err(|error| error.to_string())
            });
            failed.extend(registered.err());
        }
        failed
    }

    /// Bounds how many processes work at one time, from now on; see
    /// [`HostOptions::max_concurrency`].
    pub fn limit(&self, max_concurrency: usize) {
        self.shared.scheduler.limit(max_concurrency);
    }

    /// Serves the Lambda API for SDKs and the AWS CLI until `shutdown` resolves, for every key.
    pub async fn serve_api(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        self.serve_behind(Gate::open(Service::Lambda), listener, shutdown).await
    }

    /// Does [`LambdaHost::serve_api`] for the requests that the gate lets in.
    pub(crate) async fn serve_behind(
        &self,
        gate: Gate,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let (limits, answer) = (Limits::default(), self.service());
        sidestep_admission::serve(listener, limits, gate, answer, shutdown).await
    }

    /// Returns the same API for requests of this process.
    pub(crate) fn service(&self) -> transport::Service {
        let router = api::router(self.shared.clone());
        let answer: transport::Service = Arc::new(move |request| {
            let router = router.clone();
            Box::pin(async move {
                let Ok(response) = router.oneshot(request).await;
                response
            })
        });
        in_front(Service::Lambda, self.shared.options.guards.clone(), answer)
    }

    /// Invokes a function by name or ARN with a JSON payload.
    pub async fn invoke(
        &self,
        function: &str,
        payload: impl Into<Bytes>,
        invocation_type: InvocationType,
    ) -> Result<InvokeOutput, InvokeError> {
        let request = InvokeRequest {
            function: function.to_owned(),
            payload: payload.into(),
            invocation_type,
            client_context: None,
            trace_id: None,
            attempt: None,
        };
        self.invoke_with(request).await
    }

    /// Invokes a function with everything that a request can hold.
    ///
    /// The invocation goes on when the caller stops waiting. An `Event` sent twice runs twice.
    pub async fn invoke_with(&self, request: InvokeRequest) -> Result<InvokeOutput, InvokeError> {
        self.shared.metrics.operation("Invoke");
        self.shared.invoke(request).await
    }

    /// Reads the log of a recent request. Older ones are found by their [`LogKey`].
    pub fn logs(&self, request_id: &str) -> std::io::Result<String> {
        let unknown = || std::io::Error::other("no recent request of this id wrote a log");
        self.logs_by_key(&self.shared.logs.key(request_id).ok_or_else(unknown)?)
    }

    /// Reads the lines of a key.
    pub fn logs_by_key(&self, key: &LogKey) -> std::io::Result<String> {
        key.read(self.shared.logs.folder())
    }

    /// Returns the lines of all invocations from now on.
    ///
    /// A follower that lags by 4,096 lines misses some.
    pub fn follow_logs(&self) -> broadcast::Receiver<LogLine> {
        self.shared.logs.follow()
    }

    /// Returns what the host has done so far.
    pub fn counts(&self) -> Counts {
        self.shared.metrics.counts()
    }

    /// Returns what the host is doing now.
    pub fn load(&self) -> Load {
        self.shared.scheduler.load()
    }

    /// Begins nothing in a process any more, and returns when what runs has ended and its results
    /// were taken.
    pub async fn drain(&self) {
        self.shared.scheduler.drain();
        loop {
            let changed = self.shared.scheduler.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.shared.scheduler.is_drained() {
                return;
            }
            changed.await;
        }
    }

    /// Stops the host; returns when no process is left.
    ///
    /// It refuses new work, drops queued events, waits up to `grace` for running attempts and kills
    /// the rest.
    pub async fn shutdown(&self, grace: Duration) {
        self.shared.scheduler.close();
        let deadline = Instant::now() + grace;
        loop {
            let changed = self.shared.scheduler.changed.notified();
            tokio::pin!(changed);
            // Registered before the check, so that no change is missed between the two.
            changed.as_mut().enable();
            if self.shared.scheduler.load() == Load::default() {
                return;
            }
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(deadline), if !self.shared.kill.is_cancelled() => {
                    self.shared.kill.cancel();
                }
            }
        }
    }
}
