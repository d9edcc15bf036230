//! The users' workload: they start executions, stop and resume them, and answer callbacks.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use sidestep_core::execution::ExecutionStatus;
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_core::parse::Format;
use sidestep_engine::control::Answer;
use sidestep_engine::engine::Engine;
use sidestep_engine::error::EngineError;
use sidestep_engine::memory::definitions::Definition;
use sidestep_engine::ports::executions::ExecutionStore;
use sidestep_engine::ports::objects::ObjectStore;
use sidestep_engine::ports::queues::QueueError;
use sidestep_engine::start::StartRequest;
use sidestep_engine::start::selection::{SelectionRequest, SourceRequest};
use sidestep_engine::sweep::Leases;

use super::function::{Report, report};
use super::handler::FUNCTION_SECONDS;
use super::pipeline::{FUNCTIONS, Model, QUEUE};
use super::world::World;

/// An execution that a user asked for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) id: ExecutionId,
    pub(crate) model: Model,
    /// The parameters `P` and `W`.
    pub(crate) parameters: [u64; 2],
}

/// How many executions users start, and what else they do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) executions: u64,
    /// True if they also stop, resume, select, edit and deploy.
    pub(crate) is_restless: bool,
}

/// Makes a version of a function live. A function that reports by manifest has a step SDK.
fn deploy(world: &World, function: usize, code: &str) {
    let name = format!("F{function}");
    match report(function) {
        Report::Manifest => world.functions.deploy_with_sdk(&name, code, FUNCTION_SECONDS),
        // One version gets the key `Sidestep` without the token, the other nothing but arguments.
        Report::Destination if code == "two" => {
            world.functions.deploy(&name, code, FUNCTION_SECONDS);
        }
        Report::Destination => world.functions.deploy_plain(&name, code, FUNCTION_SECONDS),
    }
}

/// Starts executions one after the other, sometimes before the previous one has ended.
pub(crate) async fn user(
    world: Arc<World>,
    mut model: Model,
    workload: Workload,
    asked: Arc<parking_lot::Mutex<Vec<Asked>>>,
) {
    let sim = world.sim.clone();
    for function in 0..FUNCTIONS {
        deploy(&world, function, "one");
    }
    for number in 0..workload.executions {
        if number > 0 && workload.is_restless {
            if sim.chance(300) {
                model.edit(&mut sim.state().rng);
            }
            if sim.chance(200) {
                let function = usize::try_from(sim.draw(0..FUNCTIONS as u64)).unwrap_or(0);
                let code = ["one", "two"][usize::try_from(sim.draw(0..2)).unwrap_or(0)];
                deploy(&world, function, code);
            }
            lose_an_artifact(&world).await;
        }
        let parameters = [sim.draw(0..4), sim.draw(0..4)];
        let request = request(&world, &model, parameters, number, workload);
        let Some(id) = start(&world, &model, parameters, request, &asked).await else { continue };
        if workload.is_restless && sim.chance(150) {
            let (world, id) = (Arc::clone(&world), id.clone());
            sim.spawn_new(async move { stop(&world, &id).await });
        }
        if workload.is_restless && sim.chance(200) {
            sim.sleep(sim.draw(1..5_000)).await;
        } else {
            wait(&world, &id).await;
        }
        while workload.is_restless && sim.chance(400) && wait(&world, &id).await.is_some() {
            resume(&world, &id).await;
        }
    }
}

fn request(
    world: &World,
    model: &Model,
    parameters: [u64; 2],
    number: u64,
    workload: Workload,
) -> StartRequest {
    let sim = &world.sim;
    let mut selection = SelectionRequest::default();
    if workload.is_restless && sim.chance(if number > 0 { 300 } else { 50 }) {
        let step =
            |sim: &super::executor::Sim| format!("S{}", sim.draw(0..model.steps.len() as u64));
        let forms = ["", "+", "..."];
        let form = forms[usize::try_from(sim.draw(0..2)).unwrap_or(0)];
        selection.select = (0..sim.draw(1..4)).map(|_| step(sim) + form).collect();
        if sim.chance(300) {
            let outputs = json!({ "n": 7 }).as_object().cloned().unwrap_or_default();
            selection.supply = BTreeMap::from([(step(sim), outputs)]);
        }
        if sim.chance(200) {
            selection.source = SourceRequest::None;
        }
    }
    if workload.is_restless && sim.chance(100) {
        selection.force = vec![format!("S{}", sim.draw(0..model.steps.len() as u64))];
    }
    StartRequest {
        pipeline_name: PipelineName::parse("p").expect("legal"),
        definition: Definition { text: model.definition(), format: Format::Json },
        parameters: [("P", parameters[0]), ("W", parameters[1])]
            .map(|(name, value)| (name.to_owned(), value.to_string()))
            .into(),
        use_cache: !workload.is_restless || !sim.chance(100),
        left_out: BTreeMap::new(),
        trigger: "a user".to_owned(),
        token: Some(format!("request {number}")),
        selection,
        max_parallel_execution_steps: sim
            .chance(150)
            .then(|| u32::try_from(sim.draw(1..4)).unwrap_or(1)),
    }
}

