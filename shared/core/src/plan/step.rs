//! The decision about one waiting step: whether its turn has come, whether its `When` holds, and
//! then what its type asks for.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cache::key::CacheKey;
use crate::definition::condition::{self, Condition};
use crate::definition::expression::{Expression, Unresolved};
use crate::definition::extension::{Otherwise, When};
use crate::definition::{CacheConfig, CallbackStep, LambdaStep, StepIndex, StepKind};
use crate::execution::commit::{Decision, Hit, Verdict};
use crate::failure::FailureType;
use crate::plan::attempt::Attempt;
use crate::plan::cache::CacheDecision;
use crate::plan::draft::Draft;
use crate::plan::readiness::{Readiness, readiness};
use crate::plan::resolver::{Planned, answered};
use crate::plan::work::{Asked, Work};

/// The digests behind `Changed` conditions, by the text of the conditions' values.
type Observed = BTreeMap<String, String>;

impl Draft<'_> {
    /// Decides about a waiting step, if its turn has come.
    pub(crate) fn decide_step(&mut self, step: StepIndex) -> Planned<()> {
        match readiness(self.pipeline, &self.states, self.failed_fail_step, step) {
            Readiness::Wait => {}
            Readiness::Skip(reason) => self.record(step, Verdict::Skipped, reason),
            Readiness::Blocked(reason) => self.record(step, Verdict::NotStarted, reason),
            Readiness::Ready => self.decide_when(step)?,
        }
        Ok(())
    }

    /// Evaluates the step's `When` before anything else.
    fn decide_when(&mut self, step: StepIndex) -> Planned<()> {
        let Some(when) = &self.pipeline.step(step).when else {
            return self.decide_ready(step, Observed::new());
        };
        let (evaluation, observed) = self.conditions(step, &when.conditions)?;
        match evaluation {
            Err(why) => self.fail(step, FailureType::Condition, format!("`When`: {why}")),
            Ok(evaluation) if evaluation.holds => self.decide_ready(step, observed)?,
            Ok(evaluation) => self.decide_otherwise(step, when, &evaluation.because, observed)?,
        }
        Ok(())
    }

    fn decide_otherwise(
        &mut self,
        step: StepIndex,
        when: &When,
        because: &str,
        observed: Observed,
    ) -> Planned<()> {
        let reason = format!("`When` does not hold: {because}");
        let decision = match when.otherwise {
            Otherwise::Skip => Decision::new(step, Verdict::Skipped, reason),
            Otherwise::Reuse => self.reuse_baseline(step, &reason)?,
        };
        self.record_decision(Decision { observed, ..decision });
        Ok(())
    }

    /// Evaluates `conditions`, and returns the digests behind every `Changed` among them. Also
    /// behind those that the evaluation did not reach: a later execution compares with this one.
    fn conditions(
        &self,
        step: StepIndex,
        conditions: &[Condition],
    ) -> Planned<(Result<condition::Evaluation, String>, Observed)> {
        let resolver = self.resolver_of(step);
        let evaluation = answered(condition::all(conditions, &resolver));
        let mut observed = Planned::Ok(Observed::new());
        for condition in conditions {
            condition.observed(&mut |value, text| match resolver.content_digest(value) {
                Ok(digest) => {
                    if let Ok(observed) = &mut observed {
                        observed.insert(text.to_owned(), digest);
                    }
                }
                Err(Unresolved::Missing(pending)) => observed = Err(pending),
                Err(Unresolved::Absent(_)) => {}
            });
        }
        Ok((evaluation?, observed?))
    }

    /// Decides about a step whose turn has come and whose `When` holds.
    fn decide_ready(&mut self, index: StepIndex, observed: Observed) -> Planned<()> {
        let count = self.plan.commit.decisions.len();
        let step = self.pipeline.step(index);
        match &step.kind {
            StepKind::Condition { conditions } => self.decide_condition(index, conditions)?,
            StepKind::Fail { message } => {
                let text = match self.evaluate(index, message)? {
                    Ok(Value::String(text)) | Err(text) => text,
                    Ok(other) => other.to_string(),
                };
                self.fail(index, FailureType::FailStep, text);
            }
            StepKind::Lambda(lambda) => self.decide_lambda(index, lambda, step.cache.as_ref())?,
            StepKind::Callback(callback) => self.decide_callback(index, callback)?,
            StepKind::Job(job) => self.decide_job(index, job, step.cache.as_ref())?,
        }
        if let Some(decision) = self.plan.commit.decisions.get_mut(count) {
            decision.observed.extend(observed);
        }
        Ok(())
    }

    fn decide_condition(&mut self, step: StepIndex, conditions: &[Condition]) -> Planned<()> {
        let (evaluation, observed) = self.conditions(step, conditions)?;
        match evaluation {
            Ok(evaluation) => {
                let verdict = Verdict::Condition(evaluation.holds);
                let decision = Decision::new(step, verdict, evaluation.because);
                self.record_decision(Decision { observed, ..decision });
            }
            Err(why) => self.fail(step, FailureType::Condition, why),
        }
        Ok(())
    }

    fn decide_lambda(
        &mut self,
        step: StepIndex,
        lambda: &LambdaStep,
        cache: Option<&CacheConfig>,
    ) -> Planned<()> {
        if let Some(why) = self.start.left_out.get(&lambda.function_arn) {
            let reason = format!("function `{}` is left out: {why}", lambda.function_arn);
            self.record(step, Verdict::Skipped, reason);
            return Ok(());
        }
        let arguments = match self.evaluate(step, &lambda.arguments)? {
            Ok(arguments) => arguments,
            Err(why) => {
                self.fail(step, FailureType::Arguments, why);
                return Ok(());
            }
        };
        if !self.start.functions.contains_key(&lambda.function_arn) {
            let text = format!("function `{}` is not known", lambda.function_arn);
            self.fail(step, FailureType::UnknownFunction, text);
            return Ok(());
        }
        let asked = Asked { work: Work::Lambda(lambda), arguments: &arguments };
        match self.decide_cache(step, asked, cache)? {
            CacheDecision::Hit(hit, used) => self.hit(step, hit, used, "code and arguments"),
            CacheDecision::Wait => {}
            CacheDecision::Run { publish, reason } => {
                let (cache, inputs) = publish.unzip();
                let inputs = inputs.unwrap_or_default();
                let attempt = Attempt { cache, inputs, ..self.next_attempt(step, reason)? };
                self.claim(step, lambda, &arguments, attempt);
            }
        }
        Ok(())
    }

    /// Lets a cached result stand in: the step is `alike` in what its key holds.
    pub(crate) fn hit(&mut self, step: StepIndex, hit: Hit, used: Option<CacheKey>, alike: &str) {
        let reason = format!("same {alike} as in execution {}", hit.source.execution_id);
        self.plan.touch.extend(used);
        self.record(step, Verdict::CacheHit(hit), reason);
    }

    fn decide_callback(&mut self, step: StepIndex, callback: &CallbackStep) -> Planned<()> {
        match self.evaluate(step, &callback.arguments)? {
            Ok(arguments) => {
                let attempt = self.next_attempt(step, "a Callback step always asks".to_owned())?;
                self.claim_callback(step, callback, arguments, attempt);
            }
            Err(why) => self.fail(step, FailureType::Arguments, why),
        }
        Ok(())
    }

    /// Evaluates an expression of `step`. Returns in words why it can have no value.
    pub(crate) fn evaluate(
        &self,
        step: StepIndex,
        expression: &Expression,
    ) -> Planned<Result<Value, String>> {
        self.resolver_of(step).evaluate(expression)
    }
}
