//! What stands in for steps that are not to run: results of an earlier execution, or outputs that were given by hand.

use serde_json::Map;

use crate::definition::expression::Unresolved;
use crate::definition::graph::{Direction, Graph};
use crate::definition::{StepIndex, StepKind};
use crate::execution::commit::{Decision, Verdict};
use crate::execution::past::{PastResult, how_it_ended};
use crate::execution::phase::Phase;
use crate::execution::result::{CacheEntry, Outputs, Produced, Reuse, Source, Supplied};
use crate::execution::start::Selection;
use crate::name::ExecutionId;
use crate::plan::draft::Draft;
use crate::plan::effect::Publication;

impl Draft<'_> {
    /// Decides about a step that is not selected. It waits for nothing.
    pub(crate) fn reuse_unselected(&mut self, index: StepIndex, selection: &Selection) {
        let name = &self.pipeline.step(index).name;
        let supplied = selection.supplied.get(&index);
        let Some(source) = &selection.source else {
            match supplied {
                Some(supplied) => self.supply(index, supplied, None, selection),
                None => self.push(index, Verdict::NotSelected, "not selected".to_owned()),
            }
            return;
        };
        let earlier = match self.resolver().earlier(source) {
            Ok(earlier) => earlier.cloned(),
            Err(need) => return self.need([need]),
        };
        let result = earlier.as_ref().and_then(|earlier| earlier.result(name));
        if let Some(supplied) = supplied {
            return self.supply(index, supplied, result, selection);
        }
        if !self.upstream(selection).contains(&index) {
            let reason = "not selected, and nothing selected needs it".to_owned();
            return self.push(index, Verdict::NotSelected, reason);
        }
        if let Some(result) = result {
            let reason = format!("not selected: its result of execution {source} stands in");
            let decision = self.reuse(index, source, result, reason);
            return self.push_decision(decision);
        }
        let phase = earlier.as_ref().and_then(|earlier| earlier.phase(name));
        let verdict =
            if phase == Some(Phase::Skipped) { Verdict::Skipped } else { Verdict::NotSelected };
        let ended = how_it_ended(phase);
        self.push(index, verdict, format!("not selected, and it {ended} in execution {source}"));
    }

    /// Everything upstream of what is selected, worked out once for each plan.
    fn upstream(&mut self, selection: &Selection) -> &std::collections::BTreeSet<StepIndex> {
        let pipeline = self.pipeline;
        self.upstream_of_selected.get_or_insert_with(|| {
            let selected = selection.selected.iter().copied();
            Graph::new(pipeline).reach(selected, Direction::Upstream, usize::MAX)
        })
    }

    /// For a step whose `When` does not hold: its result of the baseline. `None` while it is not loaded.
    pub(crate) fn reuse_baseline(&mut self, index: StepIndex, reason: &str) -> Option<Decision> {
        let none = |why: &str| {
            let reason = format!("{reason}; {why}");
            Some(Decision::new(index, Verdict::Skipped, reason))
        };
        let Some(baseline) = &self.start.baseline else {
            return none("no execution has succeeded whose result could be reused");
        };
        let result = match self.resolver().earlier(baseline) {
            Err(need) => {
                self.need([need]);
                return None;
            }
            Ok(earlier) => {
                earlier.and_then(|earlier| earlier.result(&self.pipeline.step(index).name))
            }
        };
        match result {
            None => none(&format!("execution {baseline} left no result that could be reused")),
            Some(result) => {
                let reason = format!("{reason}; its result of execution {baseline} stands in");
                Some(self.reuse(index, baseline, result, reason))
            }
        }
    }

    fn reuse(
        &self,
        index: StepIndex,
        reference: &ExecutionId,
        result: PastResult,
        reason: String,
    ) -> Decision {
        let warning = self.other_parameters(&result);
        let PastResult { produced, outcome, source, memory_mb, parts, made_with } = result;
        let reference = Some(reference.clone());
        let reuse = Reuse {
            reference,
            source,
            outcome,
            produced,
            memory_mb,
            supplied: None,
            parts,
            made_with,
        };
        Decision { warning, ..Decision::new(index, Verdict::Reused(reuse), reason) }
    }

    /// A reused result that was made with other values of parameters than this execution has.
    fn other_parameters(&self, result: &PastResult) -> Option<String> {
        let differing = result.made_with.iter().filter_map(|(name, then)| {
            let now = self.start.parameters.get(name)?;
            (now != then).then(|| format!("{name} was {then} and is {now}"))
        });
        let differing: Vec<_> = differing.collect();
        if differing.is_empty() {
            return None;
        }
        Some(format!("its result was made with other parameters: {}", differing.join(", ")))
    }

    /// Takes outputs that were given by hand; those that were not come from the earlier result, if there is one.
    fn supply(
        &mut self,
        index: StepIndex,
        supplied: &Supplied,
        earlier: Option<PastResult>,
        selection: &Selection,
    ) {
        let reference = earlier.as_ref().and(selection.source.clone());
        let mut outputs = match earlier.map(|result| result.produced.outputs) {
            Some(Outputs::Inline(outputs)) => outputs,
            Some(Outputs::Stored(uri)) => match self.resolver().stored_outputs(&uri) {
                Ok(outputs) => outputs,
                Err(Unresolved::Missing(need)) => return self.need([need]),
                Err(Unresolved::Absent(_)) => Map::new(),
            },
            None => Map::new(),
        };
        let from_source = outputs.len();
        outputs.extend(supplied.outputs.clone());
        let produced =
            Produced { outputs: Outputs::Inline(outputs), artifacts: Vec::new(), duration_ms: 0 };
        let mut warning = None;
        if selection.publish_supplied {
            match self.publish_supplied(index, &produced) {
                Some(Ok(())) => {}
                Some(Err(why)) => warning = Some(format!("not published to the cache: {why}")),
                None => return,
            }
        }
        let names: Vec<_> = supplied.outputs.keys().map(|name| format!("`{name}`")).collect();
        let mut reason = format!("supplied by {}: {}", supplied.by, names.join(", "));
        if let Some(source) = reference.as_ref().filter(|_| from_source > 0) {
            reason = format!("{reason}; the rest from execution {source}");
        }
        let reuse = Reuse {
            reference,
            source: None,
            outcome: None,
            produced,
            memory_mb: 0,
            supplied: Some(supplied.clone()),
            parts: None,
            made_with: std::collections::BTreeMap::new(),
        };
        self.push_decision(Decision {
            warning,
            ..Decision::new(index, Verdict::Reused(reuse), reason)
        });
    }

    /// Publishes a supplied result under the key that the step would have had. `None` while facts are missing.
    fn publish_supplied(
        &mut self,
        index: StepIndex,
        produced: &Produced,
    ) -> Option<Result<(), String>> {
        let step = self.pipeline.step(index);
        let (StepKind::Lambda(lambda), Some(config)) = (&step.kind, &step.cache) else {
            return Some(Err("the step is not cached".to_owned()));
        };
        let arguments = match self.evaluate(index, &lambda.arguments)? {
            Ok(arguments) => arguments,
            Err(why) => return Some(Err(why)),
        };
        let parts = match self.key_parts(index, lambda, config, &arguments)? {
            Ok(parts) => parts,
            Err(why) => return Some(Err(why)),
        };
        let entry = CacheEntry {
            parts,
            source: Source {
                pipeline_execution_arn: self.start.execution_arn(),
                execution_id: self.start.execution_id.clone(),
                step_name: step.name.clone(),
            },
            produced: produced.clone(),
            memory_mb: self.start.memory_mb(step),
            created_at_ms: self.facts.now_ms,
        };
        self.plan.publish.push(Publication { step: index, entry });
        Some(Ok(()))
    }
}
