//! Converts plain YAML scalars to JSON values by the core schema.

use crate::definition::decimal;

use super::document::Content;
use super::json;

/// Converts a plain scalar by YAML 1.2.2, section 10.3.2. `None` for a number that no 64-bit type
/// can hold.
pub(super) fn resolve(text: &str) -> Option<Content> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let radix = |digits: &str, radix| match u64::from_str_radix(digits, radix) {
        Ok(number) => Some(Content::Number(number.into())),
        Err(error) if *error.kind() == std::num::IntErrorKind::PosOverflow => None,
        Err(_) => Some(Content::String(text.to_owned())),
    };
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Some(Content::Null),
        "true" | "True" | "TRUE" => Some(Content::Bool(true)),
        "false" | "False" | "FALSE" => Some(Content::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => None,
        _ if matches!(unsigned, ".inf" | ".Inf" | ".INF") => None,
        _ if is_digits(unsigned) => {
            json::number(text.strip_prefix('+').unwrap_or(text)).map(Content::Number)
        }
        _ if is_float(unsigned) => decimal::float(text).map(Content::Number),
        _ => match (text.strip_prefix("0x"), text.strip_prefix("0o")) {
            (Some(digits), _) if !digits.starts_with('+') => radix(digits, 16),
            (_, Some(digits)) if !digits.starts_with('+') => radix(digits, 8),
            _ => Some(Content::String(text.to_owned())),
        },
    }
}

/// Returns true for `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let are_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let is_mantissa = match mantissa.split_once('.') {
        Some((whole, fraction)) => {
            are_digits(whole) && are_digits(fraction) && !(whole.is_empty() && fraction.is_empty())
        }
        None => !mantissa.is_empty() && are_digits(mantissa),
    };
    let is_exponent = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && are_digits(digits)
    });
    is_mantissa && is_exponent
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn value(text: &str) -> Option<Value> {
        Some(match resolve(text)? {
            Content::Null => Value::Null,
            Content::Bool(flag) => flag.into(),
            Content::Number(number) => number.into(),
            Content::String(text) => text.into(),
            _ => return None,
        })
    }

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for (text, expected) in [
            ("~", json!(null)),
            ("True", json!(true)),
            ("yes", json!("yes")),
            ("007", json!(7)),
            ("+5", json!(5)),
            ("-5", json!(-5)),
            ("9007199254740993", json!(9_007_199_254_740_993_i64)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("0x", json!("0x")),
            ("0x+1", json!("0x+1")),
            ("0b11", json!("0b11")),
            (".5", json!(0.5)),
            ("5.", json!(5.0)),
            ("-1e3", json!(-1000.0)),
            ("1e", json!("1e")),
            (".", json!(".")),
            ("+", json!("+")),
            ("e5", json!("e5")),
            ("1_000", json!("1_000")),
            ("2020-12-01", json!("2020-12-01")),
        ] {
            assert_eq!(value(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn numbers_that_json_cannot_hold_are_told_apart() {
        for text in [".inf", "-.inf", ".nan", "1e400", "0xfffffffffffffffff"] {
            assert_eq!(value(text), None, "{text}");
        }
    }
}
