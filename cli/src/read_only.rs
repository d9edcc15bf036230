//! The project's state for reading: nothing is written, and a missing state folder is not created.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sidestep_core::uri::S3Uri;
use sidestep_engine::engine::Engine;
use sidestep_engine::options::EngineOptions;
use sidestep_local::cloud::{Cloud, CloudError, Ports};
use sidestep_local::deployment::{create_resources, engine_beside, register_step, removed_files};
use sidestep_local::folder::{Endpoints, FolderError, published_endpoints};
use sidestep_local::lambda::FunctionConfig;
use sidestep_local::overlay::Overlay;
use tempfile::TempDir;

use crate::output::error::{CommandError, OrError as _};
use crate::project::Project;
use crate::session::POLL;

/// An engine over the project's state, with the project's own functions.
#[derive(Debug)]
pub(crate) struct ReadOnlyCloud {
    pub(crate) engine: Engine,
    cloud: Cloud,
    /// Replaces a state folder that another process serves or that does not exist.
    _scratch: Option<TempDir>,
}

impl ReadOnlyCloud {
    /// Starts a cloud with `functions`, over the project's state or beside the process that serves
    /// it.
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
                // The functions are the project's as they are now, not those of the other process.
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
        Ok(Self {
            engine: engine_beside(&cloud, &endpoints, EngineOptions::default()),
            cloud,
            _scratch: scratch,
        })
    }

    /// Makes files of the project readable as objects without writing them to S3.
    pub(crate) fn with_overlay(self, state: &Path, files: Vec<(S3Uri, Vec<u8>)>) -> Self {
        let removed = removed_files(state, &files);
        let overlay = |inner| Arc::new(Overlay::new(inner, files, removed)) as _;
        Self { engine: self.engine.with_objects(overlay), ..self }
    }

    /// Shuts the cloud down.
    pub(crate) async fn close(self) {
        self.cloud.shutdown(Duration::ZERO).await;
    }
}
