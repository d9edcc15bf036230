//! Descriptions of executions for people: SageMaker's shapes, reasons, forecasts, costs.
//!
//! Nothing else in this crate may import this module: decisions do not depend on how they are
//! shown.

pub mod cost;
pub mod description;
mod difference;
pub mod experiment;
pub mod explain;
pub mod forecast;
pub mod price;
pub mod status_change;
pub mod timestamp;
