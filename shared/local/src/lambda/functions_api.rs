//! The operations that change functions, over HTTP.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post, put};
use serde_json::{Value, json};
use sidestep_core::name::FunctionName;

use super::control::{Asked, Control, Record, Refusal};
use super::invocation::Function;
use super::reference::function_of;
use super::response::configuration;
use super::shared::Shared;
use crate::account::{ACCOUNT_ID, REGION};

/// The most bytes of a request, as at AWS: a zip of 50 MB in base64, and a little.
const BODY_BYTES: usize = 70_167_211;

type Host = State<Arc<Shared>>;

/// Returns the routes.
pub(super) fn router() -> Router<Arc<Shared>> {
    let function = "/2015-03-31/functions/{name}";
    let at = |rest: &str| format!("{function}/{rest}");
    Router::new()
        .route("/2015-03-31/functions", post(create))
        .route("/2015-03-31/functions/", post(create))
        .route(function, delete(remove))
        .route(&at("code"), put(update_code))
        .route(&at("configuration"), put(update_configuration))
        .route(&at("versions"), post(publish).get(versions))
        .route(&at("policy"), post(add_permission).get(get_policy))
        .route(&at("policy/{statement}"), delete(remove_permission))
        .route("/2017-03-31/tags/{arn}", get(list_tags))
}

async fn create(State(shared): Host, body: Body) -> Response {
    answered(StatusCode::CREATED, try_create(&shared, body).await)
}

async fn try_create(shared: &Arc<Shared>, body: Body) -> Result<Value, Refusal> {
    let (control, asked) = (control(shared)?, read(body).await?);
    asked.check_supported()?;
    let given = asked.function_name.as_deref().unwrap_or_default();
    let name = named(given)?;
    let _turn = control.turn.lock().await;
    if shared.scheduler.function_named(&name).is_some() {
        return Err(Refusal::Exists(name.to_string()));
    }
    let record = Record::create(name, &asked)?;
    let code = asked.code.as_ref().unwrap_or(&asked.own_code);
    let zip = control.zip(code).await?;
    put_function(shared, &control, record, Some(zip)).await
}

async fn update_code(State(shared): Host, Path(name): Path<String>, body: Body) -> Response {
    answered(StatusCode::OK, try_update_code(&shared, &name, body).await)
}

async fn try_update_code(shared: &Arc<Shared>, name: &str, body: Body) -> Result<Value, Refusal> {
    let (control, asked) = (control(shared)?, read(body).await?);
    asked.check_supported()?;
    let _turn = control.turn.lock().await;
    let record = made(shared, &control, name, &asked)?;
    let zip = control.zip(&asked.own_code).await?;
    if asked.dry_run {
        return describe(shared, &record.name);
    }
    put_function(shared, &control, record, Some(zip)).await
}

async fn update_configuration(
    State(shared): Host,
    Path(name): Path<String>,
    body: Body,
) -> Response {
    answered(StatusCode::OK, try_update_configuration(&shared, &name, body).await)
}

async fn try_update_configuration(
    shared: &Arc<Shared>,
    name: &str,
    body: Body,
) -> Result<Value, Refusal> {
    let (control, asked) = (control(shared)?, read(body).await?);
    asked.check_supported()?;
    let _turn = control.turn.lock().await;
    let mut record = made(shared, &control, name, &asked)?;
    record.update(&asked)?;
    put_function(shared, &control, record, None).await
}

async fn remove(State(shared): Host, Path(name): Path<String>) -> Response {
    let removed = async {
        let control = control(&shared)?;
        let _turn = control.turn.lock().await;
        let record = made(&shared, &control, &name, &Asked::default())?;
        control.forget(&record)?;
        shared.scheduler.unregister(&record.name);
        Ok::<_, Refusal>(())
    };
    match removed.await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refusal.response(),
    }
}

/// Publishes the newest code, which has a version already.
async fn publish(State(shared): Host, Path(name): Path<String>) -> Response {
    let published = named(&name).and_then(|name| {
        let document = describe(&shared, &name)?;
        Ok(qualified(document))
    });
    answered(StatusCode::CREATED, published)
}

async fn versions(State(shared): Host, Path(name): Path<String>) -> Response {
    let listed = named(&name).and_then(|name| {
        let mut newest = describe(&shared, &name)?;
        let version = qualified(newest.clone());
        newest["FunctionArn"] = json!(format!("{}:$LATEST", arn(&name)));
        newest["Version"] = json!("$LATEST");
        Ok(json!({ "Versions": [newest, version] }))
    });
    answered(StatusCode::OK, listed)
}

async fn add_permission(State(shared): Host, Path(name): Path<String>, body: Body) -> Response {
    let added = async {
        let control = control(&shared)?;
        let bytes = to_bytes(body, BODY_BYTES).await.map_err(|_| Refusal::TooLarge(BODY_BYTES))?;
        let asked: Value =
            serde_json::from_slice(&bytes).map_err(|error| Refusal::NotJson(error.to_string()))?;
        let _turn = control.turn.lock().await;
        let mut record = made(&shared, &control, &name, &Asked::default())?;
        let id = asked["StatementId"].as_str().unwrap_or_default().to_owned();
        let statement = json!({
            "Sid": id,
            "Effect": "Allow",
            "Principal": { "Service": asked["Principal"] },
            "Action": asked["Action"],
            "Resource": arn(&record.name),
        });
        if record.policy.insert(id.clone(), statement.clone()).is_some() {
            return Err(Refusal::StatementExists(id));
        }
        control.keep(record)?;
        Ok(json!({ "Statement": statement.to_string() }))
    };
    answered(StatusCode::CREATED, added.await)
}

