//! The operations on jobs, on the address of the API.

use std::sync::Arc;

use sidestep_api::{OtherAnswer, OtherOperations};
use sidestep_local::cloud::Cloud;
use sidestep_local::jobs::JobsServer;

/// The jobs service of the cloud that this process runs.
#[derive(Debug)]
struct JobOperations(JobsServer);

impl OtherOperations for JobOperations {
    fn answer<'a>(&'a self, operation: &'a str, body: &'a [u8]) -> OtherAnswer<'a> {
        Box::pin(self.0.answer(operation, body))
    }
}

/// Returns the operations on jobs of a cloud.
pub(crate) fn job_operations(cloud: Option<&Cloud>) -> Option<Arc<dyn OtherOperations>> {
    cloud.map(|cloud| Arc::new(JobOperations(cloud.jobs().clone())) as Arc<dyn OtherOperations>)
}
