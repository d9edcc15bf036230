//! Differences between the parts of two cache keys, in words.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use crate::cache::key::{CONTENT_MARK, KeyParts, short_digest};
use crate::job::content::{as_files, changed};

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
            ("Content", place) if self.then.is_object() || self.now.is_object() => {
                changed(&self.then, &self.now, place.as_deref())
            }
            ("Content", Some(uri)) => format!("content of {uri}: {then} to {now}"),
            ("Content", None) => {
                let (then, now) = (held(&self.then, then), held(&self.now, now));
                format!("content behind argument `{path}`: {then} to {now}")
            }
            ("Argument", _) => match hyperparameter(path) {
                Some(name) => {
                    let plain = |text: String| text.trim_matches('"').to_owned();
                    format!("hyperparameter {name} {} to {}", plain(then), plain(now))
                }
                None => format!("argument `{path}` {then} to {now}"),
            },
            (part, _) => format!("{part} {then} to {now}"),
        }
    }
}

/// Returns the name of the hyperparameter at a path of arguments.
fn hyperparameter(path: &str) -> Option<&str> {
    let (before, name) = path.split_once("HyperParameters.")?;
    let is_map = before.is_empty() || before.ends_with('.') || before.ends_with("Static");
    Some(name).filter(|name| is_map && !name.contains(['.', '[']))
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
        _ if as_files(then).is_some() || as_files(now).is_some() => {
            let value = |value: &Value| as_files(value).cloned().unwrap_or_default();
            let uri = arguments.and_then(Value::as_str).map(str::to_owned);
            let (path, then, now) = (Some(path.clone()), value(then), value(now));
            found.push(Difference { path, uri, ..Difference::new("Content", then, now) });
        }
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
