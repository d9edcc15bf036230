//! Whether the caller of a request may do what it asks for, as IAM decides it on AWS.
//!
//! Who decides is not known here: the owner of the cloud gives it a [`Guard`]. Without one every
//! caller may do everything. The user may do so always: a request that the key of the state folder
//! signed, or that the command itself makes. A function that signs with a key of its own is not
//! known, and so is not checked.
//!
//! S3 asks in `s3/service/access.rs`, the other services in [`in_front`].

mod answer;
mod caller;
mod front;
mod guards;

pub use sidestep_aws::asked::Asked;

pub use self::caller::Caller;
pub(crate) use self::caller::{as_caller, current_caller};
pub(crate) use self::front::in_front;
pub use self::guards::Guard;
pub(crate) use self::guards::Guards;
