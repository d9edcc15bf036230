//! The table's client and name.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;

use crate::counter::Counter;
use crate::http::http_client;

/// The table of one deployment. Clones share one connection pool.
#[derive(Debug, Clone)]
pub struct DynamoTable {
    pub(super) client: Client,
    pub(super) name: String,
}

impl DynamoTable {
    /// Makes the adapter without any request.
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        let builder = aws_sdk_dynamodb::config::Builder::from(config);
        let config = builder.http_client(http_client(config)).build();
        Self { client: Client::from_conf(config), name: name.into() }
    }

    /// Returns the same adapter, with its requests counted.
    pub fn counted(&self, counter: &Counter) -> Self {
        let config = self.client.config().to_builder().interceptor(counter.clone());
        Self { client: Client::from_conf(config.build()), name: self.name.clone() }
    }
}
