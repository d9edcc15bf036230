//! Lists unfinished multipart uploads and their parts.

use s3s::dto::{
    ChecksumAlgorithm, ChecksumType, ListMultipartUploadsInput, ListMultipartUploadsOutput,
    ListPartsInput, ListPartsOutput, MultipartUpload, Part as PartDto, StorageClass,
};
use s3s::{S3Request, S3Result, s3_error};

use super::Service;
use super::list::Encoder;
use super::object::etag;
use crate::s3::checksum::set_checksums;
use crate::s3::store::timestamp;
use crate::s3::upload::Part;

/// The most entries of a page. S3 returns no more, even if a client asks for more.
const PAGE_MAX: usize = 1000;

impl Service {
    /// Returns a page of an upload's parts.
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

    /// Returns a page of a bucket's unfinished uploads.
    ///
    /// Delimiters are not supported, because only the AWS console asks for them.
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

/// Converts a part to S3's form.
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

/// Returns how many entries the page has at most.
fn page(limit: Option<i32>) -> usize {
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_MAX).min(PAGE_MAX)
}
