//! Questions about executions and the cache. They change nothing, except what `gc` removes.

pub mod cache;
mod describe;
mod explain;
pub mod garbage;
mod pinned;
mod stored;
