//! Resolves the selection of a request: which steps run, and which earlier execution supplies the
//! results of the others. Every error of a selection is found here.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use sidestep_core::definition::Pipeline;
use sidestep_core::definition::parameter::inherit;
use sidestep_core::execution::ExecutionStatus;
use sidestep_core::execution::past::PastExecution;
use sidestep_core::execution::start::{Selection, Start};
use sidestep_core::limits::SOURCE_CANDIDATES;
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_core::plan::change::damage;
use sidestep_core::plan::facts::Facts;
use sidestep_core::selection::changed::{changed_steps, failed_steps};
use sidestep_core::selection::selector::{PastSteps, Selector};
use sidestep_core::selection::{
    Requirement, SelectionError, check_connected, check_source, check_without_source, expand,
    requirements, supply,
};

use crate::engine::Engine;
use crate::error::{EngineError, StartError};
use crate::ports::executions::Summary;

/// The steps that a request wants to run. The default is all of them.
#[derive(Debug, Clone, Default)]
pub struct SelectionRequest {
    /// Selectors, where none means all steps.
    pub select: Vec<String>,
    pub exclude: Vec<String>,
    pub source: SourceRequest,
    /// Outputs by step and name, which the user supplies.
    pub supply: BTreeMap<String, Map<String, Value>>,
    /// The user who supplies them.
    pub supplied_by: String,
    /// True if the supplied outputs may be published to the cache.
    pub publish_supplied: bool,
    /// Selectors of steps that run although a cached result exists.
    pub force: Vec<String>,
    /// True if parameters that are not given come from the source and not from the defaults.
    pub inherit_parameters: bool,
}

/// The execution that supplies the results of steps that are not selected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SourceRequest {
    /// The newest execution that has ended and has every result that is needed.
    #[default]
    Latest,
    Execution(ExecutionId),
    None,
}

/// Resolves the selection of one request.
#[derive(Debug)]
pub(crate) struct SelectionResolver<'a> {
    engine: &'a Engine,
    pipeline_name: PipelineName,
    request: SelectionRequest,
    select: Vec<Selector>,
    exclude: Vec<Selector>,
    force: Vec<Selector>,
    /// The pipeline's executions that have ended, newest first. They are read when first needed.
    finished: Option<Vec<Summary>>,
}

