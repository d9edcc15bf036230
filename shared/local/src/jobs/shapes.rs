//! Checks requests against SageMaker's service model.
//!
//! `shapes.json` holds the shapes of the operations that are answered, taken from botocore's model
//! (Apache-2.0): types, required members, lengths, ranges, patterns and enumerations. Members that
//! the model does not know are kept: the service may have learned them since.

use std::collections::HashMap;
use std::sync::OnceLock;

use regex_lite::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::error::JobsError;

/// The shapes, as JSON.
const SHAPES: &str = include_str!("shapes.json");
/// The most characters of a refused value that an error shows.
const SHOWN: usize = 100;
/// The deepest nesting of a request that is checked; the model's own is less.
const DEPTH: usize = 64;

#[derive(Debug, Deserialize)]
struct Model {
    operations: HashMap<String, String>,
    shapes: HashMap<String, Shape>,
}

#[derive(Debug, Deserialize)]
struct Shape {
    t: Kind,
    min: Option<f64>,
    max: Option<f64>,
    pattern: Option<String>,
    #[serde(rename = "enum", default)]
    allowed: Vec<String>,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default)]
    members: HashMap<String, String>,
    of: Option<String>,
    key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Structure,
    List,
    Map,
    String,
    Integer,
    Long,
    Boolean,
    Timestamp,
    Float,
    Double,
    Blob,
}

/// Refuses a request that SageMaker would refuse for its shape, with all problems at once.
pub(crate) fn check(operation: &str, request: &Value) -> Result<(), JobsError> {
    let model = model();
    let Some(shape) = model.operations.get(operation) else { return Ok(()) };
    let mut problems = Vec::new();
    visit(model, shape, request, &mut Vec::new(), &mut problems)?;
    if problems.is_empty() {
        return Ok(());
    }
    let (count, errors) = (problems.len(), if problems.len() == 1 { "error" } else { "errors" });
    Err(JobsError::Validation(format!(
        "{count} validation {errors} detected: {}",
        problems.join("; ")
    )))
}

fn model() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| serde_json::from_str(SHAPES).expect("the shapes are checked by a test"))
}

/// Checks a value and all below it.
fn visit(
    model: &Model,
    name: &str,
    value: &Value,
    path: &mut Vec<String>,
    problems: &mut Vec<String>,
) -> Result<(), JobsError> {
    let Some(shape) = model.shapes.get(name) else { return Ok(()) };
    if path.len() > DEPTH {
        return Err(JobsError::Serialization("the request is nested too deeply".to_owned()));
    }
    check_type(shape.t, value, path)?;
    constraints(shape, value, path, problems);
    match value {
        Value::Object(members) if shape.t == Kind::Structure => {
            for name in &shape.required {
                if members.get(name).is_none_or(Value::is_null) {
                    path.push(lower(name));
                    problems.push(failed("null", path, "Member must not be null"));
                    path.pop();
                }
            }
            for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
                let Some(shape) = shape.members.get(name) else { continue };
                path.push(lower(name));
                visit(model, shape, value, path, problems)?;
                path.pop();
            }
        }
        Value::Object(members) => {
            for (key, value) in members {
                path.push(key.clone());
                let key = Value::String(key.clone());
                visit(model, shape.key.as_deref().unwrap_or_default(), &key, path, problems)?;
                visit(model, shape.of.as_deref().unwrap_or_default(), value, path, problems)?;
                path.pop();
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(format!("{}.member", index + 1));
                visit(model, shape.of.as_deref().unwrap_or_default(), item, path, problems)?;
                path.pop();
            }
        }
        _ => {}
    }
    Ok(())
}

/// Refuses a value of another JSON type.
fn check_type(kind: Kind, value: &Value, path: &[String]) -> Result<(), JobsError> {
    let fits = match kind {
        Kind::Structure | Kind::Map => value.is_object(),
        Kind::List => value.is_array(),
        Kind::String | Kind::Blob => value.is_string(),
        Kind::Integer | Kind::Long => value.is_i64() || value.is_u64(),
        Kind::Boolean => value.is_boolean(),
        Kind::Timestamp => value.is_number() || value.is_string(),
        Kind::Float | Kind::Double => value.is_number(),
    };
    if fits {
        return Ok(());
    }
    let place = if path.is_empty() { "the request".to_owned() } else { path.join(".") };
    Err(JobsError::Serialization(format!("at '{place}': expected {kind:?}, got {}", shown(value))))
}