async fn get_policy(State(shared): Host, Path(name): Path<String>) -> Response {
    let found = control(&shared).and_then(|control| {
        let record = made(&shared, &control, &name, &Asked::default())?;
        if record.policy.is_empty() {
            return Err(Refusal::NoStatement);
        }
        let statements: Vec<_> = record.policy.into_values().collect();
        let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements });
        Ok(json!({ "Policy": policy.to_string(), "RevisionId": record.revision_id }))
    });
    answered(StatusCode::OK, found)
}

async fn remove_permission(
    State(shared): Host,
    Path((name, statement)): Path<(String, String)>,
) -> Response {
    let removed = async {
        let control = control(&shared)?;
        let _turn = control.turn.lock().await;
        let mut record = made(&shared, &control, &name, &Asked::default())?;
        record.policy.remove(&statement).ok_or(Refusal::NoStatement)?;
        control.keep(record)
    };
    match removed.await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refusal.response(),
    }
}

async fn list_tags(State(shared): Host, Path(name): Path<String>) -> Response {
    let found = control(&shared).and_then(|control| {
        let record = made(&shared, &control, &name, &Asked::default())?;
        Ok(json!({ "Tags": record.tags }))
    });
    answered(StatusCode::OK, found)
}

/// Registers a function with new settings or code.
async fn put_function(
    shared: &Arc<Shared>,
    control: &Arc<Control>,
    record: Record,
    zip: Option<Vec<u8>>,
) -> Result<Value, Refusal> {
    let (name, worker) = (record.name.clone(), Arc::clone(control));
    // Packages of a runtime may have to be installed.
    let work = move || worker.put(record, zip.as_deref());
    let made = tokio::task::spawn_blocking(work).await;
    let function = made.unwrap_or_else(|error| Err(Refusal::Service(error.to_string())))?;
    shared.register(function).map_err(|error| Refusal::InvalidParameter(error.to_string()))?;
    describe(shared, &name)
}

/// Returns a function that was made through the API; those of the project are changed there.
fn made(shared: &Shared, control: &Control, given: &str, asked: &Asked) -> Result<Record, Refusal> {
    let name = named(given)?;
    let Some(record) = control.record(&name) else {
        return Err(match shared.scheduler.function_named(&name) {
            Some(_) => Refusal::InvalidParameter(format!(
                "Function {name} is of the project: change it in `sidestep.toml` and its files."
            )),
            None => Refusal::NotFound(arn(&name)),
        });
    };
    match &asked.revision_id {
        Some(revision) if *revision != record.revision_id => Err(Refusal::Revision),
        _ => Ok(record),
    }
}

fn control(shared: &Shared) -> Result<Arc<Control>, Refusal> {
    let text = "functions are made while `sidestep up` or `sidestep serve` runs";
    shared.control.get().cloned().ok_or_else(|| Refusal::Service(text.to_owned()))
}

async fn read(body: Body) -> Result<Asked, Refusal> {
    let bytes = to_bytes(body, BODY_BYTES).await.map_err(|_| Refusal::TooLarge(BODY_BYTES))?;
    Asked::parse(&bytes)
}

/// Parses a function's name or ARN.
fn named(given: &str) -> Result<FunctionName, Refusal> {
    let named = function_of(given).map(|named| named.name);
    named.ok_or_else(|| {
        Refusal::Validation(format!(
            "1 validation error detected: Value '{given}' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{{2}}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{{1}}:)?(\\d{{12}}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?"
        ))
    })
}

fn describe(shared: &Shared, name: &FunctionName) -> Result<Value, Refusal> {
    let found = shared.scheduler.function_named(name);
    let function = found.ok_or_else(|| Refusal::NotFound(arn(name)))?;
    Ok(described(shared, &function))
}

/// Describes a function with what only the API knows of it.
pub(super) fn described(shared: &Shared, function: &Function) -> Value {
    let mut document = configuration(function);
    if let Some(control) = shared.control.get() {
        control.describe(&function.config.name, &mut document);
    }
    document
}

/// Describes a function by its version.
fn qualified(mut document: Value) -> Value {
    let version = document["Version"].as_str().unwrap_or_default().to_owned();
    let arn = document["FunctionArn"].as_str().unwrap_or_default();
    document["FunctionArn"] = json!(format!("{arn}:{version}"));
    document
}

fn arn(name: &FunctionName) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{name}")
}

fn answered(status: StatusCode, result: Result<Value, Refusal>) -> Response {
    match result {
        Ok(document) => {
            let request_id = uuid::Uuid::new_v4().to_string();
            (status, [("x-amzn-requestid", request_id)], axum::Json(document)).into_response()
        }
        Err(refusal) => refusal.response(),
    }
}
