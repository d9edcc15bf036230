//! The planner's rules, on definitions in YAML: events and facts in, commits and effects out.

mod condition;
mod content;
mod failure_reason;
mod forgery;
mod history;
mod limits;
mod outputs;
mod plan;
mod properties;
mod recovery;
mod repair;
mod run_condition;
mod selection;
mod what_if;
mod witness;
mod world;
