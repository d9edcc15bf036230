//! Compares what an execution left behind with the reference, commit by commit.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sidestep_core::definition::Pipeline;
use sidestep_core::execution::Execution;
use sidestep_core::execution::commit::{
    AttemptResult, Claim, Commit, Decision, Outputs, Produced, Reuse, Verdict,
};
use sidestep_core::execution::start::Start;
use sidestep_core::parse::{Format, parse};
use sidestep_engine::ports::executions::ExecutionStore;

use super::function::{compute, meaning};
use super::pipeline::{Kind, Model, number};
use super::reference::{May, State, may, status};
use super::workload::Asked;
use super::world::World;

/// The time between reading the index and the commit that uses it: a planner's longest life, and
/// its clock's skew.
const LOOK_MS: u64 = 200_000;

/// Checks whole executions. Returns how each ended, with its steps and their outputs, without URIs
/// and times.
pub(crate) fn check(world: &World, asked: &[Asked], is_clean: bool) -> Vec<String> {
    let mut ends = Vec::new();
    let mut results = BTreeMap::new();
    for asked in asked {
        // An execution that was asked for need not have begun.
        if let Some(history) = History::of(world, asked) {
            let (states, outputs) = history.check(is_clean, &results);
            let n: Vec<_> = outputs.iter().map(|(step, outputs)| (step, &outputs["n"])).collect();
            ends.push(format!("{states:?} {n:?}"));
            results.insert(asked.id.to_string(), outputs);
        }
    }
    ends
}

/// The result of each step of an execution, by its number.
type Results = BTreeMap<usize, Value>;

struct History<'a> {
    world: &'a World,
    asked: &'a Asked,
    model: &'a Model,
    start: Start,
    pipeline: Pipeline,
    commits: Vec<Commit>,
    states: Vec<State>,
    /// Attempts begun, over all retries of the execution.
    attempts: Vec<u32>,
    results: Results,
    is_stopped: bool,
    is_over: bool,
}

impl<'a> History<'a> {
    fn of(world: &'a World, asked: &'a Asked) -> Option<Self> {
        let now = |future| futures::executor::block_on(future);
        let start = now(world.table.start(&asked.id)).ok().flatten()?;
        let definition = asked.model.definition();
        let pipeline = parse(definition.as_bytes(), Format::Json).ok()?.pipeline;
        let commits = futures::executor::block_on(world.table.all_commits(&asked.id)).ok()?;
        let count = asked.model.steps.len();
        Some(Self {
            world,
            asked,
            model: &asked.model,
            start,
            pipeline,
            commits,
            states: vec![State::Waiting; count],
            attempts: vec![0; count],
            results: Results::new(),
            is_stopped: false,
            is_over: false,
        })
    }

    fn wrong(&self, text: impl std::fmt::Display) {
        self.world.sim.violation(format!("{}: {text}", self.asked.id));
    }

    fn check(
        mut self,
        is_clean: bool,
        earlier: &BTreeMap<String, Results>,
    ) -> (Vec<State>, Results) {
        let mut fold = Execution::new(self.pipeline.steps.len());
        for commit in std::mem::take(&mut self.commits) {
            if let Err(error) = fold.apply(&commit) {
                self.wrong(format_args!("commit {}: {error}", commit.revision));
                return (self.states, self.results);
            }
            self.commit(&commit, is_clean, earlier);
        }
        if !self.is_over {
            self.wrong(format_args!("stuck: {:?}", self.states));
        }
        let head = futures::executor::block_on(self.world.table.head(&self.asked.id));
        if head.ok().flatten() != Some(fold.clone()) {
            self.wrong("HEAD is not the fold of the commits");
        }
        let name = Some(&self.start.pipeline_name);
        let listed = futures::executor::block_on(self.world.table.list(name, 100));
        let lines = listed.unwrap_or_default();
        let line = lines.iter().find(|line| line.execution_id == self.asked.id);
        if line.map(|line| line.status) != Some(fold.status) {
            self.wrong(format_args!("the list says {:?}, HEAD {:?}", line, fold.status));
        }
        (self.states, self.results)
    }

