//! Shows what an execution would do. It runs the planner's own code and writes nothing.

use sidestep_core::execution::Execution;
use sidestep_core::execution::past::PastExecution;
use sidestep_core::view::forecast::{Forecast, forecast};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::loaded::fold;
use crate::start::Prepared;

impl Engine {
    /// Returns what a prepared execution would do, also as an execution that can be explained.
    ///
    /// A limit of parallel steps is ignored, because it delays decisions and changes none.
    pub async fn preview(
        &self,
        prepared: &Prepared,
    ) -> Result<(Forecast, PastExecution), EngineError> {
        let mut start = prepared.start.clone();
        start.max_parallel_execution_steps = None;
        let pipeline = &prepared.pipeline;
        let mut execution = Execution::new(pipeline.steps.len());
        let mut facts = self.prefetch(&start, &prepared.latest).await?;
        let mut commits = Vec::new();
        loop {
            let plan = self.plan(pipeline, &start, &execution, &[], &mut facts, None).await?;
            if plan.commit.is_empty() {
                break;
            }
            fold(&start.execution_id, &mut execution, &plan.commit)?;
            facts.commits.insert(plan.commit.revision, plan.commit.clone());
            commits.push(plan.commit);
            if !plan.is_partial {
                break;
            }
        }
        let forecast = forecast(&start, pipeline, &execution, &commits);
        Ok((forecast, PastExecution::new(start, pipeline.as_ref().clone(), commits)))
    }
}
