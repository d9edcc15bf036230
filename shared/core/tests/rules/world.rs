//! An execution in memory, which answers every need from its maps.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use sidestep_core::cache::key::{Content, listing_digest};
use sidestep_core::definition::parameter::resolve_parameters;
use sidestep_core::definition::{Pipeline, StepIndex, StepKind};
use sidestep_core::execution::commit::{CacheEntry, Commit, Decision, Failure, Verdict};
use sidestep_core::execution::manifest::Artifact;
use sidestep_core::execution::past::PastExecution;
use sidestep_core::execution::proof::{Proof, Token};
use sidestep_core::execution::start::{Function, STATE_VERSION, Selection, Start};
use sidestep_core::execution::token::Secret;
use sidestep_core::execution::trace::Trace;
use sidestep_core::execution::{Execution, ExecutionStatus, Phase};
use sidestep_core::job::content::landing;
use sidestep_core::job::start::{JobCall, JobSettings};
use sidestep_core::name::{ExecutionId, PipelineName, StepName};
use sidestep_core::parse::{Format, parse};
use sidestep_core::plan::facts::{Facts, Need};
use sidestep_core::plan::{CallbackRecord, Effect, Plan, Publication, plan};
use sidestep_core::plan::{Event, Report, ReportedResult};
use sidestep_core::uri::S3Uri;

/// An execution in memory: answers needs from its maps, and folds what is planned.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) pipeline: Pipeline,
    pub(crate) start: Start,
    pub(crate) execution: Execution,
    pub(crate) commits: Vec<Commit>,
    pub(crate) cache: BTreeMap<String, CacheEntry>,
    pub(crate) earlier: BTreeMap<ExecutionId, Arc<PastExecution>>,
    pub(crate) contents: BTreeMap<String, String>,
    /// What attempts read and wrote, by output prefix; if it is empty nothing is traced.
    pub(crate) traces: BTreeMap<S3Uri, Trace>,
    /// Messages to queues, calls of the planner, and what callback tokens stand for.
    pub(crate) sent: Vec<Value>,
    pub(crate) wakes: Vec<u64>,
    pub(crate) called: Vec<JobCall>,
    pub(crate) callbacks: BTreeMap<String, CallbackRecord>,
    pub(crate) now_ms: u64,
    pub(crate) invoked: Vec<(StepIndex, u32, Value)>,
}

impl World {
    pub(crate) fn new(steps: &str) -> Self {
        Self::with_id(steps, 1, "sha256:code")
    }

    pub(crate) fn with_id(steps: &str, id: u8, code: &str) -> Self {
        // A whole definition brings its own head.
        let head = "Version: '2020-12-01'\nCacheConfig: { Enabled: true }\n";
        let text = if steps.contains("\nSteps:\n") {
            format!("{head}{steps}")
        } else {
            format!("{head}Steps:\n{steps}")
        };
        let pipeline = parse(text.as_bytes(), Format::Yaml).expect("a definition").pipeline;
        let function = Function {
            invoke_arn: "f".to_owned(),
            code_digest: code.to_owned(),
            memory_mb: 128,
            timeout_seconds: 60,
            has_sdk: false,
            reads: Vec::new(),
            places: Vec::new(),
            is_plain: false,
        };
        let arns = pipeline.steps.iter().filter_map(|step| match &step.kind {
            StepKind::Lambda(lambda) => Some(lambda.function_arn.clone()),
            _ => None,
        });
        let functions = arns.map(|arn| (arn, function.clone())).collect();
        let execution_id = ExecutionId::from_bytes([id; 16]);
        let start = Start {
            state_version: STATE_VERSION,
            output_prefix: S3Uri::new("artifacts", format!("runs/p/{execution_id}/")),
            execution_id,
            pipeline_name: PipelineName::parse("p").expect("legal"),
            definition_digest: String::new(),
            definition_format: Format::Yaml,
            parameters: resolve_parameters(&pipeline, &BTreeMap::new()).expect("defaults"),
            functions,
            left_out: BTreeMap::new(),
            jobs: Some(JobSettings {
                function_arn: "job".to_owned(),
                role_arn: None,
                pace_ms: 1_000,
            }),
            started_at_ms: 0,
            use_cache: true,
            selection: None,
            forced: std::collections::BTreeSet::new(),
            baseline: None,
            max_parallel_execution_steps: None,
            pipeline_arn: "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p".to_owned(),
            trigger: String::new(),
            uploaded: None,
            refused: None,
            secret: Secret::from_bytes([id; 32]),
        };
        let execution = Execution::new(pipeline.steps.len());
        Self {
            pipeline,
            start,
            execution,
            commits: Vec::new(),
            cache: BTreeMap::new(),
            earlier: BTreeMap::new(),
            contents: BTreeMap::new(),
            traces: BTreeMap::new(),
            sent: Vec::new(),
            wakes: Vec::new(),
            called: Vec::new(),
            callbacks: BTreeMap::new(),
            now_ms: 1_000,
            invoked: Vec::new(),
        }
    }