    fn commit(&mut self, commit: &Commit, is_clean: bool, earlier: &BTreeMap<String, Results>) {
        if commit.retry.is_some() {
            (self.is_over, self.is_stopped) = (false, false);
            for state in &mut self.states {
                let is_again = [State::Failed, State::Skipped, State::Blocked, State::Stopped];
                if is_again.contains(state) {
                    *state = State::Waiting;
                }
            }
        }
        for completion in &commit.completions {
            let step = self.number(completion.step.0);
            if self.states[step] != State::Running {
                self.wrong(format_args!("S{step} ended and did not run"));
            }
            if completion.attempt_count != self.attempts[step] {
                self.wrong(format_args!("S{step}: attempt {} counts", completion.attempt_count));
            }
            self.states[step] = match &completion.result {
                AttemptResult::Succeeded(produced) => {
                    self.produced(step, produced, completion.attempt_count);
                    State::Succeeded(None)
                }
                AttemptResult::Failed(failure) => {
                    if is_clean && self.must_succeed(step) {
                        self.wrong(format_args!("S{step} failed: {failure:?}"));
                    }
                    State::Failed
                }
                AttemptResult::Retried(_) => State::Between,
            };
        }
        self.is_stopped |= commit.stop;
        for decision in &commit.decisions {
            let step = self.number(decision.step.0);
            if is_clean && self.states[step] == State::Running {
                self.wrong(format_args!("S{step} was begun again: {}", decision.reason));
            }
            self.decision(commit, decision, earlier);
        }
        let running = self.states.iter().filter(|state| **state == State::Running).count();
        let limit = self.start.max_parallel_execution_steps;
        if limit.is_some_and(|limit| running > limit as usize) {
            self.wrong(format_args!("{running} steps run at once"));
        }
        if let Some(end) = &commit.end {
            self.is_over = true;
            let is_open =
                |state: &State| !(state.is_over() || self.is_stopped && *state == State::Waiting);
            if self.states.iter().any(is_open) {
                self.wrong(format_args!("over too early: {:?}", self.states));
            }
            let said = match (&end.failure_reason, end.stopped) {
                (Some(_), _) => "Failed",
                (None, true) => "Stopped",
                (None, false) => "Succeeded",
            };
            let right = status(self.model, &self.states, self.is_stopped);
            if said != right {
                self.wrong(format_args!("ended {said}, should be {right}: {:?}", self.states));
            }
        }
    }

    /// Checks that without faults, only a step that computes a failure fails.
    fn must_succeed(&self, step: usize) -> bool {
        match self.model.steps[step].kind {
            Kind::Lambda { function, .. } => {
                function < 3 && self.model.steps[step].timeout_seconds.is_none()
            }
            _ => false,
        }
    }

    fn number(&self, index: usize) -> usize {
        number(self.pipeline.steps[index].name.as_str())
    }

    fn decision(
        &mut self,
        commit: &Commit,
        decision: &Decision,
        earlier: &BTreeMap<String, Results>,
    ) {
        let step = self.number(decision.step.0);
        let state = self.states[step];
        if self.is_stopped && !matches!(decision.verdict, Verdict::Stopped { .. }) {
            self.wrong(format_args!("S{step} was decided after the stop"));
        }
        let selection = self.start.selection.as_ref();
        let is_selected =
            selection.is_none_or(|selection| selection.selected.contains(&decision.step));
        let may = if is_selected { may(self.model, &self.states, step) } else { May::Wait };
        let is_held =
            self.model.steps[step].when.is_some_and(|(w, _)| self.asked.parameters[1] <= w);
        let is_waiting = state == State::Waiting;
        let is_right = match &decision.verdict {
            Verdict::Run(_) if !is_waiting => matches!(state, State::Running | State::Between),
            Verdict::Stopped { .. } => matches!(state, State::Running | State::Between),
            Verdict::Failed(_) if state == State::Between => true,
            _ if !is_waiting => false,
            Verdict::Run(_) | Verdict::CacheHit(_) | Verdict::Condition(_) => {
                may == May::Start && !is_held
            }
            Verdict::Failed(_) => may == May::Start,
            Verdict::Reused(_) => !is_selected || (may == May::Start && is_held),
            Verdict::NotSelected => !is_selected,
            Verdict::Skipped if !is_selected => true,
            Verdict::Skipped => may == May::Skip || (may == May::Start && is_held),
            Verdict::NotStarted => may == May::Block,
        };
        if !is_right {
            let (verdict, states) = (decision.verdict.decision(), &self.states);
            self.wrong(format_args!(
                "S{step} {verdict} where the rules say {may:?}: {states:?}, {decision:?}"
            ));
        }
        self.states[step] = match &decision.verdict {
            Verdict::Run(claim) => {
                self.claim(commit, step, claim, is_waiting && is_selected);
                State::Running
            }
            Verdict::CacheHit(hit) => {
                if !matches!(self.model.steps[step].kind, Kind::Lambda { is_cached: true, .. }) {
                    self.wrong(format_args!("S{step} is not cached"));
                }
                if !self.start.use_cache || self.start.forced.contains(&decision.step) {
                    self.wrong(format_args!("S{step} must not be taken from the cache"));
                }
                self.produced(step, &hit.produced, 0);
                State::Succeeded(None)
            }
            Verdict::Reused(reuse) => {
                self.reused(step, reuse, earlier);
                State::Succeeded(reuse.outcome)
            }
            Verdict::NotSelected => State::NotSelected,
            Verdict::Condition(outcome) => {
                self.condition(step, *outcome);
                State::Succeeded(Some(*outcome))
            }
            Verdict::Failed(_) => State::Failed,
            Verdict::Skipped => State::Skipped,
            Verdict::NotStarted => State::Blocked,
            Verdict::Stopped { .. } => State::Stopped,
        };
    }

