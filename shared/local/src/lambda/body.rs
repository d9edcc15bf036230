//! Bodies of HTTP requests, read as a whole and up to a limit.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;

use super::limits::DRAINED_BODY_BYTES;

/// A body that has been read.
#[derive(Debug)]
pub(super) enum ReadBody {
    Complete(Bytes),
    /// The body had this many bytes and was not kept.
    TooLarge(usize),
}

/// Reads a body to its end. Fails if the client stops before the end.
///
/// A body over the limit is read on and only counted, because most HTTP clients cannot take a
/// refusal while they send.
pub(super) async fn read(body: Body, limit: usize) -> Result<ReadBody, axum::Error> {
    let mut kept = BytesMut::new();
    let mut bytes = 0;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        bytes += chunk.len();
        if bytes > DRAINED_BODY_BYTES {
            break;
        }
        if bytes <= limit {
            kept.extend_from_slice(&chunk);
        }
    }
    if bytes > limit {
        return Ok(ReadBody::TooLarge(bytes));
    }
    Ok(ReadBody::Complete(kept.freeze()))
}
