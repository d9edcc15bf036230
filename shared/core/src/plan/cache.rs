//! Cache hits: whether an earlier result can stand in for a step that would run now.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cache::key::{Content, KeyParts};
use crate::definition::{CacheConfig, LambdaStep, StepIndex};
use crate::execution::result::{CacheEntry, Hit, Produced};
use crate::plan::draft::Draft;
use crate::plan::facts::{Facts, Need};
use crate::plan::redact::secret_parameter;
use crate::plan::report::check_outputs;
use crate::plan::resolver::{Pending, Planned, answered};
use crate::uri::S3Uri;

/// The reason of a step whose key is not in the cache.
const NO_RESULT: &str = "no cached result";

/// Returns true if the reason says that a step's key is not in the cache. Executions of earlier
/// versions say it in more words.
pub fn is_miss(reason: &str) -> bool {
    [NO_RESULT, "no result of this code with these arguments is cached"].contains(&reason)
}

/// Whether a step runs or a cached result stands in.
pub(crate) enum CacheDecision {
    /// This result stands in.
    Hit(Hit),
    /// The step runs, for this reason. Its success is published under `publish`, if it is cached.
    Run { publish: Option<KeyParts>, reason: String },
}

impl Draft<'_> {
    /// Decides whether a cached result stands in for a step.
    pub(crate) fn decide_cache(
        &self,
        step: StepIndex,
        lambda: &LambdaStep,
        cache: Option<&CacheConfig>,
        arguments: &Value,
    ) -> Planned<CacheDecision> {
        let run = |publish, reason: String| Ok(CacheDecision::Run { publish, reason });
        let Some(config) = cache else {
            return run(None, "caching is off for this step".to_owned());
        };
        if let Some(name) = secret_parameter(self.pipeline, step) {
            let reason = format!("not cached: its arguments hold the NoEcho parameter `{name}`");
            return run(None, reason);
        }
        let parts = match self.key_parts(step, lambda, config, arguments)? {
            Ok(parts) => parts,
            Err(why) => return run(None, format!("not cached: {why}")),
        };
        if self.start.forced.contains(&step) {
            return run(Some(parts), "forced".to_owned());
        }
        if !self.start.use_cache {
            return run(Some(parts), "cached results are not used in this execution".to_owned());
        }
        match self.look_up(&parts, config)? {
            Ok(hit) => match self.misfit(step, &hit)? {
                Some(reason) => run(Some(parts), reason),
                None => Ok(CacheDecision::Hit(hit)),
            },
            Err(reason) => run(Some(parts), reason),
        }
    }

    /// Returns why the outputs of a hit cannot stand in here, although the same code made them from
    /// the same input: another definition declared and read other outputs.
    fn misfit(&self, step: StepIndex, hit: &Hit) -> Planned<Option<String>> {
        if self.pipeline.step(step).outputs().is_empty() {
            return Ok(None);
        }
        let resolver = self.resolver();
        let outputs = match answered(resolver.outputs(&hit.produced))? {
            Ok(outputs) => outputs,
            Err(why) => return Ok(Some(format!("the cached outputs cannot be read: {why}"))),
        };
        let checked = check_outputs(self.pipeline, step, &outputs);
        Ok(checked
            .err()
            .map(|failure| format!("the cached result does not fit: {}", failure.message)))
    }

    /// Returns the entry under the key as a hit, or why it cannot stand in.
    fn look_up(&self, parts: &KeyParts, config: &CacheConfig) -> Planned<Result<Hit, String>> {
        let key = parts.key();
        // What a step of this very plan leaves behind is not in the index yet.
        let mut fresh = self.plan.publish.iter().map(|fresh| &fresh.entry);
        let entry: &CacheEntry = match fresh.find(|entry| entry.key() == key) {
            Some(entry) => entry,
            None => match self.facts.cache.get(&key) {
                Some(Some(entry)) => entry,
                Some(None) => {
                    return Ok(Err(NO_RESULT.to_owned()));
                }
                None => return Err(self.resolver().pending(Need::CacheEntry(key))),
            },
        };
        if entry.is_expired(self.facts.now_ms, config.expire_after) {
            return Ok(Err("the cached result has expired".to_owned()));
        }
        let damage = match damage(&entry.produced, self.facts) {
            Ok(damage) => damage,
            Err(needs) => {
                self.add_needs(needs);
                return Err(Pending);
            }
        };
        Ok(match damage {
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

/// Returns an artifact of a result that is gone or overwritten, and how. Fails with the contents
/// that have to be looked at first.
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
            // A digest of another kind (the ETag of a large upload) cannot be compared, but the
            // object is there.
            Some(Ok(Content::Digest(digest))) => match digest.strip_prefix("sha256:") {
                Some(found) if found != artifact.sha256 => "was overwritten".to_owned(),
                _ => continue,
            },
        };
        damaged = Some((artifact.uri.clone(), how));
    }
    if needs.is_empty() { Ok(damaged) } else { Err(needs) }
}
