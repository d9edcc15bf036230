//! The functions that were made through the API: their settings and code.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use parking_lot::Mutex;
use serde_json::{Value, json};
use sidestep_core::name::FunctionName;

use super::record::Record;
use super::refusal::Refusal;
use super::request::Code;
use super::unzip::{Unpacked, unpack};
use crate::lambda::function::FunctionConfig;
use crate::s3::{S3Server, S3ServerError};

/// The largest zip in a request, as at AWS.
const ZIP_BYTES: usize = 50 << 20;
/// The largest zip in S3: it may not be larger than what it unpacks to.
const S3_ZIP_BYTES: u64 = 262_144_000;

/// Unpacked code, and how it is to be run.
#[derive(Debug)]
pub struct UnpackedFunction<'a> {
    pub name: &'a FunctionName,
    pub runtime: &'a str,
    pub handler: &'a str,
    /// The folder of the code, which nothing changes.
    pub folder: &'a Path,
    /// The digest of the files.
    pub digest: [u8; 32],
    pub memory_mb: u32,
    pub timeout_seconds: u32,
    pub environment: &'a BTreeMap<String, String>,
}

/// Knows how code is run on this machine.
pub trait Runtimes: fmt::Debug + Send + Sync {
    /// Returns the function as it is registered, or why it cannot run here. May take a while.
    fn function(&self, code: &UnpackedFunction<'_>) -> Result<FunctionConfig, String>;
}

/// The functions that were made through the API.
#[derive(Debug)]
pub(in crate::lambda) struct Control {
    /// Where settings and zips are kept.
    folder: PathBuf,
    /// Where code is unpacked.
    store: PathBuf,
    s3: S3Server,
    runtimes: Arc<dyn Runtimes>,
    records: Mutex<BTreeMap<FunctionName, Record>>,
    /// Held by a request that changes a function.
    pub(in crate::lambda) turn: tokio::sync::Mutex<()>,
}

impl Control {
    /// Reads the functions of a state folder. Returns also what could not be read.
    pub(in crate::lambda) fn open(
        state: &Path,
        s3: S3Server,
        runtimes: Arc<dyn Runtimes>,
    ) -> (Self, Vec<String>) {
        let folder = state.join("lambda");
        let (mut records, mut unread) = (BTreeMap::new(), Vec::new());
        for read in Record::all(&folder) {
            match read {
                Ok(record) => drop(records.insert(record.name.clone(), record)),
                Err(why) => unread.push(why),
            }
        }
        let (store, records) = (state.join("functions"), Mutex::new(records));
        let control =
            Self { folder, store, s3, runtimes, records, turn: tokio::sync::Mutex::default() };
        (control, unread)
    }

    /// Returns all functions as they are registered, or why one cannot be.
    pub(in crate::lambda) fn functions(&self) -> Vec<Result<FunctionConfig, String>> {
        let records: Vec<_> = self.records.lock().values().cloned().collect();
        let made = |record: &Record| {
            let code = record.code(&self.folder)?;
            self.function(record, &unpack(&code, &self.store)?)
        };
        let named = |record: &Record, refusal: Refusal| {
            format!("function `{}` of the API: {refusal}", record.name)
        };
        records.iter().map(|record| made(record).map_err(|why| named(record, why))).collect()
    }

    /// Returns a function that was made through the API.
    pub(in crate::lambda) fn record(&self, name: &FunctionName) -> Option<Record> {
        self.records.lock().get(name).cloned()
    }

    /// Takes new settings, and code if there is some; returns the function to register.
    pub(in crate::lambda) fn put(
        &self,
        mut record: Record,
        code: Option<&[u8]>,
    ) -> Result<FunctionConfig, Refusal> {
        let before = self.record(&record.name);
        let bytes = match code {
            Some(bytes) => bytes.to_vec(),
            None => record.code(&self.folder)?,
        };
        let unpacked = unpack(&bytes, &self.store)?;
        let function = self.function(&record, &unpacked)?;
        if code.is_some() {
            record.set_code(&self.folder, &bytes)?;
        }
        record.save(&self.folder, before.as_ref())?;
        self.records.lock().insert(record.name.clone(), record);
        Ok(function)
    }

    fn function(&self, record: &Record, code: &Unpacked) -> Result<FunctionConfig, Refusal> {
        let unpacked = UnpackedFunction {
            name: &record.name,
            runtime: &record.runtime,
            handler: &record.handler,
            folder: &code.folder,
            digest: code.digest,
            memory_mb: record.memory_mb,
            timeout_seconds: record.timeout_seconds,
            environment: &record.environment,
        };
        self.runtimes.function(&unpacked).map_err(Refusal::InvalidParameter)
    }

    /// Keeps other settings of a function, which do not change how it runs.
    pub(in crate::lambda) fn keep(&self, record: Record) -> Result<(), Refusal> {
        record.save(&self.folder, None)?;
        self.records.lock().insert(record.name.clone(), record);
        Ok(())
    }

    pub(in crate::lambda) fn forget(&self, record: &Record) -> Result<(), Refusal> {
        record.remove(&self.folder)?;
        self.records.lock().remove(&record.name);
        Ok(())
    }

    /// Returns the zip that a request holds or names.
    pub(in crate::lambda) async fn zip(&self, code: &Code) -> Result<Vec<u8>, Refusal> {
        code.check_version()?;
        let invalid = |text: &str| Refusal::InvalidParameter(text.to_owned());
        match (&code.zip_file, &code.s3_bucket, &code.s3_key) {
            (Some(text), None, None) => {
                let bytes = BASE64_STANDARD.decode(text).map_err(|_| invalid("Could not unzip uploaded file. Please check your file, then try to upload again."))?;
                if bytes.len() > ZIP_BYTES { Err(Refusal::TooLarge(ZIP_BYTES)) } else { Ok(bytes) }
            }
            (None, Some(bucket), Some(key)) => {
                self.s3.content(bucket, key, S3_ZIP_BYTES).await.map_err(|error| {
                    let code = match &error {
                        S3ServerError::NoSuchBucket { .. } => {
                            "NoSuchBucket. S3 Error Message: The specified bucket does not exist"
                        }
                        S3ServerError::NoSuchKey { .. } => {
                            "NoSuchKey. S3 Error Message: The specified key does not exist."
                        }
                        _ => return Refusal::Service(error.to_string()),
                    };
                    invalid(&format!("Error occurred while GetObject. S3 Error Code: {code}"))
                })
            }
            _ => Err(invalid(
                "Please provide a source for function code: either ZipFile, or S3Bucket and S3Key.",
            )),
        }
    }

    /// Adds to a function's description what only the API knows.
    pub(in crate::lambda) fn describe(&self, name: &FunctionName, document: &mut Value) {
        let Some(record) = self.record(name) else { return };
        document["Role"] = json!(record.role);
        document["Description"] = json!(record.description);
        document["CodeSize"] = json!(record.code_size);
        document["LastModified"] = json!(record.last_modified);
        document["RevisionId"] = json!(record.revision_id);
        for (variable, value) in &record.environment {
            document["Environment"]["Variables"][variable] = json!(value);
        }
    }
}
