//! The HTTP client below the SDKs.

use aws_config::SdkConfig;
use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

/// Returns the client of a configuration, or makes one for its endpoint.
///
/// An endpoint that begins with `http://` gets a client without TLS. Any other, and `None`, the
/// service's own, gets TLS by rustls on `ring`. The SDK's own default is rustls on `aws-lc-rs`;
/// `ring` makes a function smaller and the first build shorter (ADR 0002).
///
/// A client with TLS reads the system's root certificates when it is made. That takes 2.4 of the
/// 5.8 ms from spawn to first `next` of a step that does nothing, and would be wasted where there
/// is no TLS.
pub fn http_client(config: &SdkConfig) -> SharedHttpClient {
    match (config.http_client(), config.endpoint_url()) {
        (Some(client), _) => client,
        (None, Some(url)) if url.starts_with("http://") => plain_http_client(),
        (None, _) => https_client(),
    }
}

/// Makes a client without TLS.
pub fn plain_http_client() -> SharedHttpClient {
    Builder::new().build_http()
}

pub(crate) fn https_client() -> SharedHttpClient {
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}