    /// Plans until no fact is missing.
    pub(crate) fn plan(&self, events: &[Event]) -> Plan {
        let is_traced = !self.traces.is_empty();
        let mut facts = Facts { now_ms: self.now_ms, is_traced, ..Facts::default() };
        loop {
            let plan = plan(&self.pipeline, &self.start, &self.execution, events, &facts);
            if plan.needs.is_empty() {
                return plan;
            }
            for need in plan.needs {
                match need {
                    Need::Commit(revision) => {
                        let commit = self.commits[revision as usize - 1].clone();
                        drop(facts.commits.insert(revision, commit));
                    }
                    Need::CacheEntry(key) => {
                        let entry = self.cache.get(key.as_str()).cloned();
                        drop(facts.cache.insert(key, entry));
                    }
                    Need::Content(uri) => {
                        let digest = self.contents.get(&uri.to_string()).cloned();
                        let content = digest.map_or(Content::Nothing, Content::Digest);
                        drop(facts.contents.insert(uri, Ok(content)));
                    }
                    Need::Object(uri) => {
                        let digest = self.contents.get(&uri.to_string()).cloned();
                        drop(facts.objects.insert(uri, Ok(digest)));
                    }
                    Need::Listing(uri) => {
                        let onwards = self.contents.range(uri.to_string()..);
                        let below: Vec<_> = onwards
                            .filter_map(|(other, digest)| {
                                Some((other.strip_prefix(&uri.to_string())?, digest.as_str()))
                            })
                            .collect();
                        let has_some = !below.is_empty();
                        let digest = has_some.then(|| listing_digest(&uri, below));
                        drop(facts.listings.insert(uri, Ok(digest)));
                    }
                    Need::Files(uri) => {
                        let begins = |(text, digest): (&String, &String)| {
                            let found = S3Uri::parse(text).ok().filter(|it| uri.covers(it))?;
                            Some((landing(&uri, found.key()).to_owned(), digest.clone()))
                        };
                        let files = self.contents.iter().filter_map(begins).collect();
                        drop(facts.files.insert(uri.clone(), Ok(files)));
                    }
                    Need::Trace(prefix) => {
                        let trace = self.traces.get(&prefix).cloned();
                        drop(facts.traces.insert(prefix, trace));
                    }
                    Need::PastExecution(id) => {
                        let earlier = self.earlier.get(&id).cloned();
                        drop(facts.earlier.insert(id, earlier));
                    }
                    Need::Document(uri) => {
                        drop(facts.documents.insert(uri, Err("none".to_owned())));
                    }
                }
            }
        }
    }

