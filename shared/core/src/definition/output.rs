//! Declared outputs, and how a returned value is converted to the declared type.

use serde_json::{Map, Number, Value};

use crate::definition::decimal::Decimal;
use crate::definition::expression::{is_integer, type_name};
use crate::definition::scalar_type::ScalarType;
use crate::limits::OUTPUT_DEPTH;

/// A declared output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputParameter {
    pub name: String,
    pub output_type: ScalarType,
}

/// Converts `value` to the declared type. The error says why that is not possible.
///
/// `"1"` becomes Integer 1, `1` becomes String `"1"`, and `3.0` becomes Integer 3. Digits are never
/// lost. A list or an object becomes one string of compact JSON, as in SageMaker. `null` has no
/// type.
pub fn convert_output(value: &Value, output_type: ScalarType) -> Result<Value, String> {
    let refuse = || {
        let shown: String = value.to_string().chars().take(80).collect();
        Err(format!("{shown} ({}) is not of type {}", type_name(value), output_type.name()))
    };
    match (output_type, value) {
        (_, Value::Null) => refuse(),
        (ScalarType::String, Value::String(_)) | (ScalarType::Boolean, Value::Bool(_)) => {
            Ok(value.clone())
        }
        (ScalarType::String, other) => Ok(Value::String(other.to_string())),
        (ScalarType::Boolean, Value::String(text)) => match text.as_str() {
            "true" | "True" => Ok(Value::Bool(true)),
            "false" | "False" => Ok(Value::Bool(false)),
            _ => refuse(),
        },
        (ScalarType::Integer, Value::Number(number)) => integer(number).map_or_else(refuse, Ok),
        (ScalarType::Float, Value::Number(_)) => Ok(value.clone()),
        (ScalarType::Integer | ScalarType::Float, Value::String(text)) => {
            match serde_json::from_str::<Number>(text.trim()) {
                Ok(number) => {
                    convert_output(&Value::Number(number), output_type).or_else(|_| refuse())
                }
                Err(_) => refuse(),
            }
        }
        _ => refuse(),
    }
}

/// Returns the number as an integer, if it is one.
///
/// A number with a fraction or an exponent is one up to 2^53: beyond, most languages do not keep
/// its digits.
fn integer(number: &Number) -> Option<Value> {
    const EXACT: i64 = 9_007_199_254_740_992;
    if is_integer(number) {
        return Some(Value::Number(number.clone()));
    }
    let whole = Decimal::of(number).integer(16)?.parse::<i64>().ok();
    whole.filter(|whole| (-EXACT..=EXACT).contains(whole)).map(Value::from)
}

/// Returns true if outputs can be read back wherever they are stored, see [`OUTPUT_DEPTH`].
pub fn is_within_depth(outputs: &Map<String, Value>) -> bool {
    fn is_within(value: &Value, levels: usize) -> bool {
        match value {
            Value::Array(items) => {
                levels > 0 && items.iter().all(|item| is_within(item, levels - 1))
            }
            Value::Object(members) => {
                levels > 0 && members.values().all(|member| is_within(member, levels - 1))
            }
            _ => true,
        }
    }
    outputs.values().all(|value| is_within(value, OUTPUT_DEPTH - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn exact(text: &str) -> Value {
        serde_json::from_str(text).expect("a number")
    }

    #[test]
    fn a_declared_type_converts_and_keeps_every_digit() {
        let cases = [
            (json!("1"), ScalarType::Integer, json!(1)),
            (json!(1), ScalarType::String, json!("1")),
            (json!(3.0), ScalarType::Integer, json!(3)),
            (json!(2), ScalarType::Float, json!(2)),
            (json!("9007199254740993"), ScalarType::Integer, json!(9_007_199_254_740_993_i64)),
            (json!("True"), ScalarType::Boolean, json!(true)),
            (exact("18446744073709551616"), ScalarType::Integer, exact("18446744073709551616")),
            (json!("18446744073709551616"), ScalarType::Integer, exact("18446744073709551616")),
            (exact("36893488147419103232"), ScalarType::String, json!("36893488147419103232")),
            (
                exact("0.12345678901234567890123"),
                ScalarType::Float,
                exact("0.12345678901234567890123"),
            ),
            (json!({"a": [1, 2]}), ScalarType::String, json!(r#"{"a":[1,2]}"#)),
        ];
        for (value, output_type, expected) in cases {
            assert_eq!(convert_output(&value, output_type), Ok(expected), "{value}");
        }
    }

    #[test]
    fn what_does_not_convert_is_named_with_its_type() {
        let cases = [
            (json!(3.5), ScalarType::Integer, "3.5 (Float) is not of type Integer"),
            (
                exact("3.00000000000000000000001"),
                ScalarType::Integer,
                "3.00000000000000000000001 (Float) is not of type Integer",
            ),
            (json!("x"), ScalarType::Float, "\"x\" (String) is not of type Float"),
            (json!(null), ScalarType::String, "null (Null) is not of type String"),
            (json!([1]), ScalarType::Integer, "[1] (List) is not of type Integer"),
            (json!(1), ScalarType::Boolean, "1 (Integer) is not of type Boolean"),
            (json!(1e300), ScalarType::Integer, "1e+300 (Float) is not of type Integer"),
        ];
        for (value, output_type, expected) in cases {
            assert_eq!(convert_output(&value, output_type), Err(expected.to_owned()));
        }
    }
}
