//! Multipart uploads.

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, ChecksumType,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart, CopyPartResult,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, ListMultipartUploadsInput,
    ListMultipartUploadsOutput, ListPartsInput, ListPartsOutput, MultipartUpload, Part as PartDto,
    Range, StorageClass, UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3ErrorCode, S3Request, S3Result, s3_error};
use time::OffsetDateTime;

use super::Service;
use super::list::Encoder;
use super::object::{algorithm, attributes, copy_source, etag, precondition};
use super::read::{ReadCondition, body, requested};
use crate::events::EventName;
use crate::s3::checksum::{Checksums, claimed_checksums, set_checksums};
use crate::s3::object::{Attributes, NewObject};
use crate::s3::receive::{Claims, Received, receive};
use crate::s3::store::{milliseconds, timestamp};
use crate::s3::upload::{self, Part};
use crate::s3::wire::Trailers;

const PART_NUMBER_MAX: i32 = 10_000;
/// S3's least size of every part but the last.
const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
const PAGE_MAX: usize = 1000;

impl Service {
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
        };
        let claims = claims.with_headers(&request.headers, request.extensions.get::<Trailers>());
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

    pub(super) async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<UploadPartCopyOutput> {
        let input = request.input;
        let (bucket, key) = copy_source(&input.copy_source)?;
        let (source, content) =
            self.store.run(move |store| store.open_object(&bucket, &key)).await?;
        let condition = ReadCondition {
            matches: input.copy_source_if_match,
            none_match: input.copy_source_if_none_match,
            modified_since: input.copy_source_if_modified_since,
            unmodified_since: input.copy_source_if_unmodified_since,
        };
        condition.check(&source, S3ErrorCode::PreconditionFailed)?;
        let range = match input.copy_source_range.as_deref().map(Range::parse) {
            None => None,
            Some(Ok(range)) => Some(range),
            Some(Err(_)) => {
                return Err(s3_error!(InvalidArgument, "the copy source range is not valid"));
            }
        };
        let range = requested(&source, range, None)?.unwrap_or(0..source.bytes);
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

    pub(super) async fn complete_multipart_upload(
        &self,
        mut request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        let input = &mut request.input;
        let precondition = precondition(input.if_match.take(), input.if_none_match.take())?;
        let claimed = claimed_checksums!(input);
        let asked =
            input.multipart_upload.take().and_then(|upload| upload.parts).unwrap_or_default();
        let size = input.mpu_object_size.take();
        let (bucket, key, upload_id) =
            (request.input.bucket, request.input.key, request.input.upload_id);

        let named = (bucket.clone(), key.clone(), upload_id.clone());
        let (upload, parts) =
            self.store.run(move |store| store.upload(&named.0, &named.1, &named.2)).await?;
        let parts = chosen(asked, &parts)?;
        let bytes = parts.iter().map(|part| part.bytes).sum();
        if size.is_some_and(|size| u64::try_from(size) != Ok(bytes)) {
            return Err(s3_error!(InvalidRequest, "the object size is not that of the parts"));
        }

        let mut attributes = upload.attributes;
        let joined = (attributes.clone(), parts.clone());
        let (content, checksums) =
            self.store.run(move |store| store.join_parts(&joined.0, &joined.1)).await?;
        verify(&checksums, &claimed)?;
        attributes.checksums = checksums;
        if attributes.checksums == Checksums::default() {
            attributes.checksum_type = None;
        } else {
            attributes.checksum_type.get_or_insert_with(|| ChecksumType::COMPOSITE.to_owned());
        }

        let new = NewObject {
            bucket: bucket.clone(),
            key: key.clone(),
            etag: upload::etag(&parts),
            bytes,
            attributes,
            content,
            event: EventName::CompleteMultipartUpload,
        };
        let object = self
            .store
            .run(move |store| store.complete_upload(&upload_id, new, &precondition))
            .await?;
        let mut output = CompleteMultipartUploadOutput {
            location: Some(format!("/{bucket}/{key}")),
            bucket: Some(bucket),
            key: Some(key),
            e_tag: Some(etag(object.etag)),
            checksum_type: object.attributes.checksum_type.map(ChecksumType::from),
            ..CompleteMultipartUploadOutput::default()
        };
        set_checksums!(output, object.attributes.checksums);
        Ok(output)
    }

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

    pub(super) async fn list_parts(
        &self,
        request: S3Request<ListPartsInput>,
    ) -> S3Result<ListPartsOutput> {
        let input = request.input;
        let limit = page(input.max_parts);
        let after = input.part_number_marker.unwrap_or_default();
        let named = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        let (upload, parts) =
            self.store.run(move |store| store.upload(&named.0, &named.1, &named.2)).await?;
        let mut rest = parts.into_iter().filter(|part| part.number > after);
        let listed: Vec<PartDto> = rest.by_ref().take(limit).map(part).collect();
        let is_truncated = rest.next().is_some();
        let last = listed.last().and_then(|part| part.part_number);
        Ok(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            checksum_algorithm: upload.attributes.checksum_algorithm.map(ChecksumAlgorithm::from),
            checksum_type: upload.attributes.checksum_type.map(ChecksumType::from),
            is_truncated: Some(is_truncated),
            max_parts: i32::try_from(limit).ok(),
            next_part_number_marker: last.filter(|_| is_truncated),
            part_number_marker: Some(after),
            parts: Some(listed),
            storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
            ..ListPartsOutput::default()
        })
    }

    /// Delimiters are not supported here; nothing but the AWS console asks for them.
    pub(super) async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<ListMultipartUploadsOutput> {
        let input = request.input;
        if input.delimiter.as_deref().is_some_and(|delimiter| !delimiter.is_empty()) {
            return Err(s3_error!(NotImplemented, "uploads cannot be listed with a delimiter"));
        }
        let encode = Encoder::new(input.encoding_type.as_ref())?;
        let limit = page(input.max_uploads);
        let (bucket, prefix) = (input.bucket.clone(), input.prefix.clone().unwrap_or_default());
        let uploads = self.store.run(move |store| store.uploads(&bucket, &prefix)).await?;
        let after = input.key_marker.clone().unwrap_or_default();
        let after_id = input.upload_id_marker.clone().unwrap_or_default();
        // Uploads of one key are in order of age, so the marker is found rather than compared.
        let start = uploads
            .iter()
            .rposition(|upload| {
                upload.key < after
                    || (upload.key == after && (after_id.is_empty() || upload.id == after_id))
            })
            .map_or(0, |last| last + 1);
        let mut rest = uploads.into_iter().skip(start);
        let listed: Vec<_> = rest.by_ref().take(limit).collect();
        let is_truncated = rest.next().is_some();
        let last = listed.last().filter(|_| is_truncated);
        let next = last.map(|last| (encode.text(last.key.clone()), last.id.clone())).unzip();
        let uploads = listed.into_iter().map(|upload| MultipartUpload {
            initiated: Some(timestamp(upload.initiated_ms).into()),
            key: Some(encode.text(upload.key)),
            upload_id: Some(upload.id),
            storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
            ..MultipartUpload::default()
        });
        Ok(ListMultipartUploadsOutput {
            uploads: Some(uploads.collect()),
            bucket: Some(input.bucket),
            encoding_type: input.encoding_type,
            is_truncated: Some(is_truncated),
            key_marker: input.key_marker,
            max_uploads: i32::try_from(limit).ok(),
            next_key_marker: next.0,
            next_upload_id_marker: next.1,
            prefix: input.prefix,
            upload_id_marker: input.upload_id_marker,
            ..ListMultipartUploadsOutput::default()
        })
    }
}

