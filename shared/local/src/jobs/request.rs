//! Create requests: what is refused, beyond the shapes of the model.

use serde_json::Value;

use super::error::JobsError;
use super::images::ImageUse;
use super::kind::JobKind;

/// The only folder that the paths of a job may be in.
const ML: &str = "/opt/ml/";
/// The script of SDK 2's framework estimators.
pub(crate) const SCRIPT: &str = "sagemaker_program";

/// Takes the tags out of a create request.
pub(crate) fn take_tags(request: &mut Value) -> Result<Vec<(String, String)>, JobsError> {
    let tags = request.as_object_mut().and_then(|members| members.remove("Tags"));
    tags_of(tags.as_ref())
}

/// Reads a list of tags.
pub(crate) fn tags_of(tags: Option<&Value>) -> Result<Vec<(String, String)>, JobsError> {
    let text = |tag: &Value, name: &str| tag[name].as_str().unwrap_or_default().to_owned();
    let tags: Vec<_> = tags
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|tag| (text(tag, "Key"), text(tag, "Value")))
        .collect();
    match tags.iter().find(|(key, _)| key.starts_with("aws:")) {
        None => Ok(tags),
        Some((key, _)) => Err(JobsError::Validation(format!(
            "Tag key '{key}' is not valid: keys that begin with 'aws:' are reserved."
        ))),
    }
}

/// Refuses a request that no machine of SageMaker, or this one, can run.
pub(crate) fn check(kind: JobKind, request: &Value) -> Result<(), JobsError> {
    let problem = match kind {
        JobKind::Processing => processing(request),
        JobKind::Training => training(request),
    };
    problem.map_or(Ok(()), |problem| Err(JobsError::Validation(problem)))
}

fn processing(request: &Value) -> Option<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let inputs = list(&request["ProcessingInputs"]);
    let outputs = list(&request["ProcessingOutputConfig"]["Outputs"]);
    let names = |all: &[Value], name: &str| {
        all.iter().map(|one| one[name].as_str().unwrap_or_default().to_owned()).collect()
    };
    repeated("InputName", names(&inputs, "InputName"))
        .or_else(|| repeated("OutputName", names(&outputs, "OutputName")))
        .or_else(|| inputs.iter().find_map(processing_input))
        .or_else(|| outputs.iter().find_map(processing_output))
}

fn processing_input(input: &Value) -> Option<String> {
    let name = input["InputName"].as_str().unwrap_or_default();
    if input["DatasetDefinition"].is_object() {
        return Some(format!(
            "Input '{name}': a DatasetDefinition needs Athena or Redshift, which are not on this machine. Use an S3Input."
        ));
    }
    let s3 = &input["S3Input"];
    if !s3.is_object() {
        return Some(format!("Input '{name}' must have an S3Input."));
    }
    if s3["S3InputMode"] == "Pipe" {
        return Some(format!("Input '{name}': 'Pipe' mode is not on this machine. Use 'File'."));
    }
    below_ml(&format!("Input '{name}'"), s3["LocalPath"].as_str())
}

fn processing_output(output: &Value) -> Option<String> {
    let name = output["OutputName"].as_str().unwrap_or_default();
    if output["FeatureStoreOutput"].is_object() {
        return Some(format!(
            "Output '{name}': a FeatureStoreOutput needs the Feature Store, which is not on this machine."
        ));
    }
    if !output["S3Output"].is_object() {
        return Some(format!("Output '{name}' must have an S3Output."));
    }
    below_ml(&format!("Output '{name}'"), output["S3Output"]["LocalPath"].as_str())
}

/// Refuses a path outside of the folder that a job has.
fn below_ml(what: &str, path: Option<&str>) -> Option<String> {
    let path = path?;
    let is_below = path.starts_with(ML) && !path.split('/').any(|part| part == "..");
    (!is_below).then(|| format!("{what}: LocalPath '{path}' must be below '{ML}'."))
}

fn training(request: &Value) -> Option<String> {
    let channels: Vec<_> = request["InputDataConfig"].as_array().cloned().unwrap_or_default();
    let names = channels.iter().map(|one| one["ChannelName"].as_str().unwrap_or_default().into());
    if let Some(problem) = repeated("ChannelName", names.collect()) {
        return Some(problem);
    }
    if request["ServerlessJobConfig"].is_object() {
        return Some("A job with ServerlessJobConfig runs on AWS only.".to_owned());
    }
    let specification = &request["AlgorithmSpecification"];
    if specification["TrainingImage"].as_str().is_none() {
        return Some(
            "AlgorithmSpecification.TrainingImage is required: algorithms of the marketplace run on AWS only."
                .to_owned(),
        );
    }
    let mode = |channel: &Value| channel["InputMode"].as_str().map(str::to_owned);
    let pipe = channels.iter().find(|channel| mode(channel).as_deref() == Some("Pipe"));
    if let Some(channel) = pipe {
        let name = channel["ChannelName"].as_str().unwrap_or_default();
        return Some(format!("Channel '{name}': 'Pipe' mode is not on this machine. Use 'File'."));
    }
    if specification["TrainingInputMode"] == "Pipe" && channels.iter().any(|c| mode(c).is_none()) {
        return Some("'Pipe' mode is not on this machine. Use 'File'.".to_owned());
    }
    let other = channels.iter().find(|channel| !channel["DataSource"]["S3DataSource"].is_object());
    if let Some(channel) = other {
        let name = channel["ChannelName"].as_str().unwrap_or_default();
        return Some(format!(
            "Channel '{name}' must have an S3DataSource: file systems are not on this machine."
        ));
    }
    metric_patterns(specification)
}

