//! The answers about a job: Describe, a row of List, and an event's detail.

use serde_json::{Map, Number, Value, json};

use super::kind::JobKind;
use super::record::{Record, State};
use crate::account::{ACCOUNT_ID, REGION};
use crate::s3::timestamp;

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Times {
    /// Answers have seconds.
    Seconds,
    /// Events have milliseconds.
    Milliseconds,
}

impl Times {
    fn write(self, ms: i64) -> Value {
        match self {
            Self::Milliseconds => json!(ms),
            Self::Seconds => {
                let text = format!("{}.{:03}", ms.div_euclid(1000), ms.rem_euclid(1000));
                // A number of this form always parses.
                text.parse::<Number>().map_or(Value::Null, Value::Number)
            }
        }
    }
}

/// Returns the answer of Describe: all members of the request, and what became of it.
pub(crate) fn described(record: &Record) -> Value {
    Value::Object(members(record, Times::Seconds))
}

/// Returns the event that EventBridge would deliver.
pub(crate) fn event(record: &Record) -> Value {
    let detail = members(record, Times::Milliseconds);
    let modified = timestamp(record.modified_ms);
    let time = modified.format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
    json!({
        "version": "0",
        "id": uuid::Uuid::new_v4().to_string(),
        "detail-type": record.kind.detail_type(),
        "source": "aws.sagemaker",
        "account": ACCOUNT_ID,
        "time": time,
        "region": REGION,
        "resources": [record.arn()],
        "detail": detail,
    })
}

/// Returns a row of List.
pub(crate) fn summary(record: &Record) -> Value {
    let kind = record.kind;
    let all = members(record, Times::Seconds);
    let shown = ["Name", "Arn", "Status"].map(|rest| kind.member(rest));
    let others = match kind {
        JobKind::Processing => ["FailureReason", "ExitMessage", "ProcessingEndTime"],
        JobKind::Training => ["SecondaryStatus", "TrainingEndTime", "LastModifiedTime"],
    };
    let own = shown.iter().map(String::as_str).chain(others);
    let names = own.chain(["CreationTime", "LastModifiedTime"]);
    let pairs = names.filter_map(|name| Some((name.to_owned(), all.get(name)?.clone())));
    Value::Object(pairs.collect())
}

fn members(record: &Record, times: Times) -> Map<String, Value> {
    let (kind, state) = (record.kind, &record.state);
    let mut all = record.request.as_object().cloned().unwrap_or_default();
    all.retain(|_, value| !value.is_null());
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            all.insert(name.to_owned(), value);
        }
    };
    put(&kind.member("Arn"), Some(record.arn().into()));
    put(&kind.member("Status"), Some(state.status.word().into()));
    put("FailureReason", state.failure.clone().map(Value::from));
    put("CreationTime", Some(times.write(record.created_ms)));
    put("LastModifiedTime", Some(times.write(record.modified_ms)));
    put(kind.start_member(), state.started_ms.map(|ms| times.write(ms)));
    put(kind.end_member(), state.ended_ms.map(|ms| times.write(ms)));
    match kind {
        JobKind::Processing => put("ExitMessage", state.exit_message.clone().map(Value::from)),
        JobKind::Training => {
            for (name, value) in of_training(record, times) {
                put(name, Some(value));
            }
        }
    }
    all
}

/// Returns the members that only a training job has.
fn of_training(record: &Record, times: Times) -> Vec<(&'static str, Value)> {
    let state = &record.state;
    let mut all = vec![
        ("SecondaryStatus", state.secondary().unwrap_or("Starting").into()),
        ("SecondaryStatusTransitions", transitions(state, times)),
    ];
    if state.status.is_final() {
        all.push(("ModelArtifacts", json!({ "S3ModelArtifacts": artifacts(record) })));
        let took = state.started_ms.zip(state.ended_ms).map(|(start, end)| (end - start) / 1000);
        let seconds = took.unwrap_or_default().max(0);
        all.push(("TrainingTimeInSeconds", json!(seconds)));
        all.push(("BillableTimeInSeconds", json!(seconds)));
    }
    if !state.metrics.is_empty() {
        let metrics = state.metrics.iter().map(|metric| {
            let at = times.write(metric.at_ms);
            json!({ "MetricName": metric.name, "Value": metric.value, "Timestamp": at })
        });
        all.push(("FinalMetricDataList", metrics.collect()));
    }
    all
}

fn transitions(state: &State, times: Times) -> Value {
    let one = |transition: &super::record::Transition| {
        let mut one = json!({
            "Status": transition.status,
            "StartTime": times.write(transition.start_ms),
            "StatusMessage": transition.message,
        });
        if let Some(end) = transition.end_ms {
            one["EndTime"] = times.write(end);
        }
        one
    };
    state.transitions.iter().map(one).collect()
}

/// Returns where the model of a training job is.
pub(crate) fn artifacts(record: &Record) -> String {
    let folder = output_folder(record);
    match record.text("/OutputDataConfig/CompressionType") {
        "NONE" => format!("{folder}/model/"),
        _ => format!("{folder}/model.tar.gz"),
    }
}

/// Returns the place of all outputs of a training job.
pub(crate) fn output_folder(record: &Record) -> String {
    let path = record.text("/OutputDataConfig/S3OutputPath").trim_end_matches('/');
    format!("{path}/{}/output", record.name)
}
