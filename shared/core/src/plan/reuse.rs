//! Reuse: what stands in for steps that are not to run, from an earlier execution or given by hand.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Map;

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
use crate::plan::resolver::{Planned, Watch, answered};
use crate::plan::work::{Asked, Work};

impl Draft<'_> {
    /// Decides about a step that is not selected. It waits for nothing.
    pub(crate) fn reuse_unselected(
        &mut self,
        index: StepIndex,
        selection: &Selection,
    ) -> Planned<()> {
        let name = &self.pipeline.step(index).name;
        let supplied = selection.supplied.get(&index);
        let Some(source) = &selection.source else {
            match supplied {
                Some(supplied) => self.supply(index, supplied, None, selection)?,
                None => self.record(index, Verdict::NotSelected, "not selected".to_owned()),
            }
            return Ok(());
        };
        let earlier = self.resolver().earlier(source)?.cloned();
        let result = earlier.as_ref().and_then(|earlier| earlier.result(name));
        if let Some(supplied) = supplied {
            return self.supply(index, supplied, result, selection);
        }
        if !self.upstream(selection).contains(&index) {
            let reason = "not selected, and nothing selected needs it".to_owned();
            self.record(index, Verdict::NotSelected, reason);
        } else if let Some(result) = result {
            let reason = format!("not selected: its result of execution {source} stands in");
            let decision = self.reuse(index, source, result, reason);
            self.record_decision(decision);
        } else {
            let phase = earlier.as_ref().and_then(|earlier| earlier.phase(name));
            let is_skipped = phase == Some(Phase::Skipped);
            let verdict = if is_skipped { Verdict::Skipped } else { Verdict::NotSelected };
            let ended = how_it_ended(phase);
            let reason = format!("not selected, and it {ended} in execution {source}");
            self.record(index, verdict, reason);
        }
        Ok(())
    }

    /// Returns everything upstream of what is selected, found once for each plan.
    fn upstream(&mut self, selection: &Selection) -> &BTreeSet<StepIndex> {
        let pipeline = self.pipeline;
        self.upstream_of_selected.get_or_insert_with(|| {
            let selected = selection.selected.iter().copied();
            Graph::new(pipeline).reach(selected, Direction::Upstream, usize::MAX)
        })
    }

    /// Decides about a step whose `When` does not hold, for `reason`: its result of the baseline
    /// stands in, or it is skipped if there is none.
    pub(crate) fn reuse_baseline(&self, index: StepIndex, reason: &str) -> Planned<Decision> {
        let skip =
            |why: &str| Ok(Decision::new(index, Verdict::Skipped, format!("{reason}; {why}")));
        let Some(baseline) = &self.start.baseline else {
            return skip("no execution has succeeded whose result could be reused");
        };
        let earlier = self.resolver().earlier(baseline)?;
        match earlier.and_then(|earlier| earlier.result(&self.pipeline.step(index).name)) {
            None => skip(&format!("execution {baseline} left no result that could be reused")),
            Some(result) => {
                let reason = format!("{reason}; its result of execution {baseline} stands in");
                Ok(self.reuse(index, baseline, result, reason))
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
        let reuse = Reuse {
            reference: Some(reference.clone()),
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

    /// Returns a warning if a reused result was made with other parameters than this execution has.
    fn other_parameters(&self, result: &PastResult) -> Option<String> {
        let differing: Vec<_> = result
            .made_with
            .iter()
            .filter_map(|(name, then)| {
                let now = self.start.parameters.get(name)?;
                (now != then).then(|| format!("{name} was {then} and is {now}"))
            })
            .collect();
        if differing.is_empty() {
            return None;
        }
        Some(format!("its result was made with other parameters: {}", differing.join(", ")))
    }

    /// Takes outputs that were given by hand. Those that were not given come from the earlier
    /// result, if there is one.
    fn supply(
        &mut self,
        index: StepIndex,
        supplied: &Supplied,
        earlier: Option<PastResult>,
        selection: &Selection,
    ) -> Planned<()> {
        let reference = earlier.as_ref().and(selection.source.clone());
        let mut outputs = match earlier.map(|result| result.produced.outputs) {
            Some(Outputs::Inline(outputs)) => outputs,
            Some(Outputs::Stored(uri)) => {
                answered(self.resolver().stored_outputs(&uri))?.unwrap_or_default()
            }
            None => Map::new(),
        };
        let from_source = outputs.len();
        outputs.extend(supplied.outputs.clone());
        let produced =
            Produced { outputs: Outputs::Inline(outputs), artifacts: Vec::new(), duration_ms: 0 };
        let warning = if selection.publish_supplied {
            let published = self.publish_supplied(index, &produced)?;
            published.err().map(|why| format!("not published to the cache: {why}"))
        } else {
            None
        };
        let names: Vec<_> = supplied.outputs.keys().map(|name| format!("`{name}`")).collect();
        let rest = match &reference {
            Some(source) if from_source > 0 => format!("; the rest from execution {source}"),
            _ => String::new(),
        };
        let what = if names.is_empty() { "no outputs".to_owned() } else { names.join(", ") };
        let reason = format!("supplied by {}: {what}{rest}", supplied.by);
        let reuse = Reuse {
            reference,
            source: None,
            outcome: None,
            produced,
            memory_mb: 0,
            supplied: Some(supplied.clone()),
            parts: None,
            made_with: BTreeMap::new(),
        };
        self.record_decision(Decision {
            warning,
            ..Decision::new(index, Verdict::Reused(reuse), reason)
        });
        Ok(())
    }

    /// Publishes a supplied result under the key that the step would have had. Returns in words why
    /// it cannot be published.
    fn publish_supplied(
        &mut self,
        index: StepIndex,
        produced: &Produced,
    ) -> Planned<Result<(), String>> {
        let step = self.pipeline.step(index);
        let (StepKind::Lambda(lambda), Some(config)) = (&step.kind, &step.cache) else {
            return Ok(Err("the step is not cached".to_owned()));
        };
        let arguments = match self.evaluate(index, &lambda.arguments)? {
            Ok(arguments) => arguments,
            Err(why) => return Ok(Err(why)),
        };
        let asked = Asked { work: Work::Lambda(lambda), arguments: &arguments };
        let parts = match self.key_parts(index, asked, config, &Watch::default())? {
            Ok(parts) => parts,
            Err(why) => return Ok(Err(why)),
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
            witnesses: Vec::new(),
            place_key: None,
            used_at_ms: None,
        };
        self.plan.publish.push(Publication { step: index, entry });
        Ok(Ok(()))
    }
}
