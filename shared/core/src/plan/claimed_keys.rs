//! The cache keys for which steps of an execution have been claimed.

use std::collections::{BTreeMap, BTreeSet};

use crate::cache::key::{CacheKey, KeyParts};
use crate::definition::StepIndex;
use crate::execution::commit::{AttemptResult, Commit, Completion, Verdict};
use crate::plan::work::Kin;

/// The keys that were read so far, so that no claim is read again for every step that is decided.
#[derive(Default)]
pub(crate) struct ClaimedKeys {
    steps: BTreeMap<CacheKey, Vec<StepIndex>>,
    /// The work whose claims of earlier commits are in.
    kin: BTreeSet<Kin>,
    /// How many completions and decisions of the draft are in.
    completions: usize,
    decisions: usize,
}

impl ClaimedKeys {
    /// Returns the steps that were claimed for a key. Some may have ended since.
    pub(crate) fn steps(&self, key: &CacheKey) -> &[StepIndex] {
        self.steps.get(key).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn add(&mut self, step: StepIndex, parts: &KeyParts) {
        self.steps.entry(parts.key()).or_default().push(step);
    }

    /// Adds what the draft has claimed since the last call.
    pub(crate) fn add_draft(&mut self, draft: &Commit) {
        for completion in &draft.completions[self.completions..] {
            if let Some(parts) = retried_parts(completion) {
                self.add(completion.step, parts);
            }
        }
        for decision in &draft.decisions[self.decisions..] {
            if let Verdict::Run(claim) = &decision.verdict
                && let Some(parts) = &claim.cache
            {
                self.add(decision.step, parts);
            }
        }
        (self.completions, self.decisions) = (draft.completions.len(), draft.decisions.len());
    }

    /// Returns true if the claims of earlier commits for work of this kin are in.
    pub(crate) fn has_kin(&self, kin: &Kin) -> bool {
        self.kin.contains(kin)
    }

    /// Notes that the claims of earlier commits for work of this kin are in.
    pub(crate) fn add_kin(&mut self, kin: Kin) {
        self.kin.insert(kin);
    }
}

/// Returns the parts of the key for which an attempt that will be made again was claimed.
pub(crate) fn retried_parts(completion: &Completion) -> Option<&KeyParts> {
    match &completion.result {
        AttemptResult::Retried(retried) => retried.claim.cache.as_ref(),
        _ => None,
    }
}
