//! From a project to a CloudFormation template. Pure: no file, network, clock or AWS call.
//!
//! A [`Blueprint`] says what a project has: functions, pipelines, what starts them. [`synthesise`] puts the blocks of `infra/`, which are the
//! engine's own resources and are read as they lie there, together with what is per function and per trigger. Roles follow from the definitions:
//! a step may write below its own prefix and read what its arguments name, see [`access`].
//!
//! Building code, uploading it and applying the template is the command's business.

pub mod access;
mod alarm;
mod block;
pub mod blueprint;
pub mod bucket;
mod direct;
mod function;
pub mod name;
mod resource;
mod template;
mod trigger;

pub use self::block::CODE_TEMPLATE;
pub use self::blueprint::{Blueprint, Code, Function, Options, PipelineUse, Upload};
pub use self::bucket::Buckets;
pub use self::name::{LogicalId, StackName};
pub use self::template::{SynthesisError, synthesise};

/// The template's parameter that holds the key of a function's code.
pub fn code_parameter(function: &str) -> String {
    function::code_parameter(&LogicalId::of_function(function))
}
