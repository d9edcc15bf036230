//! SageMaker's jobs: a service on the wire that really runs the work, as processes.
//!
//! ```text
//! request -> server -> shapes, request: refused?   -> store (SQLite)
//!                   -> scheduler: a job per core   -> container: folder, inputs, process, outputs
//!                                                  -> images (the command's): Python environment
//! ```
//!
//! A job is never lost: it is in the store before its create call is answered. If this process dies
//! meanwhile, the job runs again from its beginning when the folder is served next. Its outputs are
//! uploaded only after its process ended well, so a job that was cut off never looks like a
//! success.
//!
//! Beside the jobs there is a registry: models, and groups of model packages.
//!
//! What it deliberately is not: there are no containers, no instances and no GPUs. A job runs on
//! this machine, as this user, with what stands in for its image.

mod call;
mod container;
mod describe;
mod error;
mod images;
mod kind;
mod list;
mod options;
mod record;
mod registry;
mod request;
mod scheduler;
mod server;
mod shapes;
mod store;
mod tags;

pub use error::JobsError;
pub use images::{ImageUse, Images, Prepared, Program};
pub use kind::JobKind;
pub use options::JobListener;
pub use server::{JobsAnswer, JobsServer};

pub(crate) use options::JobsOptions;
