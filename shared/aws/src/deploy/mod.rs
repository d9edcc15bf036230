//! What the command needs of AWS: stacks applied and examined, code published, logs read.

mod account;
mod change_set;
mod dead_letters;
mod drift;
mod error;
mod in_use;
mod leftovers;
mod log;
mod packages;
mod release;
mod settle;
mod stack;
mod status;
mod versions;

pub use aws_config::SdkConfig;

pub use self::account::{
    Account, Limits, account_config, caller, empty_bucket, limits, remove_table,
};
pub use self::change_set::{Change, Proposal, Template};
pub use self::dead_letters::DeadLetters;
pub use self::drift::Drifted;
pub use self::error::DeployError;
pub use self::leftovers::{Bucket, Leftovers, leftovers};
pub use self::log::{CloudLogs, LogLine};
pub use self::packages::{StoredPackage, remove_package, stored_packages};
pub use self::release::{Release, Releases};
pub use self::settle::Removed;
pub use self::stack::{ResourceEvent, Stack, Stacks};
pub use self::status::{BeforeDeploy, BeforeDestroy, STATUSES, StackState, Status, passing, state};
pub use self::versions::{OldVersion, Versions};
