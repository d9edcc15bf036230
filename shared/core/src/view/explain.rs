//! Explanations: why a step ran or did not, and what differs from its nearest earlier run.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use crate::cache::key::{CONTENT_MARK, KeyParts, short_digest};
use crate::definition::expression::Expression;
use crate::definition::{StepIndex, StepKind, StepType};
use crate::execution::commit::Verdict;
use crate::execution::past::PastExecution;
use crate::plan::cache::is_miss;
use crate::plan::draft::Draft;
use crate::plan::facts::Facts;

/// The explanation of the decision about one step.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Explanation {
    pub step_name: String,
    pub step_type: StepType,
    /// The decision; absent while the step's turn has not come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<&'static str>,
    /// The reason as the planner gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// The execution that it is compared with: the nearest earlier one that has a key for this
    /// step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// What differs from that execution. It is empty if nothing does, or if nothing can be
    /// compared.
    pub differences: Vec<Difference>,
    /// The SHA-256 of the key's parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_parts: Option<KeyParts>,
}

/// A part of the key that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Difference {
    /// `Code`, `Argument`, `Content`, `Scope`, `KeyVersion` or `StepType`.
    pub part: &'static str,
    /// The path in the arguments, for `Argument` and `Content`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The object or prefix whose content differs, as the arguments name it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The value before; `null` if there was none.
    pub then: Value,
    pub now: Value,
}

impl Difference {
    fn new(part: &'static str, then: Value, now: Value) -> Self {
        Self { part, path: None, uri: None, then, now }
    }

    /// Returns the difference in words, for people.
    pub fn text(&self) -> String {
        let (then, now) = (show(&self.then), show(&self.now));
        let path = self.path.as_deref().unwrap_or_default();
        match (self.part, &self.uri) {
            ("Code", _) => format!("code {then} to {now}"),
            ("Content", Some(uri)) => format!("content of {uri}: {then} to {now}"),
            ("Content", None) => {
                let (then, now) = (held(&self.then, then), held(&self.now, now));
                format!("content behind argument `{path}`: {then} to {now}")
            }
            ("Argument", _) => format!("argument `{path}` {then} to {now}"),
            (part, _) => format!("{part} {then} to {now}"),
        }
    }
}

/// Shows a digest by its first digits, and anything else as JSON that is cut to a readable length.
fn show(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) if is_digest(text) => short_digest(text).to_owned(),
        other => {
            let text = other.to_string();
            match text.char_indices().nth(60) {
                Some((end, _)) => format!("{}...", &text[..end]),
                None => text,
            }
        }
    }
}

/// Shows a URI that stands for itself beside a digest: nothing was there.
fn held(value: &Value, shown: String) -> String {
    match value.as_str() {
        Some(text) if text.starts_with("s3://") => format!("nothing at {text}"),
        _ => shown,
    }
}

fn is_digest(text: &str) -> bool {
    let kinds = ["sha256:", "listing:", "etag:", "crc"];
    kinds.iter().any(|kind| text.starts_with(kind)) && text.len() > 20
}

/// Returns what differs between the parts of two keys. `arguments` are those of `now` with their
/// URIs, if they are known.
pub fn differences(then: &KeyParts, now: &KeyParts, arguments: Option<&Value>) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut part = |name, then: Value, now: Value| {
        if then != now {
            found.push(Difference::new(name, then, now));
        }
    };
    part("KeyVersion", then.key_version.into(), now.key_version.into());
    part("StepType", then.step_type.clone().into(), now.step_type.clone().into());
    part("Code", then.code_digest.clone().into(), now.code_digest.clone().into());
    part("Scope", then.scope.clone().into(), now.scope.clone().into());
    compare(&then.arguments, &now.arguments, arguments, &mut String::new(), &mut found);
    // If the arguments differ, they name other places.
    let is_same = then.arguments == now.arguments;
    let names = then.contents.keys().chain(now.contents.keys());
    for uri in names.collect::<BTreeSet<_>>() {
        let (before, after) = (then.contents.get(uri), now.contents.get(uri));
        if before != after && (is_same || (before.is_some() && after.is_some())) {
            let value = |digest: Option<&Option<String>>| Value::from(digest.cloned().flatten());
            let (then, now) = (value(before), value(after));
            let uri = Some(uri.to_string());
            found.push(Difference { uri, ..Difference::new("Content", then, now) });
        }
    }
    found
}

