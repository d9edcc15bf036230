//! The answer of a Describe call: a job's status, and the properties that other steps read.

use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::definition::StepType;
use crate::definition::property_path::{PropertyPath, Segment};
use crate::job::kind::JobType;
use crate::job::remote::is_remote_function;
use crate::uri::S3Uri;

/// The name of the object below an attempt's prefix that keeps the answer as a whole, as
/// `{"Outputs": ANSWER}`.
pub const ANSWER_NAME: &str = "job.json";

/// Returns the value at `path`. A name in a list means the element that carries it: a processing
/// output by `OutputName`, a metric by `MetricName`.
pub fn find<'a>(path: &PropertyPath, answer: &'a Map<String, Value>) -> Option<&'a Value> {
    let (first, rest) = path.0.split_first()?;
    let Segment::Key(first) = first else { return None };
    rest.iter().try_fold(answer.get(first)?, |value, segment| match (segment, value) {
        (Segment::Key(key), Value::Array(items)) => items.iter().find(|item| carries(item, key)),
        (Segment::Key(key), value) => value.get(key),
        (Segment::Index(index), value) => value.get(index),
    })
}

fn carries(item: &Value, name: &str) -> bool {
    let Value::Object(members) = item else { return false };
    members.iter().any(|(member, value)| member.ends_with("Name") && value == name)
}

/// Returns a property as other steps see it: a time, which the API gives in seconds, as text.
pub fn property(path: &PropertyPath, answer: &Map<String, Value>) -> Option<Value> {
    let value = find(path, answer)?;
    let is_time = matches!(path.0.last(), Some(Segment::Key(key)) if key.ends_with("Time"));
    Some(time_text(value).filter(|_| is_time).map_or_else(|| value.clone(), Value::String))
}

fn time_text(value: &Value) -> Option<String> {
    let ms = milliseconds(value)?;
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()?;
    let (hour, minute, second) = time.to_hms();
    let milliseconds = time.millisecond();
    Some(format!("{}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z", time.date()))
}

/// Returns a time of the API, which is in seconds, in milliseconds.
fn milliseconds(value: &Value) -> Option<u64> {
    let Value::Number(_) = value else { return None };
    let seconds = std::time::Duration::try_from_secs_f64(value.as_f64()?).ok()?;
    // To the nearest, because a float of seconds is a little off.
    u64::try_from((seconds.as_micros() + 500) / 1000).ok()
}

/// Returns how long the job worked, if its answer tells.
pub fn duration_ms(kind: &JobType, answer: &Value) -> Option<u64> {
    let (start, end) = kind.times;
    milliseconds(&answer[end])?.checked_sub(milliseconds(&answer[start])?)
}

/// Returns the place of a property file: `path` below the output with this name.
pub fn property_file(answer: &Map<String, Value>, output: &str, path: &str) -> Option<S3Uri> {
    let outputs = answer.get("ProcessingOutputConfig")?.get("Outputs")?.as_array()?;
    let found = outputs.iter().find(|item| item["OutputName"] == output)?;
    let uri = S3Uri::parse(found["S3Output"]["S3Uri"].as_str()?).ok()?;
    Some(uri.join(path.trim_start_matches('/')))
}

/// Returns the prefixes below which the job left its outputs, or why they cannot be told. A result
/// holds only while they are as the job left them.
pub fn outputs(kind: &JobType, answer: &Map<String, Value>) -> Result<Vec<S3Uri>, String> {
    let text = |value: &Value| value.as_str().and_then(|text| S3Uri::parse(text).ok());
    match kind.step_type {
        StepType::Processing => {
            let outputs = answer.get("ProcessingOutputConfig").and_then(|it| it.get("Outputs"));
            let place = |output: &Value| {
                let uri = text(&output["S3Output"]["S3Uri"]).map(|uri| uri.as_prefix());
                uri.ok_or_else(|| format!("its output {} is not in S3", output["OutputName"]))
            };
            outputs.and_then(Value::as_array).into_iter().flatten().map(place).collect()
        }
        StepType::Training => {
            let path = answer.get("OutputDataConfig").and_then(|it| text(&it["S3OutputPath"]));
            let name = answer.get(kind.name_member).and_then(Value::as_str).unwrap_or_default();
            let path = path.ok_or_else(|| "its answer names no output path".to_owned())?;
            let own = path.join(&format!("{name}/output/"));
            let results = is_remote_function(answer).then(|| path.as_prefix());
            Ok(results.into_iter().chain([own]).collect())
        }
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_property_is_found_by_member_index_and_name() {
        let whole = json!({"TrainingJobName": "n", "TrainingEndTime": 1_690_959_359.009,
            "Outputs": [{"OutputName": "a", "S3Output": {"S3Uri": "s3://bucket/a"}},
                        {"OutputName": "b x", "S3Output": {"S3Uri": "s3://bucket/b"}}],
            "FinalMetricDataList": [{"MetricName": "acc", "Value": 0.5}]});
        let answer = whole.as_object().expect("an object");
        for (path, expected) in [
            ("TrainingJobName", json!("n")),
            ("Outputs['b x'].S3Output.S3Uri", json!("s3://bucket/b")),
            ("Outputs[0].OutputName", json!("a")),
            ("FinalMetricDataList['acc'].Value", json!(0.5)),
            ("TrainingEndTime", json!("2023-08-02T06:55:59.009Z")),
            ("Outputs['c'].S3Output", json!(null)),
            ("Nothing", json!(null)),
        ] {
            let path = PropertyPath::parse(path).expect("a path");
            assert_eq!(property(&path, answer).unwrap_or_default(), expected, "{path}");
        }
    }

    #[test]
    fn a_property_file_lies_below_its_output() {
        let whole = json!({"ProcessingOutputConfig": {"Outputs": [
            {"OutputName": "o", "S3Output": {"S3Uri": "s3://bucket/out"}}]}});
        let answer = whole.as_object().expect("an object");
        let found = property_file(answer, "o", "sub/m.json").map(|uri| uri.to_string());
        assert_eq!(found.as_deref(), Some("s3://bucket/out/sub/m.json"));
        assert_eq!(property_file(answer, "x", "m.json"), None);
    }
}
