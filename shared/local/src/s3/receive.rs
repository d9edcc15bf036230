//! Reads the body of an upload: hashes it, spools it to a blob, and verifies the client's claims.
//!
//! Small bodies stay in memory and go into the index's own transaction, which saves two syncs;
//! larger ones never do. Nothing of a body is visible before all claims hold and the index commits.

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures::StreamExt as _;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5, Sha256};
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::aws_chunked::Trailers;
use super::blob::{Blobs, NewBlob};
use super::checksum::{self, Algorithm, Checksums};
use super::error::S3ServerError;
use super::store::unblock;
use super::wire::CONTENT_SHA256;

/// The size up to which objects live in the index.
///
/// SQLite reads and writes blobs of this size about as fast as files, and manifests, metrics and
/// small outputs are below it.
pub(crate) const INLINE_BYTES_MAX: usize = 64 * 1024;
/// How much is gathered before one write, and so roughly what an upload holds in memory.
const WRITE_BYTES: usize = 1024 * 1024;

/// The content of a new object or part, not yet named by the index.
#[derive(Debug)]
pub(crate) enum NewContent {
    Inline(Vec<u8>),
    File(NewBlob),
}

/// A body that arrived as a whole and matched every claim.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) content: NewContent,
    pub(crate) bytes: u64,
    pub(crate) md5: [u8; 16],
    pub(crate) checksums: Checksums,
}

/// What the client claims about the body that it sends.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    pub(crate) content_length: Option<i64>,
    /// The value of `Content-MD5`, in base64.
    pub(crate) content_md5: Option<String>,
    pub(crate) checksums: Checksums,
    /// An algorithm to compute although no value is claimed.
    pub(crate) algorithm: Option<Algorithm>,
    /// The signature's hash of the payload, in hexadecimal digits.
    pub(crate) payload_sha256: Option<String>,
    /// The checksums that were announced to follow the body.
    pub(crate) trailers: Option<(Vec<Algorithm>, Trailers)>,
}

impl Claims {
    /// Adds what the headers claim: the payload's hash, and checksums that follow the body.
    pub(crate) fn with_headers(mut self, headers: &HeaderMap, trailers: Option<&Trailers>) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        self.payload_sha256 = text(CONTENT_SHA256.as_str())
            .filter(|hash| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .map(str::to_ascii_lowercase);
        if let Some(trailers) = trailers {
            let announced = text("x-amz-trailer").unwrap_or_default();
            let algorithms = announced.split(',').filter_map(Algorithm::parse).collect();
            self.trailers = Some((algorithms, trailers.clone()));
        }
        self
    }

    /// Returns the algorithms to compute.
    fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        let announced = self.trailers.iter().flat_map(|(algorithms, _)| algorithms.iter().copied());
        self.checksums.algorithms().into_iter().chain(self.algorithm).chain(announced)
    }

    /// Compares the claims with the body, and returns its MD5 and checksums.
    fn verify(mut self, bytes: u64, digests: Digests) -> S3Result<([u8; 16], Checksums)> {
        if self.content_length.is_some_and(|claimed| u64::try_from(claimed) != Ok(bytes)) {
            return Err(s3_error!(IncompleteBody));
        }
        let md5 = digests.md5.finalize();
        if let Some(claimed) = &self.content_md5 {
            match BASE64.decode(claimed) {
                Ok(claimed) if claimed.len() != md5.len() => return Err(s3_error!(InvalidDigest)),
                Err(_) => return Err(s3_error!(InvalidDigest)),
                Ok(claimed) if claimed != md5 => {
                    return Err(s3_error!(
                        BadDigest,
                        "the Content-MD5 did not match what was received"
                    ));
                }
                Ok(_) => {}
            }
        }
        if let (Some(claimed), Some(hasher)) = (&self.payload_sha256, digests.payload)
            && *claimed != hex::encode(hasher.finalize())
        {
            let mut error = S3Error::new(S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()));
            error.set_status_code(StatusCode::BAD_REQUEST);
            return Err(error);
        }
        if let Some((algorithms, trailers)) = &self.trailers {
            for algorithm in algorithms {
                let name = format!("x-amz-checksum-{}", algorithm.name());
                let Some(value) = trailers.get(&name) else {
                    return Err(s3_error!(InvalidRequest, "the announced trailer is missing"));
                };
                self.checksums.set(*algorithm, value);
            }
        }
        let checksums = Checksums::from(digests.checksums.finalize());
        checksums.verify(&self.checksums)?;
        Ok((md5, checksums))
    }
}

