//! Which requests the roles of a template allow, as IAM decides it.
//!
//! It reads the finished template, so what is checked is what is deployed. An operator or an
//! element that it does not know is an error and never a guess. The logic is that of
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html> for
//! roles without a permissions boundary, in an account without service control policies.

mod condition;
mod element;
mod pattern;
mod permissions;
mod policy;
mod request;

pub use self::element::PolicyError;
pub use self::permissions::{Decision, Permissions, Verdict};
pub use self::policy::Policy;
pub use self::request::Request;
