//! Uploads of any size in bounded memory, hashed on the way.
//!
//! ```text
//! up to 8 MiB   one PUT, with SHA-256 as checksum and metadata
//! beyond        parts of 8 MiB, three in flight; the SHA-256 is known only to the caller
//! ```
//!
//! An upload that fails is aborted. One that is dropped, because the step's time was up, cannot be:
//! give buckets a lifecycle rule that aborts incomplete multipart uploads.

use std::io;

use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use sidestep_core::execution::manifest::Artifact;
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::{Created, ObjectStream, StoreError, existing_sha256};
use tokio::task::JoinSet;

use super::error::{classify, status};
use super::parts::{PART_BYTES, Parts};
use super::store::S3ObjectStore;

/// The most parts of an upload, by S3's limit
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>): 78 GiB here.
const PARTS: i32 = 10_000;
/// With the part that is being filled, this is at most 32 MiB in memory, which fits the smallest
/// function.
const PARTS_IN_FLIGHT: usize = 3;

/// Implements [`sidestep_engine::ports::objects::ObjectStore::upload`].
pub(super) async fn upload(
    store: &S3ObjectStore,
    uri: &S3Uri,
    stream: ObjectStream,
) -> Result<Artifact, StoreError> {
    let mut parts = Parts::new(stream);
    let source = |source| source_error(uri, source);
    let first = parts.next().await.map_err(source)?.unwrap_or_default();
    let Some(second) = parts.next().await.map_err(source)? else {
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

/// Compares the artifact with the object that existed already.
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
    // S3 refuses the parts' checksums at the end if the upload was started without the algorithm.
    let request = store
        .client
        .create_multipart_upload()
        .bucket(uri.bucket())
        .key(uri.key())
        .checksum_algorithm(ChecksumAlgorithm::Crc32);
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
    // Each part has a task, which goes on while the source is slow, and ends when this is dropped.
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

/// Waits for any part. Returns `None` if none is under way.
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
    let request = store
        .client
        .upload_part()
        .bucket(uri.bucket())
        .key(uri.key())
        .upload_id(id)
        .part_number(number)
        .body(part.into());
    let sent = request.send().await.map_err(|error| classify("upload", &uri, error))?;
    Ok(CompletedPart::builder()
        .part_number(number)
        .set_e_tag(sent.e_tag)
        .set_checksum_crc32(sent.checksum_crc32)
        .build())
}

/// Completes the upload, unless the object exists.
///
/// 409 and 404 count as `Exists` too: S3 answers them while or after another completion is under
/// way, which may be our own with a lost answer. The comparison that follows settles it.
async fn complete(
    store: &S3ObjectStore,
    uri: &S3Uri,
    id: &str,
    parts: Vec<CompletedPart>,
) -> Result<Created, StoreError> {
    let request = store
        .client
        .complete_multipart_upload()
        .bucket(uri.bucket())
        .key(uri.key())
        .upload_id(id)
        .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
        .if_none_match("*");
    match request.send().await {
        Ok(_) => Ok(Created::New),
        Err(error) if matches!(status(&error), Some(404 | 409 | 412)) => Ok(Created::Exists),
        Err(error) => Err(classify("upload", uri, error)),
    }
}

/// Aborts the upload. A failure of this is only logged: the upload has its outcome already.
async fn abort(store: &S3ObjectStore, uri: &S3Uri, id: &str) {
    let request = store.client.abort_multipart_upload().bucket(uri.bucket()).key(uri.key());
    if let Err(error) = request.upload_id(id).send().await
        && status(&error) != Some(404)
    {
        tracing::warn!(%uri, %error, "could not abort a multipart upload");
    }
}
