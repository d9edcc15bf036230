//! The domain of sidestep, without I/O: what a pipeline definition says, how an execution's state
//! is folded from its commits, and what has to happen next.
//!
//! Nothing here is async or reads a clock, the environment, files or the network (`clippy.toml`
//! beside this crate bans the calls). What only the world knows arrives in [`plan::facts::Facts`];
//! what must happen leaves as values in [`plan::Plan`].
//!
//! Read the rooms in this order: [`definition`] (a pipeline as data), [`parse`] (text to
//! definition), [`execution`] (state, a fold over commits), [`event`] (what AWS sends us), [`plan`]
//! (every decision), [`job`] (work that another service does), [`cache`] (keys and their clean-up),
//! [`place`] (what arguments name in S3), [`selection`] (which steps a run is about), [`view`]
//! (descriptions for people; nothing in this crate may import it).

pub mod cache;
pub mod definition;
pub mod event;
pub mod execution;
pub mod failure;
pub mod job;
pub mod limits;
pub mod name;
pub mod parse;
pub mod place;
pub mod plan;
pub mod selection;
pub mod uri;
pub mod view;