impl<'a> SelectionResolver<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        pipeline_name: &PipelineName,
        request: &SelectionRequest,
    ) -> Result<Self, EngineError> {
        let parse = |texts: &[String]| -> Result<Vec<Selector>, EngineError> {
            let parsed = texts.iter().map(|text| Selector::parse(text));
            Ok(parsed.collect::<Result<_, _>>().map_err(refuse)?)
        };
        Ok(Self {
            engine,
            pipeline_name: pipeline_name.clone(),
            select: parse(&request.select)?,
            exclude: parse(&request.exclude)?,
            force: parse(&request.force)?,
            request: request.clone(),
            finished: None,
        })
    }

    async fn finished(&mut self) -> Result<Vec<Summary>, EngineError> {
        if let Some(finished) = &self.finished {
            return Ok(finished.clone());
        }
        let name = Some(&self.pipeline_name);
        let all = self.engine.executions.list(name, SOURCE_CANDIDATES).await?;
        let finished: Vec<_> = all.into_iter().filter(|line| line.status.is_over()).collect();
        self.finished = Some(finished.clone());
        Ok(finished)
    }

    /// Returns the newest execution that has ended and was not refused before its first step.
    async fn newest_with_steps(&mut self) -> Result<Option<ExecutionId>, EngineError> {
        for line in self.finished().await? {
            if self.engine.earlier(&line.execution_id).await?.start.refused.is_none() {
                return Ok(Some(line.execution_id));
            }
        }
        Ok(None)
    }

    /// Returns the execution that selectors and parameters refer to: the one that was named, or
    /// else the newest one that has ended.
    async fn reference(&mut self) -> Result<Option<Arc<PastExecution>>, EngineError> {
        let id = match &self.request.source {
            SourceRequest::None => return Ok(None),
            SourceRequest::Execution(id) => id.clone(),
            SourceRequest::Latest => match self.newest_with_steps().await? {
                Some(id) => id,
                None => return Ok(None),
            },
        };
        let refuse = |why: String| StartError::Source { execution_id: id.clone(), why };
        let earlier = match self.engine.earlier(&id).await {
            Err(EngineError::ExecutionNotFound(_)) => {
                return Err(refuse("it does not exist".to_owned()).into());
            }
            result => result?,
        };
        if earlier.start.pipeline_name != self.pipeline_name {
            let why = format!("it is of pipeline `{}`", earlier.start.pipeline_name);
            return Err(refuse(why).into());
        }
        if !earlier.execution.status.is_over() {
            return Err(refuse("it is not over".to_owned()).into());
        }
        Ok(Some(earlier))
    }

    /// Returns the parameters of the source, if the request inherits them.
    pub(crate) async fn inherited(
        &mut self,
        pipeline: &Pipeline,
    ) -> Result<BTreeMap<String, String>, EngineError> {
        if !self.request.inherit_parameters {
            return Ok(BTreeMap::new());
        }
        let earlier = self.reference().await?;
        Ok(earlier
            .map_or_else(BTreeMap::new, |earlier| inherit(pipeline, &earlier.start.parameters)))
    }

    /// Writes selection, forced steps and baseline into `start`.
    pub(crate) async fn choose(
        &mut self,
        pipeline: &Pipeline,
        start: &mut Start,
    ) -> Result<(), EngineError> {
        let request = self.request.clone();
        let supplied = supply(pipeline, &request.supply, &request.supplied_by).map_err(refuse)?;
        let is_selective =
            !(self.select.is_empty() && self.exclude.is_empty() && supplied.is_empty());
        let history = self.history(pipeline, start).await?;
        if is_selective {
            let selected =
                expand(pipeline, &self.select, &self.exclude, &supplied, history.as_ref())
                    .map_err(refuse)?;
            check_connected(pipeline, &selected, &supplied).map_err(refuse)?;
            let needed = requirements(pipeline, &selected, &supplied);
            let source = self.source(pipeline, &needed).await?;
            if source.is_none() {
                check_without_source(pipeline, &selected, &supplied).map_err(refuse)?;
            }
            start.selection = Some(Selection {
                select: request.select,
                exclude: request.exclude,
                selected,
                source,
                supplied,
                publish_supplied: request.publish_supplied,
            });
        }
        if !self.force.is_empty() {
            let none = BTreeMap::new();
            start.forced =
                expand(pipeline, &self.force, &[], &none, history.as_ref()).map_err(refuse)?;
            let selected = start.selection.as_ref().map(|selection| &selection.selected);
            let outside =
                start.forced.iter().find(|step| selected.is_some_and(|s| !s.contains(step)));
            if let Some(step) = outside {
                let step = pipeline.step(*step).name.clone();
                return Err(refuse(SelectionError::ForcedNotSelected { step }).into());
            }
        }
        if pipeline.looks_back() {
            let source = start.selection.as_ref().and_then(|selection| selection.source.clone());
            start.baseline = match source {
                Some(source) => Some(source),
                None => self.last_succeeded().await?,
            };
        }
        Ok(())
    }

    /// Returns the steps that `state:changed` and `result:failed` stand for, if they are used.
    async fn history(
        &mut self,
        pipeline: &Pipeline,
        start: &Start,
    ) -> Result<Option<PastSteps>, EngineError> {
        let selectors = || self.select.iter().chain(&self.exclude).chain(&self.force);
        if !selectors().any(Selector::looks_back) {
            return Ok(None);
        }
        let asks_for_changes = selectors().any(Selector::asks_for_changes);
        let Some(earlier) = self.reference().await? else { return Ok(None) };
        let mut history =
            PastSteps { failed: failed_steps(pipeline, &earlier), ..PastSteps::default() };
        if asks_for_changes {
            let mut facts = Facts { now_ms: start.started_at_ms, ..Facts::default() };
            history.changed = loop {
                match changed_steps(pipeline, start, &earlier, &facts) {
                    Ok(changed) => break changed,
                    Err(needs) => {
                        self.engine.gather(&start.execution_id, &needs, &mut facts).await?;
                    }
                }
            };
        }
        Ok(Some(history))
    }

    /// Returns the execution that has every result that is needed.
    async fn source(
        &mut self,
        pipeline: &Pipeline,
        needed: &[Requirement],
    ) -> Result<Option<ExecutionId>, EngineError> {
        if self.request.source != SourceRequest::Latest {
            let Some(earlier) = self.reference().await? else { return Ok(None) };
            self.check(pipeline, needed, &earlier).await?;
            return Ok(Some(earlier.start.execution_id.clone()));
        }
        if needed.is_empty() {
            return Ok(None);
        }
        let mut first_error = None;
        for line in self.finished().await? {
            let earlier = self.engine.earlier(&line.execution_id).await?;
            if earlier.start.refused.is_some() {
                continue;
            }
            match self.check(pipeline, needed, &earlier).await {
                Ok(()) => return Ok(Some(line.execution_id)),
                Err(error @ EngineError::Start(_)) => drop(first_error.get_or_insert(error)),
                Err(error) => return Err(error),
            }
        }
        first_error.map_or(Ok(None), Err)
    }

    async fn check(
        &self,
        pipeline: &Pipeline,
        needed: &[Requirement],
        earlier: &PastExecution,
    ) -> Result<(), EngineError> {
        check_source(pipeline, needed, earlier).map_err(refuse)?;
        let mut facts = Facts::default();
        for requirement in needed {
            let name = &pipeline.step(requirement.step).name;
            let Some(result) = earlier.result(name) else { continue };
            let damaged = loop {
                match damage(&result.produced, &facts) {
                    Ok(damaged) => break damaged,
                    Err(needs) => {
                        let id = &earlier.start.execution_id;
                        self.engine.gather(id, &needs, &mut facts).await?;
                    }
                }
            };
            if let Some((uri, how)) = damaged {
                let steps = vec![(name.clone(), format!("wrote `{uri}`, which {how}, "))];
                let execution_id = earlier.start.execution_id.clone();
                return Err(refuse(SelectionError::Unusable { execution_id, steps }).into());
            }
        }
        Ok(())
    }

    async fn last_succeeded(&mut self) -> Result<Option<ExecutionId>, EngineError> {
        let finished = self.finished().await?;
        let last = finished.into_iter().find(|line| line.status == ExecutionStatus::Succeeded);
        Ok(last.map(|line| line.execution_id))
    }
}

fn refuse(error: impl Into<SelectionError>) -> StartError {
    StartError::Selection(error.into())
}
