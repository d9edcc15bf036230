//! PutObject, also of a form, CopyObject, DeleteObject and DeleteObjects.

use s3s::dto::{
    ChecksumAlgorithm, ChecksumType, CopyObjectInput, CopyObjectOutput, CopyObjectResult,
    CopySource, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput,
    DeletedObject, ETag, ETagCondition, MetadataDirective, PutObjectInput, PutObjectOutput,
};
use s3s::{S3ErrorCode, S3Request, S3Result, s3_error};
use time::OffsetDateTime;

use super::Service;
use super::condition::{ReadCondition, precondition};
use crate::events::EventName;
use crate::s3::aws_chunked::Trailers;
use crate::s3::checksum::{Algorithm, claimed_checksums, set_checksums};
use crate::s3::form::IsForm;
use crate::s3::object::{Attributes, NewObject, Precondition};
use crate::s3::receive::{Claims, INLINE_BYTES_MAX, receive};
use crate::s3::store::milliseconds;

/// The most keys of one DeleteObjects request, by S3's limit.
const DELETE_KEYS_MAX: usize = 1000;

/// Gathers what a PutObject, CopyObject or CreateMultipartUpload says about the object.
macro_rules! attributes {
    ($input:expr) => {
        Attributes {
            cache_control: $input.cache_control.take(),
            content_disposition: $input.content_disposition.take(),
            content_encoding: $input.content_encoding.take(),
            content_language: $input.content_language.take(),
            content_type: $input.content_type.take(),
            expires_ms: $input
                .expires
                .take()
                .map(|expires| milliseconds(OffsetDateTime::from(expires))),
            metadata: $input.metadata.take().unwrap_or_default().into_iter().collect(),
            ..Attributes::default()
        }
    };
}
pub(super) use attributes;

impl Service {
    /// Reads the body and writes the object.
    pub(super) async fn put_object(
        &self,
        mut request: S3Request<PutObjectInput>,
    ) -> S3Result<PutObjectOutput> {
        let observer = self.observer(&request.extensions);
        let is_form = request.extensions.get::<IsForm>().is_some();
        let event = if is_form { EventName::Post } else { EventName::Put };
        let input = &mut request.input;
        let precondition = precondition(input.if_match.take(), input.if_none_match.take())?;
        let mut attributes = attributes!(input);
        let claims = Claims {
            content_length: input.content_length,
            content_md5: input.content_md5.take(),
            checksums: claimed_checksums!(input),
            algorithm: algorithm(input.checksum_algorithm.as_ref())?,
            ..Claims::default()
        }
        .with_headers(&request.headers, request.extensions.get::<Trailers>());
        let received =
            receive(&self.store.blobs, input.body.take(), claims, INLINE_BYTES_MAX).await?;

        attributes.checksums = received.checksums.clone();
        let has_checksum = !received.checksums.algorithms().is_empty();
        attributes.checksum_type = has_checksum.then(|| ChecksumType::FULL_OBJECT.to_owned());
        let new = NewObject {
            bucket: request.input.bucket,
            key: request.input.key,
            etag: hex::encode(received.md5),
            bytes: received.bytes,
            attributes,
            content: received.content,
            event,
        };
        let (bucket, key) = (new.bucket.clone(), new.key.clone());
        let put = self.store.run(move |store| store.put_object(new, &precondition)).await;
        self.observe_write(&observer, bucket, key, put.as_ref()).await;
        let object = put?;

        let mut output = PutObjectOutput {
            checksum_type: object.attributes.checksum_type.map(ChecksumType::from),
            e_tag: Some(etag(object.etag)),
            ..PutObjectOutput::default()
        };
        set_checksums!(output, object.attributes.checksums);
        Ok(output)
    }

