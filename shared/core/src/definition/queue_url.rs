//! The queue of a Callback step: a URL, or the parameter that holds it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::definition::declared::Parameter;
use crate::name::ParameterName;

/// The `SqsQueueUrl` of a Callback step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueUrl {
    Literal(String),
    /// The value of a String parameter.
    Parameter(ParameterName),
}

impl QueueUrl {
    /// Returns the URL in an execution with these parameters. A missing parameter gives an empty
    /// text, which names no queue.
    pub fn resolve<'a>(&'a self, parameters: &'a BTreeMap<ParameterName, Value>) -> Cow<'a, str> {
        match self {
            Self::Literal(url) => Cow::Borrowed(url),
            Self::Parameter(name) => {
                Cow::Borrowed(parameters.get(name).and_then(Value::as_str).unwrap_or_default())
            }
        }
    }

    /// Returns the URL as far as it is known before an execution: a literal one, or the default of
    /// the parameter.
    pub fn known<'a>(&'a self, parameters: &'a [Parameter]) -> Option<&'a str> {
        match self {
            Self::Literal(url) => Some(url),
            Self::Parameter(name) => {
                let declared = parameters.iter().find(|parameter| parameter.name == *name)?;
                declared.default.as_ref()?.as_str()
            }
        }
    }
}
