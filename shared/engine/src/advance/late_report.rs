//! Notes reports that came after their attempt was given up.

use sidestep_core::definition::Pipeline;
use sidestep_core::execution::start::Start;
use sidestep_core::plan::late_report::late_report;
use sidestep_core::plan::{Discarded, Event};

use crate::engine::{Engine, EngineError};

impl Engine {
    /// Notes those of `discarded` that are late, once each. Repeats of what was accepted and forged reports leave no trace.
    pub(crate) async fn note_late_report(
        &self,
        start: &Start,
        pipeline: &Pipeline,
        discarded: &[Discarded],
        events: &[Event],
    ) -> Result<(), EngineError> {
        let id = &start.execution_id;
        let reports = events.iter().filter_map(|event| match event {
            Event::Reported(report) => Some(report),
            _ => None,
        });
        let reports: Vec<_> = reports
            .filter(|report| {
                let of = (&report.step, report.attempt_count);
                discarded.iter().any(|discarded| (&discarded.step, discarded.attempt_count) == of)
            })
            // Most often it repeats what was accepted a moment ago.
            .filter(|report| {
                let step = pipeline.find(&report.step);
                step.is_some_and(|step| !self.recent.has_succeeded(id, step, report.attempt_count))
            })
            .collect();
        if reports.is_empty() {
            return Ok(());
        }
        let commits = self.executions.all_commits(id).await?;
        for report in reports {
            if let Some(late) = late_report(report, pipeline, start, &commits, self.clock.now_ms())
            {
                self.executions.note_late_report(id, &late).await?;
            }
        }
        Ok(())
    }
}
