//! Items: attributes by name, written and read.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sidestep_core::execution::ExecutionStatus;
use sidestep_core::execution::savings::Savings;
use sidestep_engine::ports::executions::TableError;

/// The attribute that the table's `TimeToLiveSpecification` names.
pub(super) const EXPIRES_AT: &str = "ExpiresAt";

pub(super) type Item = HashMap<String, AttributeValue>;

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// Returns an item with nothing but its key.
pub(super) fn keyed(pk: impl Into<String>, sk: impl Into<String>) -> Item {
    HashMap::from([("PK".to_owned(), text(pk)), ("SK".to_owned(), text(sk))])
}

pub(super) fn number(value: impl Into<u64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

/// Returns the attributes of what reuse saved: none for nothing, which keeps most heads shorter.
pub(super) fn saved_attributes(saved: Savings) -> impl Iterator<Item = (String, AttributeValue)> {
    let Savings { ms, mb_ms, invocations } = saved;
    [("SavedMs", ms), ("SavedMbMs", mb_ms), ("SavedInvocations", invocations)]
        .into_iter()
        .filter(move |_| saved != Savings::default())
        .map(|(name, value)| (name.to_owned(), number(value)))
}

/// Reads [`saved_attributes`]. Earlier releases wrote `SavedUsd` in place of the last two; such an
/// item reads without them, so the price of its savings is no longer shown.
pub(super) fn saved(item: &Item) -> Savings {
    Savings {
        ms: numeric(item, "SavedMs").unwrap_or_default(),
        mb_ms: numeric(item, "SavedMbMs").unwrap_or_default(),
        invocations: numeric(item, "SavedInvocations").unwrap_or_default(),
    }
}

/// Reads the status of an execution.
pub(super) fn status(item: &Item) -> Result<ExecutionStatus, TableError> {
    let name = serde_json::Value::from(string(item, "Status")?);
    serde_json::from_value(name).map_err(|error| unreadable(item, &error.to_string()))
}

/// Documents of this many bytes are compressed. A shorter one takes one write unit either way.
const COMPRESSED_FROM: usize = 900;
/// The most bytes of a decompressed document. Commits are planned to stay far below.
const UNFOLDED_BYTES: u64 = 16 * 1024 * 1024;

/// Returns an item with one JSON document: as the text `Body`, or compressed as `Deflated`.
///
/// DynamoDB bills each KB that is written, and the records of a hundred decisions repeat the same
/// names, ARNs and sentences.
pub(super) fn document(
    pk: impl Into<String>,
    sk: impl Into<String>,
    body: &impl Serialize,
) -> Item {
    let json = serde_json::to_string(body).expect("state is plain JSON with string keys");
    let (name, value) = match deflate(&json) {
        Some(bytes) => ("Deflated", AttributeValue::B(Blob::new(bytes))),
        None => ("Body", text(json)),
    };
    let mut item = keyed(pk, sk);
    item.insert(name.to_owned(), value);
    item
}

fn deflate(body: &str) -> Option<Vec<u8>> {
    if body.len() < COMPRESSED_FROM {
        return None;
    }
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body.as_bytes()).ok()?;
    encoder.finish().ok().filter(|bytes| bytes.len() < body.len())
}

/// Reads the JSON of [`document`].
pub(super) fn body<T: DeserializeOwned>(item: &Item) -> Result<T, TableError> {
    let damaged = |error: String| unreadable(item, &error);
    match item.get("Deflated").and_then(|value| value.as_b().ok()) {
        None => {
            serde_json::from_str(string(item, "Body")?).map_err(|error| damaged(error.to_string()))
        }
        Some(blob) => {
            let mut text = Vec::new();
            let mut decoder = DeflateDecoder::new(blob.as_ref()).take(UNFOLDED_BYTES);
            decoder.read_to_end(&mut text).map_err(|error| damaged(error.to_string()))?;
            serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))
        }
    }
}

pub(super) fn string<'a>(item: &'a Item, name: &str) -> Result<&'a str, TableError> {
    let value = item.get(name).and_then(|value| value.as_s().ok());
    value.map(String::as_str).ok_or_else(|| unreadable(item, &format!("no text `{name}`")))
}

pub(super) fn numeric<T: std::str::FromStr>(item: &Item, name: &str) -> Result<T, TableError> {
    let value = item.get(name).and_then(|value| value.as_n().ok()?.parse().ok());
    value.ok_or_else(|| unreadable(item, &format!("no number `{name}`")))
}

