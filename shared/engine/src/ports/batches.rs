//! The port to the windows of batch triggers.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sidestep_core::event::batch::{BatchObject, Part, WindowId};
use sidestep_core::event::trigger::Trigger;

use crate::ports::executions::TableError;

/// A window with uploads that may not be started yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenWindow {
    pub id: WindowId,
    /// The trigger as it was when the window was opened.
    pub trigger: Trigger,
    /// How many uploads were noted since.
    pub notes: u64,
}

/// The windows of batch triggers. A store keeps the content of a window for some weeks.
#[async_trait]
pub trait BatchStore: Send + Sync + std::fmt::Debug {
    /// Notes an upload, then notes the window as open.
    ///
    /// Returns how many notes the open window has had. With 1, this call opened it.
    async fn note(
        &self,
        id: &WindowId,
        trigger: &Trigger,
        object: &BatchObject,
    ) -> Result<u64, TableError>;

    /// Returns the open windows, in no order. Strongly consistent.
    async fn open_windows(&self) -> Result<Vec<OpenWindow>, TableError>;

    /// Returns the window if it is open. Strongly consistent.
    async fn open_window(&self, id: &WindowId) -> Result<Option<OpenWindow>, TableError>;

    /// Returns the uploads that were noted and the parts that were recorded. Strongly consistent.
    async fn window(&self, id: &WindowId) -> Result<(Vec<BatchObject>, Vec<Part>), TableError>;

    /// Records a part. Returns `false` if a part of this number exists already.
    async fn record_part(&self, id: &WindowId, part: &Part) -> Result<bool, TableError>;

    /// Closes an open window that has had exactly `notes` notes. Returns `false` if it has had
    /// others.
    ///
    /// Its uploads and parts stay known.
    async fn close_window(&self, id: &WindowId, notes: u64) -> Result<bool, TableError>;
}
