//! Event sources: the queues whose messages invoke a function, as Lambda's event source mappings.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::{AbortHandle, JoinSet};

/// A queue whose messages invoke a function.
///
/// The words and the defaults are those of Lambda's `CreateEventSourceMapping`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventSource {
    /// The queue's name. Here it is found by this alone.
    pub queue: String,
    /// The queue's ARN, as the function's events show it.
    pub arn: String,
    /// The most messages of one event.
    pub batch_size: usize,
    /// How long a batch is collected. Zero hands over what is there.
    pub batching_window: Duration,
    /// If true, the function's answer says which messages have failed (`batchItemFailures`).
    pub reports_failures: bool,
}

/// The event sources that work, by the function and what was asked for. They end with this.
#[derive(Debug, Default)]
pub(crate) struct EventSources(Mutex<Working>);

#[derive(Debug, Default)]
struct Working {
    tasks: JoinSet<()>,
    handles: BTreeMap<(String, EventSource), AbortHandle>,
}

impl EventSources {
    /// Lets exactly these sources work: new ones begin, and others end.
    pub(crate) fn replace<F: Future<Output = ()> + Send + 'static>(
        &self,
        wanted: BTreeMap<(String, EventSource), F>,
    ) {
        let mut working = self.0.lock();
        working.handles.retain(|source, handle| {
            let is_kept = wanted.contains_key(source);
            if !is_kept {
                handle.abort();
            }
            is_kept
        });
        for (source, work) in wanted {
            if !working.handles.contains_key(&source) {
                let handle = working.tasks.spawn(work);
                working.handles.insert(source, handle);
            }
        }
    }

    /// Ends all sources. Messages that were taken come again.
    pub(crate) fn end(&self) {
        self.replace(BTreeMap::<_, std::future::Ready<()>>::new());
    }
}
