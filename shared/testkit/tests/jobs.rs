//! Job steps through the engine: made, adopted, throttled, lost, stopped, deleted and repeated.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use sidestep_core::definition::StepIndex;
use sidestep_core::job::start::JobSettings;
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_core::parse::Format;
use sidestep_core::uri::S3Uri;
use sidestep_core::view::description::ExecutionDescription;
use sidestep_core::view::explain::Explanation;
use sidestep_engine::engine::Engine;
use sidestep_engine::handle::sqs_batch::Consumer;
use sidestep_engine::memory::definitions::Definition;
use sidestep_engine::options::EngineOptions;
use sidestep_engine::ports::objects::ObjectStore;
use sidestep_engine::ports::objects::memory::MemoryObjectStore;
use sidestep_engine::ports::{Deployment, Ports};
use sidestep_engine::start::StartRequest;
use sidestep_engine::start::selection::SelectionRequest;
use sidestep_engine::sweep::Leases;
use sidestep_testkit::memory::{
    Fault, ManualClock, MemoryBatches, MemoryCache, MemoryFunctions, MemoryJobs, MemoryQueues,
    MemoryTable, MemoryTriggers, Message,
};

/// A planner, a job function and the service of jobs. The planner has no port to the service.
struct World {
    planner: Engine,
    worker: Engine,
    jobs: Arc<MemoryJobs>,
    functions: Arc<MemoryFunctions>,
    queues: Arc<MemoryQueues>,
    objects: Arc<MemoryObjectStore>,
    clock: Arc<ManualClock>,
}

impl World {
    fn new() -> Self {
        let (jobs, functions) =
            (Arc::new(MemoryJobs::default()), Arc::new(MemoryFunctions::default()));
        let (queues, clock) =
            (Arc::new(MemoryQueues::default()), Arc::new(ManualClock::at(1_000_000)));
        let (objects, table) =
            (Arc::new(MemoryObjectStore::default()), Arc::new(MemoryTable::default()));
        let cache = Arc::new(MemoryCache::default());
        functions.deploy("job", "1", 60);
        let engine = || {
            let ports = Ports {
                executions: table.clone(),
                cache: cache.clone(),
                objects: objects.clone(),
                functions: functions.clone(),
                queues: queues.clone(),
                triggers: Arc::new(MemoryTriggers::default()),
                batches: Arc::new(MemoryBatches::default()),
                clock: clock.clone(),
            };
            let deployment = Deployment {
                artifact_bucket: "artifacts".to_owned(),
                region: "us-east-1".to_owned(),
                account_id: "000000000000".to_owned(),
            };
            let settings = JobSettings {
                function_arn: "job".to_owned(),
                role_arn: Some("arn:aws:iam::000000000000:role/r".to_owned()),
                pace_ms: 1_000,
            };
            let options = EngineOptions { jobs: Some(settings), ..EngineOptions::default() };
            Engine::new(deployment, ports, options)
        };
        let worker = engine().with_jobs(jobs.clone());
        Self { planner: engine(), worker, jobs, functions, queues, objects, clock }
    }

    async fn put(&self, uri: &str, text: &str) {
        let uri = S3Uri::parse(uri).unwrap();
        self.objects.delete(&uri).await.unwrap();
        self.objects.create(&uri, text.to_owned().into(), "text/plain").await.unwrap();
    }

    async fn start(&self, definition: &Value) -> ExecutionId {
        let request = StartRequest {
            pipeline_name: PipelineName::parse("p").unwrap(),
            definition: Definition { text: definition.to_string(), format: Format::Json },
            parameters: BTreeMap::new(),
            use_cache: true,
            left_out: BTreeMap::new(),
            trigger: "a test".to_owned(),
            token: None,
            selection: SelectionRequest::default(),
            max_parallel_execution_steps: None,
        };
        let prepared = self.planner.prepare(request).await.unwrap();
        self.planner.begin(prepared).await.unwrap()
    }

