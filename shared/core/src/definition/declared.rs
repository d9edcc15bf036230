//! A parameter as the definition declares it.

use serde_json::Value;

use crate::definition::scalar_type::ScalarType;
use crate::name::ParameterName;

/// A value that the caller gives at the start of an execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    pub name: ParameterName,
    pub parameter_type: ScalarType,
    /// `None` if the parameter needs a value at the start.
    pub default: Option<Value>,
    /// Allowed values of a String parameter. Empty if any value is allowed.
    pub enum_values: Vec<String>,
    pub description: Option<String>,
    /// The value never reaches logs, reasons, keys or descriptions. An extension.
    pub no_echo: bool,
}
