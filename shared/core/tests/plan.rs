//! The planner's rules, on definitions in YAML: events and facts in, commits and effects out.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sidestep_core::cache_key::Content;
use sidestep_core::commit::{CacheEntry, Commit, Decision, Failure, Verdict};
use sidestep_core::definition::{Pipeline, StepIndex};
use sidestep_core::execution::{Execution, ExecutionStatus};
use sidestep_core::facts::{Facts, Need};
use sidestep_core::manifest::Artifact;
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_core::plan::{Effect, Plan, plan};
use sidestep_core::reader::{Format, parse};
use sidestep_core::report::{Event, Report, ReportedResult};
use sidestep_core::start::{Function, STATE_VERSION, Start};
use sidestep_core::token::Secret;
use sidestep_core::uri::S3Uri;

/// An execution in memory: answers needs from its maps, and folds what is planned.
struct World {
    pipeline: Pipeline,
    start: Start,
    execution: Execution,
    commits: Vec<Commit>,
    cache: BTreeMap<String, CacheEntry>,
    contents: BTreeMap<String, String>,
    invoked: Vec<(StepIndex, u32, Value)>,
}

impl World {
    fn new(steps: &str) -> Self {
        Self::with_id(steps, 1, "sha256:code")
    }

    fn with_id(steps: &str, id: u8, code: &str) -> Self {
        let text =
            format!("Version: '2020-12-01'\nCacheConfig: {{ Enabled: true }}\nSteps:\n{steps}");
        let pipeline = parse(text.as_bytes(), Format::Yaml).expect("a definition").pipeline;
        let function = Function {
            invoke_arn: "f".to_owned(),
            code_digest: code.to_owned(),
            memory_mb: 128,
            timeout_seconds: 60,
        };
        let execution_id = ExecutionId::from_bytes([id; 16]);
        let start = Start {
            state_version: STATE_VERSION,
            output_prefix: S3Uri::new("artifacts", format!("runs/p/{execution_id}/")),
            execution_id,
            pipeline_name: PipelineName::parse("p").expect("legal"),
            definition_digest: String::new(),
            definition_format: Format::Yaml,
            parameters: BTreeMap::new(),
            functions: BTreeMap::from([("f".to_owned(), function)]),
            left_out: BTreeMap::new(),
            started_at_ms: 0,
            use_cache: true,
            pipeline_arn: "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p".to_owned(),
            trigger: String::new(),
            secret: Secret::from_bytes([id; 32]),
        };
        let execution = Execution::new(pipeline.steps.len());
        Self {
            pipeline,
            start,
            execution,
            commits: Vec::new(),
            cache: BTreeMap::new(),
            contents: BTreeMap::new(),
            invoked: Vec::new(),
        }
    }

