//! What a job's cache key compares: the members that SageMaker compares, with inputs to look up in
//! place of their URIs, and without what the SDKs write anew each time.

use serde_json::{Map, Value};

use crate::job::content::{View, input};
use crate::job::kind::JobType;
use crate::job::remote::{is_remote_function, remote_algorithm};
use crate::uri::S3Uri;

/// What stands for the job's own name.
const OWN_NAME: &str = "<job>";

/// Hyperparameters that the SDKs write and that change no result.
const UNCOMPARED_PARAMETERS: [&str; 1] = ["sagemaker_job_name"];
/// Variables that are new at every build, or name outputs.
const UNCOMPARED_VARIABLES: [&str; 2] = ["REMOTE_FUNCTION_SECRET_KEY", "SM_OUTPUT_NOTEBOOK_NAME"];
/// Members of compared ones that name outputs.
const OUTPUTS: [&str; 2] = ["DebugHookConfig", "DebugRuleConfigurations"];

/// Returns what the key compares of a job's typed arguments, or why the job cannot be cached.
/// `name` is the job's own, which stands in no key.
pub fn compared(kind: &JobType, arguments: &Value, name: &str) -> Result<Value, String> {
    let Value::Object(members) = arguments else { return Ok(Value::Null) };
    let is_remote = is_remote_function(members);
    let mut found = Map::new();
    for member in kind.compared {
        let Some(value) = members.get(*member) else { continue };
        let value = match *member {
            "ProcessingInputs" => each(value, processing_input)?,
            "InputDataConfig" => each(value, |channel| training_channel(channel, is_remote))?,
            "HyperParameters" => hyperparameters(value),
            "Environment" => without(value, &UNCOMPARED_VARIABLES),
            "AlgorithmSpecification" if is_remote => remote_algorithm(value)?,
            name if OUTPUTS.contains(&name) => without_outputs(value),
            _ => value.clone(),
        };
        found.insert((*member).to_owned(), unnamed(&value, name));
    }
    Ok(Value::Object(found))
}

fn each(list: &Value, read: impl Fn(&Value) -> Result<Value, String>) -> Result<Value, String> {
    match list {
        Value::Array(items) => items.iter().map(read).collect(),
        other => Ok(other.clone()),
    }
}

fn processing_input(given: &Value) -> Result<Value, String> {
    let name = given["InputName"].as_str().unwrap_or_default();
    if !given["S3Input"].is_object() {
        return Err(format!("input `{name}` does not come from S3"));
    }
    let mut kept = given.clone();
    kept["S3Input"] = source(&given["S3Input"], name, View::All)?;
    Ok(kept)
}

fn training_channel(channel: &Value, is_remote: bool) -> Result<Value, String> {
    let name = channel["ChannelName"].as_str().unwrap_or_default();
    let given = &channel["DataSource"]["S3DataSource"];
    if !given.is_object() {
        return Err(format!("channel `{name}` does not come from S3"));
    }
    let view = match name {
        "sm_drivers" => View::Drivers,
        "pre_exec_script_and_dependencies" if is_remote => View::Requirements,
        _ => View::All,
    };
    let mut kept = channel.clone();
    kept["DataSource"]["S3DataSource"] = source(given, name, view)?;
    // The channel of the author's folder has the time of the build for a name.
    let is_time = |name: &str| {
        name.len() == 23 && name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
    };
    if is_remote && is_time(name) {
        kept["ChannelName"] = "workspace".into();
    }
    Ok(kept)
}

/// Returns a source in S3 with the input in place of its URI.
fn source(given: &Value, name: &str, view: View) -> Result<Value, String> {
    let data_type = given["S3DataType"].as_str().unwrap_or("S3Prefix");
    if data_type != "S3Prefix" {
        return Err(format!("what `{data_type}` of input `{name}` lists is not looked at"));
    }
    let text = given["S3Uri"].as_str().unwrap_or_default();
    let uri = S3Uri::parse(text).map_err(|error| format!("input `{name}`: {error}"))?;
    let mut kept = given.clone();
    kept["S3Uri"] = input(&uri, view);
    Ok(kept)
}

fn hyperparameters(given: &Value) -> Value {
    let Value::Object(members) = without(given, &UNCOMPARED_PARAMETERS) else {
        return given.clone();
    };
    // The SDK's own job that packs a model anew holds the path on the author's machine.
    let is_repack =
        members.contains_key("inference_script") && members.contains_key("model_archive");
    let kept = members.into_iter().filter(|(name, _)| !(is_repack && name == "source_dir"));
    let member = |(name, value): (String, Value)| {
        let value = match (name.as_str(), plain_uri(&value)) {
            ("sagemaker_submit_directory", Some(uri)) => input(&uri, View::All),
            (_, Some(uri)) => Value::String(uri.to_string()),
            (_, None) => value,
        };
        (name, value)
    };
    Value::Object(kept.map(member).collect())
}

/// Returns the URI in a hyperparameter, which SDK 2 writes as JSON.
fn plain_uri(value: &Value) -> Option<S3Uri> {
    let text = value.as_str()?;
    let decoded = serde_json::from_str::<String>(text).ok();
    S3Uri::parse(decoded.as_deref().unwrap_or(text)).ok()
}

fn without(value: &Value, names: &[&str]) -> Value {
    let Value::Object(members) = value else { return value.clone() };
    let kept = members.iter().filter(|(name, _)| !names.contains(&name.as_str()));
    Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn without_outputs(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(without_outputs).collect(),
        other => without(other, &["S3OutputPath", "LocalPath"]),
    }
}

