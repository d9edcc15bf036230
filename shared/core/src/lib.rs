//! The domain of sidestep, without I/O: what a pipeline definition says, how an execution's state is folded from its
//! commits, and what has to happen next.
//!
//! Nothing here is async or reads a clock, the environment, files or the network (`clippy.toml` beside this crate bans the
//! calls). What only the world knows arrives in [`facts::Facts`]; what must happen leaves as values in [`plan::Plan`].

pub mod cache_key;
pub mod commit;
pub mod condition;
pub mod definition;
pub mod description;
pub mod duration;
pub mod envelope;
pub mod execution;
pub mod expression;
pub mod facts;
pub mod invocation;
pub mod limits;
pub mod manifest;
pub mod name;
pub mod output;
pub mod parameter;
pub mod path;
pub mod plan;
pub mod price;
pub mod problem;
pub mod reader;
mod readiness;
pub mod report;
mod resolver;
mod reuse;
mod source;
pub mod start;
mod suggest;
pub mod token;
pub mod uri;
