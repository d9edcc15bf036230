//! Who may do what: unsigned requests are refused, and the guard decides the others.

use async_trait::async_trait;
use s3s::access::{S3Access, S3AccessContext};
use s3s::dto::{DeleteObjectsInput, PutObjectInput};
use s3s::{S3ErrorCode, S3Request, S3Result, s3_error};
use sidestep_admission::Unverified;
use sidestep_aws::asked::{Asked, S3Target, of_s3, unknown};

use super::counts::Counts;
use crate::guard::Guards;
use crate::s3::form::IsForm;

/// Checks every request, because here `s3s` has just resolved the operation.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub(crate) counts: Counts,
    pub(crate) guards: Guards,
}

/// A form and a request signed by version 2 come here unchecked: `s3s` has to have found a right
/// signature in them.
#[async_trait]
impl S3Access for Access {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let is_unverified = context.extensions_mut().get::<Unverified>().is_some();
        let signer = context.credentials().map(|credentials| credentials.access_key.clone());
        if is_unverified && signer.is_none() {
            return Err(s3_error!(AccessDenied, "the request is not signed"));
        }
        let operation = context.s3_op().name().to_owned();
        self.counts.add(&operation);
        let header = context.headers().get("x-amz-copy-source");
        let source = header.and_then(|source| source.to_str().ok());
        let (bucket, key) = match context.s3_path() {
            s3s::path::S3Path::Root => ("", ""),
            s3s::path::S3Path::Bucket { bucket } => (&**bucket, ""),
            s3s::path::S3Path::Object { bucket, key } => (&**bucket, &**key),
        };
        let target = S3Target::new(bucket, key, context.uri().query(), source);
        let asked = move || match operation.as_str() {
            // Their objects are in the body, which is not read yet.
            "DeleteObjects" | "PostObject" => Vec::new(),
            operation => {
                of_s3(operation, &target).unwrap_or_else(|| vec![unknown("s3", operation)])
            }
        };
        let refusal = self.guards.refusal(context.extensions_mut(), signer.as_deref(), asked).await;
        refused(refusal)
    }

    async fn delete_objects(&self, request: &mut S3Request<DeleteObjectsInput>) -> S3Result<()> {
        let bucket = &request.input.bucket;
        let objects = &request.input.delete.objects;
        let asked = || {
            let arn = |key: &str| format!("arn:aws:s3:::{bucket}/{key}");
            objects.iter().map(|object| Asked::new("s3:DeleteObject", arn(&object.key))).collect()
        };
        let signer = request.credentials.as_ref().map(|signed| signed.access_key.as_str());
        refused(self.guards.refusal(&request.extensions, signer, asked).await)
    }

    async fn put_object(&self, request: &mut S3Request<PutObjectInput>) -> S3Result<()> {
        if request.extensions.get::<IsForm>().is_none() {
            return Ok(());
        }
        let (bucket, key) = (&request.input.bucket, &request.input.key);
        let asked = || vec![Asked::new("s3:PutObject", format!("arn:aws:s3:::{bucket}/{key}"))];
        let signer = request.credentials.as_ref().map(|signed| signed.access_key.as_str());
        refused(self.guards.refusal(&request.extensions, signer, asked).await)
    }
}

/// Returns S3's error for a refusal.
pub(super) fn refused(refusal: Option<String>) -> S3Result<()> {
    refusal.map_or(Ok(()), |message| {
        Err(s3s::S3Error::with_message(S3ErrorCode::AccessDenied, message))
    })
}