    /// Copies an object without moving bytes.
    ///
    /// The copy keeps the source's ETag and checksums, also those of a multipart upload.
    pub(super) async fn copy_object(
        &self,
        mut request: S3Request<CopyObjectInput>,
    ) -> S3Result<CopyObjectOutput> {
        let observer = self.observer(&request.extensions);
        let input = &mut request.input;
        let (source_bucket, source_key) = copy_source(&input.copy_source)?;
        let is_replaced = match input.metadata_directive.as_ref().map(MetadataDirective::as_str) {
            None | Some(MetadataDirective::COPY) => false,
            Some(MetadataDirective::REPLACE) => true,
            Some(_) => return Err(s3_error!(InvalidArgument, "unknown metadata directive")),
        };
        if source_bucket == input.bucket && source_key == input.key && !is_replaced {
            return Err(s3_error!(
                InvalidRequest,
                "this copy request is illegal because it copies an object to itself without changing it"
            ));
        }
        let condition = source_condition(input);
        let given = attributes!(input);
        let (bucket, key) = (source_bucket.clone(), source_key.clone());
        let found =
            self.store.run(move |store| store.duplicate_object(&source_bucket, &source_key)).await;
        observer.read(&bucket, &key, found.as_ref().map(|(object, _)| object));
        let (source, content) = found?;
        condition.check(&source, S3ErrorCode::PreconditionFailed)?;

        let attributes = if is_replaced {
            Attributes {
                checksums: source.attributes.checksums,
                checksum_type: source.attributes.checksum_type,
                ..given
            }
        } else {
            source.attributes
        };
        let new = NewObject {
            bucket: request.input.bucket,
            key: request.input.key,
            etag: source.etag,
            bytes: source.bytes,
            attributes,
            content,
            event: EventName::Copy,
        };
        let (bucket, key) = (new.bucket.clone(), new.key.clone());
        let object =
            self.store.run(move |store| store.put_object(new, &Precondition::default())).await?;
        observer.wrote(&bucket, &key, Some(&object));
        let mut result = CopyObjectResult {
            checksum_type: object.attributes.checksum_type.clone().map(ChecksumType::from),
            e_tag: Some(etag(object.etag.clone())),
            last_modified: Some(object.modified()),
            ..CopyObjectResult::default()
        };
        set_checksums!(result, object.attributes.checksums);
        Ok(CopyObjectOutput { copy_object_result: Some(result), ..CopyObjectOutput::default() })
    }

    /// Deletes one object.
    pub(super) async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<DeleteObjectOutput> {
        let observer = self.observer(&request.extensions);
        let input = request.input;
        require_current_version(input.version_id.as_deref())?;
        let precondition = precondition(input.if_match, None)?;
        let (bucket, keys) = (input.bucket.clone(), [(input.key.clone(), precondition)]);
        self.store.run(move |store| store.delete_objects(&bucket, &keys)).await?;
        observer.wrote(&input.bucket, &input.key, None);
        Ok(DeleteObjectOutput::default())
    }

    /// Deletes all the keys in one transaction: after a failure none is gone.
    pub(super) async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<DeleteObjectsOutput> {
        let observer = self.observer(&request.extensions);
        let (bucket, delete) = (request.input.bucket, request.input.delete);
        if delete.objects.is_empty() || delete.objects.len() > DELETE_KEYS_MAX {
            return Err(s3_error!(MalformedXML, "between 1 and 1000 keys can be deleted at once"));
        }
        let mut keys = Vec::with_capacity(delete.objects.len());
        for object in delete.objects {
            require_current_version(object.version_id.as_deref())?;
            let if_match = object.e_tag.map(ETagCondition::ETag);
            keys.push((object.key, precondition(if_match, None)?));
        }
        let names: Vec<String> = keys.iter().map(|(key, _)| key.clone()).collect();
        let of = bucket.clone();
        self.store.run(move |store| store.delete_objects(&of, &keys)).await?;
        for key in &names {
            observer.wrote(&bucket, key, None);
        }
        let deleted = (!delete.quiet.unwrap_or_default()).then(|| {
            let deleted = |key| DeletedObject { key: Some(key), ..DeletedObject::default() };
            names.into_iter().map(deleted).collect()
        });
        Ok(DeleteObjectsOutput { deleted, ..DeleteObjectsOutput::default() })
    }
}

/// Takes what a copy requires of its source.
fn source_condition(input: &mut CopyObjectInput) -> ReadCondition {
    ReadCondition {
        matches: input.copy_source_if_match.take(),
        none_match: input.copy_source_if_none_match.take(),
        modified_since: input.copy_source_if_modified_since.take(),
        unmodified_since: input.copy_source_if_unmodified_since.take(),
    }
}

/// Returns an ETag in `s3s`'s form.
pub(super) fn etag(value: String) -> ETag {
    ETag::Strong(value)
}

/// Refuses every version but `null`, the only one in a bucket that was never versioned.
pub(super) fn require_current_version(version_id: Option<&str>) -> S3Result<()> {
    match version_id {
        None | Some("" | "null") => Ok(()),
        Some(_) => Err(s3_error!(NoSuchVersion)),
    }
}

/// Returns the checksum algorithm that the client asks for.
pub(super) fn algorithm(asked: Option<&ChecksumAlgorithm>) -> S3Result<Option<Algorithm>> {
    let Some(asked) = asked else { return Ok(None) };
    match Algorithm::parse(asked.as_str()) {
        Some(algorithm) => Ok(Some(algorithm)),
        None => Err(s3_error!(InvalidRequest, "unknown checksum algorithm")),
    }
}

/// Returns the bucket and key of a copy's source.
pub(super) fn copy_source(source: &CopySource) -> S3Result<(String, String)> {
    match source {
        CopySource::Bucket { bucket, key, version_id } => {
            require_current_version(version_id.as_deref())?;
            Ok((bucket.to_string(), key.to_string()))
        }
        _ => Err(s3_error!(NotImplemented, "only an object of a bucket can be copied")),
    }
}
