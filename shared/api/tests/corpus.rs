//! The definitions that the SageMaker SDKs 2 and 3 print: created, described, and started.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use sidestep_testkit::memory::Message;

use crate::server::{ROLE, Server};

/// Returns the files of a folder of fixtures, by name.
fn files(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(folder);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: &Path| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    let mut files: Vec<_> = entries.map(|path| read(&path)).collect();
    files.sort();
    files
}

/// Calls `visit` for each object of a document.
fn objects(value: &Value, visit: &mut dyn FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            visit(members);
            members.values().for_each(|member| objects(member, visit));
        }
        Value::Array(elements) => elements.iter().for_each(|element| objects(element, visit)),
        _ => {}
    }
}

/// Deploys every function and queue that a definition names. Returns an answer with a value for
/// each output that its steps declare, by name.
fn provide(server: &Server, definition: &Value) -> Value {
    let mut answer = json!({});
    objects(definition, &mut |object| {
        if let Some(arn) = object.get("FunctionArn").and_then(Value::as_str) {
            server.deploy(arn);
        }
        if let Some(url) = object.get("SqsQueueUrl").and_then(Value::as_str) {
            server.queues.create(url);
        }
        if let (Some(Value::String(name)), Some(output_type)) =
            (object.get("OutputName"), object.get("OutputType"))
        {
            answer[name] = match output_type.as_str().unwrap() {
                "Integer" => json!(3),
                "Float" => json!(0.5),
                "Boolean" => json!(true),
                _ => json!("text"),
            };
        }
    });
    answer
}

/// Returns a value for each parameter without a default.
fn parameters(definition: &Value) -> Vec<Value> {
    let declared = definition["Parameters"].as_array().unwrap().iter();
    let required = declared.filter(|parameter| parameter.get("DefaultValue").is_none());
    let value = |parameter: &Value| match parameter["Type"].as_str().unwrap() {
        "String" => "given",
        "Boolean" => "True",
        _ => "7",
    };
    required.map(|it| json!({ "Name": it["Name"], "Value": value(it) })).collect()
}

/// Answers functions and callbacks until nothing waits.
async fn finish(server: &Server, answer: &Value) {
    loop {
        let count = server.finish("Success", answer.clone()).await;
        let sent = server.queues.take();
        let waiting: Vec<_> = sent
            .iter()
            .filter_map(|message| match message {
                Message::Callback { body, .. } => Some(body["token"].clone()),
                Message::Wake { .. } => None,
            })
            .collect();
        for token in &waiting {
            let members = answer.as_object().unwrap().iter();
            let outputs = members.map(|(name, value)| {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                json!({ "Name": name, "Value": text })
            });
            let body =
                json!({ "CallbackToken": token, "OutputParameters": outputs.collect::<Vec<_>>() });
            server.ok("SendPipelineExecutionStepSuccess", body).await;
        }
        if count + waiting.len() == 0 {
            return;
        }
    }
}

/// Returns the end of a definition that it creates and starts, or why it does not start.
async fn outcome(name: &str, text: &str) -> String {
    let server = Server::new();
    let definition: Value = serde_json::from_str(text).unwrap();
    let body = json!({ "PipelineName": name, "RoleArn": ROLE, "PipelineDefinition": text,
        "ClientRequestToken": server.token() });
    server.ok("CreatePipeline", body).await;
    let described = server.ok("DescribePipeline", json!({ "PipelineName": name })).await;
    assert_eq!(described["PipelineDefinition"], text, "{name}: not byte for byte");
    let answer = provide(&server, &definition);
    let start = json!({ "PipelineName": name, "ClientRequestToken": server.token(),
        "PipelineParameters": parameters(&definition) });
    let (status, started) = server.ask("StartPipelineExecution", &start).await;
    if !status.is_success() {
        assert_eq!(started["__type"], "ValidationException", "{name}");
        let text = started["message"].as_str().unwrap();
        return text.split(" (steps of these types").next().unwrap().to_owned();
    }
    finish(&server, &answer).await;
    let arn = json!({ "PipelineExecutionArn": started["PipelineExecutionArn"] });
    let found = server.ok("DescribePipelineExecution", arn.clone()).await;
    let kept = server.ok("DescribePipelineDefinitionForExecution", arn).await;
    assert_eq!(kept["PipelineDefinition"], text, "{name}: the execution's definition");
    let why = found["FailureReason"].as_str().unwrap_or_default();
    format!("{} {why}", found["PipelineExecutionStatus"].as_str().unwrap()).trim().to_owned()
}

/// Returns what became of every definition of a folder, a line each.
async fn outcomes(folder: &str) -> String {
    let mut lines = String::new();
    for (name, text) in files(folder) {
        let _ = writeln!(lines, "{name}: {}", outcome(&name, &text).await);
    }
    lines
}

#[tokio::test]
async fn every_definition_of_sdk_2_is_kept_as_it_is_and_runs_or_is_refused_by_name() {
    insta::assert_snapshot!(outcomes("corpus").await);
}

#[tokio::test]
async fn every_definition_of_sdk_3_is_kept_as_it_is_and_runs_or_is_refused_by_name() {
    insta::assert_snapshot!(outcomes("corpus-v3").await);
}
