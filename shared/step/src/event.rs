//! Splits the event of a step's function into the reserved key and the handler's arguments.

use serde::de::DeserializeOwned;
use serde_json::Value;
use sidestep_core::execution::invocation::{Invocation, RESERVED_KEY};
use sidestep_core::failure::FailureType;
use sidestep_core::plan::handoff::{self, CarriedState};

use crate::error::StepError;

/// An event, split into its parts.
#[derive(Debug, PartialEq)]
pub(crate) struct Parts {
    /// The step's attempt; absent if a user invokes the function by hand.
    pub(crate) invocation: Option<Invocation>,
    /// The execution's state, if the planner sent it along.
    pub(crate) carried: Option<CarriedState>,
    /// Everything else: the handler's arguments.
    pub(crate) rest: Value,
}

/// Takes the reserved key out of the event.
pub(crate) fn split(mut event: Value) -> Result<Parts, StepError> {
    let mut reserved = event.as_object_mut().and_then(|keys| keys.remove(RESERVED_KEY));
    let carried = reserved.as_mut().and_then(handoff::take_state);
    let invocation = reserved.map(|value| parse(value, FailureType::Invocation, RESERVED_KEY));
    Ok(Parts { invocation: invocation.transpose()?, carried, rest: event })
}

/// Reads the rest of the event into the type that the handler takes.
pub(crate) fn arguments<A: DeserializeOwned>(rest: Value) -> Result<A, StepError> {
    parse(rest, FailureType::Arguments, "Arguments")
}

/// Deserializes `value`. An error names the value that does not fit by its path below `root`.
fn parse<T: DeserializeOwned>(
    value: Value,
    failure_type: FailureType,
    root: &str,
) -> Result<T, StepError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = match error.path().to_string().as_str() {
            "." => root.to_owned(),
            path if path.starts_with('[') => format!("{root}{path}"),
            path => format!("{root}.{path}"),
        };
        StepError::new(failure_type, format!("`{path}`: {}", error.inner()))
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "PascalCase", deny_unknown_fields)]
    struct Arguments {
        #[expect(dead_code, reason = "only the reading of it is tested")]
        rates: Vec<f64>,
    }

    #[test]
    fn arguments_that_do_not_fit_are_named_by_path() {
        let cases = [
            (json!({"Rates": [0.1, "x"]}), "`Arguments.Rates[1]`: invalid type: string \"x\""),
            (json!({}), "`Arguments`: missing field `Rates`"),
            (json!({"Rates": [], "Rate": 1}), "`Arguments.Rate`: unknown field `Rate`"),
            (json!(null), "`Arguments`: invalid type: null"),
        ];
        for (event, expected) in cases {
            let error = arguments::<Arguments>(event).unwrap_err();
            assert_eq!(error.error_type(), "Sidestep.Arguments");
            assert!(error.message().starts_with(expected), "{}", error.message());
        }
    }

    #[test]
    fn the_reserved_key_is_no_argument() {
        let parts = split(json!({"Rates": []})).unwrap();
        assert_eq!(parts, Parts { invocation: None, carried: None, rest: json!({"Rates": []}) });

        let error = split(json!({"Sidestep": {"ExecutionId": 1}})).unwrap_err();
        assert_eq!(error.error_type(), "Sidestep.Invocation");
        assert!(error.message().starts_with("`Sidestep.ExecutionId`: "), "{}", error.message());
    }
}