    /// Delivers invocations of the job function and messages of the queue until there are none.
    async fn deliver(&self) {
        loop {
            let invoked = self.functions.take();
            let sent = self.queues.take();
            if invoked.is_empty() && sent.is_empty() {
                return;
            }
            for invocation in invoked {
                self.worker.consume(Consumer::Job, invocation.payload).await.unwrap();
            }
            for message in sent {
                let Message::Wake { event, delay_ms } = message else { panic!("{message:?}") };
                self.clock.advance(delay_ms);
                self.planner.consume(Consumer::Planner, event).await.unwrap();
            }
        }
    }

    /// Ends a job and tells the job function by the service's event.
    async fn end(&self, name: &str, status: &str, members: Value) {
        self.jobs.end(name, status, &members);
        self.event(name).await;
    }

    async fn event(&self, name: &str) {
        let event = json!({"source": "aws.sagemaker", "detail": {"TrainingJobName": name}});
        self.worker.consume(Consumer::Job, event).await.unwrap();
        self.deliver().await;
    }

    async fn sweep(&self) {
        self.planner.sweep(Leases::ByTime).await.unwrap();
        self.deliver().await;
    }

    async fn described(&self, id: &ExecutionId) -> ExecutionDescription {
        self.planner.describe(id).await.unwrap()
    }

    async fn step(&self, id: &ExecutionId, name: &str) -> Value {
        let described = json!(self.described(id).await);
        let steps = described["Steps"].as_array().unwrap().clone();
        steps.into_iter().find(|step| step["StepName"] == name).unwrap()
    }

    /// Returns the name of the only job that is in progress.
    fn running(&self) -> String {
        let is_running = |name: &String| self.jobs.status(name).as_deref() == Some("InProgress");
        let running: Vec<_> = self.jobs.names().into_iter().filter(is_running).collect();
        assert_eq!(running.len(), 1, "{running:?}");
        running[0].clone()
    }
}

/// Returns a Processing step and a Training step that reads its output.
fn definition() -> Value {
    json!({"Version": "2020-12-01", "Steps": [
        {"Name": "Prepare", "Type": "Processing", "CacheConfig": {"Enabled": true}, "Arguments": {
            "AppSpecification": {"ImageUri": "img", "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/p.py"]},
            "ProcessingInputs": [{"InputName": "code", "S3Input": {"S3Uri": "s3://data/code/p.py"}}],
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": "train",
                "S3Output": {"S3Uri": {"Std:Join": {"On": "/", "Values": ["s3://data/out", {"Get": "Execution.PipelineExecutionId"}]}}}}]},
            "RoleArn": "arn:own"},
         "PropertyFiles": [{"PropertyFileName": "Report", "OutputName": "train", "FilePath": "report.json"}]},
        {"Name": "Train", "Type": "Training", "CacheConfig": {"Enabled": true}, "Arguments": {
            "AlgorithmSpecification": {"TrainingImage": "img"},
            "HyperParameters": {"max_depth": 5},
            "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix",
                "S3Uri": {"Get": "Steps.Prepare.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"}}}}],
            "OutputDataConfig": {"S3OutputPath": "s3://data/models"}}},
        {"Name": "Good", "Type": "Condition", "Arguments": {"Conditions": [{"Type": "Equals",
            "LeftValue": {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Prepare.PropertyFiles.Report"}, "Path": "rows"}},
            "RightValue": 3}]}, "DependsOn": ["Train"]}
    ]})
}

fn training(retries: &Value) -> Value {
    json!({"Version": "2020-12-01", "Steps": [{"Name": "Train", "Type": "Training",
        "RetryPolicies": retries,
        "Arguments": {"OutputDataConfig": {"S3OutputPath": "s3://data/models"}}}]})
}

