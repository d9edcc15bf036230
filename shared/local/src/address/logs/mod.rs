//! CloudWatch Logs, to read what functions wrote: a group for each function, as on AWS.
//!
//! A stream is one invocation. What reads it finds the time, the message and nothing else.

mod page;
mod pattern;
mod stream;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use sidestep_admission::Answer;

use self::page::Page;
use self::pattern::Pattern;
use self::stream::{LogEvent, Stream, groups, streams};
use super::json::{Refusal, answered, read};
use crate::account::{ACCOUNT_ID, REGION};

/// The most events of an answer, as at AWS.
const EVENTS: usize = 10_000;
/// The most groups or streams of an answer.
const NAMES: usize = 50;

/// Reads the logs of a folder. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct LogReader {
    folder: PathBuf,
}

impl LogReader {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(super) fn service(self) -> Answer {
        Arc::new(move |request| {
            let reader = self.clone();
            Box::pin(async move {
                let (operation, members) = match read(request, "Logs_20140328.").await {
                    Ok(read) => read,
                    Err(refusal) => return answered(Err(refusal)),
                };
                let work = move || reader.perform(&operation, &members);
                let done = tokio::task::spawn_blocking(work).await;
                answered(done.unwrap_or_else(|error| {
                    Err(Refusal("ServiceUnavailableException", error.to_string()))
                }))
            })
        })
    }

    fn perform(&self, operation: &str, members: &Value) -> Result<Value, Refusal> {
        match operation {
            "DescribeLogGroups" => self.describe_groups(members),
            "DescribeLogStreams" => self.describe_streams(members),
            "GetLogEvents" => self.get_events(members),
            "FilterLogEvents" => self.filter_events(members),
            other => {
                let known =
                    "DescribeLogGroups, DescribeLogStreams, FilterLogEvents and GetLogEvents";
                let why = format!(
                    "the embedded CloudWatch Logs has no operation `{other}`; it has {known}"
                );
                Err(Refusal("UnknownOperationException", why))
            }
        }
    }

    fn describe_groups(&self, members: &Value) -> Result<Value, Refusal> {
        let prefix = members["logGroupNamePrefix"].as_str().unwrap_or_default();
        let part = members["logGroupNamePattern"].as_str().unwrap_or_default();
        let found = groups(&self.folder).into_iter();
        let all: Vec<_> =
            found.filter(|name| name.starts_with(prefix) && name.contains(part)).collect();
        let page = Page::read(members, NAMES)?;
        let described = page.of(&all).iter().map(|name| {
            let created = streams(&self.folder, name).first().map_or(0, |stream| stream.at_ms);
            json!({
                "logGroupName": name,
                "creationTime": created,
                "metricFilterCount": 0,
                "arn": format!("{}:*", arn(name)),
                "logGroupArn": arn(name),
                "storedBytes": 0,
                "logGroupClass": "STANDARD",
            })
        });
        let groups: Vec<_> = described.collect();
        Ok(page.with_token(json!({ "logGroups": groups }), all.len()))
    }

    fn describe_streams(&self, members: &Value) -> Result<Value, Refusal> {
        let group = group_of(members)?;
        let prefix = members["logStreamNamePrefix"].as_str().unwrap_or_default();
        let mut all = self.streams(&group)?;
        all.retain(|stream| stream.name.starts_with(prefix));
        if members["orderBy"].as_str() != Some("LastEventTime") {
            all.sort_by(|left, right| left.name.cmp(&right.name));
        }
        if members["descending"].as_bool() == Some(true) {
            all.reverse();
        }
        let page = Page::read(members, NAMES)?;
        let described = page.of(&all).iter().map(|stream| {
            let events = stream.events(&self.folder);
            json!({
                "logStreamName": stream.name,
                "creationTime": stream.at_ms,
                "firstEventTimestamp": events.first().map_or(stream.at_ms, |event| event.at_ms),
                "lastEventTimestamp": events.last().map_or(stream.at_ms, |event| event.at_ms),
                "lastIngestionTime": events.last().map_or(stream.at_ms, |event| event.at_ms),
                "arn": format!("{}:log-stream:{}", arn(&group), stream.name),
                "storedBytes": 0,
            })
        });
        let streams: Vec<_> = described.collect();
        Ok(page.with_token(json!({ "logStreams": streams }), all.len()))
    }

