//! Whether an earlier result can stand in for a step: its cache key, and the entry under it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cache_key::{Content, KeyParts, replace_content};
use crate::commit::Hit;
use crate::definition::{CacheConfig, LambdaStep, StepIndex};
use crate::expression::Unresolved;
use crate::facts::Need;
use crate::plan::Draft;

impl Draft<'_> {
    /// The parts of the step's cache key, or why there can be none. `None` while a content digest is missing.
    pub(crate) fn key_parts(
        &mut self,
        index: StepIndex,
        lambda: &LambdaStep,
        arguments: &Value,
    ) -> Option<Result<KeyParts, String>> {
        let mut needs = BTreeSet::new();
        let mut unknown = None;
        let resolver = self.resolver();
        let dependencies = &self.pipeline.step(index).dependencies;
        let replaced = replace_content(arguments, &mut |uri| {
            resolver.content(uri, dependencies.iter().copied()).map_err(|why| match why {
                Unresolved::Missing(need) => drop(needs.insert(need)),
                Unresolved::Absent(why) => unknown = Some(why),
            })
        });
        if !needs.is_empty() {
            self.plan.needs.append(&mut needs);
            return None;
        }
        if let Some(why) = unknown {
            return Some(Err(why));
        }
        let digest = &self.start.functions.get(&lambda.function_arn)?.code_digest;
        Some(Ok(KeyParts::lambda(digest, replaced.ok()?)))
    }

    /// The entry under the key if it can stand in, or why it cannot. `None` while facts are missing.
    pub(crate) fn look_up(
        &mut self,
        parts: &KeyParts,
        config: &CacheConfig,
    ) -> Option<Result<Hit, String>> {
        let key = parts.key();
        // What a step of this very plan leaves behind is not in the index yet.
        let fresh = self.plan.publish.iter().find(|entry| entry.key() == key).cloned();
        let entry = match (fresh, self.facts.cache.get(&key)) {
            (Some(entry), _) => entry,
            (None, Some(Some(entry))) => entry.clone(),
            (None, Some(None)) => {
                let reason = "no result of this code with these arguments is cached";
                return Some(Err(reason.to_owned()));
            }
            (None, None) => {
                self.plan.needs.insert(Need::CacheEntry(key));
                return None;
            }
        };
        if entry.is_expired(self.facts.now_ms, config.expire_after) {
            return Some(Err("the cached result has expired".to_owned()));
        }
        let mut needs = BTreeSet::new();
        let mut damaged = None;
        for artifact in &entry.produced.artifacts {
            match self.resolver().stored_content(&artifact.uri) {
                Err(Unresolved::Missing(need)) => drop(needs.insert(need)),
                Err(Unresolved::Absent(why)) => damaged = Some(why),
                Ok(Content::Digest(digest)) => {
                    // A digest of another kind (the ETag of a large upload) cannot be compared, but the object is there.
                    if digest.strip_prefix("sha256:").is_some_and(|found| found != artifact.sha256)
                    {
                        damaged = Some(format!(
                            "`{}` of the cached result was overwritten",
                            artifact.uri
                        ));
                    }
                }
                Ok(Content::Nothing) => {
                    damaged = Some(format!("`{}` of the cached result is gone", artifact.uri));
                }
            }
        }
        if !needs.is_empty() {
            self.plan.needs.append(&mut needs);
            return None;
        }
        Some(match damaged {
            Some(reason) => Err(reason),
            None => Ok(Hit {
                key,
                source: entry.source.clone(),
                produced: entry.produced.clone(),
                memory_mb: entry.memory_mb,
            }),
        })
    }
}