/// Asks with one token until there is an answer. However often it asks, there is one execution.
async fn start(
    world: &Arc<World>,
    model: &Model,
    parameters: [u64; 2],
    request: StartRequest,
    asked: &parking_lot::Mutex<Vec<Asked>>,
) -> Option<ExecutionId> {
    let mut id = None;
    for _ in 0..5 {
        let request = request.clone();
        let prepare = move |engine: Arc<Engine>| -> BoxFuture<'static, _> {
            Box::pin(async move { engine.prepare(request).await })
        };
        let prepared = match world.call(prepare).await {
            Some(Ok(prepared)) => prepared,
            Some(Err(EngineError::Start(_))) => {
                world.sim.trace(|| "  refused".to_owned());
                return id;
            }
            _ => {
                world.sim.sleep(1_000).await;
                continue;
            }
        };
        let own = prepared.start.execution_id.clone();
        if id.is_none() {
            let asked_for = Asked { id: own.clone(), model: model.clone(), parameters };
            asked.lock().push(asked_for);
        }
        id = Some(own);
        let begin = move |engine: Arc<Engine>| -> BoxFuture<'static, _> {
            Box::pin(async move { engine.begin(prepared).await })
        };
        if matches!(world.call(begin).await, Some(Ok(_))) {
            return id;
        }
        world.sim.sleep(1_000).await;
    }
    id
}

async fn status(world: &World, id: &ExecutionId) -> Option<ExecutionStatus> {
    world.table.head(id).await.ok().flatten().map(|head| head.status)
}

/// Waits an hour at most for the end. Returns `None` if the execution has not ended.
async fn wait(world: &World, id: &ExecutionId) -> Option<ExecutionStatus> {
    for _ in 0..720 {
        match status(world, id).await {
            Some(status) if status.is_over() => return Some(status),
            None => return None,
            _ => world.sim.sleep(5_000).await,
        }
    }
    None
}

async fn stop(world: &Arc<World>, id: &ExecutionId) {
    world.sim.sleep(world.sim.draw(1..20_000)).await;
    for _ in 0..3 {
        let id = id.clone();
        let stop = move |engine: Arc<Engine>| -> BoxFuture<'static, _> {
            Box::pin(async move { engine.stop(&id).await })
        };
        if matches!(world.call(stop).await, Some(Ok(_) | Err(EngineError::Request(_)))) {
            return;
        }
        world.sim.sleep(1_000).await;
    }
}

async fn resume(world: &Arc<World>, id: &ExecutionId) {
    for _ in 0..50 {
        let id = id.clone();
        let retry = move |engine: Arc<Engine>| -> BoxFuture<'static, _> {
            Box::pin(async move { engine.retry(&id).await })
        };
        let answer = world.call(retry).await;
        world.sim.sleep(1_000).await;
        match answer {
            Some(Ok(_) | Err(EngineError::Request(_))) => return,
            // The answer is lost, and this user does not ask again.
            None if world.sim.chance(700) => return,
            // After an error, the user asks again.
            _ => {}
        }
        world.sim.sleep(60_000).await;
    }
}

/// Takes a message of a callback step. A user answers it.
pub(crate) fn send(world: &World, queue_url: &str, body: &Value) -> Result<(), QueueError> {
    if queue_url != QUEUE {
        return Err(QueueError::NotFound { queue_url: queue_url.to_owned() });
    }
    if body["status"] == "Executing" {
        let token = body["token"].as_str().unwrap_or_default().to_owned();
        let number = body["arguments"]["question"].as_u64().unwrap_or_default();
        world.sim.spawn_new(answer(world.arc(), token, number));
    }
    Ok(())
}

/// Answers a callback after a while. The user stops if the engine refuses the answer.
async fn answer(world: Arc<World>, token: String, number: u64) {
    let sim = world.sim.clone();
    sim.sleep(if sim.chance(200) { sim.draw(1_000..900_000) } else { sim.draw(20..2_000) }).await;
    let is_success = number % 4 != 3;
    for _ in 0..200 {
        let (token, outputs): (_, Map<_, _>) =
            (token.clone(), json!({ "n": number }).as_object().cloned().unwrap_or_default());
        let answer = move |engine: Arc<Engine>| -> BoxFuture<'static, _> {
            let answer =
                if is_success { Answer::Success(outputs) } else { Answer::Failure("no".into()) };
            Box::pin(async move { engine.answer(&token, answer).await })
        };
        match world.call(answer).await {
            Some(Ok(_) | Err(EngineError::Request(_))) => return,
            _ => sim.sleep(60_000).await,
        }
    }
}

async fn lose_an_artifact(world: &World) {
    let chance = 20 * world.sim.state().faults.artifact_lost;
    let objects = world.objects.objects();
    let artifacts: Vec<_> = objects.keys().filter(|uri| uri.key().ends_with("/data")).collect();
    if artifacts.is_empty() || !world.sim.chance(chance) {
        return;
    }
    let position = usize::try_from(world.sim.draw(0..artifacts.len() as u64)).unwrap_or(0);
    let _ = world.objects.delete(artifacts[position]).await;
    world.note("artifact removed");
    world.notes().is_artifact_lost = true;
}

/// Sweeps each minute until all executions have ended.
pub(crate) async fn sweeper(world: Arc<World>, is_done: impl Fn() -> bool + Send + 'static) {
    loop {
        world.sim.sleep(60_000).await;
        if is_done() {
            return;
        }
        let sweep = move |engine: Arc<Engine>| -> BoxFuture<'static, _> {
            Box::pin(async move { engine.sweep(Leases::ByTime).await })
        };
        world.call(sweep).await;
    }
}
