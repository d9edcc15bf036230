//! What a step writes: content of any size under a checked name below the attempt's `OutputPrefix`.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use serde::Serialize;
use sidestep_core::execution::invocation::MANIFEST_NAME;
use sidestep_core::execution::manifest::Artifact;
use sidestep_core::failure::FailureType;
use sidestep_core::limits::{self, artifact_bytes};
use sidestep_core::plan::lease;
use sidestep_engine::ports::objects::{ObjectStream, stream_of};
use tokio::io::AsyncRead;
use tokio_util::io::ReaderStream;

use crate::error::StepError;

/// The content of an artifact: bytes, text, JSON, a reader or a stream.
///
/// [`StepContext::put_artifact`](crate::StepContext::put_artifact) takes bytes and text as they
/// are; the other kinds have a constructor here.
pub struct Content(pub(crate) ObjectStream);

impl Content {
    /// Makes indented JSON with a final newline.
    ///
    /// With ordered maps, equal values give equal bytes, and so equal digests.
    pub fn json(value: &impl Serialize) -> Result<Self, StepError> {
        let mut text = serde_json::to_vec_pretty(value)?;
        text.push(b'\n');
        Ok(text.into())
    }

    /// Takes everything that `reader` yields, such as a `tokio::fs::File`.
    pub fn reader(reader: impl AsyncRead + Send + 'static) -> Self {
        Self(ReaderStream::with_capacity(reader, 64 * 1024).boxed())
    }

    /// Takes everything that `stream` yields. It is read as fast as it can be sent and never held
    /// whole.
    pub fn stream(stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self(stream.boxed())
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Content(..)")
    }
}

macro_rules! content_from {
    ($($type:ty),*) => {
        $(impl From<$type> for Content {
            fn from(bytes: $type) -> Self {
                Self(stream_of(bytes))
            }
        })*
    };
}

content_from!(Bytes, Vec<u8>, String, &'static str, &'static [u8]);

/// The artifacts of one attempt by name; `None` while an artifact is being written.
#[derive(Debug, Default)]
pub(crate) struct Artifacts {
    by_name: BTreeMap<String, Option<Artifact>>,
}

impl Artifacts {
    /// Reserves a name for writing. Each name can be reserved once.
    pub(crate) fn reserve(&mut self, name: &str) -> Result<(), StepError> {
        check_name(name).map_err(|why| {
            StepError::new(
                FailureType::Artifact,
                format!("`{name}` cannot name an artifact: {why}"),
            )
        })?;
        if self.by_name.contains_key(name) {
            let message = format!("artifact `{name}` was written before in this attempt");
            return Err(StepError::new(FailureType::Artifact, message));
        }
        if self.by_name.len() == limits::ARTIFACTS {
            let message = format!("more than {} artifacts", limits::ARTIFACTS);
            return Err(StepError::new(FailureType::Artifact, message));
        }
        let names = self.by_name.keys().map(String::as_str).chain([name]);
        let (bytes, limit) =
            (names.map(artifact_bytes).sum::<usize>(), limits::ARTIFACT_LIST_BYTES);
        if bytes > limit {
            let message = format!(
                "the list of artifacts takes {bytes} bytes, over the limit of {limit}: write fewer \
                 artifacts, or give them shorter names"
            );
            return Err(StepError::new(FailureType::Artifact, message));
        }
        self.by_name.insert(name.to_owned(), None);
        Ok(())
    }

    /// Records how the writing of a reserved name ended. After a failure the name is free again.
    pub(crate) fn settle(&mut self, name: &str, written: Option<Artifact>) {
        match written {
            Some(artifact) => self.by_name.insert(name.to_owned(), Some(artifact)),
            None => self.by_name.remove(name),
        };
    }

    /// Returns what was written, in order of URI.
    pub(crate) fn written(&self) -> Vec<Artifact> {
        let mut written: Vec<_> = self.by_name.values().flatten().cloned().collect();
        written.sort();
        written
    }
}

/// Checks that `name` is a relative path of plain names.
///
/// Such a path stays below the prefix in every tool that turns keys into files.
fn check_name(name: &str) -> Result<(), &'static str> {
    if name == MANIFEST_NAME || lease::is_taken(name) {
        return Err("the name is taken by the step's own report");
    }
    if name.len() > 512 {
        return Err("it is over 512 bytes");
    }
    if name.chars().any(|c| c.is_control() || c == '\\') {
        return Err("it has a control character or a backslash");
    }
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("it is not a relative path of plain names");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_below_the_prefix() {
        for name in ["model.bin", "by day/2013-01.csv", "ü", "..x", "a.b/..c", "sub/manifest.json"]
        {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        let long = "x".repeat(513);
        let refused = [
            "",
            "/x",
            "x/",
            "a//b",
            ".",
            "a/..",
            "../x",
            "a\\b",
            "a\nb",
            "manifest.json",
            "started.json",
            "sidestep-lease-1",
            &long,
        ];
        for name in refused {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_name_is_written_once_unless_writing_failed() {
        let mut artifacts = Artifacts::default();
        artifacts.reserve("a").unwrap();
        assert_eq!(artifacts.reserve("a").unwrap_err().error_type(), "Sidestep.Artifact");
        artifacts.settle("a", None);
        artifacts.reserve("a").unwrap();
    }
}
