//! Determinism: whether two results of one cache key are the same.
//!
//! Places differ from execution to execution. So an S3 URI below `runs/` counts by its artifact's
//! digest, or by its name below the attempt's prefix if it is no artifact.

use std::collections::BTreeMap;
use std::convert::Infallible;

use serde_json::Value;

use crate::cache::key::{Content, replace_content};
use crate::definition::output::OutputParameter;
use crate::execution::result::{CacheEntry, Outputs, Produced};
use crate::execution::witness::{Role, Witness};
use crate::uri::S3Uri;

/// Returns in words what differs between two results of one key, and `None` if nothing does.
///
/// Of the outputs only those that the step declares are compared: no step can read another one.
pub fn difference(
    then: &CacheEntry,
    now: &CacheEntry,
    declared: &[OutputParameter],
) -> Option<String> {
    let (before, after) = (artifacts(&then.produced), artifacts(&now.produced));
    let what = if let Some(uri) = written_otherwise(then, now) {
        format!("content of `{uri}`")
    } else if before == after {
        let raw = |entry: &CacheEntry, name: &str| match &entry.produced.outputs {
            Outputs::Inline(outputs) => outputs.get(name).cloned(),
            Outputs::Stored(_) => None,
        };
        let (before, after) = (outputs(then)?, outputs(now)?);
        let mut names = declared.iter().map(|output| &output.name);
        let name = names.find(|name| {
            // Another party may have overwritten what two equal outputs name.
            before.get(name) != after.get(name) && raw(then, name) != raw(now, name)
        })?;
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

/// Returns an object that both steps wrote, each with content of its own.
fn written_otherwise<'a>(then: &CacheEntry, now: &'a CacheEntry) -> Option<&'a S3Uri> {
    let is_other = |witness: &&Witness| {
        let mut before = then.witnesses.iter().filter(|before| before.role == Role::Written);
        witness.role == Role::Written
            && before.any(|before| before.uri == witness.uri && before.digest != witness.digest)
    };
    now.witnesses.iter().find(is_other).map(|witness| &witness.uri)
}

/// Returns the digests of the artifacts, by their names below the attempt's prefix.
fn artifacts(produced: &Produced) -> BTreeMap<String, &str> {
    let artifacts = produced.artifacts.iter();
    artifacts.map(|artifact| (local_name(&artifact.uri), artifact.sha256.as_str())).collect()
}

/// Returns the outputs without places, and `None` if they are stored in S3 and not read.
fn outputs(entry: &CacheEntry) -> Option<Value> {
    let CacheEntry { produced, witnesses, .. } = entry;
    let Outputs::Inline(outputs) = &produced.outputs else { return None };
    let replaced = replace_content::<Infallible>(&Value::Object(outputs.clone()), &mut |uri| {
        let artifact = produced.artifacts.iter().find(|artifact| artifact.uri == *uri);
        let witness = witnesses.iter().find(|witness| witness.uri == *uri);
        let digest = match artifact {
            Some(artifact) => Some(artifact.sha256.clone()),
            None => witness.and_then(|witness| witness.digest.clone()),
        };
        Ok(Content::Digest(digest.unwrap_or_else(|| local_name(uri))))
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
    use crate::definition::ScalarType;
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
            witnesses: Vec::new(),
            place_key: None,
            used_at_ms: None,
        }
    }

    #[test]
    fn results_differ_by_content_and_never_by_place() {
        let declared = ["uri", "rows", "empty"]
            .map(|name| OutputParameter { name: name.to_owned(), output_type: ScalarType::String });
        let difference = |then, now| difference(&then, &now, &declared);
        assert_eq!(difference(entry(1, "aa", 5), entry(2, "aa", 5)), None);
        let content = difference(entry(1, "aa", 5), entry(2, "bb", 5)).expect("differs");
        assert!(content.ends_with("but another artifact `data.csv`"), "{content}");
        let output = difference(entry(1, "aa", 5), entry(2, "aa", 6)).expect("differs");
        assert!(output.ends_with("but another output `rows`"), "{output}");
        let undeclared = super::difference(&entry(1, "aa", 5), &entry(2, "aa", 6), &declared[..1]);
        assert_eq!(undeclared, None, "no step can read `rows`");
    }
}