    /// Plans until no fact is missing.
    fn plan(&self, events: &[Event]) -> Plan {
        let mut facts = Facts { now_ms: 1_000, ..Facts::default() };
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
                        let content = self.contents.get(&uri.to_string()).cloned();
                        let content = content.map_or(Content::Nothing, Content::Digest);
                        drop(facts.contents.insert(uri, Ok(content)));
                    }
                    Need::Document(uri) => {
                        drop(facts.documents.insert(uri, Err("none".to_owned())));
                    }
                }
            }
        }
    }

    /// Plans, folds and performs.
    fn advance(&mut self, events: &[Event]) -> Plan {
        let plan = self.plan(events);
        if !plan.commit.is_empty() {
            self.execution.apply(&plan.commit).expect("a plan follows from the state");
            self.commits.push(plan.commit.clone());
            for entry in &plan.publish {
                self.cache.insert(entry.key().to_string(), entry.clone());
            }
            for Effect::InvokeStep { step, attempt_count, payload, .. } in &plan.effects {
                self.invoked.push((*step, *attempt_count, payload.clone()));
            }
        }
        plan
    }

    fn index(&self, name: &str) -> StepIndex {
        self.pipeline
            .indexes()
            .find(|i| self.pipeline.step(*i).name.as_str() == name)
            .expect("a step")
    }

    fn report(&self, name: &str, result: ReportedResult) -> Event {
        let step = self.index(name);
        let (_, attempt_count, payload) =
            self.invoked.iter().rev().find(|(index, ..)| *index == step).expect("invoked");
        let token = payload["Sidestep"]["Token"].as_str().expect("a token").to_owned();
        Event::Reported(Report { step, attempt_count: *attempt_count, token, result })
    }

    fn succeed(&mut self, name: &str, outputs: Value) -> Plan {
        let event = self.report(name, succeeded(outputs, Vec::new()));
        self.advance(&[event])
    }

    /// Succeeds with one artifact of this content, and its URI as output `uri`.
    fn write(&mut self, name: &str, sha256: &str) -> Plan {
        let uri = self.start.output_prefix.join(&format!("{name}/1/data"));
        self.contents.insert(uri.to_string(), format!("sha256:{sha256}"));
        let artifact = Artifact { uri: uri.clone(), bytes: 1, sha256: sha256.to_owned() };
        let event = self.report(name, succeeded(json!({ "uri": uri }), vec![artifact]));
        self.advance(&[event])
    }

    fn fail(&mut self, name: &str) -> Plan {
        let failure = Failure { error_type: "E".to_owned(), message: "broke".to_owned() };
        let event = self.report(name, ReportedResult::Failed(failure));
        self.advance(&[event])
    }

    fn invoked(&self) -> Vec<String> {
        self.invoked.iter().map(|(i, ..)| self.pipeline.step(*i).name.to_string()).collect()
    }

    /// The next execution of the same pipeline: new id, same cache and contents.
    fn again(&self, steps: &str, code: &str) -> World {
        let mut next = World::with_id(steps, 2, code);
        next.cache = self.cache.clone();
        next.contents = self.contents.clone();
        next
    }
}

fn succeeded(outputs: Value, artifacts: Vec<Artifact>) -> ReportedResult {
    let Value::Object(outputs) = outputs else { panic!("outputs are an object") };
    ReportedResult::Succeeded { outputs, artifacts, duration_ms: Some(5), manifest: None }
}

fn kind(decision: &Decision) -> &'static str {
    match decision.verdict {
        Verdict::Run(_) => "run",
        Verdict::CacheHit(_) => "hit",
        Verdict::Condition(true) => "true",
        Verdict::Condition(false) => "false",
        Verdict::Failed(_) => "failed",
        Verdict::Skipped => "skipped",
        Verdict::NotStarted => "not started",
    }
}

fn decisions(world: &World, plan: &Plan) -> Vec<String> {
    let name = |decision: &Decision| world.pipeline.step(decision.step).name.to_string();
    plan.commit.decisions.iter().map(|d| format!("{} {}", name(d), kind(d))).collect()
}

