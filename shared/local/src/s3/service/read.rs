//! GetObject and HeadObject: conditions, ranges, and a body that streams.

use std::io::SeekFrom;
use std::ops::Range;

use axum::http::Extensions;
use bytes::Bytes;
use s3s::dto::{
    ChecksumMode, ChecksumType, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
    StreamingBlob,
};
use s3s::{S3ErrorCode, S3Request, S3Result, s3_error};
use sidestep_aws::asked::Asked;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::Service;
use super::access::refused;
use super::condition::ReadCondition;
use super::object::{etag, require_current_version};
use crate::s3::checksum::set_checksums;
use crate::s3::error::S3ServerError;
use crate::s3::object::{Content, Object};
use crate::s3::store::timestamp;
use crate::s3::wire::Caller;

/// How much is read from a blob at a time.
const READ_BYTES: usize = 256 * 1024;

/// Checks the conditions of a GetObject or HeadObject and returns the range that it asks for.
///
/// It is a macro because the two inputs are types of their own with fields of the same names.
macro_rules! checked {
    ($input:ident, $object:ident) => {{
        let condition = ReadCondition {
            matches: $input.if_match,
            none_match: $input.if_none_match,
            modified_since: $input.if_modified_since,
            unmodified_since: $input.if_unmodified_since,
        };
        condition
            .check(&$object, S3ErrorCode::NotModified)
            .and_then(|()| requested(&$object, $input.range, $input.part_number))
    }};
}

/// Returns what both operations say about an object.
macro_rules! described {
    ($Output:ident, $input:ident, $object:ident, $range:ident) => {{
        let mut output = $Output {
            accept_ranges: Some("bytes".to_owned()),
            cache_control: $object.attributes.cache_control.clone(),
            content_disposition: $object.attributes.content_disposition.clone(),
            content_encoding: $object.attributes.content_encoding.clone(),
            content_language: $object.attributes.content_language.clone(),
            content_length: Some(length(&$object, $range.as_ref())),
            content_range: $range.as_ref().map(|range| content_range(range, $object.bytes)),
            content_type: Some(content_type(&$object)),
            e_tag: Some(etag($object.etag.clone())),
            expires: $object.attributes.expires_ms.map(|ms| timestamp(ms).into()),
            last_modified: Some($object.modified()),
            metadata: Some($object.attributes.metadata.clone().into_iter().collect()),
            ..$Output::default()
        };
        if $input.checksum_mode.as_ref().is_some_and(is_enabled) && $range.is_none() {
            set_checksums!(output, $object.attributes.checksums.clone());
            output.checksum_type = checksum_type(&$object);
        }
        output
    }};
}

impl Service {
    /// Returns an object with its content or a range of it.
    pub(super) async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<GetObjectOutput> {
        let observer = self.observer(&request.extensions);
        let input = request.input;
        require_current_version(input.version_id.as_deref())?;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let opened = self.store.run(move |store| store.open_object(&bucket, &key)).await;
        observer.read(&input.bucket, &input.key, opened.as_ref().map(|(object, _)| object));
        self.check_absence(&request.extensions, &input.bucket, &input.key, &opened).await?;
        let (object, content) = opened?;
        let range = checked!(input, object)?;
        let mut output = described!(GetObjectOutput, input, object, range);
        output.body = Some(body(content, range.unwrap_or(0..object.bytes)).await?);
        Ok(output)
    }

    /// Returns what is known of an object, without its content.
    pub(super) async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<HeadObjectOutput> {
        let observer = self.observer(&request.extensions);
        let input = request.input;
        require_current_version(input.version_id.as_deref())?;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let found = self.store.run(move |store| store.head_object(&bucket, &key)).await;
        observer.read(&input.bucket, &input.key, found.as_ref());
        self.check_absence(&request.extensions, &input.bucket, &input.key, &found).await?;
        let object = found?;
        let range = checked!(input, object)?;
        Ok(described!(HeadObjectOutput, input, object, range))
    }

    /// Refuses to say that an object is missing to a caller who may not list its key, as S3 does.
    async fn check_absence<T>(
        &self,
        extensions: &Extensions,
        bucket: &str,
        key: &str,
        found: &Result<T, S3ServerError>,
    ) -> S3Result<()> {
        if !matches!(found, Err(S3ServerError::NoSuchKey { .. })) {
            return Ok(());
        }
        let asked = || vec![Asked::list(bucket, Some(key.to_owned()))];
        let signer = extensions.get::<Caller>().map(|caller| caller.0.as_str());
        refused(self.guards.refusal(extensions, signer, asked).await)
    }
}

/// Returns the part of the object that the client asks for, or `None` for the whole object.
pub(super) fn requested(
    object: &Object,
    range: Option<s3s::dto::Range>,
    part_number: Option<i32>,
) -> S3Result<Option<Range<u64>>> {
    match (range, part_number) {
        (Some(_), Some(_)) => {
            Err(s3_error!(InvalidRequest, "range and partNumber exclude each other"))
        }
        (None, Some(_)) => {
            Err(s3_error!(NotImplemented, "an object cannot be read by part number"))
        }
        (None, None) => Ok(None),
        // An empty object has no range to satisfy: even a suffix of it has no first byte.
        (Some(_), None) if object.bytes == 0 => Err(s3_error!(InvalidRange)),
        (Some(range), None) => Ok(Some(range.check(object.bytes)?)),
    }
}

/// Streams `range` of `content`.
pub(super) async fn body(
    content: Content,
    range: Range<u64>,
) -> Result<StreamingBlob, S3ServerError> {
    match content {
        Content::Inline(content) => {
            // The range was checked against the object's size, which is the content's.
            let at = |position: u64| {
                usize::try_from(position).unwrap_or(content.len()).min(content.len())
            };
            let (start, end) = (at(range.start), at(range.end));
            Ok(StreamingBlob::from(s3s::Body::from(Bytes::from(content).slice(start..end))))
        }
        Content::File(file) => {
            let mut file = tokio::fs::File::from_std(file);
            if range.start > 0 {
                file.seek(SeekFrom::Start(range.start))
                    .await
                    .map_err(S3ServerError::file("read a blob"))?;
            }
            let rest = file.take(range.end - range.start);
            Ok(StreamingBlob::wrap(ReaderStream::with_capacity(rest, READ_BYTES)))
        }
    }
}

fn is_enabled(mode: &ChecksumMode) -> bool {
    mode.as_str() == ChecksumMode::ENABLED
}

fn checksum_type(object: &Object) -> Option<ChecksumType> {
    object.attributes.checksum_type.clone().map(ChecksumType::from)
}

/// Returns the object's type, or S3's default for an object that was stored without one.
fn content_type(object: &Object) -> String {
    object.attributes.content_type.clone().unwrap_or_else(|| "binary/octet-stream".to_owned())
}

fn length(object: &Object, range: Option<&Range<u64>>) -> i64 {
    let bytes = range.map_or(object.bytes, |range| range.end - range.start);
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn content_range(range: &Range<u64>, bytes: u64) -> String {
    format!("bytes {}-{}/{bytes}", range.start, range.end.saturating_sub(1))
}
