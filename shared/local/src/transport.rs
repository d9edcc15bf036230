//! Requests of this process to its own servers, handed over in memory instead of through a socket.
//!
//! The SDK makes the requests and the server answers them, as on the wire.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use axum::body::{Body, to_bytes};
use axum::http::{Response, Uri};
use sidestep_aws::plain_http_client;

use crate::guard::{Caller, current_caller};

/// A server of this process: answers one request.
pub(crate) type Service = sidestep_admission::Answer;

/// The servers of this process by address, such as `127.0.0.1:4566`.
pub(crate) struct Services(BTreeMap<String, Service>);

impl Services {
    /// Takes servers by the URLs of their endpoints.
    pub(crate) fn new<const N: usize>(services: [(&str, Service); N]) -> Self {
        let address =
            |url: &str| url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Self(services.map(|(url, service)| (address(url), service)).into())
    }

    /// Makes a client that hands requests for these servers to them, and sends all others as usual.
    ///
    /// The client keeps no server alive: when the cloud is gone, it is gone for the client, too.
    pub(crate) fn client(&self) -> SharedHttpClient {
        let weak =
            |(address, service): (&String, &Service)| (address.clone(), Arc::downgrade(service));
        let services = Arc::new(self.0.iter().map(weak).collect());
        SharedHttpClient::new(Transport { services, others: plain_http_client() })
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

type WeakService = Weak<<Service as std::ops::Deref>::Target>;

struct Transport {
    services: Arc<BTreeMap<String, WeakService>>,
    others: SharedHttpClient,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.services.keys()).finish()
    }
}

impl HttpClient for Transport {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let services = Arc::clone(&self.services);
        let others = self.others.http_connector(settings, components);
        SharedHttpConnector::new(Connector { services, others })
    }
}

struct Connector {
    services: Arc<BTreeMap<String, WeakService>>,
    others: SharedHttpConnector,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let uri = request.uri().parse::<Uri>();
        let service = uri.ok().and_then(|uri| {
            let authority = uri.authority()?;
            self.services.get(authority.as_str())?.upgrade()
        });
        match service {
            Some(service) => HttpConnectorFuture::new(answer(service, request, current_caller())),
            None => self.others.call(request),
        }
    }
}

/// Hands one request to a server and returns its answer.
async fn answer(
    service: Service,
    request: HttpRequest,
    caller: Option<Caller>,
) -> Result<HttpResponse, ConnectorError> {
    let mut request =
        request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    // On a socket the request line carries the path alone, and the host has a header.
    let uri = std::mem::take(request.uri_mut());
    if let Some(host) = uri.authority().and_then(|host| host.as_str().parse().ok()) {
        request.headers_mut().entry("host").or_insert(host);
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(|error| ConnectorError::user(Box::new(error)))?;
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller);
    }
    // On a task of its own, so that the caller's other work goes on beside it, as on the wire.
    let answer = tokio::spawn(service(request.map(Body::new)));
    let response = answer.await.map_err(|error| ConnectorError::io(error.into()))?;
    let (parts, body) = response.into_parts();
    // The whole body is read, because an engine reads nothing that is large.
    let bytes =
        to_bytes(body, usize::MAX).await.map_err(|error| ConnectorError::io(error.into()))?;
    let whole = Response::from_parts(parts, SdkBody::from(bytes));
    HttpResponse::try_from(whole).map_err(|error| ConnectorError::user(error.into()))
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::Client;
    use aws_sdk_s3::error::SdkError;
    use aws_sdk_s3::primitives::ByteStream;
    use sidestep_aws::local_config;

    use super::*;
    use crate::s3::S3Server;

    #[tokio::test]
    async fn a_service_of_this_process_answers_without_a_socket_and_others_are_asked_as_usual() {
        let folder = tempfile::tempdir().expect("a folder");
        let server = S3Server::open(folder.path(), "us-east-1", "000000000000").expect("a store");
        server.create_bucket("bucket").await.expect("created");
        // Nothing listens there, and no name resolves to it.
        let endpoint = "http://nowhere.invalid:1";
        let services = Services::new([(endpoint, server.service())]);
        let config = local_config("us-east-1")
            .into_builder()
            .http_client(services.client())
            .endpoint_url(endpoint)
            .build();
        let of = |config: aws_sdk_s3::config::Builder| {
            Client::from_conf(config.force_path_style(true).build())
        };
        let s3 = of(aws_sdk_s3::config::Builder::from(&config));
        let body = ByteStream::from_static(b"whole");
        s3.put_object().bucket("bucket").key("a b").body(body).send().await.expect("put");
        let found = s3.get_object().bucket("bucket").key("a b").send().await.expect("there");
        assert_eq!(found.body.collect().await.expect("read").into_bytes().as_ref(), b"whole");
        let absent = s3.get_object().bucket("bucket").key("b").send().await.expect_err("absent");
        assert!(absent.into_service_error().is_no_such_key());

        let elsewhere =
            aws_sdk_s3::config::Builder::from(&config).endpoint_url("http://127.0.0.1:1");
        let refused = of(elsewhere).list_buckets().send().await.expect_err("no server listens");
        assert!(matches!(refused, SdkError::DispatchFailure(_)), "{refused:?}");

        // As after the end of its process: no server answers, and the store is free for the next
        // owner.
        drop((server, services));
        let gone = s3.list_buckets().send().await.expect_err("it is gone");
        assert!(matches!(gone, SdkError::DispatchFailure(_)), "{gone:?}");
        S3Server::open(folder.path(), "us-east-1", "000000000000").expect("the store is free");
    }
}