/// Returns the parts that the client chose, which must be there, in order, and large enough.
fn chosen(asked: Vec<CompletedPart>, parts: &[Part]) -> S3Result<Vec<Part>> {
    if asked.is_empty() {
        return Err(s3_error!(MalformedXML, "at least one part must be specified"));
    }
    let mut chosen: Vec<Part> = Vec::with_capacity(asked.len());
    for mut asked in asked {
        let number = asked.part_number.unwrap_or_default();
        let same = |part: &&Part| {
            let is_same = |etag: &s3s::dto::ETag| etag.value() == part.etag;
            part.number == number && asked.e_tag.as_ref().is_some_and(is_same)
        };
        let Some(part) = parts.iter().find(same) else {
            return Err(s3_error!(
                InvalidPart,
                "part {} was not uploaded, or has another ETag",
                number
            ));
        };
        let claimed = claimed_checksums!(asked);
        part.checksums.verify(&claimed).map_err(|error| s3_error!(error, InvalidPart))?;
        if let Some(last) = chosen.last() {
            if last.number >= number {
                return Err(s3_error!(InvalidPartOrder));
            }
            if last.bytes < PART_BYTES_MIN {
                return Err(s3_error!(EntityTooSmall));
            }
        }
        chosen.push(part.clone());
    }
    Ok(chosen)
}

/// Compares the object's checksums with claims, which may leave out a composite's count of parts.
fn verify(checksums: &Checksums, claimed: &Checksums) -> S3Result<()> {
    for algorithm in claimed.algorithms() {
        let (ours, theirs) = (checksums.get(algorithm), claimed.get(algorithm));
        let digest = |value: Option<&str>| {
            value.and_then(|value| value.split('-').next()).map(str::to_owned)
        };
        if digest(ours) != digest(theirs) {
            return Err(s3_error!(BadDigest, "the object's checksum is not the one you specified"));
        }
    }
    Ok(())
}

fn part(part: Part) -> PartDto {
    let mut output = PartDto {
        e_tag: Some(etag(part.etag)),
        last_modified: Some(timestamp(part.modified_ms).into()),
        part_number: Some(part.number),
        size: i64::try_from(part.bytes).ok(),
        ..PartDto::default()
    };
    set_checksums!(output, part.checksums);
    output
}

fn page(limit: Option<i32>) -> usize {
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_MAX).min(PAGE_MAX)
}
