//! Parameter values as they are given at start: texts, read by the declared type.
//!
//! Clients send Python's `str()` of a value, so booleans come as `True` and floats as `1e-07`
//! (sagemaker-pipelines reference, parameter validation at start). All mistakes are reported at
//! once, and nothing starts.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::definition::decimal;
use crate::definition::{Parameter, Pipeline, ScalarType};
use crate::limits;
use crate::name::ParameterName;
use crate::parse::suggest::Suggester;

/// The text that stands in a secret value's place.
pub const MASK: &str = "****";

/// A mistake in one given value, or a value that is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    #[error("parameter `{name}` is not declared{}", hint(suggestion.as_ref()))]
    Unknown { name: String, suggestion: Option<String> },
    #[error("parameter `{name}` has no default and needs a value")]
    Missing { name: ParameterName },
    #[error("parameter `{name}` must not be empty")]
    Empty { name: ParameterName },
    #[error("the value of parameter `{name}` has {chars} characters, over the limit of {limit}")]
    TooLong { name: ParameterName, chars: usize, limit: usize },
    #[error("invalid value `{value}` of parameter `{name}`: expected type {}", expected.name())]
    WrongType { name: ParameterName, value: String, expected: ScalarType },
    #[error("invalid value `{value}` of parameter `{name}`: expected one of {}", allowed.join(", "))]
    NotInEnum { name: ParameterName, value: String, allowed: Vec<String> },
}

fn hint(suggestion: Option<&String>) -> String {
    suggestion.map_or_else(String::new, |name| format!(", did you mean `{name}`?"))
}

