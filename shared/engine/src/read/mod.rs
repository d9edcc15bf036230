//! Questions about executions and the cache that change nothing but what `gc` removes.

pub mod cache;
mod describe;
mod explain;
pub mod garbage;