    fn get_events(&self, members: &Value) -> Result<Value, Refusal> {
        let group = group_of(members)?;
        let wanted = text(members, "logStreamName")?;
        let found = self.streams(&group)?.into_iter().find(|stream| stream.name == wanted);
        let stream = found.ok_or_else(|| absent("stream"))?;
        let events = within(members, stream.events(&self.folder));
        let limit = page::limit(members, EVENTS)?;
        let (from, to) = page::range(members, events.len(), limit)?;
        let shown: Vec<_> = events[from..to]
            .iter()
            .map(|event| {
                json!({
                    "timestamp": event.at_ms,
                    "message": event.message,
                    "ingestionTime": event.at_ms,
                })
            })
            .collect();
        Ok(json!({
            "events": shown,
            "nextForwardToken": format!("f/{to:056}"),
            "nextBackwardToken": format!("b/{from:056}"),
        }))
    }

    fn filter_events(&self, members: &Value) -> Result<Value, Refusal> {
        let group = group_of(members)?;
        let pattern = Pattern::parse(members["filterPattern"].as_str().unwrap_or_default())
            .map_err(|why| Refusal("InvalidParameterException", why))?;
        let prefix = members["logStreamNamePrefix"].as_str().unwrap_or_default();
        let names: Option<Vec<&str>> = members["logStreamNames"]
            .as_array()
            .map(|names| names.iter().filter_map(Value::as_str).collect());
        let mut all = Vec::new();
        for stream in self.streams(&group)? {
            let is_wanted = stream.name.starts_with(prefix)
                && names.as_ref().is_none_or(|names| names.contains(&stream.name.as_str()));
            if is_wanted {
                let events = within(members, stream.events(&self.folder));
                let matching = events.into_iter().filter(|event| pattern.matches(&event.message));
                all.extend(matching.map(|event| (stream.name.clone(), event)));
            }
        }
        all.sort_by_key(|(_, event)| event.at_ms);
        let page = Page::read(members, EVENTS)?;
        let shown: Vec<_> = page
            .of(&all)
            .iter()
            .map(|(stream, event)| {
                json!({
                    "logStreamName": stream,
                    "timestamp": event.at_ms,
                    "message": event.message,
                    "ingestionTime": event.at_ms,
                    "eventId": format!("{}/{}", stream.rsplit(']').next().unwrap_or_default(), event.number),
                })
            })
            .collect();
        Ok(page.with_token(json!({ "events": shown, "searchedLogStreams": [] }), all.len()))
    }

    /// Returns the streams of a group, the oldest first.
    fn streams(&self, group: &str) -> Result<Vec<Stream>, Refusal> {
        let found = streams(&self.folder, group);
        if found.is_empty() { Err(absent("group")) } else { Ok(found) }
    }
}

/// Returns the events between the times of a request.
fn within(members: &Value, mut events: Vec<LogEvent>) -> Vec<LogEvent> {
    let bound = |name: &str| members[name].as_i64();
    let (from, to) = (bound("startTime"), bound("endTime"));
    events.retain(|event| {
        from.is_none_or(|from| event.at_ms >= from) && to.is_none_or(|to| event.at_ms < to)
    });
    events
}

/// Returns the group that a request names by its name or ARN.
fn group_of(members: &Value) -> Result<String, Refusal> {
    if let Some(identifier) = members["logGroupIdentifier"].as_str() {
        let name = identifier.split_once(":log-group:").map_or(identifier, |(_, name)| name);
        return Ok(name.trim_end_matches(":*").to_owned());
    }
    text(members, "logGroupName")
}

fn text(members: &Value, name: &str) -> Result<String, Refusal> {
    let why = || {
        let text = format!(
            "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
        );
        Refusal("InvalidParameterException", text)
    };
    members[name].as_str().map(str::to_owned).ok_or_else(why)
}

fn absent(what: &str) -> Refusal {
    Refusal("ResourceNotFoundException", format!("The specified log {what} does not exist."))
}

fn arn(group: &str) -> String {
    format!("arn:aws:logs:{REGION}:{ACCOUNT_ID}:log-group:{group}")
}
