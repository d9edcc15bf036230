//! Determinism: whether two results of one cache key are the same.
//!
//! Places differ from execution to execution. So an S3 URI below `runs/` counts by its artifact's
//! digest, or by its name below the attempt's prefix if it is no artifact.

use std::collections::BTreeMap;
use std::convert::Infallible;

use serde_json::Value;

use crate::cache::key::{Content, replace_content};
use crate::execution::result::{CacheEntry, Outputs, Produced};
use crate::uri::S3Uri;

/// Returns in words what differs between two results of one key, and `None` if nothing does.
pub fn difference(then: &CacheEntry, now: &CacheEntry) -> Option<String> {
    let (before, after) = (artifacts(&then.produced), artifacts(&now.produced));
    let what = if before == after {
        let (before, after) = (outputs(&then.produced)?, outputs(&now.produced)?);
        let names = before.as_object()?.keys().chain(after.as_object()?.keys());
        let name = names.into_iter().find(|name| before.get(name) != after.get(name))?;
        format!("output `{name}`")
    } else {
        let names = before.keys().chain(after.keys());
        let name = names.into_iter().find(|name| before.get(*name) != after.get(*name))?;
        format!("artifact `{name}`")
    };
    let other = &then.source.execution_id;
    Some(format!(
        "not deterministic: same code and arguments as in execution {other}, but another {what}"
    ))
}

/// Returns the digests of the artifacts, by their names below the attempt's prefix.
fn artifacts(produced: &Produced) -> BTreeMap<String, &str> {
    let artifacts = produced.artifacts.iter();
    artifacts.map(|artifact| (local_name(&artifact.uri), artifact.sha256.as_str())).collect()
}

/// Returns the outputs without places, and `None` if they are stored in S3 and not read.
fn outputs(produced: &Produced) -> Option<Value> {
    let Outputs::Inline(outputs) = &produced.outputs else { return None };
    let replaced = replace_content::<Infallible>(&Value::Object(outputs.clone()), &mut |uri| {
        let artifact = produced.artifacts.iter().find(|artifact| artifact.uri == *uri);
        Ok(Content::Digest(artifact.map_or_else(|| local_name(uri), |a| a.sha256.clone())))
    });
    replaced.ok()
}

/// Returns the part of a key below `runs/PIPELINE/EXECUTION/STEP/ATTEMPT/`, and the whole URI of
/// any other object.
fn local_name(uri: &S3Uri) -> String {
    match uri.key().splitn(6, '/').collect::<Vec<_>>().as_slice() {
        ["runs", _, _, _, _, name] => (*name).to_owned(),
        _ => uri.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::key::KeyParts;
    use crate::execution::manifest::Artifact;
    use crate::execution::result::Source;
    use crate::name::{ExecutionId, StepName};
    use serde_json::json;

    fn entry(id: u8, sha256: &str, rows: u32) -> CacheEntry {
        let execution_id = ExecutionId::from_bytes([id; 16]);
        let uri = S3Uri::new("bucket", format!("runs/p/{execution_id}/S/1/data.csv"));
        let outputs = json!({ "uri": uri, "rows": rows, "empty": uri.to_string() + ".none" });
        let Value::Object(outputs) = outputs else { unreachable!("an object") };
        CacheEntry {
            parts: KeyParts::lambda("c", json!({})),
            source: Source {
                pipeline_execution_arn: String::new(),
                execution_id,
                step_name: StepName::parse("S").expect("legal"),
            },
            produced: Produced {
                outputs: Outputs::Inline(outputs),
                artifacts: vec![Artifact { uri, bytes: 1, sha256: sha256.to_owned() }],
                duration_ms: 1,
            },
            memory_mb: 128,
            created_at_ms: 0,
        }
    }

    #[test]
    fn results_differ_by_content_and_never_by_place() {
        assert_eq!(difference(&entry(1, "aa", 5), &entry(2, "aa", 5)), None);
        let content = difference(&entry(1, "aa", 5), &entry(2, "bb", 5)).expect("differs");
        assert!(content.ends_with("but another artifact `data.csv`"), "{content}");
        let output = difference(&entry(1, "aa", 5), &entry(2, "aa", 6)).expect("differs");
        assert!(output.ends_with("but another output `rows`"), "{output}");
    }
}
