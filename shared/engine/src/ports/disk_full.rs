//! The one cause of a store's failure that the user removes by deleting files.

use std::error::Error;

use crate::ports::source::BoxError;

/// The disk behind a store is full. An adapter that knows it puts this between its error and the
/// service's, because the service's own words for it differ.
#[derive(Debug, thiserror::Error)]
#[error("the disk is full")]
pub struct DiskFull {
    pub source: BoxError,
}

impl DiskFull {
    /// Returns true if `error` or one of its causes is a full disk.
    pub fn is_cause_of(error: &(dyn Error + 'static)) -> bool {
        std::iter::successors(Some(error), |error| (*error).source())
            .any(<dyn Error + 'static>::is::<Self>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::executions::TableError;

    #[test]
    fn a_full_disk_is_found_below_other_errors() {
        let failure = |source: BoxError| {
            let item = "HEAD".to_owned();
            TableError::Unavailable { operation: "write", item, retryable: true, source }
        };
        let full = failure(Box::new(DiskFull { source: "SQLITE_FULL".into() }));
        assert!(DiskFull::is_cause_of(&crate::error::EngineError::from(full)));
        assert!(!DiskFull::is_cause_of(&failure("the disk is full of dust".into())));
    }
}
