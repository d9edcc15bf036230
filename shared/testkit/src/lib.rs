//! What tests share: ports in memory, suites that every port passes, the simulator, and tools of other worlds.

pub mod emulator;
pub mod fuzz;
pub mod memory;
pub mod object;
pub mod proxy;
pub mod python;
pub mod simulator;
pub mod table;
