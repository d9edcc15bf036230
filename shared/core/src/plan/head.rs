//! When `HEAD` has to be written. It is the fold of the commits, so a process that holds the state
//! itself may let `HEAD` lag behind them.

use crate::execution::Execution;
use crate::execution::commit::Commit;
use crate::execution::phase::Phase;
use crate::plan::effect::{Effect, Plan};

/// How many commits of a lone step share one write of `HEAD`. A process that finds `HEAD` behind
/// reads the commits that it lacks in one request, of less than a read unit each.
const LAG: u32 = 8;

/// Returns true if `HEAD` must be written at once after `plan`, which led to the state `after`,
/// although the planner and the function that it invokes hold that state.
///
/// Only a lone step's commit can wait. All that may happen next is the report of the attempt that
/// it began, and that report comes with the state. If several steps are running, the reports of the
/// others look for `HEAD`.
pub fn is_head_due(plan: &Plan, after: &Execution) -> bool {
    let Commit { end, retry, stop, .. } = &plan.commit;
    let is_one_call = matches!(plan.effects.as_slice(), [Effect::InvokeStep { .. }]);
    let can_wait = is_one_call && is_lone(after) && end.is_none() && retry.is_none() && !stop;
    !can_wait || after.revision.is_multiple_of(LAG)
}

/// Returns true if a process that found `HEAD` this many commits behind `execution` must write it.
pub fn is_too_far_behind(commits: usize, execution: &Execution) -> bool {
    !is_lone(execution) || commits >= LAG as usize
}

/// Returns true if a single attempt is all that is running.
fn is_lone(execution: &Execution) -> bool {
    let is_running = |phase| matches!(phase, Phase::Executing | Phase::Retrying);
    let mut running = execution.steps.iter().filter(|state| is_running(state.phase));
    running.next().is_some_and(|state| state.phase == Phase::Executing) && running.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::StepIndex;
    use crate::execution::commit::{
        AttemptResult, Claim, Completion, Decision, End, Failure, Verdict,
    };
    use crate::execution::inputs::Inputs;

    /// Makes commits that each claim a step and end the one before. Returns the last one's plan and
    /// the state after `revision` of them.
    fn lone(revision: u32) -> (Plan, Execution) {
        let mut execution = Execution::new(40);
        let mut last = Commit::new(0, 0);
        for revision in 1..=revision {
            let step = StepIndex(revision as usize);
            last = Commit::new(revision, 0);
            if revision > 1 {
                let (step, attempt_count) = (StepIndex(step.0 - 1), 1);
                let failure = Failure { error_type: "E".to_owned(), message: String::new() };
                let result = AttemptResult::Failed(failure);
                last.completions.push(Completion { step, attempt_count, result });
            }
            last.decisions.push(Decision::new(step, Verdict::Run(claim()), String::new()));
            execution.apply(&last).expect("legal");
        }
        let payload = serde_json::json!({});
        let call = Effect::InvokeStep {
            step: StepIndex(revision as usize),
            attempt_count: 1,
            function_arn: "f".to_owned(),
            payload,
        };
        (plan(last, vec![call]), execution)
    }

    fn claim() -> Claim {
        Claim {
            attempt_count: 1,
            lease_until_ms: 0,
            started_at_ms: 0,
            deadline_ms: None,
            callback_token: None,
            job: None,
            cache: None,
            inputs: Inputs::default(),
        }
    }

    fn plan(commit: Commit, effects: Vec<Effect>) -> Plan {
        Plan {
            commit,
            publish: Vec::new(),
            touch: std::collections::BTreeSet::new(),
            manifests: Vec::new(),
            callbacks: Vec::new(),
            effects,
            needs: std::collections::BTreeSet::new(),
            is_partial: false,
            taken: 0,
            discarded: Vec::new(),
        }
    }

    #[test]
    fn the_head_of_a_chain_is_due_after_eight_commits() {
        let due: Vec<_> = (1..=32)
            .filter(|revision| {
                let (plan, after) = lone(*revision);
                is_head_due(&plan, &after)
            })
            .collect();
        assert_eq!(due, [8, 16, 24, 32]);
        let (_, after) = lone(7);
        assert!(!is_too_far_behind(7, &after) && is_too_far_behind(8, &after));
    }

    #[test]
    fn head_is_due_if_another_process_may_look_for_it() {
        let (mut plan, after) = lone(3);
        assert!(!is_head_due(&plan, &after));
        plan.commit.end = Some(End::default());
        assert!(is_head_due(&plan, &after), "an end");
        plan.commit.end = None;
        plan.commit.stop = true;
        assert!(is_head_due(&plan, &after), "a stop");
        plan.commit.stop = false;
        plan.effects.push(Effect::Wake { at_ms: 1 });
        assert!(is_head_due(&plan, &after), "the planner is called later");
        plan.effects.clear();
        assert!(is_head_due(&plan, &after), "no function was invoked that has the state");

        let (mut plan, mut after) = lone(3);
        let beside = Decision::new(StepIndex(30), Verdict::Run(claim()), String::new());
        let commit = Commit { decisions: vec![beside], ..Commit::new(4, 0) };
        after.apply(&commit).expect("legal");
        plan.commit = commit;
        assert!(is_head_due(&plan, &after), "two steps are running");
    }
}
