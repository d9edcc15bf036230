//! Definitions: read from requests, and shown in answers.

use serde::Deserialize;
use serde_json::Value;
use sidestep_core::limits::DEFINITION_BYTES;
use sidestep_core::parse::Format;
use sidestep_core::uri::S3Uri;
use sidestep_engine::memory::definitions::Definition;
use sidestep_engine::ports::pipelines::VersionRecord;

use crate::api::Api;
use crate::checks::{BUCKET, Checks};
use crate::error::ApiError;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct S3Location {
    bucket: Option<String>,
    object_key: Option<String>,
    version_id: Option<String>,
}

impl S3Location {
    pub(crate) fn check(&self, checks: &mut Checks) {
        let (bucket, key) = (self.bucket.as_ref(), self.object_key.as_ref());
        checks.required("pipelineDefinitionS3Location.bucket", bucket);
        checks.text("pipelineDefinitionS3Location.bucket", bucket, 3..=63, Some(&BUCKET));
        checks.required("pipelineDefinitionS3Location.objectKey", key);
        checks.text("pipelineDefinitionS3Location.objectKey", key, 1..=1024, None);
    }
}

impl Api {
    /// Returns the definition of a request, from its text or from S3.
    pub(crate) async fn given_definition(
        &self,
        text: Option<&String>,
        location: Option<&S3Location>,
    ) -> Result<Option<Definition>, ApiError> {
        let text = match (text, location) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                let text =
                    "PipelineDefinition and PipelineDefinitionS3Location must not both be given.";
                return Err(ApiError::validation(text));
            }
            (Some(text), None) => text.clone(),
            (None, Some(location)) => self.read_location(location).await?,
        };
        Ok(Some(Definition { text, format: Format::Json }))
    }

    async fn read_location(&self, location: &S3Location) -> Result<String, ApiError> {
        if location.version_id.is_some() {
            let text = "PipelineDefinitionS3Location.VersionId is not supported: the newest version is read.";
            return Err(ApiError::validation(text));
        }
        let (bucket, key) = (location.bucket.clone(), location.object_key.clone());
        let uri = S3Uri::new(bucket.unwrap_or_default(), key.unwrap_or_default());
        let found = self.engine.object(&uri, DEFINITION_BYTES as u64).await?;
        let bytes = found.ok_or_else(|| {
            ApiError::validation(format!(
                "Unable to read pipeline definition: {uri} does not exist."
            ))
        })?;
        String::from_utf8(bytes.into()).map_err(|_| {
            ApiError::validation(format!(
                "Unable to parse pipeline definition. {uri} is not UTF-8."
            ))
        })
    }

    /// Returns a version's definition as JSON, which clients parse. YAML is converted.
    pub(crate) async fn definition_json(
        &self,
        version: &VersionRecord,
    ) -> Result<String, ApiError> {
        self.json_text(&version.definition_digest, version.definition_format).await
    }

    pub(crate) async fn json_text(&self, digest: &str, format: Format) -> Result<String, ApiError> {
        let definition = self.engine.definition(digest, format).await?;
        match format {
            Format::Json => Ok(definition.text),
            Format::Yaml => {
                let parsed: Result<Value, _> = serde_saphyr::from_str(&definition.text);
                let value = parsed.map_err(|error| ApiError::Internal(error.to_string()))?;
                Ok(value.to_string())
            }
        }
    }
}
