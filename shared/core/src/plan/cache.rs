//! Cache hits: whether an earlier result can stand in for a step that would run now.

use crate::cache::key::{CacheKey, KeyParts};
use crate::definition::{CacheConfig, StepIndex};
use crate::execution::inputs::Inputs;
use crate::execution::phase::Phase;
use crate::execution::result::{CacheEntry, Hit};
use crate::execution::witness::Role;
use crate::plan::change::change;
use crate::plan::claimed_keys::{ClaimedKeys, retried_parts};
use crate::plan::draft::Draft;
use crate::plan::facts::Need;
use crate::plan::redact::secret_parameter;
use crate::plan::resolver::{Pending, Planned, Watch, answered};
use crate::plan::result_check::check_outputs;
use crate::plan::work::{Asked, Kin, Work, kin_of};
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
    /// This result stands in. The key is that of an entry whose use is to be recorded.
    Hit(Hit, Option<CacheKey>),
    /// The step runs, for this reason. Its success is published under `publish`, if it is cached.
    Run { publish: Option<(KeyParts, Inputs)>, reason: String },
    /// Another step of this execution is making the very result.
    Wait,
}

impl Draft<'_> {
    /// Decides whether a cached result stands in for a step.
    pub(crate) fn decide_cache(
        &self,
        step: StepIndex,
        asked: Asked<'_>,
        cache: Option<&CacheConfig>,
    ) -> Planned<CacheDecision> {
        let run = |publish, reason: String| Ok(CacheDecision::Run { publish, reason });
        let Some(config) = cache else {
            return run(None, "caching is off for this step".to_owned());
        };
        if let Some(name) = secret_parameter(self.pipeline, step) {
            let reason = format!("not cached: its arguments hold the NoEcho parameter `{name}`");
            return run(None, reason);
        }
        let watch = Watch::default();
        let parts = match self.key_parts(step, asked, config, &watch)? {
            Ok(parts) => parts,
            Err(why) => return run(None, format!("not cached: {why}")),
        };
        let mut inputs = watch.into_inputs();
        if !inputs.stored.is_empty() && matches!(asked.work, Work::Lambda(_)) {
            let watch = Watch::literal();
            let literal = self.key_parts(step, asked, config, &watch)?;
            inputs.place_key = literal.ok().map(|parts| parts.key());
        }
        if self.start.forced.contains(&step) {
            return run(Some((parts, inputs)), "forced".to_owned());
        }
        if !self.start.use_cache {
            let reason = "cached results are not used in this execution".to_owned();
            return run(Some((parts, inputs)), reason);
        }
        let reason = match self.find(&parts, &inputs, config)? {
            Ok(Found { entry, hit }) => {
                let Some(reason) = self.misfit(step, &hit)? else {
                    let age_ms = self.facts.now_ms.saturating_sub(entry.last_used_ms());
                    let is_due = age_ms >= self.facts.touch_after_ms;
                    return Ok(CacheDecision::Hit(hit, is_due.then(|| entry.key())));
                };
                reason
            }
            Err(reason) => reason,
        };
        if self.is_being_made(step, asked.work, &parts.key())? {
            return Ok(CacheDecision::Wait);
        }
        run(Some((parts, inputs)), reason)
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

    /// Returns a cached result that stands in, or why none does.
    ///
    /// The content of a place that the step writes to is what it wrote the last time. So where a
    /// place holds something, the key in which places stand for themselves is looked up as well.
    fn find(
        &self,
        parts: &KeyParts,
        inputs: &Inputs,
        config: &CacheConfig,
    ) -> Planned<Result<Found<'_>, String>> {
        let key = parts.key();
        let first = match self.look_up(&key, parts, config)? {
            Ok(found) if is_complete(&key, &found, inputs) => return Ok(Ok(found)),
            Ok(_) | Err(None) => NO_RESULT.to_owned(),
            Err(Some(why)) => why,
        };
        let Some(place_key) = inputs.place_key.as_ref().filter(|other| **other != key) else {
            return Ok(Err(first));
        };
        Ok(match self.look_up(place_key, parts, config)? {
            Ok(found) if is_complete(&key, &found, inputs) => Ok(found),
            Err(Some(why)) => Err(why),
            Ok(_) | Err(None) => Err(first),
        })
    }

    /// Returns the entry under the key as a hit, or why it cannot stand in; no reason if there is
    /// none.
    fn look_up(
        &self,
        key: &CacheKey,
        parts: &KeyParts,
        config: &CacheConfig,
    ) -> Planned<Result<Found<'_>, Option<String>>> {
        // What a step of this very plan leaves behind is not in the index yet.
        let mut fresh = self.plan.publish.iter().map(|fresh| &fresh.entry);
        let entry: &CacheEntry = match fresh.find(|entry| entry.key() == *key) {
            Some(entry) => entry,
            None => match self.facts.cache.get(key) {
                Some(Some(entry)) => entry,
                Some(None) => return Ok(Err(None)),
                None => return Err(self.resolver().pending(Need::CacheEntry(key.clone()))),
            },
        };
        if entry.is_expired(self.facts.now_ms, config.expire_after) {
            return Ok(Err(Some("the cached result has expired".to_owned())));
        }
        let change = match change(entry, self.facts) {
            Ok(change) => change,
            Err(needs) => {
                self.add_needs(needs);
                return Err(Pending);
            }
        };
        Ok(match change {
            Some((uri, how)) => Err(Some(format!("`{uri}` {how}"))),
            None => Ok(Found {
                entry,
                hit: Hit {
                    parts: parts.clone(),
                    source: entry.source.clone(),
                    produced: entry.produced.clone(),
                    memory_mb: entry.memory_mb,
                },
            }),
        })
    }

    /// Returns true if another step of this execution has been claimed for the same key and has not
    /// ended.
    ///
    /// Of the claims of earlier commits only those of the same work are asked for, because no
    /// others can have the key.
    fn is_being_made(&self, step: StepIndex, work: Work<'_>, key: &CacheKey) -> Planned<bool> {
        let mut keys = self.claimed_keys.borrow_mut();
        keys.add_draft(&self.plan.commit);
        let kin = work.kin();
        if !keys.has_kin(&kin) {
            self.add_earlier_claims(&mut keys, &kin)?;
            keys.add_kin(kin);
        }
        let is_open = |other: &StepIndex| {
            let phase = self.states[other.0].phase;
            *other != step && matches!(phase, Phase::Executing | Phase::Retrying)
        };
        Ok(keys.steps(key).iter().any(is_open))
    }

    /// Adds what earlier commits have claimed for work of this kin and what has not ended since.
    fn add_earlier_claims(&self, keys: &mut ClaimedKeys, kin: &Kin) -> Planned<()> {
        let is_alike =
            |step: &StepIndex| kin_of(&self.pipeline.step(*step).kind).as_ref() == Some(kin);
        let mut result = Ok(());
        for step in self.pipeline.indexes().filter(is_alike) {
            match self.earlier_claim(step) {
                Ok(Some(parts)) => keys.add(step, parts),
                Ok(None) => {}
                // The others are asked for at once.
                Err(pending) => result = Err(pending),
            }
        }
        result
    }

    /// Returns the parts of the key for which an earlier commit claimed a step, if it runs or will
    /// be tried again.
    fn earlier_claim(&self, step: StepIndex) -> Planned<Option<&KeyParts>> {
        let (state, resolver) = (self.states[step.0], self.resolver());
        let is_of_draft = state.revision == self.plan.commit.revision;
        if is_of_draft || self.pipeline.step(step).cache.is_none() {
            return Ok(None);
        }
        Ok(match state.phase {
            Phase::Executing => {
                let claim = resolver.claim(step, state.revision)?;
                claim.and_then(|(claim, _)| claim.cache.as_ref())
            }
            Phase::Retrying => {
                let completion = resolver.commit(state.revision)?.completion(step);
                completion.and_then(retried_parts)
            }
            _ => None,
        })
    }
}

/// An entry, and the hit that it makes.
struct Found<'a> {
    entry: &'a CacheEntry,
    hit: Hit,
}

/// Returns true if an entry was made from what the places hold now.
///
/// Under the key of its parts that is so. Under the other key it has to name every place that holds
/// something, as read or as written.
fn is_complete(key: &CacheKey, found: &Found<'_>, inputs: &Inputs) -> bool {
    if found.entry.place_key.is_none() {
        return found.entry.parts.key() == *key;
    }
    let is_named = |uri: &S3Uri| {
        found.entry.witnesses.iter().any(|witness| match witness.role {
            Role::Read => witness.uri == *uri,
            Role::Written => witness.uri == *uri || uri.as_prefix().covers(&witness.uri),
            Role::Output => false,
        })
    };
    inputs.stored.iter().all(|(uri, held)| held.is_none() || is_named(uri))
}
