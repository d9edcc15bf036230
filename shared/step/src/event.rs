//! Splits the event of a step's function into the reserved key and the handler's arguments.

use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};
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
///
/// Numbers keep their digits as text, and serde's derive gives such a number to no `flatten`, `tag`
/// or `untagged` type. Those get the nearest 64-bit numbers, as without that text.
pub(crate) fn arguments<A: DeserializeOwned>(rest: Value) -> Result<A, StepError> {
    let plain = with_plain_numbers(&rest);
    parse(rest, FailureType::Arguments, "Arguments")
        .or_else(|error| parse(plain, FailureType::Arguments, "Arguments").map_err(|_| error))
}

/// Replaces numbers that no 64-bit type holds exactly as they are written.
fn with_plain_numbers(value: &Value) -> Value {
    match value {
        Value::Number(number) if !number.is_i64() && !number.is_u64() => {
            number.as_f64().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
        }
        Value::Array(items) => items.iter().map(with_plain_numbers).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), with_plain_numbers(member)))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
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
    fn numbers_of_any_length_fit_types_that_serde_reads_in_two_steps() {
        #[derive(Debug, Deserialize, PartialEq)]
        #[serde(tag = "Kind")]
        enum Shape {
            Circle { radius: f64 },
        }
        let event = r#"{"Kind": "Circle", "radius": 1.50000000000000000000001}"#;
        let read: Shape = arguments(serde_json::from_str(event).unwrap()).unwrap();
        assert_eq!(read, Shape::Circle { radius: 1.5 });
        let kept: Value = arguments(serde_json::from_str(event).unwrap()).unwrap();
        assert_eq!(kept["radius"].to_string(), "1.50000000000000000000001");
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