/// All hashes that are computed in the one pass over a body.
struct Digests {
    md5: Md5,
    checksums: ChecksumHasher,
    payload: Option<Sha256>,
}

impl Digests {
    fn new(claims: &Claims) -> Self {
        Self {
            md5: Md5::new(),
            checksums: checksum::hasher(claims.algorithms()),
            payload: claims.payload_sha256.as_ref().map(|_| Sha256::new()),
        }
    }

    fn update(&mut self, data: &[u8]) {
        self.md5.update(data);
        self.checksums.update(data);
        if let Some(payload) = &mut self.payload {
            payload.update(data);
        }
    }
}

/// Reads `body` to its end and verifies `claims`.
///
/// Content up to `inline_max` bytes is returned in memory. Larger content is on disk and synced.
pub(crate) async fn receive(
    blobs: &Arc<Blobs>,
    body: Option<StreamingBlob>,
    claims: Claims,
    inline_max: usize,
) -> S3Result<Received> {
    let mut body = body.unwrap_or_else(|| StreamingBlob::from(s3s::Body::empty()));
    let received = spool(blobs, &mut body, &claims, inline_max).await;
    if received.is_err() {
        // Read to the end: a client that is still sending would see a reset connection instead of
        // the answer.
        while let Some(Ok(_)) = body.next().await {}
    }
    let (content, bytes, digests) = received?;
    let (md5, checksums) = claims.verify(bytes, digests)?;
    Ok(Received { content, bytes, md5, checksums })
}

/// Reads the body into memory or a blob.
async fn spool(
    blobs: &Arc<Blobs>,
    body: &mut StreamingBlob,
    claims: &Claims,
    inline_max: usize,
) -> S3Result<(NewContent, u64, Digests)> {
    let mut digests = Digests::new(claims);
    let (gathered, mut is_end) = gather(body, inline_max + 1).await?;
    let mut bytes = length(&gathered);
    if is_end && bytes <= inline_max as u64 {
        let content = gathered.concat();
        digests.update(&content);
        return Ok((NewContent::Inline(content), bytes, digests));
    }

    let creator = Arc::clone(blobs);
    let (blob, file) =
        unblock(move || creator.create().map_err(S3ServerError::file("create a blob"))).await?;
    let mut spool = (digests, file);
    let mut gathered = gathered;
    loop {
        spool = unblock(move || write(spool, &gathered)).await?;
        if is_end {
            break;
        }
        (gathered, is_end) = gather(body, WRITE_BYTES).await?;
        bytes += length(&gathered);
    }
    let (digests, file) = spool;
    let syncer = Arc::clone(blobs);
    unblock(move || syncer.sync(&file).map_err(S3ServerError::file("sync a blob"))).await?;
    Ok((NewContent::File(blob), bytes, digests))
}

/// Writes and hashes the gathered pieces.
fn write(
    (mut digests, mut file): (Digests, File),
    data: &[Bytes],
) -> Result<(Digests, File), S3ServerError> {
    for piece in data {
        digests.update(piece);
        file.write_all(piece).map_err(S3ServerError::file("write a blob"))?;
    }
    Ok((digests, file))
}

/// Reads until at least `enough` bytes are there, or the body ends. Returns true at its end.
async fn gather(body: &mut StreamingBlob, enough: usize) -> S3Result<(Vec<Bytes>, bool)> {
    let (mut gathered, mut bytes) = (Vec::new(), 0);
    while bytes < enough {
        match body.next().await {
            Some(Ok(data)) => {
                bytes += data.len();
                gathered.push(data);
            }
            Some(Err(error)) => {
                let mut answer: S3Error = s3_error!(IncompleteBody);
                answer.set_source(error);
                return Err(answer);
            }
            None => return Ok((gathered, true)),
        }
    }
    Ok((gathered, false))
}

fn length(data: &[Bytes]) -> u64 {
    data.iter().map(|piece| piece.len() as u64).sum()
}