pub(super) fn unreadable(item: &Item, problem: &str) -> TableError {
    let key =
        |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map_or("?", String::as_str);
    let item = format!("{} {}", key("PK"), key("SK"));
    TableError::Unreadable { item, problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use sidestep_core::definition::StepIndex;
    use sidestep_core::execution::commit::{AttemptResult, Commit, Completion};
    use sidestep_core::execution::manifest::Artifact;
    use sidestep_core::execution::result::{Outputs, Produced};
    use sidestep_core::limits::{
        ARTIFACT_LIST_BYTES, ARTIFACTS, INLINE_OUTPUT_BYTES, artifact_bytes,
    };
    use sidestep_core::uri::S3Uri;
    use sidestep_engine::ports::objects::sha256_hex;

    #[test]
    fn savings_read_back_and_those_of_an_earlier_release_read_without_their_price() {
        let saved_before = Savings { ms: 1500, mb_ms: 192_000, invocations: 2 };
        let item: Item = saved_attributes(saved_before).collect();
        assert_eq!(saved(&item), saved_before);
        assert_eq!(saved_attributes(Savings::default()).count(), 0);
        let number = |text: &str| AttributeValue::N(text.to_owned());
        let old = [("SavedMs", number("1500")), ("SavedUsd", number("0.000001"))];
        let item: Item = old.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        assert_eq!(saved(&item), Savings { ms: 1500, ..Savings::default() });
    }

    #[test]
    fn documents_read_back_compressed_or_not() {
        let small = json!({"a": 1});
        let large = json!({"list": vec!["the same words again"; 1_000]});
        for (value, name) in [(small, "Body"), (large, "Deflated")] {
            let item = document("P", "S", &value);
            assert!(item.contains_key(name), "{name}");
            assert_eq!(body::<Value>(&item).expect("readable"), value);
        }
    }

    #[test]
    fn a_document_that_cannot_be_decompressed_names_its_item() {
        let mut item = document("P", "S", &json!("x".repeat(5_000)));
        item.insert("Deflated".to_owned(), AttributeValue::B(Blob::new(vec![1, 2, 3])));
        let error = body::<Value>(&item).expect_err("damaged").to_string();
        assert!(error.contains("P S"), "{error}");
        // A few bytes that unfold to very many are cut off, and the rest is not JSON.
        let bomb = "0".repeat(usize::try_from(UNFOLDED_BYTES).expect("fits") + 1_000);
        let item = document("P", "S", &json!(bomb));
        assert!(body::<Value>(&item).is_err());
    }

    /// Returns a text that cannot be compressed below six bits a character.
    fn noise(seed: usize, length: usize) -> String {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let blocks = (0..).map(|block: usize| sha256_hex(format!("{seed}/{block}").as_bytes()));
        let bytes = blocks.flat_map(|hex| hex::decode(hex).unwrap());
        bytes.take(length).map(|byte| char::from(DIGITS[usize::from(byte % 64)])).collect()
    }

    /// Returns the largest list of artifacts whose names have this length.
    fn artifacts(length: usize) -> Vec<Artifact> {
        let count = (ARTIFACT_LIST_BYTES / artifact_bytes(&noise(0, length))).min(ARTIFACTS);
        let artifact = |number: usize| Artifact {
            uri: S3Uri::new("artifacts", format!("runs/p/e/s/1/{}", noise(number, length))),
            bytes: 1_000_000_000 + number as u64,
            sha256: sha256_hex(number.to_string().as_bytes()),
        };
        (0..count).map(artifact).collect()
    }

    #[test]
    fn the_largest_result_fits_into_an_item() {
        for length in [6, 18, 60, 500] {
            let outputs = json!({ "o": noise(0, INLINE_OUTPUT_BYTES - 10) });
            let Value::Object(outputs) = outputs else { unreachable!() };
            let produced = Produced {
                outputs: Outputs::Inline(outputs),
                artifacts: artifacts(length),
                duration_ms: u64::MAX,
            };
            let completion = Completion {
                step: StepIndex(0),
                attempt_count: 1,
                result: AttemptResult::Succeeded(produced),
            };
            let mut commit = Commit::new(1, 0);
            commit.completions.push(completion);
            let item = document("E#abcdefghijkl", "C#00000001", &commit);
            let bytes: usize = item.iter().map(|(name, value)| name.len() + size(value)).sum();
            assert!(bytes > 200_000, "the test tries something large: {bytes}");
            assert!(bytes < 409_600, "names of {length} characters: {bytes} bytes");
        }
    }

    fn size(value: &AttributeValue) -> usize {
        match value {
            AttributeValue::B(blob) => blob.as_ref().len(),
            AttributeValue::S(text) => text.len(),
            _ => panic!("no other attributes: {value:?}"),
        }
    }
}
