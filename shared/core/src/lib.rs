//! The domain of sidestep, without I/O: what a pipeline definition says, how an execution's state is folded from its
//! commits, and what has to happen next.
//!
//! Nothing here is async or reads a clock, the environment, files or the network (`clippy.toml` beside this crate bans the
//! calls). What only the world knows arrives in [`facts::Facts`]; what must happen leaves as values in [`plan::Plan`].

pub mod condition;
pub mod definition;
pub mod duration;
pub mod expression;
pub mod invocation;
pub mod limits;
pub mod manifest;
pub mod name;
pub mod output;
pub mod parameter;
pub mod path;
pub mod problem;
pub mod reader;
mod source;
mod suggest;
pub mod uri;
