//! Whether an earlier result can stand in for a step: its cache key, and the entry under it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cache::key::{Content, KeyParts, replace_content};
use crate::definition::expression::Unresolved;
use crate::definition::extension::CacheScope;
use crate::definition::{CacheConfig, LambdaStep, StepIndex};
use crate::execution::result::{Hit, Produced};
use crate::plan::draft::Draft;
use crate::plan::facts::{Facts, Need};
use crate::uri::S3Uri;

impl Draft<'_> {
    /// The parts of the step's cache key, or why there can be none. `None` while a content digest is missing.
    pub(crate) fn key_parts(
        &mut self,
        index: StepIndex,
        lambda: &LambdaStep,
        config: &CacheConfig,
        arguments: &Value,
    ) -> Option<Result<KeyParts, String>> {
        let mut needs = BTreeSet::new();
        let mut unknown = None;
        let resolver = self.resolver_of(index);
        let replaced = replace_content(arguments, &mut |uri| {
            resolver.content(uri).map_err(|why| match why {
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
        let code = match &lambda.code_version {
            // Two functions may well have the same version text, so the function's name stands beside it.
            Some(version) => format!("version:{}:{version}", lambda.function_arn),
            None => self.start.functions.get(&lambda.function_arn)?.code_digest.clone(),
        };
        let parts = KeyParts::lambda(&code, replaced.ok()?);
        Some(Ok(match config.scope {
            CacheScope::Deployment => parts,
            CacheScope::Pipeline => {
                let scope = Some(format!("pipeline:{}", self.start.pipeline_name));
                KeyParts { scope, ..parts }
            }
        }))
    }

    /// The entry under the key if it can stand in, or why it cannot. `None` while facts are missing.
    pub(crate) fn look_up(
        &mut self,
        parts: &KeyParts,
        config: &CacheConfig,
    ) -> Option<Result<Hit, String>> {
        let key = parts.key();
        // What a step of this very plan leaves behind is not in the index yet.
        let fresh = self.plan.publish.iter().find(|fresh| fresh.entry.key() == key);
        let fresh = fresh.map(|fresh| fresh.entry.clone());
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
        let damaged = match damage(&entry.produced, self.facts) {
            Ok(damaged) => damaged,
            Err(needs) => {
                self.need(needs);
                return None;
            }
        };
        Some(match damaged {
            Some((uri, how)) => Err(format!("`{uri}` of the cached result {how}")),
            None => Ok(Hit {
                parts: parts.clone(),
                source: entry.source.clone(),
                produced: entry.produced.clone(),
                memory_mb: entry.memory_mb,
            }),
        })
    }
}

/// An artifact of a result that is gone or overwritten, and how; or what has to be looked at first.
pub fn damage(
    produced: &Produced,
    facts: &Facts,
) -> Result<Option<(S3Uri, String)>, BTreeSet<Need>> {
    let mut needs = BTreeSet::new();
    let mut damaged = None;
    for artifact in &produced.artifacts {
        let how = match facts.contents.get(&artifact.uri) {
            None => {
                needs.insert(Need::Content(artifact.uri.clone()));
                continue;
            }
            Some(Err(why)) => why.clone(),
            Some(Ok(Content::Nothing)) => "is gone".to_owned(),
            // A digest of another kind (the ETag of a large upload) cannot be compared, but the object is there.
            Some(Ok(Content::Digest(digest))) => match digest.strip_prefix("sha256:") {
                Some(found) if found != artifact.sha256 => "was overwritten".to_owned(),
                _ => continue,
            },
        };
        damaged = Some((artifact.uri.clone(), how));
    }
    if needs.is_empty() { Ok(damaged) } else { Err(needs) }
}