/// Compares the arguments recursively. The parser and the payload limit bound their depth.
fn compare(
    then: &Value,
    now: &Value,
    arguments: Option<&Value>,
    path: &mut String,
    found: &mut Vec<Difference>,
) {
    let nothing = Value::Null;
    match (then, now) {
        _ if then == now => {}
        (Value::Object(before), Value::Object(after)) => {
            let mut names: Vec<_> = before.keys().chain(after.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let length = path.len();
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
                let (then, now) = (before.get(name), after.get(name));
                let arguments = arguments.and_then(|value| value.get(name));
                compare(then.unwrap_or(&nothing), now.unwrap_or(&nothing), arguments, path, found);
                path.truncate(length);
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (position, (then, now)) in before.iter().zip(after).enumerate() {
                let length = path.len();
                let _ = write!(path, "[{position}]");
                let arguments = arguments.and_then(|value| value.get(position));
                compare(then, now, arguments, path, found);
                path.truncate(length);
            }
        }
        _ => {
            let (before, after) = (content(then), content(now));
            let is_content = before.is_some() || after.is_some();
            let value = |value: &Value, content: Option<&str>| {
                content.map_or_else(|| value.clone(), Value::from)
            };
            found.push(Difference {
                part: if is_content { "Content" } else { "Argument" },
                path: Some(path.clone()),
                uri: arguments
                    .and_then(Value::as_str)
                    .filter(|_| after.is_some())
                    .map(str::to_owned),
                then: value(then, before),
                now: value(now, after),
            });
        }
    }
}

fn content(value: &Value) -> Option<&str> {
    value.as_str()?.strip_prefix(CONTENT_MARK)
}

/// Explains one step of an execution by comparison with its nearest earlier run.
pub fn explain(
    this: &PastExecution,
    step: StepIndex,
    against: Option<&PastExecution>,
) -> Explanation {
    let definition = this.pipeline.step(step);
    let decision = this.decision(step);
    let parts = this.parts(&definition.name);
    // A hit has nothing to explain: its key is the earlier one.
    let is_miss = decision.is_some_and(|decision| matches!(decision.verdict, Verdict::Run(_)));
    let against = against.filter(|_| is_miss);
    let then = against.and_then(|against| against.parts(&definition.name));
    let differences = match (then, parts) {
        (Some(then), Some(now)) => differences(then, now, arguments(this, step).as_ref()),
        _ => Vec::new(),
    };
    Explanation {
        step_name: definition.name.to_string(),
        step_type: definition.step_type(),
        decision: decision.map(|decision| decision.verdict.decision()),
        reason: decision.map(|decision| decision.reason.clone()),
        warning: decision.and_then(|decision| decision.warning.clone()),
        against: then.and(parts).and(against).map(|against| against.start.execution_id.to_string()),
        differences,
        cache_key: parts.map(|parts| parts.key().to_string()),
        key_parts: parts.map(KeyParts::readable),
    }
}

impl Explanation {
    /// Returns in words what decided. Where the key was not in the cache these are the differences
    /// from an earlier run, otherwise the planner's reason.
    pub fn because(&self) -> String {
        let Some(reason) = &self.reason else { return "its turn has not come".to_owned() };
        let has_missed = self.decision == Some("Run") && is_miss(reason);
        match self.against.as_ref().filter(|_| has_missed) {
            None => reason.clone(),
            Some(against) if self.differences.is_empty() => {
                format!("{reason}, though nothing differs from execution {against}")
            }
            Some(against) => {
                let differences: Vec<_> = self.differences.iter().map(Difference::text).collect();
                format!("{} since execution {against}", differences.join(", "))
            }
        }
    }
}

/// Returns the arguments of a step as they were, with their URIs, as far as the commits tell.
fn arguments(this: &PastExecution, step: StepIndex) -> Option<Value> {
    let StepKind::Lambda(lambda) = &this.pipeline.step(step).kind else { return None };
    let facts = Facts {
        now_ms: this.start.started_at_ms,
        commits: this.commits.iter().map(|commit| (commit.revision, commit.clone())).collect(),
        ..Facts::default()
    };
    let draft = Draft::new(&this.pipeline, &this.start, &this.execution, &facts);
    let resolver = draft.resolver_of(step);
    // Part by part, so that one that cannot be evaluated does not hide the others.
    match &lambda.arguments {
        Expression::Object(members) => {
            let member = |(name, value): (&String, &Expression)| {
                Some((name.clone(), value.evaluate(&resolver).ok()?))
            };
            Some(Value::Object(members.iter().filter_map(member).collect()))
        }
        other => other.evaluate(&resolver).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uri::S3Uri;
    use serde_json::json;

    #[test]
    fn each_part_that_differs_is_named_with_both_values() {
        let digest = |c: &str| format!("{CONTENT_MARK}sha256:{}", c.repeat(64));
        let then = KeyParts::lambda(
            &format!("sha256:{}", "3".repeat(64)),
            json!({"learning_rate": 0.1, "data": {"uri": digest("a")}, "gone": 1, "list": [1, 2]}),
        );
        let now = KeyParts::lambda(
            &format!("sha256:{}", "9".repeat(64)),
            json!({"learning_rate": 0.2, "data": {"uri": digest("b")}, "list": [1, 3]}),
        );
        let arguments = json!({"data": {"uri": "s3://b/k"}});
        let found = differences(&then, &now, Some(&arguments));
        let texts: Vec<_> = found.iter().map(Difference::text).collect();
        assert_eq!(
            texts,
            [
                "code 33333333 to 99999999",
                "content of s3://b/k: aaaaaaaa to bbbbbbbb",
                "argument `gone` 1 to nothing",
                "argument `learning_rate` 0.1 to 0.2",
                "argument `list[1]` 2 to 3",
            ]
        );
        assert_eq!(differences(&now, &now, None), []);

        let place = |digest: Option<String>| KeyParts {
            contents: [(S3Uri::new("b", "in.csv"), digest)].into(),
            ..KeyParts::lambda("code", json!({ "key": "in.csv" }))
        };
        let digest_of = |c: &str| Some(format!("sha256:{}", c.repeat(64)));
        let found = differences(&place(digest_of("a")), &place(digest_of("b")), None);
        assert_eq!(found[0].text(), "content of s3://b/in.csv: aaaaaaaa to bbbbbbbb");
        let found = differences(&place(None), &place(digest_of("b")), None);
        assert_eq!(found[0].text(), "content of s3://b/in.csv: nothing to bbbbbbbb");

        let parts = |uri: &str| KeyParts::lambda("code", json!({ "data": uri }));
        let found = differences(&parts(&digest("a")), &parts("s3://b/none"), None);
        let text = "content behind argument `data`: aaaaaaaa to nothing at s3://b/none";
        assert_eq!(found[0].text(), text);
    }
}
