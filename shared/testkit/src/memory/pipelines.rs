//! Registered pipelines in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_engine::ports::executions::TableError;
use sidestep_engine::ports::pipelines::{
    Answered, Label, PipelineRecord, PipelineStore, VersionRecord,
};

/// Pipelines, labels and answers as items of a table.
#[derive(Debug, Default)]
pub struct MemoryPipelines {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    pipelines: BTreeMap<PipelineName, PipelineRecord>,
    versions: BTreeMap<(PipelineName, u64), VersionRecord>,
    labels: BTreeMap<ExecutionId, Label>,
    answers: BTreeMap<String, Answered>,
}

impl MemoryPipelines {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

#[async_trait]
impl PipelineStore for MemoryPipelines {
    async fn pipeline(&self, name: &PipelineName) -> Result<Option<PipelineRecord>, TableError> {
        Ok(self.lock().pipelines.get(name).cloned())
    }

    async fn pipelines(&self) -> Result<Vec<PipelineRecord>, TableError> {
        Ok(self.lock().pipelines.values().cloned().collect())
    }

    async fn put_pipeline(
        &self,
        record: &PipelineRecord,
        version: Option<&VersionRecord>,
    ) -> Result<bool, TableError> {
        let mut state = self.lock();
        let name = &record.pipeline_name;
        let stored = state.pipelines.get(name);
        if stored == Some(record) {
            return Ok(true);
        }
        if stored.map_or(0, |stored| stored.revision) + 1 != record.revision {
            return Ok(false);
        }
        state.pipelines.insert(name.clone(), record.clone());
        if let Some(version) = version {
            state.versions.insert((name.clone(), version.version_id), version.clone());
        }
        Ok(true)
    }

    async fn version(
        &self,
        name: &PipelineName,
        version_id: u64,
    ) -> Result<Option<VersionRecord>, TableError> {
        Ok(self.lock().versions.get(&(name.clone(), version_id)).cloned())
    }

    async fn versions(&self, name: &PipelineName) -> Result<Vec<VersionRecord>, TableError> {
        let state = self.lock();
        let versions = state.versions.iter().filter(|((of, _), _)| of == name);
        Ok(versions.map(|(_, version)| version.clone()).collect())
    }

    async fn put_label(&self, id: &ExecutionId, label: &Label) -> Result<(), TableError> {
        self.lock().labels.insert(id.clone(), label.clone());
        Ok(())
    }

    async fn labels(&self, of: &[ExecutionId]) -> Result<BTreeMap<ExecutionId, Label>, TableError> {
        let state = self.lock();
        let label = |id: &ExecutionId| Some((id.clone(), state.labels.get(id)?.clone()));
        Ok(of.iter().filter_map(label).collect())
    }

    async fn answered(&self, key: &str, now_ms: u64) -> Result<Option<Answered>, TableError> {
        let answered = self.lock().answers.get(key).cloned();
        Ok(answered.filter(|answered| answered.is_valid(now_ms)))
    }

    async fn remember(
        &self,
        key: &str,
        answered: &Answered,
        now_ms: u64,
    ) -> Result<Answered, TableError> {
        let mut state = self.lock();
        let known = state.answers.get(key).filter(|known| known.is_valid(now_ms)).cloned();
        let counts = known.unwrap_or_else(|| answered.clone());
        state.answers.insert(key.to_owned(), counts.clone());
        Ok(counts)
    }
}
