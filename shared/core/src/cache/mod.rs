//! What makes two step results equal, and what may be removed from the cache.

pub mod determinism;
pub mod garbage;
pub mod key;
