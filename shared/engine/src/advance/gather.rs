//! Gathers the facts that a plan needs, in parallel and in batches.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use sidestep_core::cache::key::{Content, listing_digest};
use sidestep_core::execution::trace::{TRACE_BUCKET, Trace};
use sidestep_core::limits::{JSON_DOCUMENT_BYTES, LISTED_OBJECTS};
use sidestep_core::name::ExecutionId;
use sidestep_core::plan::facts::{Facts, Need};
use sidestep_core::uri::S3Uri;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::ports::objects::StoreError;

/// Requests at the same time for one plan.
const PARALLEL: usize = 64;

/// A fact, or the reason why there is none, in words for the user.
pub(crate) type Answer<T> = Result<T, String>;

impl Engine {
    /// Adds the answer to each of `needs` to `facts`.
    pub(crate) async fn gather(
        &self,
        id: &ExecutionId,
        needs: &BTreeSet<Need>,
        facts: &mut Facts,
    ) -> Result<(), EngineError> {
        let (mut revisions, mut keys, mut contents, mut documents, mut executions) =
            (vec![], vec![], vec![], vec![], vec![]);
        let (mut objects, mut listings, mut traces, mut inputs) = (vec![], vec![], vec![], vec![]);
        for need in needs {
            match need {
                Need::Commit(revision) => match self.memory.commit(id, *revision) {
                    Some(commit) => {
                        facts.commits.insert(*revision, commit.as_ref().clone());
                    }
                    None => revisions.push(*revision),
                },
                Need::CacheEntry(key) => keys.push(key.clone()),
                Need::Content(uri) => contents.push(uri.clone()),
                Need::Object(uri) => objects.push(uri.clone()),
                Need::Listing(uri) => listings.push(uri.clone()),
                Need::Files(uri) => inputs.push(uri.clone()),
                Need::Trace(prefix) => traces.push(prefix.clone()),
                Need::Document(uri) => documents.push(uri.clone()),
                Need::PastExecution(id) => executions.push(id.clone()),
            }
        }
        let commits = async {
            match revisions.as_slice() {
                [] => Ok(Vec::new()),
                some => self.executions.commits(id, some).await,
            }
        };
        let entries = async {
            match keys.as_slice() {
                [] => Ok(Vec::new()),
                some => self.cache.entries(some).await,
            }
        };
        let contents = stream::iter(contents)
            .map(|uri| async move { Ok::<_, EngineError>((self.content(&uri).await?, uri)) })
            .buffer_unordered(PARALLEL)
            .try_collect::<Vec<_>>();
        let objects = stream::iter(objects)
            .map(|uri| async move { Ok::<_, EngineError>((self.object_digest(&uri).await?, uri)) })
            .buffer_unordered(PARALLEL)
            .try_collect::<Vec<_>>();
        let listings = stream::iter(listings)
            .map(|uri| async move { Ok::<_, EngineError>((self.listing_digest(&uri).await?, uri)) })
            .buffer_unordered(PARALLEL)
            .try_collect::<Vec<_>>();
        let files = Box::pin(
            stream::iter(inputs)
                .map(|uri| async move { Ok::<_, EngineError>((self.files(&uri).await?, uri)) })
                .buffer_unordered(PARALLEL)
                .try_collect::<Vec<_>>(),
        );
        let traces = try_join_all(traces.into_iter().map(|prefix| async move {
            Ok::<_, EngineError>((self.trace(&prefix).await?, prefix))
        }));
        let documents = stream::iter(documents)
            .map(|uri| async move { Ok::<_, EngineError>((self.document(&uri).await?, uri)) })
            .buffer_unordered(PARALLEL)
            .try_collect::<Vec<_>>();
        let earlier = try_join_all(executions.into_iter().map(|id| async move {
            let earlier = match self.earlier(&id).await {
                Err(EngineError::ExecutionNotFound(_)) => None,
                result => Some(result?),
            };
            Ok::<_, EngineError>((id, earlier))
        }));
        let places = async { futures::join!(contents, objects, listings, traces, files) };
        let (commits, entries, places, documents, earlier) =
            futures::join!(commits, entries, places, documents, earlier);
        let (contents, objects, listings, traces, files) = places;

        let commits = commits?;
        for commit in &commits {
            self.memory.keep_commit(id, commit);
        }
        facts.commits.extend(commits.into_iter().map(|commit| (commit.revision, commit)));
        if let Some(missing) =
            revisions.iter().find(|revision| !facts.commits.contains_key(revision))
        {
            return Err(EngineError::CommitMissing {
                execution_id: id.clone(),
                revision: *missing,
            });
        }
        facts.cache.extend(keys.into_iter().map(|key| (key, None)));
        facts.cache.extend(entries?.into_iter().map(|entry| (entry.key(), Some(entry))));
        facts.contents.extend(contents?.into_iter().map(|(content, uri)| (uri, content)));
        facts.objects.extend(objects?.into_iter().map(|(digest, uri)| (uri, digest)));
        facts.listings.extend(listings?.into_iter().map(|(digest, uri)| (uri, digest)));
        facts.files.extend(files?.into_iter().map(|(files, uri)| (uri, files)));
        facts.traces.extend(traces?.into_iter().map(|(trace, prefix)| (prefix, trace)));
        facts.earlier.extend(earlier?);
        facts.documents.extend(documents?.into_iter().map(|(document, uri)| (uri, document)));
        Ok(())
    }

