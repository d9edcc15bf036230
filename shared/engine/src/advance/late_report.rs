//! Records reports that arrive after their attempt was given up.

use sidestep_core::definition::Pipeline;
use sidestep_core::execution::start::Start;
use sidestep_core::plan::late_report::late_report;
use sidestep_core::plan::{Discarded, Event};

use crate::engine::Engine;
use crate::error::EngineError;

impl Engine {
    /// Records which of the `discarded` reports are late, each once.
    ///
    /// Repeats of an accepted report and forged reports leave no trace.
    pub(crate) async fn note_late_reports(
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
        let unexplained: Vec<_> = reports
            .filter(|report| {
                let of = (&report.step, report.attempt_count);
                discarded.iter().any(|discarded| (&discarded.step, discarded.attempt_count) == of)
            })
            // Most often it repeats a report that was accepted a moment ago.
            .filter(|report| {
                let step = pipeline.find(&report.step);
                step.is_some_and(|step| !self.memory.has_succeeded(id, step, report.attempt_count))
            })
            .collect();
        if unexplained.is_empty() {
            return Ok(());
        }
        let commits = self.executions.all_commits(id).await?;
        for report in unexplained {
            let now_ms = self.clock.now_ms();
            if let Some(late) = late_report(report, pipeline, start, &commits, now_ms) {
                self.executions.note_late_report(id, &late).await?;
            }
        }
        Ok(())
    }
}