    /// Makes a plan, folds its commit in and performs its effects.
    pub(crate) fn advance(&mut self, events: &[Event]) -> Plan {
        let plan = self.plan(events);
        if !plan.commit.is_empty() {
            self.execution.apply(&plan.commit).expect("a plan follows from the state");
            self.commits.push(plan.commit.clone());
            for Publication { entry, .. } in &plan.publish {
                self.cache.insert(entry.key().to_string(), entry.clone());
            }
            for effect in &plan.effects {
                match effect {
                    Effect::InvokeStep { step, attempt_count, payload, .. } => {
                        self.invoked.push((*step, *attempt_count, payload.clone()));
                    }
                    Effect::SendCallback { body, .. } => self.sent.push(body.clone()),
                    Effect::CallJob { call, .. } => self.called.push(call.as_ref().clone()),
                    Effect::Wake { at_ms } => self.wakes.push(*at_ms),
                }
            }
            self.callbacks.extend(plan.callbacks.clone());
        }
        plan
    }

    pub(crate) fn index(&self, name: &str) -> StepIndex {
        self.pipeline
            .indexes()
            .find(|i| self.pipeline.step(*i).name.as_str() == name)
            .expect("a step")
    }

    pub(crate) fn report(&self, name: &str, result: ReportedResult) -> Event {
        let step = self.index(name);
        let last = self.invoked.iter().rev().find(|(index, ..)| *index == step);
        let attempt_count = last.expect("invoked").1;
        let is_claim = |commit: &&Commit| {
            commit.claim(step).is_some_and(|claim| claim.attempt_count == attempt_count)
        };
        let revision = self.commits.iter().find(is_claim).expect("claimed").revision;
        let id = &self.start.execution_id;
        let token = self.start.secret.token(id, step, attempt_count, revision);
        let (step, proof) = (self.pipeline.step(step).name.clone(), Proof::Token(Token(token)));
        Event::Reported(Report { step, attempt_count, proof, result })
    }

    /// Tells the planner that the attempt of a step is lost.
    pub(crate) fn lose(&mut self, name: &str) -> Plan {
        let step = StepName::parse(name).expect("legal");
        self.advance(&[Event::AttemptLost { step, last_attempt: 3 }])
    }

    pub(crate) fn succeed(&mut self, name: &str, outputs: Value) -> Plan {
        let event = self.report(name, succeeded(outputs, Vec::new()));
        self.advance(&[event])
    }

    /// Succeeds with one artifact of this content, and its URI as output `uri`.
    pub(crate) fn write(&mut self, name: &str, sha256: &str) -> Plan {
        let uri = self.start.output_prefix.join(&format!("{name}/1/data"));
        self.contents.insert(uri.to_string(), format!("sha256:{sha256}"));
        let artifact = Artifact { uri: uri.clone(), bytes: 1, sha256: sha256.to_owned() };
        let event = self.report(name, succeeded(json!({ "uri": uri }), vec![artifact]));
        self.advance(&[event])
    }

    pub(crate) fn fail(&mut self, name: &str) -> Plan {
        self.fail_with(name, "E")
    }

    pub(crate) fn fail_with(&mut self, name: &str, error_type: &str) -> Plan {
        let failure = Failure { error_type: error_type.to_owned(), message: "broke".to_owned() };
        let event = self.report(name, ReportedResult::Failed(failure));
        self.advance(&[event])
    }

    /// Answers the last callback message with its token.
    pub(crate) fn answer(&mut self, outputs: Value) -> Plan {
        let token = self.sent.last().expect("a message")["token"].as_str().expect("a token");
        let record = self.callbacks[token].clone();
        let CallbackRecord { step, attempt_count, revision, .. } = record;
        let token =
            self.start.secret.token(&self.start.execution_id, step, attempt_count, revision);
        let (step, result) =
            (self.pipeline.step(step).name.clone(), succeeded(outputs, Vec::new()));
        let proof = Proof::Token(Token(token));
        self.advance(&[Event::Reported(Report { step, attempt_count, proof, result })])
    }

