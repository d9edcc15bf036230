//! Counts the requests of the adapters by operation, DynamoDB's capacity units, and round trips.
//!
//! A counter is an interceptor that `counted` adds to an adapter's client. A client without one
//! sends and does nothing more, so counting that is off costs nothing. Requests of functions in
//! other processes do not pass an adapter of this process. The embedded S3 counts those where they
//! arrive.

mod capacity;

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeSerializationInterceptorContextMut,
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
    FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use parking_lot::{Mutex, MutexGuard};
use sidestep_core::view::price::Usage;

use crate::recorder::Recorder;

/// A ledger that adapters write to, on behalf of one caller. Clones share the ledger.
#[derive(Debug, Clone)]
pub struct Counter {
    caller: Arc<str>,
    ledger: Arc<Mutex<Ledger>>,
    recorder: Option<Recorder>,
}

#[derive(Debug, Default)]
struct Ledger {
    callers: BTreeMap<Arc<str>, Usage>,
    /// Distinguishes calls that began before [`Counter::take`] from those after it.
    generation: u64,
}

/// One call of the SDK, kept in its configuration while it runs.
#[derive(Debug)]
struct Call {
    generation: u64,
    /// The call's place in a chain of calls, each of which began after the one before had ended.
    round_trip: u64,
}

impl Storable for Call {
    type Storer = StoreReplace<Self>;
}

/// The request that was sent last, kept for its answer.
#[derive(Debug)]
struct Sent {
    uri: String,
}

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

impl Counter {
    /// Opens an empty ledger.
    pub fn new(caller: &str) -> Self {
        Self { caller: caller.into(), ledger: Arc::default(), recorder: None }
    }

    /// Returns the same ledger, with each request recorded too.
    pub fn recorded(self, recorder: Option<Recorder>) -> Self {
        Self { recorder, ..self }
    }

    /// Returns the same ledger for another caller.
    pub fn for_caller(&self, caller: &str) -> Self {
        Self { caller: caller.into(), ..self.clone() }
    }

    /// Returns the counts so far, by caller. The round trips are each caller's own.
    pub fn usage(&self) -> BTreeMap<String, Usage> {
        let named = |(caller, usage): (&Arc<str>, &Usage)| (caller.to_string(), usage.clone());
        self.ledger().callers.iter().map(named).collect()
    }

    /// Returns the counts so far and empties the ledger.
    pub fn take(&self) -> BTreeMap<String, Usage> {
        let usage = self.usage();
        let mut ledger = self.ledger();
        ledger.callers.clear();
        ledger.generation += 1;
        usage
    }

    /// Adds the requests that this caller made in another process.
    pub fn add(&self, usage: &Usage) {
        self.count(|known| known.add(usage));
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock()
    }

    fn count(&self, change: impl FnOnce(&mut Usage)) {
        change(self.ledger().callers.entry(Arc::clone(&self.caller)).or_default());
    }
}

#[dyn_dispatch_hint]
impl Intercept for Counter {
    fn name(&self) -> &'static str {
        "Counter"
    }

    // This runs when a call is first polled, so calls that are started together have the same
    // place.
    fn read_before_execution(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let ledger = self.ledger();
        let ended = ledger.callers.get(&self.caller).map_or(0, |usage| usage.round_trips);
        let call = Call { generation: ledger.generation, round_trip: ended + 1 };
        cfg.interceptor_state().store_put(call);
        Ok(())
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        capacity::ask(context.input_mut());
        Ok(())
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(operation) = cfg.load::<Metadata>() else { return Ok(()) };
        let is_retry = cfg.load::<RequestAttempts>().is_some_and(|attempt| attempt.attempts() > 1);
        self.count(|usage| {
            usage.add_requests(operation.service(), operation.name(), 1);
            if is_retry {
                usage.add_retry(operation.service(), operation.name());
            }
        });
        if let Some(recorder) = &self.recorder {
            let (service, name) = (operation.service(), operation.name());
            recorder.record(&self.caller, service, name, context.request());
            let sent = Sent { uri: context.request().uri().to_owned() };
            cfg.interceptor_state().store_put(sent);
        }
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let (Some(recorder), Some(operation), Some(sent)) =
            (&self.recorder, cfg.load::<Metadata>(), cfg.load::<Sent>())
            && operation.service() == "S3"
            && context.response().status().as_u16() == 404
        {
            recorder.record_absence(&self.caller, operation.name(), &sent.uri);
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (write_units, read_units) = match context.output_or_error() {
            Some(Ok(output)) => capacity::of_output(output),
            Some(Err(error)) => error.as_operation_error().map_or((0.0, 0.0), capacity::of_error),
            None => (0.0, 0.0),
        };
        let generation = self.ledger().generation;
        self.count(|usage| {
            usage.write_units += write_units;
            usage.read_units += read_units;
            if let Some(call) = cfg.load::<Call>().filter(|call| call.generation == generation) {
                usage.round_trips = usage.round_trips.max(call.round_trip);
            }
        });
        Ok(())
    }
}
