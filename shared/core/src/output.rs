//! A step's declared outputs: what a function answered, converted to the declared type.

use serde_json::{Number, Value};

use crate::definition::ScalarType;
use crate::expression::{is_integer, type_name};
use crate::parameter::parse_scalar;

/// Converts one answered value to its declared type, without losing anything: digits are kept, or the conversion fails.
///
/// Objects and lists become one string of compact JSON where a String is declared, as in SageMaker. Fails with a text for the
/// step's failure reason.
pub fn convert_output(value: &Value, declared: ScalarType) -> Result<Value, String> {
    let converted = match (declared, value) {
        (_, Value::Null) => None,
        (ScalarType::String, Value::String(_)) | (ScalarType::Boolean, Value::Bool(_)) => {
            Some(value.clone())
        }
        // `Value` prints compact JSON; scalars come out as they would be written.
        (ScalarType::String, _) => Some(Value::String(value.to_string())),
        (_, Value::String(text)) => parse_scalar(text, declared),
        (ScalarType::Integer, Value::Number(number)) => {
            if is_integer(number) {
                Some(value.clone())
            } else {
                whole(number)
            }
        }
        (ScalarType::Float, Value::Number(number)) => exact_float(number),
        _ => None,
    };
    converted.ok_or_else(|| {
        let shown: String = value.to_string().chars().take(80).collect();
        format!("{shown} ({}) is not of the declared type {}", type_name(value), declared.name())
    })
}

/// `3.0` as `3`.
fn whole(number: &Number) -> Option<Value> {
    // Up to 2^53 a float names one integer only.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let float = number.as_f64()?;
    if float.fract() != 0.0 || float.abs() > EXACT {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
    Some(Value::from(float as i64))
}

fn exact_float(number: &Number) -> Option<Value> {
    let float = number.as_f64()?;
    #[expect(clippy::cast_possible_truncation, reason = "i128 holds every 64-bit integer")]
    let is_exact = match (number.as_i64(), number.as_u64()) {
        (Some(integer), _) => float as i128 == i128::from(integer),
        (None, Some(integer)) => float as i128 == i128::from(integer),
        (None, None) => true,
    };
    if is_exact { Number::from_f64(float).map(Value::Number) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn declared_types_convert_what_loses_nothing() {
        use ScalarType::{Boolean, Float, Integer, String};
        for (value, declared, expected) in [
            (json!("a"), String, json!("a")),
            (json!(1), String, json!("1")),
            (json!(0.5), String, json!("0.5")),
            (json!(true), String, json!("true")),
            (json!(9_007_199_254_740_993_i64), String, json!("9007199254740993")),
            (json!({"b": [1, 2], "a": null}), String, json!("{\"a\":null,\"b\":[1,2]}")),
            (json!([]), String, json!("[]")),
            (json!(1), Integer, json!(1)),
            (json!("1"), Integer, json!(1)),
            (json!("9007199254740993"), Integer, json!(9_007_199_254_740_993_i64)),
            (json!(u64::MAX), Integer, json!(u64::MAX)),
            (json!(3.0), Integer, json!(3)),
            (json!(-3.0), Integer, json!(-3)),
            (json!(3), Float, json!(3.0)),
            (json!(0.1), Float, json!(0.1)),
            (json!("1e-07"), Float, json!(1e-7)),
            (json!(true), Boolean, json!(true)),
            (json!("True"), Boolean, json!(true)),
            (json!("false"), Boolean, json!(false)),
        ] {
            let converted = convert_output(&value, declared);
            // As texts, since 3 and 3.0 differ there.
            assert_eq!(converted.map(|value| value.to_string()), Ok(expected.to_string()));
        }
    }

    #[test]
    fn what_would_lose_something_fails_with_value_and_types() {
        use ScalarType::{Boolean, Float, Integer, String};
        for (value, declared) in [
            (json!(null), String),
            (json!(null), Integer),
            (json!(3.5), Integer),
            (json!(1e300), Integer),
            (json!("3.0"), Integer),
            (json!("x"), Integer),
            (json!(true), Integer),
            (json!([1]), Integer),
            (json!(9_007_199_254_740_993_i64), Float),
            (json!("inf"), Float),
            (json!(false), Float),
            (json!({}), Float),
            (json!(1), Boolean),
            (json!("yes"), Boolean),
        ] {
            assert!(convert_output(&value, declared).is_err(), "{value} as {}", declared.name());
        }
        let expected = "3.5 (Float) is not of the declared type Integer";
        assert_eq!(convert_output(&json!(3.5), Integer), Err(expected.to_owned()));
    }
}
