//! Multipart uploads: begin one, add parts, abort it.

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, ChecksumType,
    CopyPartResult, CreateMultipartUploadInput, CreateMultipartUploadOutput, Range,
    UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
};
use s3s::{S3ErrorCode, S3Request, S3Result, s3_error};
use time::OffsetDateTime;

use super::Service;
use super::condition::ReadCondition;
use super::object::{algorithm, attributes, copy_source, etag};
use super::read::{body, requested};
use crate::s3::aws_chunked::Trailers;
use crate::s3::checksum::{claimed_checksums, set_checksums};
use crate::s3::object::Attributes;
use crate::s3::receive::{Claims, Received, receive};
use crate::s3::store::{milliseconds, timestamp};
use crate::s3::upload::Part;

/// The largest number of a part, by S3's limit.
const PART_NUMBER_MAX: i32 = 10_000;

impl Service {
    /// Begins an upload.
    pub(super) async fn create_multipart_upload(
        &self,
        mut request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<CreateMultipartUploadOutput> {
        let input = &mut request.input;
        let mut attributes = attributes!(input);
        let algorithm = algorithm(input.checksum_algorithm.as_ref())?;
        attributes.checksum_algorithm = algorithm.map(|algorithm| algorithm.name().to_uppercase());
        attributes.checksum_type = match (algorithm, input.checksum_type.take()) {
            (None, _) => None,
            (Some(_), Some(asked)) => Some(asked.as_str().to_owned()),
            (Some(algorithm), None) => Some(algorithm.default_type().to_owned()),
        };
        let output = CreateMultipartUploadOutput {
            bucket: Some(input.bucket.clone()),
            key: Some(input.key.clone()),
            checksum_algorithm: attributes.checksum_algorithm.clone().map(ChecksumAlgorithm::from),
            checksum_type: attributes.checksum_type.clone().map(ChecksumType::from),
            ..CreateMultipartUploadOutput::default()
        };
        let (bucket, key) = (request.input.bucket, request.input.key);
        let upload_id =
            self.store.run(move |store| store.create_upload(&bucket, &key, &attributes)).await?;
        Ok(CreateMultipartUploadOutput { upload_id: Some(upload_id), ..output })
    }

    /// Reads the body and adds it as a part.
    pub(super) async fn upload_part(
        &self,
        mut request: S3Request<UploadPartInput>,
    ) -> S3Result<UploadPartOutput> {
        let input = &mut request.input;
        let claims = Claims {
            content_length: input.content_length,
            content_md5: input.content_md5.take(),
            checksums: claimed_checksums!(input),
            algorithm: algorithm(input.checksum_algorithm.as_ref())?,
            ..Claims::default()
        }
        .with_headers(&request.headers, request.extensions.get::<Trailers>());
        let received = receive(&self.store.blobs, input.body.take(), claims, 0).await?;
        let (bucket, key, upload_id) =
            (request.input.bucket, request.input.key, request.input.upload_id);
        let part =
            self.put_part(bucket, key, upload_id, request.input.part_number, received).await?;
        let mut output =
            UploadPartOutput { e_tag: Some(etag(part.etag)), ..UploadPartOutput::default() };
        set_checksums!(output, part.checksums);
        Ok(output)
    }

    /// Adds a range of another object as a part.
    pub(super) async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<UploadPartCopyOutput> {
        let observer = self.observer(&request.extensions);
        let input = request.input;
        let (bucket, key) = copy_source(&input.copy_source)?;
        let of = (bucket.clone(), key.clone());
        let found = self.store.run(move |store| store.open_object(&of.0, &of.1)).await;
        observer.read(&bucket, &key, found.as_ref().map(|(object, _)| object));
        let (source, content) = found?;
        let condition = ReadCondition {
            matches: input.copy_source_if_match,
            none_match: input.copy_source_if_none_match,
            modified_since: input.copy_source_if_modified_since,
            unmodified_since: input.copy_source_if_unmodified_since,
        };
        condition.check(&source, S3ErrorCode::PreconditionFailed)?;
        let asked = match input.copy_source_range.as_deref().map(Range::parse) {
            None => None,
            Some(Ok(range)) => Some(range),
            Some(Err(_)) => {
                return Err(s3_error!(InvalidArgument, "the copy source range is not valid"));
            }
        };
        let range = requested(&source, asked, None)?.unwrap_or(0..source.bytes);
        let body = body(content, range).await?;
        let received = receive(&self.store.blobs, Some(body), Claims::default(), 0).await?;
        let part = self
            .put_part(input.bucket, input.key, input.upload_id, input.part_number, received)
            .await?;
        let mut result = CopyPartResult {
            last_modified: Some(timestamp(part.modified_ms).into()),
            e_tag: Some(etag(part.etag)),
            ..CopyPartResult::default()
        };
        set_checksums!(result, part.checksums);
        Ok(UploadPartCopyOutput {
            copy_part_result: Some(result),
            ..UploadPartCopyOutput::default()
        })
    }

    /// Adds a part to an upload.
    async fn put_part(
        &self,
        bucket: String,
        key: String,
        upload_id: String,
        number: i32,
        received: Received,
    ) -> S3Result<Part> {
        if !(1..=PART_NUMBER_MAX).contains(&number) {
            return Err(s3_error!(InvalidArgument, "a part number must be between 1 and 10000"));
        }
        let put = self
            .store
            .run(move |store| store.put_part((&bucket, &key, &upload_id), number, received))
            .await?;
        Ok(put)
    }

    /// Removes an upload with its parts.
    pub(super) async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<AbortMultipartUploadOutput> {
        let input = request.input;
        self.store
            .run(move |store| store.abort_upload(&input.bucket, &input.key, &input.upload_id))
            .await?;
        Ok(AbortMultipartUploadOutput::default())
    }
}