/// Returns the value of every parameter of `pipeline`, from the given texts and the defaults.
pub fn resolve_parameters(
    pipeline: &Pipeline,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<ParameterName, Value>, Vec<ParameterError>> {
    let mut values = BTreeMap::new();
    let mut errors = Vec::new();
    for parameter in &pipeline.parameters {
        let value = match (given.get(parameter.name.as_str()), &parameter.default) {
            (Some(text), _) => parse(parameter, text),
            (None, Some(default)) => Ok(default.clone()),
            (None, None) => Err(ParameterError::Missing { name: parameter.name.clone() }),
        };
        match value {
            Ok(value) => {
                values.insert(parameter.name.clone(), value);
            }
            Err(error) => errors.push(error),
        }
    }
    let is_declared = |name: &str| pipeline.parameters.iter().any(|p| p.name.as_str() == name);
    let mut suggester = Suggester::default();
    for name in given.keys().filter(|name| !is_declared(name)) {
        let names = pipeline.parameters.iter().map(|parameter| parameter.name.as_str());
        let suggestion = suggester.closest(name, names).map(str::to_owned);
        errors.push(ParameterError::Unknown { name: name.chars().take(80).collect(), suggestion });
    }
    if errors.is_empty() { Ok(values) } else { Err(errors) }
}

/// Returns an earlier execution's values as texts that can be given at start, without those that
/// the pipeline no longer takes.
pub fn inherit(
    pipeline: &Pipeline,
    earlier: &BTreeMap<ParameterName, Value>,
) -> BTreeMap<String, String> {
    let inherited = pipeline.parameters.iter().filter_map(|parameter| {
        let text = match earlier.get(&parameter.name)? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        parse(parameter, &text).ok()?;
        Some((parameter.name.to_string(), text))
    });
    inherited.collect()
}

fn parse(parameter: &Parameter, text: &str) -> Result<Value, ParameterError> {
    let name = || parameter.name.clone();
    if text.is_empty() {
        return Err(ParameterError::Empty { name: name() });
    }
    let chars = text.chars().count();
    if chars > limits::PARAMETER_VALUE_CHARS {
        let limit = limits::PARAMETER_VALUE_CHARS;
        return Err(ParameterError::TooLong { name: name(), chars, limit });
    }
    // The message may be kept, as the reason of an execution that could not be started.
    let shown = if parameter.no_echo { MASK } else { text };
    let value = parse_scalar(text, parameter.parameter_type).ok_or_else(|| {
        let value = shown.chars().take(80).collect();
        ParameterError::WrongType { name: name(), value, expected: parameter.parameter_type }
    })?;
    let is_member = parameter.enum_values.iter().any(|allowed| allowed == text);
    if !parameter.enum_values.is_empty() && !is_member {
        let (value, allowed) = (shown.to_owned(), parameter.enum_values.clone());
        return Err(ParameterError::NotInEnum { name: name(), value, allowed });
    }
    Ok(value)
}

/// Reads a text as a scalar. `None` if it is not of that type, or out of its range.
fn parse_scalar(text: &str, scalar_type: ScalarType) -> Option<Value> {
    match scalar_type {
        ScalarType::String => Some(Value::String(text.to_owned())),
        ScalarType::Integer => {
            decimal::integer(text.strip_prefix('+').unwrap_or(text)).map(Value::Number)
        }
        ScalarType::Float => decimal::float(text).map(Value::Number),
        ScalarType::Boolean if text.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
        ScalarType::Boolean if text.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
        ScalarType::Boolean => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parameter(name: &str, parameter_type: ScalarType, default: Option<Value>) -> Parameter {
        let name = ParameterName::parse(name).expect("legal");
        Parameter {
            name,
            parameter_type,
            default,
            enum_values: Vec::new(),
            description: None,
            no_echo: false,
        }
    }

    fn pipeline() -> Pipeline {
        let mut tier = parameter("Tier", ScalarType::String, Some(json!("small")));
        tier.enum_values = vec!["small".to_owned(), "large".to_owned()];
        let parameters = vec![
            parameter("Needed", ScalarType::String, None),
            parameter("Count", ScalarType::Integer, Some(json!(0))),
            parameter("Rate", ScalarType::Float, Some(json!(0.5))),
            parameter("DryRun", ScalarType::Boolean, Some(json!(false))),
            tier,
        ];
        Pipeline { parameters, ..Pipeline::without_steps() }
    }

    fn resolve(given: &[(&str, &str)]) -> Result<Value, Vec<String>> {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        match resolve_parameters(&pipeline(), &given.collect()) {
            Ok(values) => {
                Ok(values.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
            }
            Err(errors) => Err(errors.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn defaults_stand_in_for_what_is_not_given() {
        let expected =
            json!({"Needed": "x", "Count": 0, "Rate": 0.5, "DryRun": false, "Tier": "small"});
        assert_eq!(resolve(&[("Needed", "x")]), Ok(expected));
    }

    #[test]
    fn strings_as_python_prints_them_take_the_declared_type() {
        let given = [
            ("Needed", "5"),
            ("Count", "9007199254740993"),
            ("Rate", "1e-07"),
            ("DryRun", "True"),
            ("Tier", "large"),
        ];
        let expected = json!({"Needed": "5", "Count": 9_007_199_254_740_993_i64, "Rate": 1e-7,
            "DryRun": true, "Tier": "large"});
        assert_eq!(resolve(&given), Ok(expected));
        let whole = resolve(&[("Needed", "x"), ("Rate", "3")]).expect("a float may be whole");
        assert_eq!(whole["Rate"].to_string(), "3.0");
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let long = "x".repeat(1_025);
        let given =
            [("count", "1"), ("Count", "1.5"), ("Rate", "inf"), ("DryRun", "1"), ("Tier", "huge")];
        assert_eq!(
            resolve(&given).expect_err("six mistakes"),
            [
                "parameter `Needed` has no default and needs a value",
                "invalid value `1.5` of parameter `Count`: expected type Integer",
                "invalid value `inf` of parameter `Rate`: expected type Float",
                "invalid value `1` of parameter `DryRun`: expected type Boolean",
                "invalid value `huge` of parameter `Tier`: expected one of small, large",
                "parameter `count` is not declared, did you mean `Count`?",
            ]
        );
        assert_eq!(
            resolve(&[("Needed", ""), ("Tier", &long)]).expect_err("two mistakes"),
            [
                "parameter `Needed` must not be empty",
                "the value of parameter `Tier` has 1025 characters, over the limit of 1024",
            ]
        );
    }

    #[test]
    fn integers_have_any_size_and_floats_a_range() {
        for text in ["18446744073709551615", "18446744073709551616", "-170141183460469231731"] {
            let parsed = parse_scalar(text, ScalarType::Integer).map(|value| value.to_string());
            assert_eq!(parsed.as_deref(), Some(text));
        }
        assert_eq!(parse_scalar("1e400", ScalarType::Float), None);
        assert_eq!(parse_scalar(" 1", ScalarType::Integer), None);
    }
}
