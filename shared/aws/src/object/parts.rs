//! Cuts a stream into the parts of an upload and hashes it.

use std::io;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use sidestep_core::execution::manifest::Artifact;
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::ObjectStream;

/// The largest object that is written by one request, and the size of all parts but the last.
pub(super) const PART_BYTES: usize = 8 * 1024 * 1024;

/// A stream that is being cut into parts.
pub(super) struct Parts {
    stream: ObjectStream,
    rest: Bytes,
    hasher: Sha256,
    pub(super) bytes: u64,
}

impl Parts {
    pub(super) fn new(stream: ObjectStream) -> Self {
        Self { stream, rest: Bytes::new(), hasher: Sha256::new(), bytes: 0 }
    }

    /// Returns the next [`PART_BYTES`], fewer at the end, `None` after it.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let mut part = BytesMut::new();
        while part.len() < PART_BYTES {
            if self.rest.is_empty() {
                let Some(piece) = self.stream.try_next().await? else { break };
                self.rest = piece;
            }
            if part.is_empty() && self.rest.len() >= PART_BYTES {
                // A large piece is cut in place instead of being copied.
                return Ok(Some(self.count(self.rest.slice(..PART_BYTES), PART_BYTES)));
            }
            let take = self.rest.len().min(PART_BYTES - part.len());
            part.extend_from_slice(&self.rest.split_to(take));
        }
        Ok((!part.is_empty()).then(|| self.count(part.freeze(), 0)))
    }

    /// Counts and hashes a part, and drops the first `taken` bytes of the rest.
    fn count(&mut self, part: Bytes, taken: usize) -> Bytes {
        let _ = self.rest.split_to(taken);
        self.hasher.update(&part);
        self.bytes += part.len() as u64;
        part
    }

    /// Returns the bytes so far as an artifact.
    pub(super) fn artifact(&self, uri: &S3Uri) -> Artifact {
        let sha256 = hex::encode(self.hasher.clone().finalize());
        Artifact { uri: uri.clone(), bytes: self.bytes, sha256 }
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt, stream};

    use super::*;

    #[tokio::test]
    async fn all_parts_but_the_last_are_full_for_pieces_of_any_size() {
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
