//! The traits through which the engine reaches the world, in words of the domain.
//!
//! Nothing here knows the interpreter. `shared/aws` has the adapters for AWS and `shared/testkit`
//! those in memory; both pass the same suites.

pub mod batches;
pub mod cache_index;
pub mod clock;
pub mod disk_full;
pub mod executions;
pub mod freshness;
pub mod functions;
pub mod jobs;
pub mod objects;
pub mod pipelines;
pub mod queues;
mod source;
pub mod triggers;
pub mod watcher;

use std::sync::Arc;

use self::batches::BatchStore;
use self::cache_index::CacheIndex;
use self::clock::Clock;
use self::executions::ExecutionStore;
use self::functions::Functions;
use self::objects::ObjectStore;
use self::queues::Queues;
use self::triggers::TriggerStore;

pub use self::source::BoxError;

/// Names of a deployment that the engine writes into URIs and ARNs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Holds `runs/` and `definitions/`.
    pub artifact_bucket: String,
    pub region: String,
    pub account_id: String,
}

/// The adapters behind an engine.
#[derive(Debug, Clone)]
pub struct Ports {
    pub executions: Arc<dyn ExecutionStore>,
    pub cache: Arc<dyn CacheIndex>,
    pub objects: Arc<dyn ObjectStore>,
    pub functions: Arc<dyn Functions>,
    pub queues: Arc<dyn Queues>,
    pub triggers: Arc<dyn TriggerStore>,
    pub batches: Arc<dyn BatchStore>,
    pub clock: Arc<dyn Clock>,
}
