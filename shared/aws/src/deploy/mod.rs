//! What the command needs of AWS to set a stack up and to look at it: templates applied, code published, logs read.

mod account;
mod error;
mod letters;
mod log;
mod release;
mod stack;

pub use aws_config::SdkConfig;

pub use self::account::{Concurrency, account_config, concurrency, empty_bucket, remove_table};
pub use self::error::DeployError;
pub use self::letters::DeadLetters;
pub use self::log::{CloudLogs, LogLine};
pub use self::release::{Release, Releases};
pub use self::stack::{Change, Drifted, Proposal, ResourceEvent, Stack, Stacks, Template};
