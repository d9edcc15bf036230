//! EventBridge's `PutEvents`: events of the user's own, kept in a file. There are no rules.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Value, json};
use sidestep_admission::Answer;
use sidestep_core::view::description::timestamp;
use uuid::Uuid;

use super::json::{Refusal, answered, read};
use crate::account::{ACCOUNT_ID, REGION};
use crate::event_log::EventLog;

/// The file in the state folder.
const FILE: &str = "put-events.jsonl";
/// The most events of a request, as at AWS.
const ENTRIES: usize = 10;

/// The service, with the file that it writes.
#[derive(Debug, Clone)]
pub(super) struct Events(EventLog);

impl Events {
    pub(super) fn new(state: &Path) -> Self {
        Self(EventLog::named(state, FILE))
    }

    pub(super) fn service(self) -> Answer {
        Arc::new(move |request| {
            let events = self.clone();
            Box::pin(async move {
                answered(match read(request, "AWSEvents.").await {
                    Ok((operation, members)) if operation == "PutEvents" => {
                        events.put(&members).await
                    }
                    Ok((operation, _)) => {
                        let why = format!(
                            "the embedded EventBridge has no operation `{operation}`; it has PutEvents"
                        );
                        Err(Refusal("UnknownOperationException", why))
                    }
                    Err(refusal) => Err(refusal),
                })
            })
        })
    }

    async fn put(&self, members: &Value) -> Result<Value, Refusal> {
        let invalid = |why: &str| Refusal("ValidationException", why.to_owned());
        let entries = members["Entries"].as_array().ok_or_else(|| {
            invalid("1 validation error detected: Value null at 'entries' failed to satisfy constraint: Member must not be null")
        })?;
        if !(1..=ENTRIES).contains(&entries.len()) {
            return Err(invalid(
                "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length from 1 to 10",
            ));
        }
        let (mut results, mut lines, mut failed) = (Vec::new(), String::new(), 0);
        for entry in entries {
            match event(entry) {
                Ok(event) => {
                    results.push(json!({ "EventId": event["id"] }));
                    lines.extend([event.to_string(), "\n".to_owned()]);
                }
                Err((code, message)) => {
                    failed += 1;
                    results.push(json!({ "ErrorCode": code, "ErrorMessage": message }));
                }
            }
        }
        let log = self.0.clone();
        let written = tokio::task::spawn_blocking(move || log.append(&lines)).await;
        if !matches!(written, Ok(Ok(()))) {
            tracing::error!(?written, "could not keep events");
            return Err(Refusal("InternalException", "the events could not be kept".to_owned()));
        }
        Ok(json!({ "FailedEntryCount": failed, "Entries": results }))
    }
}

/// Returns an entry as EventBridge delivers it, or its error.
fn event(entry: &Value) -> Result<Value, (&'static str, String)> {
    let text = |name: &str| entry[name].as_str().filter(|text| !text.is_empty());
    let need = |name: &str| {
        let missing = || {
            (
                "InvalidArgument",
                format!("Parameter {name} is not valid. Reason: {name} is a required argument."),
            )
        };
        text(name).ok_or_else(missing)
    };
    let (source, detail_type) = (need("Source")?, need("DetailType")?);
    let detail: Value = serde_json::from_str(need("Detail")?)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| ("MalformedDetail", "Detail is malformed.".to_owned()))?;
    if source.starts_with("aws.") {
        let message = format!("Not authorized for the source {source}.");
        return Err(("NotAuthorizedForSourceException", message));
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let at_ms = match entry["Time"].as_f64() {
        // A number of seconds, as boto3 sends it.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Some(seconds) if seconds >= 0.0 => (seconds * 1_000.0) as u64,
        _ => u64::try_from(now.as_millis()).unwrap_or_default(),
    };
    Ok(json!({
        "version": "0",
        "id": Uuid::new_v4().to_string(),
        "detail-type": detail_type,
        "source": source,
        "account": ACCOUNT_ID,
        "time": timestamp(at_ms),
        "region": REGION,
        "resources": entry["Resources"].as_array().cloned().unwrap_or_default(),
        "detail": detail,
    }))
}
