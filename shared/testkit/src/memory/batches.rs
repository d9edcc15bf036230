//! Windows of batch triggers in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use sidestep_core::event::batch::{BatchObject, Part, WindowId};
use sidestep_core::event::trigger::Trigger;
use sidestep_engine::ports::batches::{BatchStore, OpenWindow};
use sidestep_engine::ports::executions::TableError;

/// The windows.
#[derive(Debug, Default)]
pub struct MemoryBatches {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: BTreeMap<WindowId, OpenWindow>,
    windows: BTreeMap<WindowId, Window>,
}

#[derive(Debug, Default, Clone)]
struct Window {
    objects: BTreeMap<String, BatchObject>,
    parts: BTreeMap<u32, Part>,
}

impl MemoryBatches {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

#[async_trait]
impl BatchStore for MemoryBatches {
    async fn note(
        &self,
        id: &WindowId,
        trigger: &Trigger,
        object: &BatchObject,
    ) -> Result<u64, TableError> {
        let mut state = self.lock();
        state.windows.entry(id.clone()).or_default().objects.insert(object.id(), object.clone());
        let new = || OpenWindow { id: id.clone(), trigger: trigger.clone(), notes: 0 };
        let window = state.open.entry(id.clone()).or_insert_with(new);
        window.notes += 1;
        Ok(window.notes)
    }

    async fn open_windows(&self) -> Result<Vec<OpenWindow>, TableError> {
        Ok(self.lock().open.values().cloned().collect())
    }

    async fn open_window(&self, id: &WindowId) -> Result<Option<OpenWindow>, TableError> {
        Ok(self.lock().open.get(id).cloned())
    }

    async fn window(&self, id: &WindowId) -> Result<(Vec<BatchObject>, Vec<Part>), TableError> {
        let window = self.lock().windows.get(id).cloned().unwrap_or_default();
        Ok((window.objects.into_values().collect(), window.parts.into_values().collect()))
    }

    async fn record_part(&self, id: &WindowId, part: &Part) -> Result<bool, TableError> {
        let mut state = self.lock();
        let parts = &mut state.windows.entry(id.clone()).or_default().parts;
        let is_new = !parts.contains_key(&part.number);
        parts.entry(part.number).or_insert_with(|| part.clone());
        Ok(is_new)
    }

    async fn close_window(&self, id: &WindowId, notes: u64) -> Result<bool, TableError> {
        let mut state = self.lock();
        let is_as_told = state.open.get(id).is_some_and(|window| window.notes == notes);
        if is_as_told {
            state.open.remove(id);
        }
        Ok(is_as_told)
    }
}
