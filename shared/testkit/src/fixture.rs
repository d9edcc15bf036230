//! Values for tests: a start, a commit and a cache entry. A test replaces the fields that it is
//! about.

#![allow(clippy::unwrap_used, reason = "these texts are legal")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use sidestep_core::cache::key::KeyParts;
use sidestep_core::definition::StepIndex;
use sidestep_core::execution::commit::{
    CacheEntry, Commit, Decision, Outputs, Produced, Source, Verdict,
};
use sidestep_core::execution::manifest::Artifact;
use sidestep_core::execution::start::{STATE_VERSION, Start};
use sidestep_core::execution::token::Secret;
use sidestep_core::name::{ExecutionId, PipelineName, StepName};
use sidestep_core::parse::Format;
use sidestep_core::uri::S3Uri;

/// Returns the start of an execution of `pipeline`, whose id is made of `id`.
pub fn start(pipeline: &str, id: u8, started_at_ms: u64) -> Start {
    let execution_id = ExecutionId::from_bytes([id; 16]);
    Start {
        state_version: STATE_VERSION,
        output_prefix: S3Uri::new("artifacts", format!("runs/{pipeline}/{execution_id}/")),
        execution_id,
        pipeline_name: PipelineName::parse(pipeline).unwrap(),
        definition_digest: "digest".to_owned(),
        definition_format: Format::Yaml,
        parameters: BTreeMap::new(),
        functions: BTreeMap::new(),
        left_out: BTreeMap::new(),
        jobs: None,
        started_at_ms,
        use_cache: true,
        selection: None,
        forced: BTreeSet::new(),
        baseline: None,
        max_parallel_execution_steps: None,
        pipeline_arn: format!("arn:aws:sagemaker:us-east-1:000000000000:pipeline/{pipeline}"),
        trigger: "a test".to_owned(),
        uploaded: None,
        refused: None,
        secret: Secret::from_bytes([id; 32]),
    }
}

/// Returns a commit that skips a step for this reason.
pub fn skip(revision: u32, step: usize, reason: &str) -> Commit {
    let decision = Decision::new(StepIndex(step), Verdict::Skipped, reason.to_owned());
    Commit { decisions: vec![decision], ..Commit::new(revision, 1_000 + u64::from(revision)) }
}

/// Returns an entry whose key depends on `number`, with an artifact of this content.
pub fn entry(number: u32, sha256: &str) -> CacheEntry {
    let execution_id = ExecutionId::from_bytes([9; 16]);
    let uri = S3Uri::new("artifacts", format!("runs/p/{execution_id}/A/1/data"));
    let serde_json::Value::Object(outputs) = json!({ "uri": uri, "rows": 3, "text": "ü \"" })
    else {
        unreachable!("an object")
    };
    CacheEntry {
        parts: KeyParts::lambda("sha256:code", json!({ "number": number })),
        source: Source {
            pipeline_execution_arn: "arn".to_owned(),
            execution_id,
            step_name: StepName::parse("A").unwrap(),
        },
        produced: Produced {
            outputs: Outputs::Inline(outputs),
            artifacts: vec![Artifact { uri, bytes: 1, sha256: sha256.to_owned() }],
            duration_ms: 7,
        },
        memory_mb: 128,
        created_at_ms: 1_700_000_000_000,
        witnesses: Vec::new(),
        place_key: None,
        used_at_ms: None,
    }
}
