//! The jobs port: signed requests in JSON 1.1.
//!
//! The typed SDK of SageMaker takes 5 GB of memory to compile, and drops members that it does not
//! know. So requests are made here, with the SDK's own signer and transport.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_s3::config::SharedHttpClient;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::timeout::TimeoutConfig;
use serde_json::Value;
use sidestep_core::job::refusal::Refused;
use sidestep_engine::ports::BoxError;
use sidestep_engine::ports::jobs::{Jobs, JobsError};

use crate::http::http_client;

/// How often a call is made that brings no answer, and the pause before the second time.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);
/// The time for one try.
const PATIENCE: Duration = Duration::from_secs(20);
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// [`Jobs`] over SageMaker. Clones share one connection pool.
#[derive(Debug, Clone)]
pub struct SageMakerJobs {
    config: SdkConfig,
    client: SharedHttpClient,
}

/// A configuration without region or credentials.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has no {0}")]
struct Missing(&'static str);

impl SageMakerJobs {
    /// Makes the adapter without any request. The endpoint of the configuration is SageMaker's.
    pub fn new(config: &SdkConfig) -> Self {
        Self { config: config.clone(), client: http_client(config) }
    }

    fn url(&self, service: &str) -> Result<String, BoxError> {
        if let Some(url) = self.config.endpoint_url() {
            return Ok(url.trim_end_matches('/').to_owned() + "/");
        }
        let region = self.config.region().ok_or(Missing("region"))?;
        let host = if service == "sagemaker" { "api.sagemaker" } else { service };
        let domain =
            if region.as_ref().starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        Ok(format!("https://{host}.{region}.{domain}/"))
    }

    async fn credentials(&self) -> Result<Credentials, BoxError> {
        let provider = self.config.credentials_provider().ok_or(Missing("credentials"))?;
        Ok(provider.provide_credentials().await?)
    }

    /// Makes one request, and returns the status and the body of its answer.
    async fn request(
        &self,
        service: &str,
        operation: &str,
        body: &str,
    ) -> Result<(u16, Vec<u8>), BoxError> {
        let url = self.url(service)?;
        let prefix = if service == "sagemaker" { "SageMaker" } else { "ElasticMapReduce" };
        let target = format!("{prefix}.{operation}");
        let headers = [("content-type", CONTENT_TYPE), ("x-amz-target", target.as_str())];
        let identity = self.credentials().await?.into();
        let region = self.config.region().ok_or(Missing("region"))?;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(region.as_ref())
            .name(service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let signable = SignableRequest::new(
            "POST",
            url.as_str(),
            headers.into_iter(),
            SignableBody::Bytes(body.as_bytes()),
        )?;
        let (signature, _) = sign(signable, &params)?.into_parts();
        let mut request = HttpRequest::new(SdkBody::from(body.to_owned()));
        request.set_method("POST")?;
        request.set_uri("/")?;
        let signed = signature.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let given = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        for (name, value) in given.into_iter().chain(signed) {
            request.headers_mut().insert(name, value);
        }
        let timeouts = TimeoutConfig::builder().operation_timeout(PATIENCE).build();
        let operation = Operation::builder()
            .service_name(service.to_owned())
            .operation_name(operation.to_owned())
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.client.clone())
            .endpoint_url(&url)
            .no_auth()
            .no_retry()
            .timeout_config(timeouts)
            .serializer(Ok::<HttpRequest, BoxError>)
            .deserializer(|response: &HttpResponse| {
                let bytes = response.body().bytes().unwrap_or_default().to_vec();
                Ok::<_, OrchestratorError<std::convert::Infallible>>((
                    response.status().as_u16(),
                    bytes,
                ))
            })
            .build();
        Ok(operation.invoke(request).await?)
    }
}

#[async_trait]
impl Jobs for SageMakerJobs {
    async fn call(&self, service: &str, operation: &str, body: &Value) -> Result<Value, JobsError> {
        let text = body.to_string();
        let mut tries = 0;
        loop {
            tries += 1;
            let answered = self.request(service, operation, &text).await;
            let is_fault = answered.as_ref().map_or(true, |(status, _)| *status >= 500);
            if is_fault && tries < TRIES {
                tokio::time::sleep(PAUSE * tries).await;
                continue;
            }
            let operation = operation.to_owned();
            return match answered {
                Ok((status, bytes)) => answer(operation, status, &bytes),
                Err(source) => Err(JobsError::Unavailable { operation, source }),
            };
        }
    }
}

/// Reads an answer. The type of an error is in its body, and in older services in a header.
fn answer(operation: String, status: u16, bytes: &[u8]) -> Result<Value, JobsError> {
    let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
    if (200..300).contains(&status) {
        return Ok(body);
    }
    let text = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| body[*name].as_str());
        found.unwrap_or_default().to_owned()
    };
    let code = text(["__type", "code"]).rsplit('#').next().unwrap_or_default().to_owned();
    let refused = Refused { status, code, message: text(["message", "Message"]) };
    Err(JobsError::Refused { operation, refused })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_of_an_error_is_the_last_part() {
        let body = br#"{"__type":"com.amazonaws.sagemaker#ResourceInUse","Message":"exists"}"#;
        let Err(JobsError::Refused { refused, .. }) = answer("CreateX".to_owned(), 400, body)
        else {
            panic!("refused");
        };
        assert_eq!((refused.code.as_str(), refused.message.as_str()), ("ResourceInUse", "exists"));
        let page = answer("CreateX".to_owned(), 500, b"<html>");
        assert!(matches!(page, Err(JobsError::Refused { refused, .. }) if refused.status == 500));
        assert_eq!(answer("X".to_owned(), 200, b"{}").ok(), Some(serde_json::json!({})));
    }
}
