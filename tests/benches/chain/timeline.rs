//! Where the time of a step goes.
//!
//! It is read from the spans of the planner and of its requests, and from the moments at which the
//! function was entered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use tracing::Subscriber;
use tracing::span::{Attributes, Id};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// The planner's span of one event, and the request that hands a step over.
const PLANNER: &str = "manifest";
const INVOKE: &str = "Lambda.Invoke";

/// A span that ended, in microseconds of the clock that all processes share.
#[derive(Debug, Clone, Copy)]
struct Span {
    name: &'static str,
    /// The planner's span around it, or itself.
    planner: Option<u64>,
    start: f64,
    end: f64,
}

/// Records spans of requests and of the planner.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timeline(Arc<Mutex<Vec<Span>>>);

struct Started(f64);

pub(crate) fn now_us() -> f64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64() * 1e6
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Timeline {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        context.span(id).unwrap().extensions_mut().insert(Started(now_us()));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).unwrap();
        if let Some(Started(start)) = span.extensions().get() {
            let mut outer = span.scope().filter(|outer| outer.name() == PLANNER);
            let planner = outer.next().map(|outer| outer.id().into_u64());
            let ended = Span { name: span.name(), planner, start: *start, end: now_us() };
            self.0.lock().unwrap().push(ended);
        }
    }
}

impl Timeline {
    /// Records from now on, in the whole process.
    pub(crate) fn install() -> Self {
        let timeline = Self::default();
        let wanted = filter_fn(|metadata| {
            let name = metadata.name();
            metadata.is_span() && (name == PLANNER || name.contains('.'))
        });
        tracing_subscriber::registry().with(timeline.clone().with_filter(wanted)).init();
        timeline
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    /// Returns the parts of a step's time in a chain, each as the median over its steps, in
    /// milliseconds. `entered` are the moments at which the function was entered. The parts are in
    /// the order in which they happen, requests of the planner by name.
    pub(crate) fn parts(&self, mut entered: Vec<f64>) -> Vec<(String, f64)> {
        let spans = self.0.lock().unwrap().clone();
        let named = |name: &str| {
            let mut found: Vec<_> =
                spans.iter().filter(|span| span.name == name).copied().collect();
            found.sort_by(|a, b| a.start.total_cmp(&b.start));
            found
        };
        let (invokes, planners) = (named(INVOKE), named(PLANNER));
        entered.sort_by(f64::total_cmp);
        let mut parts: BTreeMap<(u8, &str), Vec<f64>> = BTreeMap::new();
        for (step, pair) in invokes.windows(2).enumerate() {
            let (invoke, next) = (pair[0], pair[1]);
            let (Some(entered), Some(planner)) = (entered.get(step), planners.get(step)) else {
                continue;
            };
            let mut add =
                |order, name, time: f64| parts.entry((order, name)).or_default().push(time / 1e3);
            add(0, "whole step, invoke to invoke", next.start - invoke.start);
            add(1, "invoke, until the handler is entered", entered - invoke.start);
            add(
                2,
                "handler, its manifest put, S3 event, until the planner has it",
                planner.start - entered,
            );
            let inside = spans.iter().filter(|span| {
                // Ids come again, so the time counts, too.
                ![PLANNER, INVOKE].contains(&span.name)
                    && span.planner == planner.planner
                    && span.start >= planner.start
                    && span.end <= next.start
            });
            let mut requests = 0.0;
            for span in inside {
                add(3, span.name, span.end - span.start);
                requests += span.end - span.start;
            }
            add(4, "planner without its requests", next.start - planner.start - requests);
        }
        let named = |((_, name), mut times): ((u8, &str), Vec<f64>)| {
            times.sort_by(f64::total_cmp);
            (name.to_owned(), times[times.len() / 2])
        };
        parts.into_iter().map(named).collect()
    }
}