const CHAIN: &str = "
  - { Name: A, Type: Lambda, FunctionArn: f, Arguments: { k: 1 }, OutputParameters: [{ OutputName: uri, OutputType: String }] }
  - { Name: B, Type: Lambda, FunctionArn: f, Arguments: { in: { Get: \"Steps.A.OutputParameters['uri']\" } }, OutputParameters: [{ OutputName: uri, OutputType: String }] }
  - { Name: C, Type: Lambda, FunctionArn: f, Arguments: { in: { Get: \"Steps.B.OutputParameters['uri']\" } } }
";

const DIAMOND: &str = "
  - { Name: A, Type: Lambda, FunctionArn: f, Arguments: { k: 1 } }
  - { Name: B, Type: Lambda, FunctionArn: f, Arguments: { k: 2 }, DependsOn: [A] }
  - { Name: C, Type: Lambda, FunctionArn: f, Arguments: { k: 3 }, DependsOn: [A] }
  - { Name: D, Type: Lambda, FunctionArn: f, Arguments: { k: 4 }, DependsOn: [B, C] }
";

const GATE: &str = "
  - { Name: A, Type: Lambda, FunctionArn: f, Arguments: { k: 1 }, OutputParameters: [{ OutputName: n, OutputType: Integer }] }
  - Name: G
    Type: Condition
    Arguments:
      Conditions: [{ Type: GreaterThan, LeftValue: { Get: \"Steps.A.OutputParameters['n']\" }, RightValue: 5 }]
      IfSteps: [{ Name: Yes, Type: Lambda, FunctionArn: f, Arguments: { k: 2 } }]
      ElseSteps: [{ Name: No, Type: Fail, Arguments: { ErrorMessage: too small } }]
  - { Name: After, Type: Lambda, FunctionArn: f, Arguments: { k: 3 }, DependsOn: [Yes] }
";

fn run_chain(world: &mut World) {
    world.advance(&[]);
    world.write("A", "aa");
    world.write("B", "bb");
    world.succeed("C", json!({}));
    assert_eq!(world.execution.status, ExecutionStatus::Succeeded);
}

#[test]
fn nothing_runs_before_all_its_dependencies_succeeded() {
    let mut world = World::new(DIAMOND);
    world.advance(&[]);
    assert_eq!(world.invoked(), ["A"]);
    world.succeed("A", json!({}));
    assert_eq!(world.invoked(), ["A", "B", "C"]);
    world.succeed("B", json!({}));
    assert_eq!(world.invoked(), ["A", "B", "C"], "D waits for C too");
    world.succeed("C", json!({}));
    assert_eq!(world.invoked(), ["A", "B", "C", "D"]);
    world.succeed("D", json!({}));
    assert_eq!(world.execution.status, ExecutionStatus::Succeeded);
}

#[test]
fn a_second_run_with_nothing_changed_is_settled_in_one_commit_without_an_invocation() {
    let mut first = World::new(CHAIN);
    run_chain(&mut first);
    let mut second = first.again(CHAIN, "sha256:code");
    let plan = second.advance(&[]);
    assert_eq!(decisions(&second, &plan), ["A hit", "B hit", "C hit"]);
    assert_eq!(second.invoked(), [""; 0]);
    assert_eq!((second.execution.status, second.commits.len()), (ExecutionStatus::Succeeded, 1));
}

#[test]
fn a_step_that_runs_again_to_the_same_content_does_not_wake_its_successors() {
    let mut first = World::new(CHAIN);
    run_chain(&mut first);
    // Another argument of A, so A runs; it writes the same bytes to another place.
    let changed = CHAIN.replace("k: 1", "k: 2");
    let mut second = first.again(&changed, "sha256:code");
    assert_eq!(decisions(&second, &second.plan(&[])), ["A run"]);
    second.advance(&[]);
    let plan = second.write("A", "aa");
    assert_eq!(decisions(&second, &plan), ["B hit", "C hit"]);
    assert_eq!(second.invoked(), ["A"]);
}

#[test]
fn other_content_or_other_code_runs_the_step() {
    let mut first = World::new(CHAIN);
    run_chain(&mut first);
    let changed = CHAIN.replace("k: 1", "k: 2");
    let mut second = first.again(&changed, "sha256:code");
    second.advance(&[]);
    assert_eq!(
        decisions(
            &second,
            &second.plan(&[second.report("A", succeeded(json!({"uri": "x"}), Vec::new()))])
        ),
        ["B run"]
    );
    let third = first.again(CHAIN, "sha256:other");
    assert_eq!(decisions(&third, &third.plan(&[])), ["A run"]);
}

#[test]
fn a_hit_whose_artifact_is_gone_or_overwritten_is_a_miss_that_says_so() {
    let mut first = World::new(CHAIN);
    run_chain(&mut first);
    let uri = first.start.output_prefix.join("A/1/data").to_string();
    let mut gone = first.again(CHAIN, "sha256:code");
    gone.contents.remove(&uri);
    let plan = gone.plan(&[]);
    assert_eq!(plan.commit.decisions[0].reason, format!("`{uri}` of the cached result is gone"));
    let mut other = first.again(CHAIN, "sha256:code");
    other.contents.insert(uri.clone(), "sha256:zz".to_owned());
    let plan = other.plan(&[]);
    assert_eq!(
        plan.commit.decisions[0].reason,
        format!("`{uri}` of the cached result was overwritten")
    );
}

#[test]
fn a_failure_is_never_cached_and_keeps_dependents_from_starting() {
    let mut world = World::new(DIAMOND);
    world.advance(&[]);
    world.succeed("A", json!({}));
    let cached = world.cache.len();
    world.fail("B");
    assert_eq!(world.cache.len(), cached);
    assert_eq!(world.execution.status, ExecutionStatus::Executing, "C is still running");
    let plan = world.succeed("C", json!({}));
    assert_eq!(decisions(&world, &plan), ["D not started"]);
    let reason = plan.commit.end.expect("over").failure_reason.expect("failed");
    assert_eq!(reason, "Step failure: One or multiple steps failed. `B`: broke");
}

#[test]
fn the_untaken_branch_and_what_only_it_reaches_is_skipped_with_the_reason() {
    let mut world = World::new(GATE);
    world.advance(&[]);
    let plan = world.succeed("A", json!({"n": "9"}));
    assert_eq!(decisions(&world, &plan), ["G true", "Yes run", "No skipped"]);
    assert_eq!(plan.commit.decisions[0].reason, "9 > 5 is true");
    let mut world = World::new(GATE);
    world.advance(&[]);
    let plan = world.succeed("A", json!({"n": 5}));
    let found = decisions(&world, &plan);
    assert!(
        found.contains(&"Yes skipped".to_owned()) && found.contains(&"No failed".to_owned()),
        "{found:?}"
    );
    let reason = plan.commit.end.expect("over").failure_reason.expect("failed");
    assert!(reason.ends_with("`No`: too small"), "{reason}");
}

#[test]
fn a_repeated_a_late_and_a_forged_report_change_nothing() {
    let mut world = World::new(DIAMOND);
    world.advance(&[]);
    let report = world.report("A", succeeded(json!({}), Vec::new()));
    let Event::Reported(mut forged) = report.clone() else { panic!("a report") };
    forged.token = "forged".to_owned();
    let plan = world.plan(&[Event::Reported(forged)]);
    assert!(plan.commit.is_empty() && plan.discarded.len() == 1, "{plan:?}");
    world.advance(std::slice::from_ref(&report));
    let plan = world.plan(&[report]);
    assert!(
        plan.commit.is_empty() && plan.effects.is_empty() && plan.discarded.len() == 1,
        "{plan:?}"
    );
}

#[test]
fn a_lost_attempt_begins_again_and_the_old_ones_report_no_longer_counts() {
    let mut world = World::new(DIAMOND);
    world.advance(&[]);
    let old = world.report("A", succeeded(json!({}), Vec::new()));
    let step = world.index("A");
    world.advance(&[Event::AttemptLost { step, last_attempt: 3 }]);
    assert_eq!(world.invoked.last().map(|(_, attempt, _)| *attempt), Some(2));
    assert!(world.plan(&[old]).commit.is_empty());
    world.advance(&[Event::AttemptLost { step, last_attempt: 3 }]);
    let plan = world.advance(&[Event::AttemptLost { step, last_attempt: 3 }]);
    assert!(plan.commit.end.expect("over").failure_reason.is_some());
}

#[test]
fn an_output_that_does_not_convert_fails_the_step() {
    let mut world = World::new(GATE);
    world.advance(&[]);
    let plan = world.succeed("A", json!({"n": 1.5}));
    let reason = plan.commit.end.expect("over").failure_reason.expect("failed");
    assert!(reason.contains("output `n`: 1.5 (Float) is not of type Integer"), "{reason}");
}

#[test]
fn a_large_output_goes_to_the_manifest_behind_a_pointer() {
    let mut world = World::new(DIAMOND);
    world.advance(&[]);
    let outputs = Map::from_iter([("text".to_owned(), json!("x".repeat(9_000)))]);
    let plan = world.plan(&[world.report("A", succeeded(Value::Object(outputs), Vec::new()))]);
    assert_eq!(plan.manifests.len(), 1);
    assert!(serde_json::to_vec(&plan.commit).expect("JSON").len() < 4_000);
}
