//! Every port of the engine in memory, with the semantics of the adapters over AWS and none of their faults.
//!
//! `sidestep_testkit::table`, `object`, `function`, `queue` and `clock` hold them and the adapters to the same promises: a fake that lies fails. Faults are added around
//! them, by the [simulator](crate::simulator).

mod batches;
mod cache;
mod clock;
mod functions;
mod pipelines;
mod queues;
mod table;
mod triggers;

pub use self::batches::MemoryBatches;
pub use self::cache::MemoryCache;
pub use self::clock::ManualClock;
pub use self::functions::{Invoked, MemoryFunctions};
pub use self::pipelines::MemoryPipelines;
pub use self::queues::{MemoryQueues, Message};
pub use self::table::MemoryTable;
pub use self::triggers::MemoryTriggers;
