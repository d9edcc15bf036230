//! Uploads of any size in bounded memory, hashed on the way.
//!
//! ```text
//! up to 8 MiB   one PUT, with SHA-256 as checksum and metadata
//! beyond        parts of 8 MiB, three in flight; the SHA-256 is known only to the caller
//! ```
//!
//! An upload that fails is aborted. One that is dropped (the step's time was up) cannot be: give buckets a lifecycle rule
//! that aborts incomplete multipart uploads.

use std::io;

use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use sidestep_core::execution::manifest::Artifact;
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::{Created, ObjectStream, StoreError, existing_sha256};
use tokio::task::JoinSet;

use super::S3ObjectStore;
use super::error::{classify, status};

/// The largest object that is written by one request, and the size of all parts but the last.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// [Amazon S3 multipart upload limits]: 10,000 parts, so 78 GiB here.
const PARTS: i32 = 10_000;
/// With the one being filled: at most 32 MiB in memory, which fits the smallest function.
const PARTS_IN_FLIGHT: usize = 3;

/// See [`sidestep_engine::ports::objects::ObjectStore::upload`].
pub(super) async fn upload(
    store: &S3ObjectStore,
    uri: &S3Uri,
    stream: ObjectStream,
) -> Result<Artifact, StoreError> {
    let mut parts = Parts::new(stream);
    let source = |source| source_error(uri, source);
    let first = parts.next().await.map_err(source)?.unwrap_or_default();
    let second = parts.next().await.map_err(source)?;
    let Some(second) = second else {
        let artifact = parts.artifact(uri);
        return match store.put("upload", uri, first, None, &artifact.sha256).await? {
            Created::New => Ok(artifact),
            Created::Exists => compare(store, artifact).await,
        };
    };

    let id = start(store, uri).await?;
    let uploaded = upload_parts(store, uri, &id, [first, second], &mut parts).await;
    let completed = match uploaded {
        Ok(completed) => complete(store, uri, &id, completed).await,
        Err(error) => Err(error),
    };
    let outcome = match completed {
        Ok(Created::New) => return Ok(parts.artifact(uri)),
        Ok(Created::Exists) => compare(store, parts.artifact(uri)).await,
        Err(error) => Err(error),
    };
    abort(store, uri, &id).await;
    outcome
}

fn source_error(uri: &S3Uri, source: io::Error) -> StoreError {
    StoreError::Source { uri: uri.clone(), source }
}

/// Finds out whether the object that was in the way holds the same bytes.
async fn compare(store: &S3ObjectStore, artifact: Artifact) -> Result<Artifact, StoreError> {
    match existing_sha256(store, &artifact.uri).await? {
        Some(sha256) if sha256 == artifact.sha256 => Ok(artifact),
        Some(_) => Err(StoreError::Conflict { uri: artifact.uri }),
        None => Err(StoreError::Unavailable {
            operation: "upload",
            uri: artifact.uri,
            retryable: true,
            source: "another upload of the object was under way, and left nothing".into(),
        }),
    }
}

async fn start(store: &S3ObjectStore, uri: &S3Uri) -> Result<String, StoreError> {
    let request = store.client.create_multipart_upload().bucket(uri.bucket()).key(uri.key());
    // Said here too: a part's checksum is refused at the end if the upload was begun without.
    let request = request.checksum_algorithm(ChecksumAlgorithm::Crc32);
    let started = request.send().await.map_err(|error| classify("upload", uri, error))?;
    Ok(started.upload_id.unwrap_or_default())
}

async fn upload_parts(
    store: &S3ObjectStore,
    uri: &S3Uri,
    id: &str,
    first: [Bytes; 2],
    parts: &mut Parts,
) -> Result<Vec<CompletedPart>, StoreError> {
    let mut completed = Vec::new();
    // Tasks of their own: they go on while the source takes its time, and end when this future is dropped.
    let mut in_flight = JoinSet::new();
    let mut first = first.into_iter();
    for number in 1.. {
        let part = match first.next() {
            Some(part) => Some(part),
            None => parts.next().await.map_err(|source| source_error(uri, source))?,
        };
        let Some(part) = part else { break };
        if number > PARTS {
            let limit = u64::from(PARTS.unsigned_abs()) * PART_BYTES as u64;
            return Err(StoreError::TooLarge { uri: uri.clone(), bytes: parts.bytes, limit });
        }
        in_flight.spawn(upload_part(store.clone(), uri.clone(), id.to_owned(), part, number));
        if in_flight.len() == PARTS_IN_FLIGHT {
            completed.extend(join(&mut in_flight, uri).await?);
        }
    }
    while let Some(part) = join(&mut in_flight, uri).await? {
        completed.push(part);
    }
    completed.sort_by_key(|part| part.part_number);
    Ok(completed)
}

