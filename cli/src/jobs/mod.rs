//! What stands in for the images of SageMaker's jobs on this machine.

mod defaults;
mod images;
mod operations;

pub(crate) use images::ProjectImages;
pub(crate) use operations::job_operations;
