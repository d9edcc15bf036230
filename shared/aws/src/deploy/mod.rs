//! What the command needs of AWS: stacks applied and examined, code published, logs read.

mod account;
mod change_set;
mod dead_letters;
mod drift;
mod error;
mod log;
mod release;
mod stack;

pub use aws_config::SdkConfig;

pub use self::account::{Concurrency, account_config, concurrency, empty_bucket, remove_table};
pub use self::change_set::{Change, Proposal, Template};
pub use self::dead_letters::DeadLetters;
pub use self::drift::Drifted;
pub use self::error::DeployError;
pub use self::log::{CloudLogs, LogLine};
pub use self::release::{Release, Releases};
pub use self::stack::{ResourceEvent, Stack, Stacks};
