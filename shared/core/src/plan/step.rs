//! Decides about one step whose turn has come.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cache::key::KeyParts;
use crate::definition::condition::{self, Condition};
use crate::definition::expression::{Expression, Unresolved};
use crate::definition::extension::{Otherwise, When};
use crate::definition::{CacheConfig, CallbackStep, LambdaStep, StepIndex, StepKind};
use crate::execution::commit::{Decision, Verdict};
use crate::failure::FailureType;
use crate::plan::attempt::Attempt;
use crate::plan::draft::Draft;
use crate::plan::readiness::{Readiness, readiness};
use crate::plan::redact::secret_parameter;
use crate::plan::resolver::evaluate_all;

/// Digests of what stands behind `Changed` conditions, by the values' texts.
type Observed = BTreeMap<String, String>;

impl Draft<'_> {
    /// Decides about a waiting step, if its turn has come and all facts are there.
    pub(crate) fn decide(&mut self, index: StepIndex) {
        match readiness(self.pipeline, &self.states, self.fired, index) {
            Readiness::Wait => {}
            Readiness::Skip(reason) => self.push(index, Verdict::Skipped, reason),
            Readiness::Never(reason) => self.push(index, Verdict::NotStarted, reason),
            Readiness::Ready => self.decide_when(index),
        }
    }

    /// Asks the step's `When` first.
    fn decide_when(&mut self, index: StepIndex) {
        let Some(when) = &self.pipeline.step(index).when else {
            return self.decide_ready(index, Observed::new());
        };
        let Some((verdict, observed)) = self.conditions(index, &when.conditions) else { return };
        match verdict {
            Err(why) => self.fail(index, FailureType::Condition, format!("`When`: {why}")),
            Ok(verdict) if verdict.holds => self.decide_ready(index, observed),
            Ok(verdict) => self.decide_otherwise(index, when, &verdict.because, observed),
        }
    }

    fn decide_otherwise(
        &mut self,
        index: StepIndex,
        when: &When,
        because: &str,
        observed: Observed,
    ) {
        let reason = format!("`When` does not hold: {because}");
        let decision = match when.otherwise {
            Otherwise::Skip => Decision::new(index, Verdict::Skipped, reason),
            Otherwise::Reuse => match self.reuse_baseline(index, &reason) {
                Some(decision) => decision,
                None => return,
            },
        };
        self.push_decision(Decision { observed, ..decision });
    }

    /// Whether the conditions hold, and what stands behind each `Changed`. `None` while facts are missing.
    fn conditions(
        &mut self,
        index: StepIndex,
        conditions: &[Condition],
    ) -> Option<(Result<condition::Verdict, String>, Observed)> {
        let resolver = self.resolver_of(index);
        let mut needs = BTreeSet::new();
        let verdict = match condition::all(conditions, &resolver) {
            Ok(verdict) => Some(Ok(verdict)),
            Err(Unresolved::Absent(why)) => Some(Err(why)),
            Err(Unresolved::Missing(need)) => {
                needs.insert(need);
                None
            }
        };
        // Also of conditions that did not come to be asked: a later execution compares with this one.
        let mut observed = Observed::new();
        for condition in conditions {
            condition.observed(&mut |value, text| match resolver.content_digest(value) {
                Ok(digest) => drop(observed.insert(text.to_owned(), digest)),
                Err(Unresolved::Missing(need)) => drop(needs.insert(need)),
                Err(Unresolved::Absent(_)) => {}
            });
        }
        if !needs.is_empty() {
            self.need(needs);
            return None;
        }
        Some((verdict?, observed))
    }

    fn decide_ready(&mut self, index: StepIndex, observed: Observed) {
        let count = self.plan.commit.decisions.len();
        let step = self.pipeline.step(index);
        match &step.kind {
            StepKind::Condition { conditions } => {
                let Some((verdict, more)) = self.conditions(index, conditions) else { return };
                match verdict {
                    Ok(verdict) => {
                        let outcome = Verdict::Condition(verdict.holds);
                        let decision = Decision::new(index, outcome, verdict.because);
                        self.push_decision(Decision { observed: more, ..decision });
                    }
                    Err(why) => self.fail(index, FailureType::Condition, why),
                }
            }
            StepKind::Fail { message } => match self.evaluate(index, message) {
                Some(Ok(Value::String(text))) => self.fail(index, FailureType::FailStep, text),
                Some(Ok(other)) => self.fail(index, FailureType::FailStep, other.to_string()),
                Some(Err(why)) => self.fail(index, FailureType::FailStep, why),
                None => {}
            },
            StepKind::Lambda(lambda) => self.decide_lambda(index, lambda, step.cache.as_ref()),
            StepKind::Callback(callback) => self.decide_callback(index, callback),
            StepKind::Job { .. } => {
                // Refused before the start; this holds for executions that another version started.
                let text = format!("steps of type {} cannot run yet", step.step_type());
                self.fail(index, FailureType::UnsupportedStepType, text);
            }
        }
        if let Some(decision) = self.plan.commit.decisions.get_mut(count) {
            decision.observed.extend(observed);
        }
    }

    pub(crate) fn evaluate(
        &mut self,
        index: StepIndex,
        expression: &Expression,
    ) -> Option<Result<Value, String>> {
        let mut needs = BTreeSet::new();
        let value = evaluate_all(expression, &self.resolver_of(index), &mut needs);
        self.need(needs);
        value
    }

    fn decide_lambda(
        &mut self,
        index: StepIndex,
        lambda: &LambdaStep,
        cache: Option<&CacheConfig>,
    ) {
        if let Some(why) = self.start.left_out.get(&lambda.function_arn) {
            let reason = format!("function `{}` is left out: {why}", lambda.function_arn);
            return self.push(index, Verdict::Skipped, reason);
        }
        let arguments = match self.evaluate(index, &lambda.arguments) {
            None => return,
            Some(Ok(arguments)) => arguments,
            Some(Err(why)) => return self.fail(index, FailureType::Arguments, why),
        };
        if !self.start.functions.contains_key(&lambda.function_arn) {
            let text = format!("function `{}` is not known", lambda.function_arn);
            return self.fail(index, FailureType::UnknownFunction, text);
        }
        let Some((cache, reason)) = self.reuse_or_reason(index, lambda, cache, &arguments) else {
            return;
        };
        if let Some(attempt) = self.first(index, reason) {
            self.claim(index, lambda, &arguments, Attempt { cache, ..attempt });
        }
    }

    /// Takes a cached result if there is one; else the key to publish under, and why the step runs. `None`: decided, or facts are missing.
    fn reuse_or_reason(
        &mut self,
        index: StepIndex,
        lambda: &LambdaStep,
        cache: Option<&CacheConfig>,
        arguments: &Value,
    ) -> Option<(Option<KeyParts>, String)> {
        let Some(config) = cache else {
            return Some((None, "caching is off for this step".to_owned()));
        };
        if let Some(name) = secret_parameter(self.pipeline, index) {
            let reason = format!("not cached: its arguments hold the NoEcho parameter `{name}`");
            return Some((None, reason));
        }
        let parts = match self.key_parts(index, lambda, config, arguments)? {
            Ok(parts) => parts,
            Err(why) => return Some((None, format!("not cached: {why}"))),
        };
        if self.start.forced.contains(&index) {
            return Some((Some(parts), "forced".to_owned()));
        }
        if !self.start.use_cache {
            let reason = "cached results are not used in this execution".to_owned();
            return Some((Some(parts), reason));
        }
        match self.look_up(&parts, config)? {
            Ok(hit) => {
                let reason =
                    format!("same code and arguments as in execution {}", hit.source.execution_id);
                self.push(index, Verdict::CacheHit(hit), reason);
                None
            }
            Err(reason) => Some((Some(parts), reason)),
        }
    }

    fn decide_callback(&mut self, index: StepIndex, callback: &CallbackStep) {
        let arguments = match self.evaluate(index, &callback.arguments) {
            None => return,
            Some(Ok(arguments)) => arguments,
            Some(Err(why)) => return self.fail(index, FailureType::Arguments, why),
        };
        let reason = "a Callback step always asks".to_owned();
        if let Some(attempt) = self.first(index, reason) {
            self.claim_callback(index, callback, arguments, attempt);
        }
    }
}