    fn claim(&mut self, commit: &Commit, step: usize, claim: &Claim, is_first: bool) {
        if claim.attempt_count != self.attempts[step] + 1 {
            let begun = self.attempts[step];
            self.wrong(format_args!("S{step}: attempt {} after {begun}", claim.attempt_count));
        }
        self.attempts[step] = claim.attempt_count;
        let is_forced = self.start.forced.iter().any(|index| self.number(index.0) == step);
        let Some(parts) = claim.cache.as_ref().filter(|_| is_first && !is_forced) else { return };
        let key = parts.key().to_string();
        let notes = self.world.notes();
        let published = notes.published_ms.get(&key);
        let committed = notes.committed_ms.get(&(self.asked.id.clone(), commit.revision));
        let is_late = published.zip(committed).is_some_and(|(p, c)| p + LOOK_MS < *c);
        let is_lost = notes.is_artifact_lost;
        drop(notes);
        if is_late && self.start.use_cache && !is_lost {
            self.wrong(format_args!("S{step} ran although its result was cached"));
        }
    }

    /// Returns the value of a step or a parameter.
    fn n(&self, of: usize) -> Option<u64> {
        self.results.get(&of)?.get("n")?.as_u64()
    }

    fn condition(&self, step: usize, outcome: bool) {
        let Kind::Condition { of, above } = self.model.steps[step].kind else {
            return self.wrong(format_args!("S{step} is no condition"));
        };
        let left = of.map_or(Some(self.asked.parameters[0]), |of| self.n(of));
        if left.map(|left| left > above) != Some(outcome) {
            self.wrong(format_args!("S{step}: {left:?} > {above} is not {outcome}"));
        }
    }

    fn reused(&mut self, step: usize, reuse: &Reuse, earlier: &BTreeMap<String, Results>) {
        let outputs = inline(&reuse.produced);
        let mut expected = reuse
            .reference
            .as_ref()
            .and_then(|id| earlier.get(id.as_str())?.get(&step).cloned())
            .unwrap_or_else(|| json!({}));
        if let Some(supplied) = &reuse.supplied {
            for (name, value) in &supplied.outputs {
                expected[name] = value.clone();
            }
        }
        let is_condition = matches!(self.model.steps[step].kind, Kind::Condition { .. });
        if !is_condition && outputs != expected {
            self.wrong(format_args!("S{step} reused {outputs}, recorded was {expected}"));
        }
        self.results.insert(step, outputs);
    }

    /// Checks that a result is what its function computes from its arguments.
    fn produced(&mut self, step: usize, produced: &Produced, attempt: u32) {
        let outputs = inline(produced);
        let notes = self.world.notes();
        let is_lost = notes.is_artifact_lost;
        drop(notes);
        let objects = self.world.objects.objects();
        for artifact in produced.artifacts.iter().filter(|_| !is_lost) {
            let sha256 =
                objects.get(&artifact.uri).map(|b| sidestep_engine::ports::objects::sha256_hex(b));
            if sha256.as_deref() != Some(artifact.sha256.as_str()) {
                self.wrong(format_args!("S{step}: {} is not what was recorded", artifact.uri));
            }
        }
        if let Kind::Lambda { function, argument, .. } = self.model.steps[step].kind
            && !is_lost
        {
            let mut arguments = json!({ "k": argument });
            let reads: BTreeSet<_> = self.model.steps[step].reads.iter().copied().collect();
            for of in reads {
                let read = self
                    .results
                    .get(&of)
                    .filter(|_| matches!(self.states[of], State::Succeeded(_)));
                let value = |name: &str| read.map_or(Value::Null, |r| r[name].clone());
                arguments[format!("n{of}")] = value("n");
                if matches!(self.model.steps[of].kind, Kind::Lambda { .. }) {
                    arguments[format!("uri{of}")] = value("uri");
                }
            }
            let code = &self.start.functions[format!("F{function}").as_str()].code_digest;
            let read = |uri: &sidestep_core::uri::S3Uri| {
                objects
                    .get(uri)
                    .map_or("nothing".into(), |bytes| String::from_utf8_lossy(bytes).into_owned())
            };
            let meaning = meaning(code, &arguments, &read);
            let tries = if attempt == 0 { 0..=1 } else { attempt..=attempt };
            let right = tries.filter_map(|attempt| compute(function, &meaning, attempt).ok());
            if !right.into_iter().any(|right| outputs["n"] == json!(right.n)) {
                self.wrong(format_args!("S{step} gave {outputs} for {meaning}"));
            }
        }
        self.results.insert(step, outputs);
    }
}

fn inline(produced: &Produced) -> Value {
    match &produced.outputs {
        Outputs::Inline(outputs) => Value::Object(outputs.clone()),
        Outputs::Stored(uri) => json!({ "stored": uri }),
    }
}
