//! CompleteMultipartUpload: the parts that the client chose become the object.

use s3s::dto::{
    ChecksumType, CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart,
};
use s3s::{S3Request, S3Result, s3_error};

use super::Service;
use super::condition::precondition;
use super::object::etag;
use crate::events::EventName;
use crate::s3::checksum::{Checksums, claimed_checksums, set_checksums};
use crate::s3::join;
use crate::s3::object::{Attributes, NewObject};
use crate::s3::upload::Part;

/// The smallest size of every part but the last, by S3's limit.
const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;

impl Service {
    /// Joins the chosen parts and makes them the object.
    pub(super) async fn complete_multipart_upload(
        &self,
        mut request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        let observer = self.observer(&request.extensions);
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

        let joined = (upload.attributes.clone(), parts.clone());
        let (content, checksums) =
            self.store.run(move |store| store.join_parts(&joined.0, &joined.1)).await?;
        verify(&checksums, &claimed)?;

        let new = NewObject {
            bucket: bucket.clone(),
            key: key.clone(),
            etag: join::etag(&parts),
            bytes,
            attributes: with_checksums(upload.attributes, checksums),
            content,
            event: EventName::CompleteMultipartUpload,
        };
        let object = self
            .store
            .run(move |store| store.complete_upload(&upload_id, new, &precondition))
            .await;
        self.observe_write(&observer, bucket.clone(), key.clone(), object.as_ref()).await;
        let object = object?;
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
}

/// Returns the attributes of an upload with the checksums of the joined parts.
fn with_checksums(mut attributes: Attributes, checksums: Checksums) -> Attributes {
    attributes.checksums = checksums;
    if attributes.checksums == Checksums::default() {
        attributes.checksum_type = None;
    } else {
        attributes.checksum_type.get_or_insert_with(|| ChecksumType::COMPOSITE.to_owned());
    }
    attributes
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

/// Compares the object's checksums with claims, which may leave out a composite's number of parts.
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
