//! Inputs of a job: objects of the embedded S3 that are copied into its folder.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::layout::Layout;
use super::place::{is_below, landing, split};
use crate::jobs::kind::JobKind;
use crate::jobs::record::Record;
use crate::s3::{S3Server, S3ServerError};

/// One input: where it is in S3, and where it lands.
#[derive(Debug)]
struct Input {
    name: String,
    uri: String,
    is_manifest: bool,
    folder: PathBuf,
    /// False for checkpoints, of which there may be none yet.
    is_required: bool,
}

/// Copies all inputs of a job. Returns how many objects they have, or why the job fails.
pub(super) async fn download(
    s3: &S3Server,
    record: &Record,
    layout: &Layout,
) -> Result<usize, String> {
    let mut count = 0;
    for input in inputs(record, layout)? {
        fs::create_dir_all(&input.folder).map_err(|error| unwritable(&input.folder, &error))?;
        count += fetch(s3, record, &input).await?;
    }
    Ok(count)
}

fn inputs(record: &Record, layout: &Layout) -> Result<Vec<Input>, String> {
    let list = |name: &str| record.request[name].as_array().cloned().unwrap_or_default();
    let make = |name: &Value, s3: &Value, folder: PathBuf, is_required| Input {
        name: name.as_str().unwrap_or_default().to_owned(),
        uri: s3["S3Uri"].as_str().unwrap_or_default().to_owned(),
        is_manifest: s3["S3DataType"] == "ManifestFile",
        folder,
        is_required,
    };
    let local = |path: &Value, default: &str| {
        let path = path.as_str().unwrap_or(default);
        layout.place(path).ok_or_else(|| format!("ClientError: invalid LocalPath '{path}'"))
    };
    match record.kind {
        JobKind::Processing => list("ProcessingInputs")
            .iter()
            .map(|input| {
                let (name, s3) = (&input["InputName"], &input["S3Input"]);
                let default =
                    format!("/opt/ml/processing/input/{}", name.as_str().unwrap_or_default());
                Ok(make(name, s3, local(&s3["LocalPath"], &default)?, true))
            })
            .collect(),
        JobKind::Training => {
            let mut all = Vec::new();
            for channel in list("InputDataConfig") {
                let (name, s3) = (&channel["ChannelName"], &channel["DataSource"]["S3DataSource"]);
                let path = format!("/opt/ml/input/data/{}", name.as_str().unwrap_or_default());
                all.push(make(name, s3, local(&Value::Null, &path)?, true));
            }
            if let Some(uri) = code(record) {
                let folder = local(&Value::Null, "/opt/ml/input/submit")?;
                let s3 = serde_json::json!({ "S3Uri": uri });
                all.push(make(&"sagemaker_submit_directory".into(), &s3, folder, true));
            }
            let checkpoints = &record.request["CheckpointConfig"];
            if checkpoints["S3Uri"].is_string() {
                let folder = local(&checkpoints["LocalPath"], "/opt/ml/checkpoints")?;
                all.push(make(&"checkpoints".into(), checkpoints, folder, false));
            }
            Ok(all)
        }
    }
}

/// Returns the archive of a script, which hyperparameters of SDK 2 name in JSON and those of SDK 3
/// as they are.
fn code(record: &Record) -> Option<String> {
    let given = record.request["HyperParameters"]["sagemaker_submit_directory"].as_str()?;
    let uri = serde_json::from_str(given).unwrap_or_else(|_| given.to_owned());
    uri.starts_with("s3://").then_some(uri)
}

/// Copies the objects of one input.
async fn fetch(s3: &S3Server, record: &Record, input: &Input) -> Result<usize, String> {
    let (bucket, prefix) = split(&input.uri)?;
    let objects = if input.is_manifest {
        manifest(s3, bucket, prefix, input).await?
    } else {
        let keys = s3.keys(bucket, prefix).await.unwrap_or_default().into_iter();
        keys.map(|key| (bucket.to_owned(), key.clone(), landing(prefix, &key).to_owned())).collect()
    };
    let files: Vec<_> = objects.into_iter().filter(|(_, key, _)| !key.ends_with('/')).collect();
    if files.is_empty() && input.is_required {
        let (uri, role) = (&input.uri, record.text("/RoleArn"));
        return Err(format!(
            "ClientError: Data download failed: No S3 objects found under S3 URL \"{uri}\" given in input data source `{}`. Please ensure that the bucket exists in the selected region, that objects exist under that S3 prefix, and that the role \"{role}\" has \"s3:ListBucket\" permissions on bucket \"{bucket}\".",
            input.name
        ));
    }
    for (bucket, key, path) in &files {
        if !is_below(path) {
            return Err(format!(
                "ClientError: Data download failed: the key of s3://{bucket}/{key} is no path of a file"
            ));
        }
        let is_code = input.name == "sagemaker_submit_directory";
        let target = input.folder.join(if is_code { "sourcedir.tar.gz" } else { path.as_str() });
        let parent = target.parent().unwrap_or(&input.folder);
        fs::create_dir_all(parent).map_err(|error| unwritable(parent, &error))?;
        if target.is_dir() {
            return Err(format!(
                "ClientError: Data download failed: s3://{bucket}/{key} is a file and a folder"
            ));
        }
        s3.download(bucket, key, &target).await.map_err(|error| failed(bucket, key, &error))?;
    }
    Ok(files.len())
}

/// Returns the objects that a manifest names: `[{"prefix": "s3://b/p/"}, "a", "b"]`.
async fn manifest(
    s3: &S3Server,
    bucket: &str,
    key: &str,
    input: &Input,
) -> Result<Vec<(String, String, String)>, String> {
    let path = input.folder.with_extension("manifest");
    s3.download(bucket, key, &path).await.map_err(|error| failed(bucket, key, &error))?;
    let text = fs::read_to_string(&path);
    // It lies beside the folder only until it is read.
    let _ = fs::remove_file(&path);
    let invalid = || {
        format!(
            "ClientError: invalid manifest {}: expected [{{\"prefix\": \"s3://BUCKET/PREFIX\"}}, \"KEY\", ...]",
            input.uri
        )
    };
    let entries: Vec<Value> =
        text.ok().and_then(|text| serde_json::from_str(&text).ok()).ok_or_else(invalid)?;
    let (first, names) = entries.split_first().ok_or_else(invalid)?;
    let (bucket, prefix) = split(first["prefix"].as_str().ok_or_else(invalid)?)?;
    let object = |name: &Value| {
        let name = name.as_str()?;
        Some((bucket.to_owned(), format!("{prefix}{name}"), name.to_owned()))
    };
    names.iter().map(object).collect::<Option<_>>().ok_or_else(invalid)
}

fn failed(bucket: &str, key: &str, error: &S3ServerError) -> String {
    let kind = match error {
        S3ServerError::NoSuchKey { .. } | S3ServerError::NoSuchBucket { .. } => "ClientError",
        S3ServerError::DiskFull { .. } => "ClientError: No space left on device",
        _ => "InternalServerError",
    };
    format!("{kind}: Data download failed: s3://{bucket}/{key}: {error}")
}

fn unwritable(path: &Path, error: &std::io::Error) -> String {
    format!("ClientError: Data download failed: could not write {}: {error}", path.display())
}