/// Adds the constraints that a value fails.
fn constraints(shape: &Shape, value: &Value, path: &[String], problems: &mut Vec<String>) {
    let (size, of) = match value {
        Value::String(text) => (Some(count(text.chars().count())), "length"),
        Value::Array(items) => (Some(count(items.len())), "length"),
        Value::Object(members) => (Some(count(members.len())), "length"),
        Value::Number(number) => (number.as_f64(), "value"),
        _ => (None, ""),
    };
    let mut fail = |constraint: &str| problems.push(failed(&shown(value), path, constraint));
    if let (Some(size), true) = (size, shape.t != Kind::Structure) {
        if let Some(max) = shape.max.filter(|max| size > *max) {
            fail(&format!("Member must have {of} less than or equal to {max}"));
        }
        if let Some(min) = shape.min.filter(|min| size < *min) {
            fail(&format!("Member must have {of} greater than or equal to {min}"));
        }
    }
    let Some(text) = value.as_str() else { return };
    if !shape.allowed.is_empty() && !shape.allowed.iter().any(|allowed| allowed == text) {
        let allowed = shape.allowed.join(", ");
        fail(&format!("Member must satisfy enum value set: [{allowed}]"));
    }
    if let Some(pattern) = &shape.pattern {
        // A few patterns use what this library does not have: those are left to AWS.
        let matches = Regex::new(&format!("^(?s:{pattern})$")).map(|regex| regex.is_match(text));
        if !matches.unwrap_or(true) {
            fail(&format!("Member must satisfy regular expression pattern: {pattern}"));
        }
    }
}

fn failed(value: &str, path: &[String], constraint: &str) -> String {
    let path = path.join(".");
    let value = if value == "null" { value.to_owned() } else { format!("'{value}'") };
    format!("Value {value} at '{path}' failed to satisfy constraint: {constraint}")
}

fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().take(SHOWN).collect()
}

/// Returns a member's name as errors spell it.
fn lower(name: &str) -> String {
    let mut chars = name.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + chars.as_str())
}

#[expect(clippy::cast_precision_loss, reason = "no request has so many parts")]
fn count(length: usize) -> f64 {
    length as f64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_shape_that_is_named_is_there() {
        let model = model();
        let named = |shape: &Shape| {
            let members = shape.members.values().chain(&shape.of).chain(&shape.key);
            members.cloned().collect::<Vec<_>>()
        };
        let all = model.shapes.values().flat_map(named).chain(model.operations.values().cloned());
        for name in all {
            assert!(model.shapes.contains_key(&name), "{name}");
        }
    }

    #[test]
    fn a_request_is_refused_with_all_its_problems_in_the_words_of_aws() {
        let cases = [
            (json!({ "TrainingJobName": "a" }), None),
            (
                json!({}),
                Some("1 validation error detected: Value null at 'trainingJobName' failed"),
            ),
            (json!({ "TrainingJobName": "a_b" }), Some("regular expression pattern: [a-zA-Z0-9]")),
            (json!({ "TrainingJobName": "a".repeat(64) }), Some("less than or equal to 63")),
            (json!({ "TrainingJobName": 1 }), Some("at 'trainingJobName': expected String")),
            (json!({ "TrainingJobName": "a", "Newer": [1] }), None),
        ];
        for (request, expected) in cases {
            let result = check("DescribeTrainingJob", &request).map_err(|error| error.to_string());
            match expected {
                None => assert_eq!(result, Ok(()), "{request}"),
                Some(words) => {
                    let error = result.expect_err("it is refused");
                    assert!(error.contains(words), "{error}");
                }
            }
        }
        let nested = json!({ "ProcessingJobName": "a", "RoleArn": "arn:aws:iam::000000000000:role/r",
            "AppSpecification": { "ImageUri": "i" }, "ProcessingInputs": [{}] });
        let error = check("CreateProcessingJob", &nested).expect_err("refused").to_string();
        assert!(error.starts_with("2 validation errors detected"), "{error}");
        assert!(error.contains("'processingInputs.1.member.inputName'"), "{error}");
    }
}