/// Returns the value with the job's own name taken out of every text.
fn unnamed(value: &Value, name: &str) -> Value {
    match value {
        Value::String(text) if !name.is_empty() && text.contains(name) => {
            Value::String(text.replace(name, OWN_NAME))
        }
        Value::Array(items) => items.iter().map(|item| unnamed(item, name)).collect(),
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.clone(), unnamed(value, name))).collect()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::definition::StepType;

    fn keys(step_type: StepType, arguments: &Value) -> Result<Value, String> {
        compared(&JobType::of(step_type).expect("a job"), arguments, "own-name")
    }

    fn channel(name: &str, uri: &str) -> Value {
        json!({"ChannelName": name, "DataSource": {"S3DataSource": {"S3Uri": uri}}})
    }

    /// Returns the arguments of a function of `@step` as one build writes them.
    fn remote(build: &str, execution: &str) -> Value {
        json!({"AlgorithmSpecification": {"TrainingImage": "img",
            "ContainerEntrypoint": ["/bin/bash",
                "/opt/ml/input/data/sagemaker_remote_function_bootstrap/job_driver.sh"],
            "ContainerArguments": ["--s3_base_uri", "s3://bucket/p", "--pipeline_step_name", "add",
                "--pipeline_execution_id", execution, "--func_step_s3_dir", build,
                "--property_references", "Execution.PipelineExecutionId", execution,
                "Parameters.N", "4", "--serialize_output_to_json", "true"]},
            "InputDataConfig": [],
            "OutputDataConfig": {"S3OutputPath": execution},
            "Environment": {"REMOTE_FUNCTION_SECRET_KEY": build, "A": "b"}})
    }

    #[test]
    fn what_is_new_at_each_build_or_names_outputs_is_not_compared() {
        let table = [
            (
                StepType::Training,
                json!({"HyperParameters": {"sagemaker_job_name": "a", "e": "1"}}),
                json!({"HyperParameters": {"sagemaker_job_name": "b", "e": "1"}}),
            ),
            (
                StepType::Training,
                json!({"OutputDataConfig": {"S3OutputPath": "s3://a/b"}}),
                json!({"OutputDataConfig": {"S3OutputPath": "s3://a/c"}}),
            ),
            (
                StepType::Training,
                json!({"DebugHookConfig": {"S3OutputPath": "s3://a/b"}}),
                json!({"DebugHookConfig": {"S3OutputPath": "s3://a/c"}}),
            ),
            (
                StepType::Training,
                json!({"HyperParameters": {"inference_script": "i", "model_archive": "m", "source_dir": "/me"}}),
                json!({"HyperParameters": {"inference_script": "i", "model_archive": "m", "source_dir": "/you"}}),
            ),
            (
                StepType::Processing,
                json!({"Environment": {"JOB": "x/own-name"}, "RoleArn": "a"}),
                json!({"Environment": {"JOB": "x/<job>"}, "RoleArn": "b"}),
            ),
        ];
        for (step_type, one, other) in table {
            assert_eq!(keys(step_type, &one), keys(step_type, &other), "{one}");
        }
        let one = keys(StepType::Training, &remote("1", "e")).expect("a key");
        let mut other = keys(StepType::Training, &remote("2", "f")).expect("a key");
        assert_ne!(one, other, "the function's place is looked up");
        let arguments =
            |value: &Value| value["AlgorithmSpecification"]["ContainerArguments"].clone();
        let function = |value: &Value| arguments(value)["Function"].clone();
        assert_eq!(function(&one)["\0input"], "s3://bucket/p/add/1/function/payload.pkl");
        for part in ["Function", "Arguments"] {
            other["AlgorithmSpecification"]["ContainerArguments"][part] =
                arguments(&one)[part].clone();
        }
        assert_eq!(one, other);
        assert_eq!(arguments(&one)["References"], json!({"Parameters.N": "4"}));
    }

    #[test]
    fn an_input_stands_for_what_it_holds() {
        let data = json!({"InputDataConfig": [channel("train", "s3://bucket/a"),
            channel("sm_drivers", "s3://bucket/d")]});
        let found = keys(StepType::Training, &data).expect("a key");
        let source =
            |at: usize| found["InputDataConfig"][at]["DataSource"]["S3DataSource"]["S3Uri"].clone();
        assert_eq!(source(0), json!({"\0input": "s3://bucket/a", "View": "All"}));
        assert_eq!(source(1), json!({"\0input": "s3://bucket/d", "View": "Drivers"}));
        let code =
            json!({"HyperParameters": {"sagemaker_submit_directory": "\"s3://bucket/c.tar.gz\""}});
        let found = keys(StepType::Training, &code).expect("a key");
        let directory = &found["HyperParameters"]["sagemaker_submit_directory"];
        assert_eq!(directory["\0input"], "s3://bucket/c.tar.gz");
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_cached() {
        let manifest = json!({"InputDataConfig": [{"ChannelName": "c", "DataSource":
            {"S3DataSource": {"S3DataType": "ManifestFile", "S3Uri": "s3://bucket/m"}}}]});
        let file_system = json!({"InputDataConfig": [{"ChannelName": "c", "DataSource":
            {"FileSystemDataSource": {}}}]});
        for arguments in [manifest, file_system] {
            assert!(keys(StepType::Training, &arguments).is_err(), "{arguments}");
        }
        let dataset = json!({"ProcessingInputs": [{"InputName": "i", "DatasetDefinition": {}}]});
        assert!(keys(StepType::Processing, &dataset).is_err());
    }
}
