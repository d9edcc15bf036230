//! The cache: what makes two step results equal, and what may be removed.

pub mod determinism;
pub mod garbage;
pub mod key;
