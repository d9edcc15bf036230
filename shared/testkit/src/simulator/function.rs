//! What the simulated functions compute: the same for the same code, arguments and content,
//! wherever the content is.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value, json};
use sidestep_core::execution::commit::Failure;
use sidestep_core::execution::invocation::RESERVED_KEY;
use sidestep_core::uri::S3Uri;

/// How a function reports its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// It writes a manifest, as the step SDK does.
    Manifest,
    /// Only Lambda's destination tells of it.
    Destination,
}

/// A result before it is stored: outputs, and an artifact's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Computed {
    pub(crate) n: u64,
    pub(crate) content: Option<String>,
}

pub(crate) fn report(function: usize) -> Report {
    if function == 2 { Report::Destination } else { Report::Manifest }
}

/// Returns what an invocation depends on: the code and the arguments, in which the content replaces
/// its URI.
pub(crate) fn meaning(code: &str, payload: &Value, read: &dyn Fn(&S3Uri) -> String) -> String {
    let mut arguments = payload.clone();
    if let Some(arguments) = arguments.as_object_mut() {
        arguments.remove(RESERVED_KEY);
        for value in arguments.values_mut() {
            if let Some(uri) = value.as_str().and_then(|text| S3Uri::parse(text).ok()) {
                *value = json!(format!("content {}", read(&uri)));
            }
        }
    }
    format!("{code} {arguments}")
}

/// Returns the result of an invocation.
///
/// There are few different results, so a step that runs again often yields the same one. `F3` fails
/// now and then and succeeds when it is retried. `F4` always fails for some arguments.
pub(crate) fn compute(function: usize, meaning: &str, attempt: u32) -> Result<Computed, Failure> {
    let hash = hash(meaning);
    let failure = |error_type: &str| Failure {
        error_type: error_type.to_owned(),
        message: "as it happens".to_owned(),
    };
    match function {
        3 if (hash + u64::from(attempt)).is_multiple_of(2) => return Err(failure("Flaky")),
        4 if hash.is_multiple_of(3) => return Err(failure("ValueError")),
        _ => {}
    }
    let content = (report(function) == Report::Manifest).then(|| format!("c{}", hash / 7 % 3));
    Ok(Computed { n: hash / 3 % 4, content })
}

/// Returns the outputs of a result whose artifact is at `uri`.
pub(crate) fn outputs(computed: &Computed, uri: &S3Uri) -> Map<String, Value> {
    let text = if computed.content.is_some() { uri.to_string() } else { "none".to_owned() };
    let Value::Object(outputs) = json!({ "n": computed.n, "uri": text }) else {
        unreachable!("an object")
    };
    outputs
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish() >> 1
}