/// Refuses a metric whose pattern cannot be read.
fn metric_patterns(specification: &Value) -> Option<String> {
    let all = specification["MetricDefinitions"].as_array()?;
    all.iter().find_map(|metric| {
        let pattern = metric["Regex"].as_str()?;
        let error = regex_lite::Regex::new(pattern).err()?;
        Some(format!(
            "Metric '{}': invalid Regex '{pattern}': {error}",
            metric["Name"].as_str().unwrap_or_default()
        ))
    })
}

fn repeated(member: &str, mut names: Vec<String>) -> Option<String> {
    names.sort();
    let twice = names.windows(2).find(|pair| pair[0] == pair[1])?;
    Some(format!("{member} '{}' must be unique.", twice[0]))
}

/// Returns what the job needs of its image.
pub(crate) fn image_use(kind: JobKind, request: &Value) -> ImageUse {
    let (specification, image) = match kind {
        JobKind::Processing => (&request["AppSpecification"], "ImageUri"),
        JobKind::Training => (&request["AlgorithmSpecification"], "TrainingImage"),
    };
    let has_entry = |name: &str| specification[name].as_array().is_some_and(|all| !all.is_empty());
    let has_script = request["HyperParameters"][SCRIPT].is_string();
    let listed = specification["ContainerArguments"].as_array();
    let arguments: Vec<_> = listed.into_iter().flatten().filter_map(Value::as_str).collect();
    let after = |name: &str| {
        let at = arguments.iter().position(|one| *one == name)?;
        arguments.get(at + 1).map(|version| (*version).to_owned())
    };
    ImageUse {
        kind,
        image: specification[image].as_str().unwrap_or_default().to_owned(),
        python: after("--client_python_version"),
        sdk: after("--client_sagemaker_pysdk_version"),
        needs_program: !has_entry("ContainerEntrypoint") && !has_script,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_run_here_is_refused_by_name() {
        let input =
            |s3: Value| json!({ "ProcessingInputs": [{ "InputName": "a", "S3Input": s3 }] });
        let channel = |more: Value| {
            let mut one = json!({ "ChannelName": "c", "DataSource": { "S3DataSource": {} } });
            one.as_object_mut()
                .expect("an object")
                .extend(more.as_object().expect("an object").clone());
            let image = json!({ "TrainingImage": "i", "TrainingInputMode": "File" });
            json!({ "InputDataConfig": [one.clone()], "AlgorithmSpecification": image })
        };
        let (p, t) = (JobKind::Processing, JobKind::Training);
        let image = json!({ "TrainingImage": "i" });
        let cases = [
            (p, input(json!({ "LocalPath": "/opt/ml/processing/a" })), None),
            (p, input(json!({ "LocalPath": "/etc/a" })), Some("LocalPath '/etc/a' must be below")),
            (p, input(json!({ "LocalPath": "/opt/ml/../x" })), Some("must be below")),
            (p, input(json!({ "S3InputMode": "Pipe" })), Some("'Pipe' mode")),
            (
                p,
                json!({ "ProcessingInputs": [{ "InputName": "a" }] }),
                Some("must have an S3Input"),
            ),
            (t, json!({ "AlgorithmSpecification": image }), None),
            (t, json!({}), Some("TrainingImage is required")),
            (t, channel(json!({})), None),
            (t, channel(json!({ "InputMode": "Pipe" })), Some("Channel 'c': 'Pipe'")),
            (t, channel(json!({ "DataSource": {} })), Some("must have an S3DataSource")),
            (t, json!({ "ServerlessJobConfig": {} }), Some("runs on AWS only")),
        ];
        for (kind, request, expected) in cases {
            let result = check(kind, &request).map_err(|error| error.to_string());
            match expected {
                None => assert_eq!(result, Ok(()), "{request}"),
                Some(words) => {
                    assert!(result.as_ref().is_err_and(|e| e.contains(words)), "{result:?}");
                }
            }
        }
    }
}
