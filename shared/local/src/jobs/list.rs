//! Lists jobs: filters, order and pages as SageMaker has them.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::describe::summary;
use super::error::JobsError;
use super::kind::JobKind;
use super::record::Record;

/// The jobs of a page, if the request names no number.
const PAGE: u64 = 10;

/// Returns a page of the jobs that a List request asks for.
pub(crate) fn page(
    kind: JobKind,
    mut records: Vec<Record>,
    request: &Value,
) -> Result<Value, JobsError> {
    let text = |name: &str| request[name].as_str().unwrap_or_default();
    let time = |name: &str| bound(&request[name]);
    let contains = text("NameContains").to_lowercase();
    let status = text("StatusEquals");
    records.retain(|record| {
        record.name.to_lowercase().contains(&contains)
            && (status.is_empty() || record.state.status.word() == status)
            && time("CreationTimeAfter").is_none_or(|ms| record.created_ms > ms)
            && time("CreationTimeBefore").is_none_or(|ms| record.created_ms < ms)
            && time("LastModifiedTimeAfter").is_none_or(|ms| record.modified_ms > ms)
            && time("LastModifiedTimeBefore").is_none_or(|ms| record.modified_ms < ms)
    });
    let by = text("SortBy").to_owned();
    records.sort_by(|one, other| {
        let (times, names) = ((one.created_ms, other.created_ms), (&one.name, &other.name));
        let by_time = times.0.cmp(&times.1).then_with(|| names.0.cmp(names.1));
        match by.as_str() {
            "Name" => names.0.cmp(names.1),
            "Status" => one.state.status.word().cmp(other.state.status.word()).then(by_time),
            _ => by_time,
        }
    });
    if text("SortOrder") == "Descending" {
        records.reverse();
    }
    let start = match text("NextToken") {
        "" => 0,
        token => after(token, &records)?,
    };
    let limit = usize::try_from(request["MaxResults"].as_u64().unwrap_or(PAGE)).unwrap_or(1);
    let shown: Vec<_> = records.iter().skip(start).take(limit).collect();
    let mut answer = json!({ kind.member("Summaries"): shown.iter().map(|one| summary(one)).collect::<Value>() });
    if let Some(last) = shown.last().filter(|_| start + limit < records.len()) {
        answer["NextToken"] = hex::encode(&last.name).into();
    }
    Ok(answer)
}

/// Returns the place after the job that a token names.
fn after(token: &str, records: &[Record]) -> Result<usize, JobsError> {
    let name = hex::decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let place = name.and_then(|name| records.iter().position(|record| record.name == name));
    place
        .map(|place| place + 1)
        .ok_or_else(|| JobsError::Validation("The token 'NextToken' is not valid.".to_owned()))
}

/// Returns a time of a request in milliseconds since 1970: seconds, or a text of RFC 3339.
fn bound(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "far beyond any calendar it saturates")]
    let of_seconds = |seconds: f64| (seconds * 1000.0) as i64;
    let of_text = |text: &str| {
        let parsed = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(parsed.unix_timestamp_nanos() / 1_000_000).ok()
    };
    value.as_f64().map(of_seconds).or_else(|| of_text(value.as_str()?))
}
