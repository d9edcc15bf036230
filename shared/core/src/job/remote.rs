//! Functions of the SDK's `@step`, which run as training jobs.
//!
//! The function and what it is called with are pickles in S3. The job's arguments name their place
//! in parts, and the time of the build is one of them.

use serde_json::{Map, Value, json};

use crate::job::content::{View, input};
use crate::uri::S3Uri;

/// Returns true for the request or answer of a Training step that is a Python function of the
/// SDK's `@step`.
pub(super) fn is_remote_function(members: &Map<String, Value>) -> bool {
    let entry = members.get("AlgorithmSpecification").and_then(|it| it.get("ContainerEntrypoint"));
    let mut parts = entry.and_then(Value::as_array).into_iter().flatten();
    parts.any(|part| {
        part.as_str().is_some_and(|part| {
            part.ends_with("/sagemaker_remote_function_bootstrap/job_driver.sh")
        })
    })
}

/// Returns a function of `@step` by its content: what it is called with stands in S3, at a place
/// that its arguments name in parts.
pub(super) fn remote_algorithm(given: &Value) -> Result<Value, String> {
    let arguments = given["ContainerArguments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let texts: Vec<_> = arguments.iter().map(|item| item.as_str().unwrap_or_default()).collect();
    let (mut flags, mut references) = (Map::new(), Map::new());
    let mut at = 0;
    while let Some(flag) = texts.get(at) {
        let next = texts[at + 1..].iter().position(|text| text.starts_with("--"));
        let end = next.map_or(texts.len(), |length| at + 1 + length);
        let values = &texts[at + 1..end];
        if *flag == "--property_references" {
            for pair in values.chunks(2) {
                let value = pair.get(1).copied().unwrap_or_default();
                references.extend(reference(pair[0], value));
            }
        } else {
            flags.insert((*flag).to_owned(), values.join(" ").into());
        }
        at = end;
    }
    let mut taken = |name: &str| match flags.remove(name) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    let (base, step, build) =
        (taken("--s3_base_uri"), taken("--pipeline_step_name"), taken("--func_step_s3_dir"));
    taken("--pipeline_execution_id");
    let base = S3Uri::parse(&base).map_err(|error| format!("the function's place: {error}"))?;
    let payload =
        |part: &str| input(&base.join(&format!("{step}/{build}/{part}/payload.pkl")), View::All);
    if let Some(Value::String(settings)) = flags.get_mut("--dependency_settings")
        && settings.contains("sagemaker_requirements_")
    {
        "requirements.txt".clone_into(settings);
    }
    let mut kept = given.clone();
    kept["ContainerArguments"] = json!({
        "Function": payload("function"),
        "Arguments": payload("arguments"),
        "References": references,
        "Flags": flags,
    });
    Ok(kept)
}

/// Returns what a function gets of an expression: the result of another step by its content, and
/// nothing of what is new in each execution.
fn reference(name: &str, value: &str) -> Option<(String, Value)> {
    let is_result = name.starts_with("Steps.") && name.ends_with(".OutputDataConfig.S3OutputPath");
    let value = match S3Uri::parse(value).ok().filter(|_| is_result) {
        Some(uri) => input(&uri.join("payload.pkl"), View::All),
        None => Value::from(value),
    };
    let is_volatile = ["Execution.PipelineExecutionId", "Execution.PipelineExecutionArn"];
    (!is_volatile.contains(&name)).then(|| (name.to_owned(), value))
}
