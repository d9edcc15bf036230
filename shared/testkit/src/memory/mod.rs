//! Every port of the engine in memory, with the semantics of the adapters over AWS and none of
//! their faults.
//!
//! The suites in `table`, `object`, `function`, `queue` and `clock` check that they and the
//! adapters keep the same promises, so a fake that lies fails. The [simulator](crate::simulator)
//! adds faults around them.

mod batches;
mod cache;
mod clock;
mod functions;
mod jobs;
mod pipelines;
mod queues;
mod table;
mod triggers;

pub use self::batches::MemoryBatches;
pub use self::cache::MemoryCache;
pub use self::clock::ManualClock;
pub use self::functions::{Invoked, MemoryFunctions};
pub use self::jobs::{Fault, MemoryJobs};
pub use self::pipelines::MemoryPipelines;
pub use self::queues::{MemoryQueues, Message};
pub use self::table::MemoryTable;
pub use self::triggers::MemoryTriggers;
