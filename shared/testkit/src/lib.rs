//! Shared by tests: ports in memory, suites that every port passes, the simulator, and tools
//! written in other languages.

pub mod clock;
pub mod emulator;
pub mod example;
pub mod fixture;
pub mod function;
pub mod fuzz;
pub mod memory;
pub mod object;
pub mod proxy;
pub mod python;
pub mod queue;
pub mod simulator;
pub mod table;
