//! Facts: what only the world knows, and the questions that `plan()` asks about it.
//!
//! `plan()` runs over the facts it is given. What it lacks it names as a [`Need`]. The engine
//! gathers all needs in parallel and plans again, until nothing is missing. So the rules stay free
//! of I/O, and a plan asks for no more than it uses.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::cache::key::{CacheKey, Content};
use crate::definition::StepIndex;
use crate::execution::commit::{Claimed, Commit};
use crate::execution::past::PastExecution;
use crate::execution::phase::Revision;
use crate::execution::result::CacheEntry;
use crate::execution::trace::Trace;
use crate::job::content::Files;
use crate::name::ExecutionId;
use crate::uri::S3Uri;

/// A fact that is missing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// An earlier commit of the same execution.
    Commit(Revision),
    /// The cache entry under a key, if there is one.
    CacheEntry(CacheKey),
    /// The digest of what an S3 URI holds.
    Content(S3Uri),
    /// The digest of an object.
    Object(S3Uri),
    /// The digest of everything that begins with a URI's key.
    Listing(S3Uri),
    /// The files of a job's input: of every object that begins with a URI's key, the name under
    /// which it reaches the job, and its digest. An archive has the digest of its members.
    Files(S3Uri),
    /// What the attempt with this output prefix read and wrote.
    Trace(S3Uri),
    /// A JSON document.
    Document(S3Uri),
    /// An earlier execution of the same pipeline.
    PastExecution(ExecutionId),
}

/// The answers so far. A key that is absent means "not asked yet".
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// In milliseconds since 1970.
    pub now_ms: u64,
    /// If true, the plan records finished attempts but starts none, because this process cannot
    /// invoke the execution's functions.
    pub is_held: bool,
    /// If true, the services trace what attempts read and write.
    pub is_traced: bool,
    /// How old the last known use of a cache entry must be before a hit is recorded as the next
    /// one.
    pub touch_after_ms: u64,
    pub commits: BTreeMap<Revision, Commit>,
    /// A claim that is known without its commit.
    pub claimed: Option<(StepIndex, Claimed)>,
    /// Cache entries; `None` if there is none under the key.
    pub cache: BTreeMap<CacheKey, Option<CacheEntry>>,
    /// What each URI holds, or why that cannot be told.
    pub contents: BTreeMap<S3Uri, Result<Content, String>>,
    /// The digest of each object, `None` if there is none, or why that cannot be told.
    pub objects: BTreeMap<S3Uri, Result<Option<String>, String>>,
    /// What begins with each URI's key, in the same form.
    pub listings: BTreeMap<S3Uri, Result<Option<String>, String>>,
    /// The files of inputs, or why they cannot be told.
    pub files: BTreeMap<S3Uri, Result<Files, String>>,
    /// The traces of attempts by output prefix; `None` if one is not known.
    pub traces: BTreeMap<S3Uri, Option<Trace>>,
    /// The documents, or why they cannot be read.
    pub documents: BTreeMap<S3Uri, Result<Value, String>>,
    /// Earlier executions; `None` if one is gone.
    pub earlier: BTreeMap<ExecutionId, Option<Arc<PastExecution>>>,
}