/// Runs the definition of two jobs to its end.
async fn run(world: &World, definition: &Value) -> ExecutionId {
    let id = world.start(definition).await;
    world.deliver().await;
    if world
        .jobs
        .names()
        .iter()
        .any(|name| world.jobs.status(name).as_deref() == Some("InProgress"))
    {
        let name = world.running();
        if name.contains("Prepare") {
            world.put(&format!("s3://data/out/{id}/a.csv"), "rows").await;
            world.put(&format!("s3://data/out/{id}/report.json"), r#"{"rows": 3}"#).await;
            let event = json!({"detail": {"ProcessingJobName": name}});
            world.jobs.end(
                &name,
                "Completed",
                &json!({"ProcessingStartTime": 10.0, "ProcessingEndTime": 12.5}),
            );
            world.worker.consume(Consumer::Job, event).await.unwrap();
            world.deliver().await;
        }
    }
    if world
        .jobs
        .names()
        .iter()
        .any(|name| world.jobs.status(name).as_deref() == Some("InProgress"))
    {
        let name = world.running();
        let model = format!("s3://data/models/{name}/output/model.tar.gz");
        world.put(&model, "model").await;
        world.end(&name, "Completed", json!({"ModelArtifacts": {"S3ModelArtifacts": model}})).await;
    }
    id
}

#[tokio::test]
async fn a_job_runs_whole_and_an_equal_one_is_a_hit_as_long_as_its_outputs_are_as_it_left_them() {
    let world = World::new();
    world.put("s3://data/code/p.py", "1").await;
    let id = run(&world, &definition()).await;
    let described = world.described(&id).await;
    assert_eq!(described.pipeline_execution_status, "Succeeded", "{described:?}");
    let prepare = world.step(&id, "Prepare").await;
    assert_eq!(prepare["DurationMs"], 2_500);
    assert_eq!(world.step(&id, "Good").await["Outcome"], "True");
    let calls = world.jobs.take();
    let (operation, body) = &calls[0];
    assert_eq!(operation, "CreateProcessingJob");
    assert_eq!(body["RoleArn"], "arn:own");
    let name = body["ProcessingJobName"].as_str().unwrap();
    assert!(name.starts_with(&format!("pipelines-{id}-Prepare-")), "{name}");
    let arn =
        format!("arn:aws:sagemaker:us-east-1:000000000000:processing-job/{}", name.to_lowercase());
    assert_eq!(prepare["Metadata"], json!({"ProcessingJob": {"Arn": arn}}));
    let create = calls.iter().find(|(operation, _)| operation == "CreateTrainingJob").unwrap();
    assert_eq!(create.1["RoleArn"], "arn:aws:iam::000000000000:role/r");
    assert_eq!(create.1["HyperParameters"]["max_depth"], "5");
    let input = &create.1["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"];
    assert_eq!(*input, json!(format!("s3://data/out/{id}")));

    // The same work again calls for no job, although its outputs would lie elsewhere.
    let again = run(&world, &definition()).await;
    assert_eq!(world.jobs.take(), []);
    for step in ["Prepare", "Train"] {
        assert_eq!(world.step(&again, step).await["Decision"], "CacheHit", "{step}");
    }
    assert_eq!(
        world.step(&again, "Prepare").await["Metadata"],
        json!({"ProcessingJob": {"Arn": arn}})
    );

    // Code at another place is the same code.
    world.put("s3://data/code2/p.py", "1").await;
    let mut moved = definition();
    moved["Steps"][0]["Arguments"]["ProcessingInputs"][0]["S3Input"]["S3Uri"] =
        "s3://data/code2/p.py".into();
    let elsewhere = run(&world, &moved).await;
    assert_eq!(world.step(&elsewhere, "Prepare").await["Decision"], "CacheHit");

    // A model that is not as the job left it does not stand in.
    let model = create.1["TrainingJobName"].as_str().unwrap();
    world.put(&format!("s3://data/models/{model}/output/model.tar.gz"), "other").await;
    let third = run(&world, &definition()).await;
    assert_eq!(world.step(&third, "Prepare").await["Decision"], "CacheHit");
    let train = world.step(&third, "Train").await;
    assert_eq!(train["Decision"], "Run");
    let reason = train["Reason"].as_str().unwrap();
    assert!(reason.contains("of the cached result was overwritten"), "{reason}");

    // Other code runs, and is told by the file's name.
    world.put("s3://data/code/p.py", "2").await;
    let fourth = run(&world, &definition()).await;
    assert_eq!(world.step(&fourth, "Prepare").await["Decision"], "Run");
    let past = world.planner.earlier(&fourth).await.unwrap();
    let explained = world.planner.explain(&past, &[StepIndex(0)], None).await.unwrap();
    let because: Vec<_> = explained.iter().map(Explanation::because).collect();
    assert!(because[0].starts_with("p.py changed since"), "{because:?}");
    assert_eq!(world.step(&fourth, "Train").await["Decision"], "CacheHit", "its input is the same");
}

#[tokio::test]
async fn a_job_that_was_made_and_not_heard_of_is_adopted() {
    for fault in [Fault::AnswerLost, Fault::Lost] {
        let world = World::new();
        world.jobs.fault("CreateTrainingJob", fault);
        let id = world.start(&training(&json!([]))).await;
        world.deliver().await;
        assert_eq!(world.step(&id, "Train").await["AttemptCount"], 1);
        let name = world.running();
        world.end(&name, "Completed", json!({})).await;
        assert_eq!(world.described(&id).await.pipeline_execution_status, "Succeeded");
        assert_eq!(world.jobs.names().len(), 1);
    }
}

#[tokio::test]
async fn a_name_in_use_by_another_party_fails_the_step() {
    let world = World::new();
    let id = world.start(&training(&json!([]))).await;
    let invoked = world.functions.take();
    let mut request = invoked[0].payload["Job"]["Act"]["Create"].clone();
    request["OutputDataConfig"]["S3OutputPath"] = "s3://other/place".into();
    world.jobs.occupy("CreateTrainingJob", &request);
    world.worker.consume(Consumer::Job, invoked[0].payload.clone()).await.unwrap();
    let step = world.step(&id, "Train").await;
    assert_eq!(step["FailureType"], "Sidestep.JobRefused");
}

#[tokio::test]
async fn throttling_is_waiting_and_no_attempt() {
    let world = World::new();
    let throttle =
        Fault::Refused { status: 400, code: "ThrottlingException", message: "Rate exceeded" };
    for _ in 0..9 {
        world.jobs.fault("CreateTrainingJob", throttle.clone());
    }
    let id = world.start(&training(&json!([]))).await;
    world.deliver().await;
    let name = world.running();
    world.end(&name, "Completed", json!({})).await;
    assert_eq!(world.step(&id, "Train").await["StepStatus"], "Succeeded");
    assert_eq!(world.step(&id, "Train").await["AttemptCount"], 1);
}

#[tokio::test]
async fn create_calls_of_one_commit_keep_a_pace() {
    let world = World::new();
    let step = |number: u32| {
        json!({"Name": format!("T{number}"), "Type": "Training",
            "Arguments": {"OutputDataConfig": {"S3OutputPath": "s3://data/models"}}})
    };
    let steps: Vec<_> = (0..5).map(step).collect();
    world.start(&json!({"Version": "2020-12-01", "Steps": steps})).await;
    assert_eq!(world.functions.take().len(), 1);
    let delays = world.queues.take().into_iter().map(|message| match message {
        Message::Wake { delay_ms, .. } => delay_ms,
        Message::Callback { .. } => panic!("no callback"),
    });
    assert_eq!(delays.collect::<Vec<_>>(), [1_000, 2_000, 3_000, 4_000]);
}

#[tokio::test]
async fn a_failed_job_is_repeated_under_another_name_if_a_policy_names_its_type() {
    let policy = json!([{"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "IntervalSeconds": 1, "MaxAttempts": 2}]);
    let world = World::new();
    let id = world.start(&training(&policy)).await;
    world.deliver().await;
    let first = world.running();
    world
        .end(&first, "Failed", json!({"FailureReason": "CapacityError: Unable to provision"}))
        .await;
    let second = world.running();
    assert_ne!(first, second);
    world
        .end(&second, "Failed", json!({"FailureReason": "AlgorithmError: boom, exit code: 1"}))
        .await;
    let step = world.step(&id, "Train").await;
    assert_eq!(step["FailureReason"], "AlgorithmError: boom, exit code: 1");
    assert_eq!(step["AttemptCount"], 2);
}

#[tokio::test]
async fn a_refused_request_fails_the_step_in_the_words_of_sagemaker() {
    let world = World::new();
    let message = "The account-level service limit is 0 Instances";
    world.jobs.fault(
        "CreateTrainingJob",
        Fault::Refused { status: 400, code: "ResourceLimitExceeded", message },
    );
    let id = world.start(&training(&json!([]))).await;
    world.deliver().await;
    let step = world.step(&id, "Train").await;
    assert_eq!(step["FailureType"], "SageMaker.RESOURCE_LIMIT");
    let expected = format!(
        "ClientError: Failed to invoke sagemaker:CreateTrainingJob. Error Details: {message}"
    );
    assert_eq!(step["FailureReason"], expected);
}

#[tokio::test]
async fn what_no_event_tells_the_sweep_finds() {
    let world = World::new();
    let id = world.start(&training(&json!([]))).await;
    world.deliver().await;
    let name = world.running();
    world.sweep().await;
    assert_eq!(world.step(&id, "Train").await["StepStatus"], "Executing");
    world.jobs.end(&name, "Completed", &json!({}));
    world.sweep().await;
    assert_eq!(world.step(&id, "Train").await["StepStatus"], "Succeeded");
    // An event that comes late, and one about a job of another party, change nothing.
    world.event(&name).await;
    world.event("pipelines-abcdefghijkl-x-0123456789").await;
    assert_eq!(world.described(&id).await.pipeline_execution_status, "Succeeded");
}

#[tokio::test]
async fn a_call_that_was_lost_begins_a_new_attempt_once_its_time_is_over() {
    let world = World::new();
    let id = world.start(&training(&json!([]))).await;
    world.functions.take();
    world.sweep().await;
    assert_eq!(world.jobs.names(), Vec::<String>::new());
    world.clock.advance(301_000);
    world.sweep().await;
    let name = world.running();
    world.end(&name, "Completed", json!({})).await;
    let step = world.step(&id, "Train").await;
    assert_eq!((&step["StepStatus"], &step["AttemptCount"]), (&json!("Succeeded"), &json!(2)));
}

#[tokio::test]
async fn a_job_that_was_deleted_or_stopped_by_another_party_fails_the_step() {
    for (is_deleted, expected) in [(true, "Sidestep.JobDeleted"), (false, "Sidestep.JobStopped")] {
        let world = World::new();
        let id = world.start(&training(&json!([]))).await;
        world.deliver().await;
        let name = world.running();
        if is_deleted {
            world.jobs.delete(&name);
            world.sweep().await;
        } else {
            world.end(&name, "Stopped", json!({})).await;
        }
        let step = world.step(&id, "Train").await;
        assert_eq!(step["FailureType"], expected, "{step}");
    }
}

#[tokio::test]
async fn a_stop_stops_the_jobs_and_the_step_ends_with_its_job() {
    let world = World::new();
    let id = world.start(&training(&json!([]))).await;
    world.deliver().await;
    let name = world.running();
    world.planner.stop(&id).await.unwrap();
    world.deliver().await;
    assert_eq!(world.jobs.status(&name).as_deref(), Some("Stopping"));
    assert_eq!(world.step(&id, "Train").await["StepStatus"], "Stopping");
    world.end(&name, "Stopped", json!({})).await;
    let described = world.described(&id).await;
    assert_eq!(described.pipeline_execution_status, "Stopped");
    assert_eq!(world.step(&id, "Train").await["StepStatus"], "Stopped");
}

#[tokio::test]
async fn a_job_that_ends_while_its_execution_stops_has_succeeded() {
    let world = World::new();
    let id = world.start(&training(&json!([]))).await;
    world.deliver().await;
    let name = world.running();
    world.jobs.end(&name, "Completed", &json!({}));
    world.planner.stop(&id).await.unwrap();
    world.deliver().await;
    assert_eq!(world.step(&id, "Train").await["StepStatus"], "Succeeded");
}

#[tokio::test]
async fn a_job_that_was_not_made_yet_is_never_made_after_a_stop() {
    let world = World::new();
    let id = world.start(&training(&json!([]))).await;
    let create = world.functions.take();
    world.planner.stop(&id).await.unwrap();
    world.deliver().await;
    world.worker.consume(Consumer::Job, create[0].payload.clone()).await.unwrap();
    assert_eq!(world.jobs.names(), Vec::<String>::new());
    assert_eq!(world.described(&id).await.pipeline_execution_status, "Stopped");
}