    /// Lets time pass to the last call of the planner that was asked for.
    pub(crate) fn wake(&mut self) -> Plan {
        self.now_ms = *self.wakes.last().expect("asked for");
        self.advance(&[Event::Woken])
    }

    pub(crate) fn invoked(&self) -> Vec<String> {
        self.invoked.iter().map(|(i, ..)| self.pipeline.step(*i).name.to_string()).collect()
    }

    /// Returns the next execution of the same pipeline: new id, same cache and contents.
    pub(crate) fn again(&self, steps: &str, code: &str) -> World {
        let mut next =
            World::with_id(steps, 2 + u8::try_from(self.earlier.len()).expect("few"), code);
        next.cache = self.cache.clone();
        next.contents = self.contents.clone();
        next.earlier = self.earlier.clone();
        next.earlier.insert(self.start.execution_id.clone(), Arc::new(self.as_earlier()));
        next
    }

    pub(crate) fn as_earlier(&self) -> PastExecution {
        PastExecution::new(self.start.clone(), self.pipeline.clone(), self.commits.clone())
    }

    /// Selects steps by name, with `source` for the others.
    pub(crate) fn select(&mut self, names: &[&str], source: Option<&World>) {
        let selected = names.iter().map(|name| self.index(name)).collect();
        let source = source.map(|source| source.start.execution_id.clone());
        self.start.selection = Some(Selection { selected, source, ..Selection::default() });
    }

    /// Returns the payload of a step's last invocation.
    pub(crate) fn payload(&self, name: &str) -> &Value {
        let step = self.index(name);
        let last = self.invoked.iter().rev().find(|(index, ..)| *index == step);
        &last.expect("invoked").2
    }

    /// Lets every invoked step succeed, writing `content(step)` to an artifact of its own, until
    /// the execution is over.
    pub(crate) fn finish(&mut self, content: &dyn Fn(&str) -> String) {
        self.advance(&[]);
        while !self.execution.status.is_over() {
            let mut executing = self.pipeline.indexes();
            let next = executing.find(|i| self.execution.step(*i).phase == Phase::Executing);
            let name = self.pipeline.step(next.expect("something runs")).name.to_string();
            self.write(&name, &content(&name));
        }
        assert_eq!(self.execution.status, ExecutionStatus::Succeeded);
    }

    /// Returns the last decision about a step, and its reason.
    pub(crate) fn decided(&self, name: &str) -> (&'static str, String) {
        let decision = self.decision(name);
        (kind(&decision), decision.reason)
    }

    pub(crate) fn decision(&self, name: &str) -> Decision {
        let index = self.index(name);
        let found = self.commits.iter().rev().find_map(|commit| commit.decision(index));
        found.expect("decided").clone()
    }
}

pub(crate) fn succeeded(outputs: Value, artifacts: Vec<Artifact>) -> ReportedResult {
    let Value::Object(outputs) = outputs else { panic!("outputs are an object") };
    ReportedResult::Succeeded { outputs, artifacts, duration_ms: Some(5), manifest: None }
}

pub(crate) fn kind(decision: &Decision) -> &'static str {
    match decision.verdict {
        Verdict::Run(_) => "run",
        Verdict::CacheHit(_) => "hit",
        Verdict::Reused(_) => "reused",
        Verdict::NotSelected => "not selected",
        Verdict::Condition(true) => "true",
        Verdict::Condition(false) => "false",
        Verdict::Failed(_) => "failed",
        Verdict::Skipped => "skipped",
        Verdict::NotStarted => "not started",
        Verdict::Stopped { .. } => "stopped",
    }
}

pub(crate) fn decisions(world: &World, plan: &Plan) -> Vec<String> {
    let name = |decision: &Decision| world.pipeline.step(decision.step).name.to_string();
    plan.commit.decisions.iter().map(|d| format!("{} {}", name(d), kind(d))).collect()
}
