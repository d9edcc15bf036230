//! The interpreter of sidestep: it stands between the planner of `sidestep-core`, which holds every
//! rule, and the ports, which reach the world.
//!
//! An event takes this way: [`handle`] turns bytes into a call, [`advance`] loads the execution,
//! gathers the facts that `plan()` asks for, writes the records, creates the commit and performs
//! its effects. The commit is the point of no return: before it nothing has happened, and after it
//! the [`sweep`] makes up for anything that was not done.
//!
//! To read the crate, begin with [`ports`], then `advance/settle.rs`, and the rest as needed:
//!
//! - [`engine`], [`options`], [`error`] and [`loaded`]: the engine, how it is made, how it fails,
//!   and an execution in its hands.
//! - [`ports`]: the traits behind which AWS, the embedded cloud and the simulator stand.
//! - [`memory`]: what a process remembers.
//! - [`handle`]: events from AWS.
//! - [`start`], [`control`] and [`read`]: what a user asks for.
//! - [`advance`]: one turn of an execution.
//! - [`job`]: the function that makes the jobs of steps.
//! - [`sweep`]: lost messages, lost attempts and damaged executions.

pub mod advance;
pub mod control;
pub mod engine;
pub mod error;
pub mod handle;
pub mod job;
pub mod loaded;
pub mod memory;
pub mod options;
pub mod ports;
pub mod read;
pub mod start;
pub mod sweep;
