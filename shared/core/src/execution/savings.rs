//! What reuse has saved: the work of functions that were not invoked because an earlier result stood in.

use crate::execution::commit::Verdict;
use crate::view::price::invocation_usd;

/// What reused results took when they were made.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Savings {
    pub ms: u64,
    /// At Lambda's list price, memory included.
    pub usd: f64,
}

impl Savings {
    /// Adds what a decision saves. Outputs that were given by hand save nothing that is known.
    pub fn add(&mut self, verdict: &Verdict) {
        let (produced, memory_mb) = match verdict {
            Verdict::CacheHit(hit) => (&hit.produced, hit.memory_mb),
            Verdict::Reused(reuse) if reuse.source.is_some() => (&reuse.produced, reuse.memory_mb),
            _ => return,
        };
        self.ms += produced.duration_ms;
        self.usd += invocation_usd(produced.duration_ms, memory_mb);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::key::KeyParts;
    use crate::definition::StepIndex;
    use crate::execution::Execution;
    use crate::execution::commit::{Commit, Decision, Hit, Outputs, Produced, Source};
    use crate::name::{ExecutionId, StepName};
    use serde_json::{Map, json};

    #[test]
    fn what_hits_save_adds_up_commit_by_commit() {
        let hit = |duration_ms| {
            let source = Source {
                pipeline_execution_arn: "arn".to_owned(),
                execution_id: ExecutionId::from_bytes([7; 16]),
                step_name: StepName::parse("A").expect("legal"),
            };
            let outputs = Outputs::Inline(Map::new());
            Verdict::CacheHit(Hit {
                parts: KeyParts::lambda("code", json!({})),
                source,
                produced: Produced { outputs, artifacts: Vec::new(), duration_ms },
                memory_mb: 1024,
            })
        };
        let mut execution = Execution::new(3);
        for (revision, step, verdict) in
            [(1, 0, hit(1000)), (2, 1, Verdict::Skipped), (3, 2, hit(500))]
        {
            let decision = Decision::new(StepIndex(step), verdict, String::new());
            let commit = Commit { decisions: vec![decision], ..Commit::new(revision, 0) };
            execution.apply(&commit).expect("legal");
        }
        assert_eq!(execution.saved.ms, 1500);
        let both = invocation_usd(1000, 1024) + invocation_usd(500, 1024);
        assert!((execution.saved.usd - both).abs() < 1e-12, "{:?}", execution.saved);
    }
}
