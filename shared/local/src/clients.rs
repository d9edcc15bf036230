//! What clients find in the state folder and in S3 besides the servers.
//!
//! The SageMaker SDK has a settings file of its own, and asks STS at AWS's address whatever the
//! user set. Both are settled by files that `sidestep env` names.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::account::{ACCOUNT_ID, REGION};
use crate::cloud::Cloud;
use crate::deployment::DeploymentError;

/// The SageMaker SDK's settings: `SAGEMAKER_USER_CONFIG_OVERRIDE`.
const SETTINGS: &str = "sagemaker.yaml";
/// What botocore reads before its own data: `AWS_DATA_PATH`.
const DATA: &str = "botocore";

/// The files for clients in a state folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFiles {
    /// The SageMaker SDK's settings.
    pub settings: PathBuf,
    /// The folder of botocore's data.
    pub data: PathBuf,
}

impl ClientFiles {
    /// Returns the files of a state folder, if they were written.
    pub fn find(state: &Path) -> Option<Self> {
        let state = std::path::absolute(state).ok()?;
        let files = Self { settings: state.join(SETTINGS), data: state.join(DATA) };
        (files.settings.is_file() && files.data.is_dir()).then_some(files)
    }
}

/// Writes the files for clients, and creates the bucket that the SageMaker SDK takes by default.
pub async fn serve_clients(cloud: &Cloud) -> Result<(), DeploymentError> {
    let bucket = format!("sagemaker-{REGION}-{ACCOUNT_ID}");
    let settings = format!(
        "# For the SageMaker SDK: `sidestep env` names this file.\nSchemaVersion: '1.0'\n\
         SageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n      Session:\n        \
         DefaultS3Bucket: {bucket}\n"
    );
    let folder = cloud.folder();
    folder.write(SETTINGS, &settings)?;
    let sts = format!("{DATA}/sts/2011-06-15");
    std::fs::create_dir_all(folder.path().join(&sts))
        .map_err(crate::folder::io_error("create", &folder.path().join(&sts)))?;
    let url = cloud.endpoints().aws.as_deref().unwrap_or_default();
    folder.write(&format!("{sts}/endpoint-rule-set-1.json"), &rules(url).to_string())?;
    Ok(cloud.s3().create_bucket(&bucket).await?)
}

/// Returns rules by which botocore finds STS at `url`, also where a program names another place.
fn rules(url: &str) -> serde_json::Value {
    let parameter = |built_in: &str| {
        json!({
            "builtIn": built_in,
            "required": false,
            "documentation": "not used",
            "type": "string",
        })
    };
    json!({
        "version": "1.0",
        "parameters": {
            "Region": parameter("AWS::Region"),
            "Endpoint": parameter("SDK::Endpoint"),
        },
        "rules": [
            {
                "conditions": [],
                "endpoint": { "url": url, "properties": {}, "headers": {} },
                "type": "endpoint",
            },
        ],
    })
}
