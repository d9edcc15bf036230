//! Reads whole executions, as sources, as baselines and for `explain`.

use std::sync::Arc;

use sidestep_core::definition::StepIndex;
use sidestep_core::execution::past::PastExecution;
use sidestep_core::limits::SOURCE_CANDIDATES;
use sidestep_core::name::ExecutionId;
use sidestep_core::view::explain::{Explanation, explain};

use crate::engine::Engine;
use crate::error::EngineError;

impl Engine {
    /// Reads a whole execution. One that has ended never changes and is remembered.
    pub async fn earlier(&self, id: &ExecutionId) -> Result<Arc<PastExecution>, EngineError> {
        if let Some(past) = self.memory.past(id) {
            return Ok(past);
        }
        let (loaded, commits) = futures::try_join!(self.load(id), async {
            Ok(self.executions.all_commits(id).await?)
        })?;
        let start = Arc::unwrap_or_clone(loaded.start);
        let pipeline = Arc::unwrap_or_clone(loaded.pipeline);
        let earlier = Arc::new(PastExecution::new(start, pipeline, commits));
        self.memory.keep_past(id, &earlier);
        Ok(earlier)
    }

    /// Explains steps of `this` by comparing it with the execution `against`.
    ///
    /// Without `against`, each step is compared with the nearest earlier execution that has a cache
    /// key for it.
    pub async fn explain(
        &self,
        this: &PastExecution,
        steps: &[StepIndex],
        against: Option<&ExecutionId>,
    ) -> Result<Vec<Explanation>, EngineError> {
        let candidates = if let Some(id) = against {
            vec![id.clone()]
        } else {
            let name = Some(&this.start.pipeline_name);
            let all = self.executions.list(name, SOURCE_CANDIDATES).await?;
            let before = |line: &crate::ports::executions::Summary| {
                line.execution_id != this.start.execution_id
                    && line.started_at_ms <= this.start.started_at_ms
            };
            all.into_iter().filter(before).map(|line| line.execution_id).collect()
        };
        let mut explanations = Vec::new();
        for step in steps {
            let name = &this.pipeline.step(*step).name;
            let is_compared = this.decision(*step).is_some_and(|decision| {
                matches!(decision.verdict, sidestep_core::execution::commit::Verdict::Run(_))
            });
            let mut nearest = None;
            for id in candidates.iter().filter(|_| is_compared && this.parts(name).is_some()) {
                let earlier = self.earlier(id).await?;
                if earlier.parts(name).is_some() {
                    nearest = Some(earlier);
                    break;
                }
            }
            explanations.push(explain(this, *step, nearest.as_deref()));
        }
        Ok(explanations)
    }
}
