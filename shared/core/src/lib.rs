//! The domain of sidestep, without I/O: what a pipeline definition says, how an execution's state is folded from its
//! commits, and what has to happen next.
//!
//! Nothing here is async or reads a clock, the environment, files or the network (`clippy.toml` beside this crate bans the
//! calls). What only the world knows arrives in [`facts::Facts`]; what must happen leaves as values in [`plan::Plan`].

mod attempt;
pub mod batch;
pub mod cache_key;
pub mod changed;
pub mod commit;
pub mod condition;
pub mod control;
pub mod cost;
mod decide;
pub mod definition;
pub mod description;
pub mod determinism;
pub mod duration;
pub mod earlier;
pub mod envelope;
pub mod execution;
pub mod explain;
pub mod expression;
pub mod extension;
pub mod facts;
pub mod forecast;
pub mod garbage;
pub mod graph;
pub mod handoff;
pub mod head;
pub mod invocation;
pub mod late;
pub mod lease;
pub mod limits;
pub mod manifest;
pub mod name;
pub mod no_echo;
pub mod output;
pub mod parameter;
pub mod path;
pub mod plan;
pub mod price;
pub mod problem;
pub mod reader;
mod readiness;
pub mod repair;
pub mod report;
mod resolver;
pub mod retry;
pub mod reuse;
pub mod saved;
pub mod selection;
pub mod selector;
mod source;
mod stand_in;
pub mod start;
pub mod status_change;
mod suggest;
pub mod token;
pub mod uri;
