//! Outputs of a job: files of its folder that are uploaded to the embedded S3.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::archive::{entries, pack};
use super::layout::Layout;
use super::place::split;
use crate::jobs::describe::{artifacts, output_folder};
use crate::jobs::kind::JobKind;
use crate::jobs::record::Record;
use crate::s3::{S3Server, S3ServerError};

/// One folder of the job, and its place in S3.
#[derive(Debug, Clone)]
pub(super) struct Output {
    folder: PathBuf,
    uri: String,
    /// If true, its files are uploaded while the job runs, and also if it fails.
    pub(super) is_continuous: bool,
}

/// Makes the folders of the outputs, and returns them.
pub(super) fn outputs(record: &Record, layout: &Layout) -> Result<Vec<Output>, String> {
    let mut all = Vec::new();
    let mut add = |path: &str, uri: &str, is_continuous| {
        let folder =
            layout.place(path).ok_or_else(|| format!("ClientError: invalid LocalPath '{path}'"))?;
        fs::create_dir_all(&folder)
            .map_err(|error| format!("ClientError: could not create {path}: {error}"))?;
        all.push(Output { folder, uri: uri.to_owned(), is_continuous });
        Ok::<(), String>(())
    };
    match record.kind {
        JobKind::Processing => {
            let list = record.request["ProcessingOutputConfig"]["Outputs"].as_array();
            for output in list.into_iter().flatten() {
                let s3 = &output["S3Output"];
                let name = output["OutputName"].as_str().unwrap_or_default();
                let default = format!("/opt/ml/processing/output/{name}");
                let path = s3["LocalPath"].as_str().unwrap_or(&default);
                let is_continuous = s3["S3UploadMode"] == "Continuous";
                add(path, s3["S3Uri"].as_str().unwrap_or_default(), is_continuous)?;
            }
        }
        JobKind::Training => {
            let checkpoints = &record.request["CheckpointConfig"];
            if let Some(uri) = checkpoints["S3Uri"].as_str() {
                let path = checkpoints["LocalPath"].as_str().unwrap_or("/opt/ml/checkpoints");
                add(path, uri, true)?;
            }
        }
    }
    Ok(all)
}

/// Uploads outputs, each file once as long as it does not change.
#[derive(Debug, Default)]
pub(super) struct Uploader {
    sent: HashMap<PathBuf, (u64, Option<SystemTime>)>,
}

impl Uploader {
    /// Uploads the files of an output that are new or have changed. Links are not followed.
    pub(super) async fn upload(&mut self, s3: &S3Server, output: &Output) -> Result<(), String> {
        let (bucket, prefix) = split(&output.uri)?;
        let prefix = prefix.trim_end_matches('/');
        let unreadable = |error| format!("ClientError: Data upload failed: {error}");
        for path in entries(&output.folder).map_err(unreadable)? {
            // A file that has gone meanwhile was a temporary one.
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            let stamp = (metadata.len(), metadata.modified().ok());
            if !metadata.is_file() || self.sent.get(&path) == Some(&stamp) {
                continue;
            }
            let Some(name) = path.strip_prefix(&output.folder).ok().and_then(Path::to_str) else {
                return Err(format!(
                    "ClientError: Data upload failed: the name of {} is not UTF-8",
                    path.display()
                ));
            };
            let key = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
            put(s3, &path, bucket, &key).await?;
            self.sent.insert(path, stamp);
        }
        Ok(())
    }
}

/// Uploads the model of a training job and its other outputs.
pub(super) async fn upload_training(
    s3: &S3Server,
    record: &Record,
    layout: &Layout,
) -> Result<(), String> {
    let ml = layout.ml();
    let artifacts = artifacts(record);
    if artifacts.ends_with('/') {
        let output = Output { folder: ml.join("model"), uri: artifacts, is_continuous: false };
        Uploader::default().upload(s3, &output).await?;
    } else {
        upload_archive(s3, &ml.join("model"), layout, &artifacts).await?;
    }
    let data = ml.join("output/data");
    let is_empty = entries(&data).is_ok_and(|entries| entries.is_empty());
    if !is_empty {
        let uri = format!("{}/output.tar.gz", output_folder(record));
        upload_archive(s3, &data, layout, &uri).await?;
    }
    Ok(())
}

async fn upload_archive(
    s3: &S3Server,
    folder: &Path,
    layout: &Layout,
    uri: &str,
) -> Result<(), String> {
    let (bucket, key) = split(uri)?;
    let archive = layout.root.join("upload.tar.gz");
    let (from, to) = (folder.to_owned(), archive.clone());
    let packed = tokio::task::spawn_blocking(move || pack(&from, &to)).await;
    let failed = |error: String| format!("ClientError: Data upload failed: {uri}: {error}");
    packed
        .map_err(|error| failed(error.to_string()))?
        .map_err(|error| failed(error.to_string()))?;
    put(s3, &archive, bucket, key).await
}

/// Uploads one file. A bucket that is not there is made: the job's request names it.
async fn put(s3: &S3Server, path: &Path, bucket: &str, key: &str) -> Result<(), String> {
    let mut stored = s3.upload(path, bucket, key).await;
    if matches!(stored, Err(S3ServerError::NoSuchBucket { .. })) {
        stored = match s3.create_bucket(bucket).await {
            Ok(()) => s3.upload(path, bucket, key).await,
            Err(error) => Err(error),
        };
    }
    stored.map_err(|error| format!("ClientError: Data upload failed: s3://{bucket}/{key}: {error}"))
}
