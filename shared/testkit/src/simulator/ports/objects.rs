//! The objects, behind faults.

use async_trait::async_trait;
use bytes::Bytes;
use sidestep_core::execution::manifest::Artifact;
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::{
    Created, Download, ObjectFacts, ObjectStore, ObjectStream, StoreError,
};

use super::{Fault, Faulty, injected};

#[async_trait]
impl ObjectStore for Faulty {
    async fn head(&self, uri: &S3Uri) -> Result<Option<ObjectFacts>, StoreError> {
        effect!(&self.world.sim, "head object", self.world.objects.head(uri), store("head", uri))
    }

    async fn list(
        &self,
        prefix: &S3Uri,
        limit: usize,
    ) -> Result<Vec<(String, ObjectFacts)>, StoreError> {
        let call = || self.world.objects.list(prefix, limit);
        effect!(&self.world.sim, "list objects", call(), store("list", prefix))
    }

    async fn get(&self, uri: &S3Uri, max_bytes: u64) -> Result<Option<Bytes>, StoreError> {
        let call = || self.world.objects.get(uri, max_bytes);
        effect!(&self.world.sim, "get object", call(), store("get", uri))
    }

    async fn download(&self, uri: &S3Uri) -> Result<Option<Download>, StoreError> {
        effect!(&self.world.sim, "download", self.world.objects.download(uri), store("get", uri))
    }

    async fn create(
        &self,
        uri: &S3Uri,
        bytes: Bytes,
        content_type: &str,
    ) -> Result<Created, StoreError> {
        let call = || self.world.objects.create(uri, bytes.clone(), content_type);
        effect!(&self.world.sim, "create object", call(), store("create", uri))
    }

    async fn upload(&self, uri: &S3Uri, stream: ObjectStream) -> Result<Artifact, StoreError> {
        self.world.objects.upload(uri, stream).await
    }

    async fn delete(&self, uri: &S3Uri) -> Result<(), StoreError> {
        effect!(
            &self.world.sim,
            "delete object",
            self.world.objects.delete(uri),
            store("delete", uri)
        )
    }
}

fn store(operation: &'static str, uri: &S3Uri) -> StoreError {
    StoreError::Unavailable { operation, uri: uri.clone(), retryable: true, source: injected() }
}
