//! A look at the project's state that writes nothing: not even the folder, where there is none.

use std::sync::Arc;
use std::time::Duration;

use sidestep_core::uri::S3Uri;
use sidestep_engine::engine::Engine;
use sidestep_local::cloud::{Cloud, CloudError, Ports};
use sidestep_local::deployment::{create_resources, local_engine, register_step};
use sidestep_local::folder::{Endpoints, FolderError, published_endpoints};
use sidestep_local::lambda::FunctionConfig;
use sidestep_local::overlay::Overlay;
use tempfile::TempDir;

use crate::output::error::{CommandError, OrError as _};
use crate::project::Project;
use crate::session::POLL;

/// An engine over the project's state, with functions of its own.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) engine: Engine,
    cloud: Cloud,
    /// Stands in for a state folder that another process serves or that does not exist.
    _scratch: Option<TempDir>,
}

impl Look {
    pub(crate) async fn open(
        project: &Project,
        functions: &[FunctionConfig],
    ) -> Result<Self, CommandError> {
        let state = project.state_folder();
        let (cloud, scratch, endpoints) = loop {
            let is_used = state.join("version").is_file();
            let published = is_used.then(|| published_endpoints(&state)).flatten();
            if published.is_some() || !is_used {
                let scratch =
                    tempfile::tempdir().or_service(|| "could not make a temporary folder")?;
                let cloud = Cloud::start(scratch.path(), Ports::default()).await?;
                // Functions that are asked about are this project's as it is now, not what the other process serves.
                let own = cloud.endpoints().clone();
                let endpoints = match published {
                    Some(published) => Endpoints { lambda: own.lambda, ..published },
                    None => own,
                };
                break (cloud, Some(scratch), endpoints);
            }
            match Cloud::start(&state, Ports::default()).await {
                Ok(cloud) => {
                    let endpoints = cloud.endpoints().clone();
                    break (cloud, None, endpoints);
                }
                Err(CloudError::Folder(FolderError::InUse { .. })) => {
                    tokio::time::sleep(POLL).await;
                }
                Err(error) => return Err(error.into()),
            }
        };
        create_resources(&cloud).await?;
        for function in functions {
            register_step(&cloud, function.clone())?;
        }
        Ok(Self { engine: local_engine(&endpoints), cloud, _scratch: scratch })
    }

    /// Makes files of the project stand in S3 without writing them there.
    pub(crate) fn lay_over(self, files: Vec<(S3Uri, Vec<u8>)>) -> Self {
        let overlay = |inner| Arc::new(Overlay::new(inner, files)) as _;
        Self { engine: self.engine.with_objects(overlay), ..self }
    }

    pub(crate) async fn close(self) {
        self.cloud.shutdown(Duration::ZERO).await;
    }
}
