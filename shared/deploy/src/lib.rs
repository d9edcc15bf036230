//! From a project to a CloudFormation template. Pure: no file, network, clock or AWS call.
//!
//! A [`Blueprint`] lists the parts of a project: functions, pipelines, and what starts them.
//! [`synthesise`] joins the blocks of `infra/`, which are the engine's own resources and are read
//! as they are, with the resources of each function and each trigger. Roles follow from the
//! definitions: a step may write below its own prefix and read what its arguments name, see
//! [`access`].
//!
//! The command builds code, uploads it and applies the template.

pub mod access;
mod alarm;
mod block;
pub mod blueprint;
pub mod bucket;
pub mod deployer;
mod direct;
mod evaluate;
mod function;
pub mod iam;
mod job;
pub mod lint;
pub mod name;
mod object;
pub mod place;
mod policy;
mod queue;
mod reach;
mod resource;
mod template;
mod trigger;
pub mod variable;

pub use self::block::CODE_TEMPLATE;
pub use self::blueprint::{Blueprint, Code, Function, Options, PipelineUse, Queue, Upload};
pub use self::bucket::Buckets;
pub use self::job::has_jobs;
pub use self::name::{LogicalId, StackName, StackNameError};
pub use self::place::Place;
pub use self::template::{DESCRIPTION, SynthesisError, synthesise};

/// Returns the name of the template's parameter that holds the key of a function's code.
pub fn code_parameter(function: &str) -> String {
    function::code_parameter(&LogicalId::of_function(function))
}
