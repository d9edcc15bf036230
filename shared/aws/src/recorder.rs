//! Records the requests of the adapters as IAM sees them: caller, action, resource, condition keys.
//!
//! The tests compare the record with the roles of the template. A program without a recorder does
//! nothing more.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde_json::json;

use crate::asked::{Asked, Place, absence, asked};

/// The variable that names the file of a step's record.
const VARIABLE: &str = "SIDESTEP_RECORD";

/// A file to which requests are added, one JSON document a line. Clones share it.
#[derive(Debug, Clone)]
pub struct Recorder {
    file: Arc<File>,
    place: Place,
}

impl Recorder {
    /// Opens a record, and creates its file if needed. Requests are those of this account and
    /// region.
    pub fn open(path: &Path, region: &str, account_id: &str) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let place = Place { region: region.to_owned(), account_id: account_id.to_owned() };
        Ok(Self { file: Arc::new(file), place })
    }

    /// Opens the record that `SIDESTEP_RECORD` names, if it does and the file can be opened.
    pub fn from_env() -> Option<Self> {
        let path = std::env::var_os(VARIABLE)?;
        let get = |name: &str| std::env::var(name).unwrap_or_default();
        Self::open(path.as_ref(), &get("AWS_REGION"), &get("SIDESTEP_ACCOUNT_ID")).ok()
    }

    /// Records a request that is about to be sent.
    pub(crate) fn record(&self, caller: &str, service: &str, operation: &str, sent: &HttpRequest) {
        let body = sent.body().bytes().unwrap_or_default();
        self.write(caller, asked(&self.place, service, operation, sent.uri(), body));
    }

    /// Records the answer that an object is missing. S3 gives it to callers who may list the key.
    pub(crate) fn record_absence(&self, caller: &str, operation: &str, uri: &str) {
        self.write(caller, absence(operation, uri).into_iter().collect());
    }

    fn write(&self, caller: &str, all: Vec<Asked>) {
        for Asked { action, resource, context } in all {
            let line = json!({ "Caller": caller, "Action": action, "Resource": resource,
                "Context": context });
            // A line that cannot be written is missed by the test that reads it.
            let _ = (&*self.file).write_all(format!("{line}\n").as_bytes());
        }
    }
}