/// Waits for any part; `None` when none is under way.
async fn join(
    in_flight: &mut JoinSet<Result<CompletedPart, StoreError>>,
    uri: &S3Uri,
) -> Result<Option<CompletedPart>, StoreError> {
    match in_flight.join_next().await {
        Some(Ok(sent)) => sent.map(Some),
        Some(Err(error)) => Err(StoreError::Unavailable {
            operation: "upload",
            uri: uri.clone(),
            retryable: false,
            source: error.into(),
        }),
        None => Ok(None),
    }
}

async fn upload_part(
    store: S3ObjectStore,
    uri: S3Uri,
    id: String,
    part: Bytes,
    number: i32,
) -> Result<CompletedPart, StoreError> {
    let request = store.client.upload_part().bucket(uri.bucket()).key(uri.key()).upload_id(id);
    let sent = request.part_number(number).body(part.into()).send().await;
    let sent = sent.map_err(|error| classify("upload", &uri, error))?;
    Ok(CompletedPart::builder()
        .part_number(number)
        .set_e_tag(sent.e_tag)
        .set_checksum_crc32(sent.checksum_crc32)
        .build())
}

/// 409 and 404 count as `Exists` too: S3 says them when another completion, possibly our own with a lost answer, is or was
/// under way. The comparison that follows settles it.
async fn complete(
    store: &S3ObjectStore,
    uri: &S3Uri,
    id: &str,
    parts: Vec<CompletedPart>,
) -> Result<Created, StoreError> {
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let request = store.client.complete_multipart_upload().bucket(uri.bucket()).key(uri.key());
    let request = request.upload_id(id).multipart_upload(parts).if_none_match("*");
    match request.send().await {
        Ok(_) => Ok(Created::New),
        Err(error) if matches!(status(&error), Some(404 | 409 | 412)) => Ok(Created::Exists),
        Err(error) => Err(classify("upload", uri, error)),
    }
}

/// Gives the parts back. Its own failure is only worth a line: the outcome of the upload is known already.
async fn abort(store: &S3ObjectStore, uri: &S3Uri, id: &str) {
    let request = store.client.abort_multipart_upload().bucket(uri.bucket()).key(uri.key());
    if let Err(error) = request.upload_id(id).send().await
        && status(&error) != Some(404)
    {
        tracing::warn!(%uri, %error, "could not abort a multipart upload");
    }
}

/// Cuts a stream into parts and hashes it.
struct Parts {
    stream: ObjectStream,
    rest: Bytes,
    hasher: Sha256,
    bytes: u64,
}

impl Parts {
    fn new(stream: ObjectStream) -> Self {
        Self { stream, rest: Bytes::new(), hasher: Sha256::new(), bytes: 0 }
    }

    /// Returns the next `PART_BYTES`, fewer at the end, `None` after it.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let mut part = BytesMut::new();
        while part.len() < PART_BYTES {
            if self.rest.is_empty() {
                let Some(piece) = self.stream.try_next().await? else { break };
                self.rest = piece;
            }
            if part.is_empty() && self.rest.len() >= PART_BYTES {
                // A large piece is cut up in place rather than copied.
                return Ok(Some(self.count(self.rest.slice(..PART_BYTES), PART_BYTES)));
            }
            let take = self.rest.len().min(PART_BYTES - part.len());
            part.extend_from_slice(&self.rest.split_to(take));
        }
        Ok((!part.is_empty()).then(|| self.count(part.freeze(), 0)))
    }

    fn count(&mut self, part: Bytes, taken: usize) -> Bytes {
        let _ = self.rest.split_to(taken);
        self.hasher.update(&part);
        self.bytes += part.len() as u64;
        part
    }

    /// What has gone through so far, as an artifact.
    fn artifact(&self, uri: &S3Uri) -> Artifact {
        let sha256 = hex::encode(self.hasher.clone().finalize());
        Artifact { uri: uri.clone(), bytes: self.bytes, sha256 }
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt, stream};

    use super::*;

    #[tokio::test]
    async fn parts_are_full_but_the_last_whatever_the_pieces() {
        for piece_bytes in [1_000_003, PART_BYTES, 3 * PART_BYTES + 5] {
            let whole = Bytes::from(vec![7_u8; 2 * PART_BYTES + 11]);
            let pieces: Vec<_> =
                whole.chunks(piece_bytes).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
            let mut parts = Parts::new(stream::iter(pieces).boxed());
            let mut lengths = Vec::new();
            while let Some(part) = parts.next().await.unwrap() {
                lengths.push(part.len());
            }
            assert_eq!(lengths, [PART_BYTES, PART_BYTES, 11], "pieces of {piece_bytes}");
            let uri = S3Uri::parse("s3://bucket/key").unwrap();
            let sha256 = sidestep_engine::ports::objects::sha256_hex(&whole);
            let bytes = whole.len() as u64;
            assert_eq!(parts.artifact(&uri), Artifact { uri, bytes, sha256 });
        }
    }
}