    /// Returns the content at `uri`: of the object, or else of everything below it, or else
    /// nothing. A key that ends in `*` stands for every key that begins like it.
    async fn content(&self, uri: &S3Uri) -> Result<Answer<Content>, EngineError> {
        let start = uri.key().strip_suffix('*');
        if start.is_none() && !uri.is_prefix() {
            match answered(self.objects.head(uri).await)? {
                Ok(Some(facts)) => return Ok(Ok(Content::Digest(facts.digest))),
                Ok(None) => {}
                Err(why) => return Ok(Err(why)),
            }
        }
        let prefix = match start {
            Some(start) => S3Uri::new(uri.bucket(), start),
            None => uri.as_prefix(),
        };
        let listed = self.listing_digest(&prefix).await?;
        Ok(listed.map(|digest| digest.map_or(Content::Nothing, Content::Digest)))
    }

    /// Returns the digest of the object at `uri`, and `None` if there is none.
    async fn object_digest(&self, uri: &S3Uri) -> Result<Answer<Option<String>>, EngineError> {
        if uri.is_prefix() {
            return self.listing_digest(uri).await;
        }
        let found = answered(self.objects.head(uri).await)?;
        Ok(found.map(|facts| facts.map(|facts| facts.digest)))
    }

    /// Returns the digest of everything that begins with the key of `prefix`, and `None` if there
    /// is nothing.
    async fn listing_digest(&self, prefix: &S3Uri) -> Result<Answer<Option<String>>, EngineError> {
        let listed = answered(self.objects.list(prefix, LISTED_OBJECTS).await.map(Some))?;
        Ok(listed.map(|objects| match objects.unwrap_or_default().as_slice() {
            [] => None,
            objects => {
                let name = |key: &'_ str| {
                    key.strip_prefix(prefix.key()).map(str::to_owned).unwrap_or_default()
                };
                let pairs: Vec<_> =
                    objects.iter().map(|(key, facts)| (name(key), &facts.digest)).collect();
                let texts = pairs.iter().map(|(name, digest)| (name.as_str(), digest.as_str()));
                Some(listing_digest(prefix, texts))
            }
        }))
    }

    /// Returns what the attempt with this output prefix read and wrote, if the services know it.
    async fn trace(&self, prefix: &S3Uri) -> Result<Option<Trace>, EngineError> {
        if !self.is_traced {
            return Ok(None);
        }
        let uri = trace_uri(prefix);
        let document = self.document(&uri).await?;
        // Without a trace the rules of AWS hold.
        Ok(document.ok().and_then(|document| serde_json::from_value(document).ok()))
    }

    /// Returns the JSON document at `uri`.
    pub(crate) async fn document(&self, uri: &S3Uri) -> Result<Answer<Value>, EngineError> {
        let read = answered(self.objects.get(uri, JSON_DOCUMENT_BYTES as u64).await)?;
        Ok(read.and_then(|bytes| {
            let bytes = bytes.ok_or_else(|| format!("`{uri}` does not exist"))?;
            serde_json::from_slice(&bytes).map_err(|error| format!("`{uri}` is not JSON: {error}"))
        }))
    }
}

/// Returns the place at which the embedded S3 server answers for an attempt's trace.
fn trace_uri(prefix: &S3Uri) -> S3Uri {
    // `runs/PIPELINE/EXECUTION/STEP/ATTEMPT/`
    let attempt = prefix.key().splitn(3, '/').nth(2).unwrap_or_default();
    S3Uri::new(TRACE_BUCKET, attempt.trim_end_matches('/'))
}

/// Returns the answer that a store gave, or an error if the same request may succeed later or from
/// another caller.
///
/// After an error a step leaves the decision to the planner, and the planner's event is delivered
/// again. A missing permission is no answer: taken for one, it would make a cached result count as
/// damaged and a condition fail for good.
pub(super) fn answered<T>(
    result: Result<Option<T>, StoreError>,
) -> Result<Answer<Option<T>>, EngineError> {
    match result {
        Ok(found) => Ok(Ok(found)),
        Err(StoreError::NoSuchBucket { .. }) => Ok(Ok(None)),
        Err(error @ StoreError::Denied { .. }) => Err(error.into()),
        Err(error) if error.retryable() => Err(error.into()),
        Err(error) => Ok(Err(error.to_string())),
    }
}
