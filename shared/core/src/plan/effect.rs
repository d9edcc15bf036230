//! What `plan()` returns: one commit, and everything else that the engine must write or do.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cache::key::CacheKey;
use crate::definition::StepIndex;
use crate::execution::commit::Commit;
use crate::execution::manifest::Manifest;
use crate::execution::phase::Revision;
use crate::execution::result::CacheEntry;
use crate::job::start::JobCall;
use crate::name::{ExecutionId, StepName};
use crate::plan::facts::Need;
use crate::uri::S3Uri;

/// The decisions of one call of `plan()`. Its fields are written and performed in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The commit to create at its revision. An [empty](Commit::is_empty) one is not written.
    pub commit: Commit,
    /// Cache entries to write before the commit: they do no harm if the commit is lost.
    pub publish: Vec<Publication>,
    /// Cache entries whose last use is to be recorded after the commit.
    ///
    /// Twice: the second time changes nothing. Never: garbage collection takes the entry for older
    /// than it is.
    pub touch: BTreeSet<CacheKey>,
    /// Manifests to create before the commit: those of large outputs whose functions write none.
    pub manifests: Vec<(S3Uri, Manifest)>,
    /// Records to write before the commit: the attempts that the tokens of Callback steps stand
    /// for.
    pub callbacks: Vec<(String, CallbackRecord)>,
    /// Effects to perform after the commit.
    pub effects: Vec<Effect>,
    /// Facts to gather first. As long as there are any, nothing of this plan may be written.
    pub needs: BTreeSet<Need>,
    /// If true, the commit is full: plan again after it.
    pub is_partial: bool,
    /// The number of events that the commit covers. The others go into the next one.
    pub taken: usize,
    /// Events that change nothing.
    pub discarded: Vec<Discarded>,
}

/// The attempt that the token of a Callback step stands for. The token of a lost commit stands for
/// nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallbackRecord {
    pub execution_id: ExecutionId,
    pub step: StepIndex,
    pub attempt_count: u32,
    pub revision: Revision,
    /// If true, the step's message is not known to be in its queue.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unsent: bool,
}

/// A cache entry that a step leaves behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    pub step: StepIndex,
    pub entry: CacheEntry,
}

/// Something that the engine must do after the commit.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Invokes the step's function, asynchronously.
    ///
    /// Twice: the first report of an attempt counts, later ones are discarded. Never, because the
    /// planner died first: the lease lapses and the sweep begins a new attempt.
    InvokeStep { step: StepIndex, attempt_count: u32, function_arn: String, payload: Value },
    /// Sends the message of a Callback step to its queue.
    ///
    /// Twice: two messages carry one token, and one answer counts. Never, because the planner died
    /// first: the callback's record says so, and the sweep begins a new attempt.
    SendCallback { step: StepIndex, attempt_count: u32, queue_url: String, body: Value },
    /// Calls the job function: to make the job of an attempt, or to stop it.
    ///
    /// Twice: the second call finds the job by its name. Never, because the planner died first: the
    /// sweep looks for the jobs of steps that run, and finds none.
    CallJob { step: StepIndex, function_arn: String, call: Box<JobCall> },
    /// Calls the planner at this time, in milliseconds since 1970.
    ///
    /// Twice or early: the planner finds nothing due. Never: the sweep finds what is due.
    Wake { at_ms: u64 },
}

/// An event that changes nothing, and why: late, repeated, forged, or about an unknown step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discarded {
    pub step: StepName,
    /// 0 for a lost attempt, whose event has no number.
    pub attempt_count: u32,
    pub reason: &'static str,
}

/// The reason for discarding an event about a step that the pipeline does not have.
pub(crate) const UNKNOWN_STEP: &str = "no such step";
