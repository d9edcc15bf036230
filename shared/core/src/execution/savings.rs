//! Savings: the work of functions that were not invoked, because an earlier result stood in.
//!
//! The state of an execution keeps counts and no money, so that it does not depend on a release's
//! price list. [`view::price`](crate::view::price) prices them when they are shown.

use crate::execution::commit::Verdict;

/// What the reused results took when they were made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Savings {
    /// How long the functions worked.
    pub ms: u64,
    /// The same, each function's time multiplied by its memory in MB: what Lambda bills.
    pub mb_ms: u64,
    /// How many invocations were saved.
    pub invocations: u64,
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
        self.mb_ms += produced.duration_ms * u64::from(memory_mb);
        self.invocations += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::key::KeyParts;
    use crate::definition::StepIndex;
    use crate::execution::Execution;
    use crate::execution::commit::{Commit, Decision};
    use crate::execution::result::{Hit, Outputs, Produced, Source};
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
        let both = Savings { ms: 1500, mb_ms: 1500 * 1024, invocations: 2 };
        assert_eq!(execution.saved, both);
    }
}
