//! The state of reading a definition. Each file of this folder adds methods for one part of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::definition::{CacheConfig, ExperimentConfig};
use crate::parse::suggest::Suggester;
use crate::parse::text::{Document, Finding, Problems};

use super::outline::Outline;

/// The state of reading a definition.
pub(super) struct Reader<'d> {
    pub(super) outline: Outline<'d>,
    pub(super) problems: Problems,
    pub(super) suggester: Suggester,
    pub(super) used_parameters: BTreeSet<&'d str>,
    pub(super) experiment: Option<ExperimentConfig>,
    /// The pipeline's `CacheConfig`, for Lambda steps without their own.
    pub(super) default_cache: Option<CacheConfig>,
    /// The defaults of parameters, by name.
    pub(super) defaults: BTreeMap<String, Value>,
}

impl<'d> Reader<'d> {
    pub(super) fn new(document: &'d Document<'d>, problems: Problems) -> Self {
        Self {
            outline: Outline::new(document.root()),
            problems,
            suggester: Suggester::default(),
            used_parameters: BTreeSet::new(),
            experiment: None,
            default_cache: None,
            defaults: BTreeMap::new(),
        }
    }

    pub(super) fn report(&mut self, finding: Finding) {
        self.problems.add(finding);
    }
}
