//! The whole content of an object, for servers of this process.

use std::io::Read as _;

use super::S3Server;
use super::error::S3ServerError;
use super::object::Content;

impl S3Server {
    /// Returns an object's content, at most one byte more than `limit`.
    pub(crate) async fn content(
        &self,
        bucket: &str,
        key: &str,
        limit: u64,
    ) -> Result<Vec<u8>, S3ServerError> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.store
            .run(move |store| {
                let (_, content) = store.open_object(&bucket, &key)?;
                let mut bytes = Vec::new();
                match content {
                    Content::Inline(content) => bytes.extend_from_slice(&content),
                    Content::File(blob) => {
                        let read = blob.take(limit + 1).read_to_end(&mut bytes);
                        read.map_err(S3ServerError::file("read a blob"))?;
                    }
                }
                Ok(bytes)
            })
            .await
    }
}
