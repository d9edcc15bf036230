//! How often each operation was requested.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// How often each operation was requested, by S3's name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts(Arc<Mutex<BTreeMap<String, u64>>>);

impl Counts {
    /// Returns a copy of the counts.
    pub(crate) fn get(&self) -> BTreeMap<String, u64> {
        self.0.lock().clone()
    }

    /// Counts a request.
    pub(super) fn add(&self, operation: &str) {
        *self.0.lock().entry(operation.to_owned()).or_default() += 1;
    }
}
