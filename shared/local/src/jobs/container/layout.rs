//! The folder of one job: what SageMaker lays out in a container below `/opt/ml`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::jobs::kind::JobKind;
use crate::jobs::record::Record;

/// Where a container has the files of its job.
pub(super) const ML: &str = "/opt/ml";
/// The most bytes of a file that becomes a text of Describe.
const TEXT_BYTES: usize = 1024;

/// The folder of one job. It is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Layout {
    /// The folder of all that the job has.
    pub(super) root: PathBuf,
}

impl Layout {
    /// Makes the folder, with the files that describe the job.
    pub(super) fn make(folder: &Path, record: &Record) -> io::Result<Self> {
        let name = format!("{}-{}", record.kind.noun(), record.name);
        let layout = Self { root: folder.join(name) };
        if layout.root.exists() {
            fs::remove_dir_all(&layout.root)?;
        }
        for folder in ["tmp", "ml/input/config", "ml/input/data", "ml/model", "ml/output/data"] {
            fs::create_dir_all(layout.root.join(folder))?;
        }
        match record.kind {
            JobKind::Processing => layout.describe_processing(record)?,
            JobKind::Training => layout.describe_training(record)?,
        }
        Ok(layout)
    }

    /// Returns the folder that is `/opt/ml` for the job.
    pub(super) fn ml(&self) -> PathBuf {
        self.root.join("ml")
    }

    /// Returns the file that is there once the job's mounts are made and its program starts.
    pub(super) fn started(&self) -> PathBuf {
        self.root.join("started")
    }

    /// Returns the place of a path of the container. Only paths below `/opt/ml` have one.
    pub(super) fn place(&self, path: &str) -> Option<PathBuf> {
        let below = path.strip_prefix(ML)?.strip_prefix('/')?;
        Some(self.ml().join(below.trim_end_matches('/')))
    }

    /// Returns the start of a file that the job wrote as a text, if it is there.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let path = self.ml().join(path);
        // A link could lead to any file of the machine.
        if !fs::symlink_metadata(&path).is_ok_and(|found| found.is_file()) {
            return None;
        }
        let mut bytes = Vec::new();
        let file = fs::File::open(path).ok()?;
        io::Read::read_to_end(&mut io::Read::take(file, TEXT_BYTES as u64), &mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        (!text.trim().is_empty()).then_some(text)
    }

    fn describe_processing(&self, record: &Record) -> io::Result<()> {
        let mut config = json!({
            "ProcessingJobArn": record.arn(),
            "ProcessingJobName": record.name,
            "Environment": null,
            "AppSpecification": null,
            "ProcessingInputs": null,
            "ProcessingOutputConfig": null,
            "ProcessingResources": null,
            "RoleArn": null,
            "StoppingCondition": null,
        });
        if let (Some(config), Some(given)) = (config.as_object_mut(), record.request.as_object()) {
            config.extend(given.clone());
        }
        self.write("config/processingjobconfig.json", &config)?;
        let hosts = json!({ "current_host": "algo-1", "hosts": ["algo-1"] });
        self.write("config/resourceconfig.json", &hosts)
    }

    fn describe_training(&self, record: &Record) -> io::Result<()> {
        let given = &record.request["HyperParameters"];
        let empty = json!({});
        self.write(
            "input/config/hyperparameters.json",
            if given.is_object() { given } else { &empty },
        )?;
        let channels = record.request["InputDataConfig"].as_array().cloned().unwrap_or_default();
        let described = channels.iter().map(|channel| {
            let name = channel["ChannelName"].as_str().unwrap_or_default().to_owned();
            let replicated = &channel["DataSource"]["S3DataSource"]["S3DataDistributionType"];
            let mut one = json!({
                "TrainingInputMode": "File",
                "S3DistributionType": replicated.as_str().unwrap_or("FullyReplicated"),
                "RecordWrapperType": channel["RecordWrapperType"].as_str().unwrap_or("None"),
            });
            if let Some(content_type) = channel["ContentType"].as_str() {
                one["ContentType"] = content_type.into();
            }
            (name, one)
        });
        let channels = Value::Object(described.collect());
        self.write("input/config/inputdataconfig.json", &channels)?;
        let named = record.text("/ResourceConfig/InstanceType");
        let instance = if named.is_empty() { "local" } else { named };
        let group = "homogeneousCluster";
        let resources = json!({
            "current_host": "algo-1",
            "current_instance_type": instance,
            "current_group_name": group,
            "hosts": ["algo-1"],
            "instance_groups": [
                { "instance_group_name": group, "instance_type": instance, "hosts": ["algo-1"] }
            ],
            "network_interface_name": "lo",
        });
        self.write("input/config/resourceconfig.json", &resources)
    }

    fn write(&self, path: &str, value: &Value) -> io::Result<()> {
        let path = self.ml().join(path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, value.to_string())
    }
}

impl Drop for Layout {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.root) {
            tracing::debug!(%error, folder = %self.root.display(), "could not remove a job's files");
        }
    }
}

/// Removes a folder, also one in which the job forbade writing.
fn remove(folder: &Path) -> io::Result<()> {
    if fs::remove_dir_all(folder).is_ok() {
        return Ok(());
    }
    allow_writing(folder);
    fs::remove_dir_all(folder)
}

fn allow_writing(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;

    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        allow_writing(&entry.path());
    }
}
