//! What a step reads: an object as a stream, in memory, or as a file.

use std::io;

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use sidestep_core::failure::FailureType;
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::{Download as StoredObject, ObjectFacts};
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufRead, AsyncWriteExt};
use tokio_util::io::StreamReader;

use crate::error::StepError;

/// An object that has been opened.
///
/// No content is read before one of the methods is called.
#[derive(Debug)]
pub struct Download {
    uri: S3Uri,
    opened: StoredObject,
}

impl Download {
    pub(crate) fn new(uri: S3Uri, opened: StoredObject) -> Self {
        Self { uri, opened }
    }

    /// Returns the object's size and digest.
    pub fn facts(&self) -> &ObjectFacts {
        &self.opened.facts
    }

    /// Returns the content piece by piece.
    pub fn stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        self.opened.stream
    }

    /// Returns the content as a buffered reader.
    ///
    /// For lines, and for decoders that work on `AsyncBufRead`.
    pub fn reader(self) -> impl AsyncBufRead + Send + Unpin + 'static {
        StreamReader::new(self.opened.stream)
    }

    /// Reads the whole content into memory.
    pub async fn bytes(self) -> Result<Bytes, StepError> {
        let capacity = usize::try_from(self.opened.facts.bytes).unwrap_or_default();
        let mut all = Vec::with_capacity(capacity);
        let mut stream = self.opened.stream;
        while let Some(piece) = stream.try_next().await.map_err(|e| unread(&self.uri, &e))? {
            all.extend_from_slice(&piece);
        }
        Ok(all.into())
    }

    /// Reads the whole content as UTF-8 text.
    pub async fn text(self) -> Result<String, StepError> {
        let uri = self.uri.clone();
        let bytes = self.bytes().await?;
        String::from_utf8(bytes.into()).map_err(|error| {
            StepError::new(FailureType::StepFailed, format!("`{uri}` is not UTF-8 text: {error}"))
        })
    }

    /// Writes the content to a file in the temporary folder (Lambda's `/tmp`).
    ///
    /// The file is removed when the returned value is dropped.
    pub async fn file(self) -> Result<NamedTempFile, StepError> {
        let file = NamedTempFile::new()?;
        let mut sink = tokio::fs::File::from_std(file.reopen()?);
        let mut stream = self.opened.stream;
        while let Some(piece) = stream.try_next().await.map_err(|e| unread(&self.uri, &e))? {
            sink.write_all(&piece).await?;
        }
        sink.flush().await?;
        Ok(file)
    }
}

fn unread(uri: &S3Uri, error: &io::Error) -> StepError {
    StepError::new(FailureType::Store, format!("could not read `{uri}`: {error}"))
}
