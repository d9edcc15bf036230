//! Every limit in one place: checked where the thing is read, quoted in the error, and listed in
//! `docs/definition.md`.

/// Bytes of a definition [service model: `PipelineDefinition` 1,048,576 characters].
pub const DEFINITION_BYTES: usize = 1_048_576;
/// Nesting of JSON or YAML in a definition.
pub const DEFINITION_DEPTH: usize = 100;
/// JSON values in a definition.
pub const DEFINITION_NODES: usize = 200_000;
/// Bytes of one key in a definition.
pub const KEY_BYTES: usize = 1_024;
/// Problems listed for one definition.
pub const PROBLEMS: usize = 1_000;
/// Steps of a pipeline, branches included.
pub const STEPS: usize = 4_000;
/// Parameters of a pipeline [service model: 200 can be given at start].
pub const PARAMETERS: usize = 200;
/// Characters of a String parameter's default [published schema].
pub const PARAMETER_DEFAULT_CHARS: usize = 4_096;
/// Characters of a value given at start [service model].
pub const PARAMETER_VALUE_CHARS: usize = 1_024;
/// Values of an enumeration [sagemaker-python-sdk #2314: the service refuses a 17th].
pub const ENUM_VALUES: usize = 16;
/// Nesting of conditions within conditions.
pub const CONDITION_DEPTH: usize = 32;
/// Declared outputs of a Lambda or Callback step [service model].
pub const OUTPUT_PARAMETERS: usize = 50;
/// Characters of an output's name [service model].
pub const OUTPUT_NAME_CHARS: usize = 256;
/// Retries of one policy [guide].
pub const RETRY_MAX_ATTEMPTS: u64 = 20;
/// Seconds between retries [guide].
pub const RETRY_INTERVAL_SECONDS: u64 = 43_200;
/// Minutes after which a retry policy gives up [guide].
pub const RETRY_EXPIRE_AFTER_MINUTES: u64 = 14_400;
/// Characters of a display name [service model].
pub const DISPLAY_NAME_CHARS: usize = 256;
/// Characters of a description [service model].
pub const DESCRIPTION_CHARS: usize = 3_072;
/// Characters of a failure reason of a step [service model: 1,024 on a step].
pub const FAILURE_REASON_CHARS: usize = 1_024;
/// Bytes of a resolved invocation payload. Lambda's asynchronous limit is 1 MB (since October
/// 2025).
pub const PAYLOAD_BYTES: usize = 1_000_000;
/// Bytes of outputs kept in the commit record; larger ones stay in S3 behind a pointer. Above about
/// 9 KB an S3 PUT is cheaper than DynamoDB's write units.
pub const INLINE_OUTPUT_BYTES: usize = 8_192;
/// Bytes of a step's outputs altogether.
pub const OUTPUT_BYTES: usize = 1_000_000;
/// Nesting of a step's outputs, the object that holds them included. JSON is read back up to 128
/// levels, and a result is stored and sent inside of up to 17 more.
pub const OUTPUT_DEPTH: usize = 100;
/// Bytes of a document that `Std:JsonGet` reads.
pub const JSON_DOCUMENT_BYTES: usize = 4_194_304;
/// Bytes of one commit record. A DynamoDB item may have 400 KB; decisions that do not fit go into
/// the next commit.
pub const COMMIT_BYTES: usize = 300_000;
/// Bytes of a manifest that the planner reads.
pub const MANIFEST_BYTES: usize = JSON_DOCUMENT_BYTES;
/// Artifacts of one step.
pub const ARTIFACTS: usize = 5_000;
/// Bytes that the list of a step's artifacts takes, see [`artifact_bytes`]. The list is part of a
/// commit record, and a DynamoDB item may have 409,600 bytes.
pub const ARTIFACT_LIST_BYTES: usize = 350_000;
/// Objects below a prefix that a step reads as its input.
pub const LISTED_OBJECTS: usize = 10_000;
/// Places whose content counts for one step, beside the arguments that are S3 URIs.
pub const PLACES: usize = 1_000;
/// Entries of a step's `Reads`.
pub const READS: usize = 100;
/// Places in S3 that the embedded cloud records of one attempt. The result of an attempt that
/// touches more is not cached.
pub const TRACED_PLACES: usize = 10_000;
/// Places that a cache entry names to be checked before a hit, besides its artifacts. A result with
/// more of them is not cached.
pub const WITNESSES: usize = 1_000;
/// Attempts of one step, the first included, before the step fails because its lease lapsed.
pub const LEASE_ATTEMPTS: u32 = 3;
/// Tags of one step.
pub const TAGS: usize = 50;
/// Characters of a tag.
pub const TAG_CHARS: usize = 128;
/// Characters of a step's `CodeVersion`.
pub const CODE_VERSION_CHARS: usize = 128;
/// Selectors of one request, `--select` and `--exclude` together.
pub const SELECTORS: usize = 1_000;
/// Executions that are searched for one whose outputs can be reused.
pub const SOURCE_CANDIDATES: usize = 50;
/// Seconds after which an attempt fails. At most a year, because a person may have to answer.
pub const TIMEOUT_SECONDS: u64 = 31_536_000;

/// Returns how much of [`ARTIFACT_LIST_BYTES`] an artifact of this name takes.
///
/// It counts the name and 52 bytes: the digest, which cannot be compressed below 32, the size, and
/// the JSON around them, as the adapter for DynamoDB stores them.
pub const fn artifact_bytes(name: &str) -> usize {
    name.len() + 52
}

/// Returns how many bytes `value` has as compact JSON, which is the form that is stored and sent.
pub(crate) fn json_bytes(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(0, |bytes| bytes.len())
}
