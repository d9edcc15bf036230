//! A function that was made through the API, as it is kept: its settings, and where its zip is.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sidestep_core::name::FunctionName;
use uuid::Uuid;

use super::refusal::Refusal;
use super::request::Asked;

/// The settings of a function. Numbers and names are in Lambda's ranges.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::lambda) struct Record {
    pub(in crate::lambda) name: FunctionName,
    pub(in crate::lambda) runtime: String,
    pub(in crate::lambda) handler: String,
    pub(in crate::lambda) role: String,
    pub(in crate::lambda) description: String,
    pub(in crate::lambda) timeout_seconds: u32,
    pub(in crate::lambda) memory_mb: u32,
    pub(in crate::lambda) environment: BTreeMap<String, String>,
    pub(in crate::lambda) tags: BTreeMap<String, String>,
    /// Statements of its policy, which nothing here asks.
    pub(in crate::lambda) policy: BTreeMap<String, Value>,
    pub(in crate::lambda) last_modified: String,
    pub(in crate::lambda) revision_id: String,
    /// The size of the zip.
    pub(in crate::lambda) code_size: u64,
    /// The file of the zip.
    zip: String,
}

impl Record {
    /// Makes the settings of a new function. The code is not there yet.
    pub(in crate::lambda) fn create(name: FunctionName, asked: &Asked) -> Result<Self, Refusal> {
        let mandatory = || {
            let text = "Runtime and handler are mandatory parameters for functions created with deployment packages.";
            Refusal::InvalidParameter(text.to_owned())
        };
        let mut record = Self {
            name,
            runtime: asked.runtime.clone().ok_or_else(mandatory)?,
            handler: asked.handler.clone().ok_or_else(mandatory)?,
            role: asked.role.clone().unwrap_or_default(),
            description: String::new(),
            timeout_seconds: 3,
            memory_mb: 128,
            environment: BTreeMap::new(),
            tags: asked.tags.clone(),
            policy: BTreeMap::new(),
            last_modified: String::new(),
            revision_id: String::new(),
            code_size: 0,
            zip: String::new(),
        };
        record.update(asked)?;
        Ok(record)
    }

    /// Takes the settings that a request names.
    pub(in crate::lambda) fn update(&mut self, asked: &Asked) -> Result<(), Refusal> {
        let take = |to: &mut String, from: &Option<String>| {
            if let Some(value) = from {
                to.clone_from(value);
            }
        };
        take(&mut self.runtime, &asked.runtime);
        take(&mut self.handler, &asked.handler);
        take(&mut self.role, &asked.role);
        take(&mut self.description, &asked.description);
        if let Some(seconds) = asked.timeout {
            self.timeout_seconds = number("timeout", seconds, 1, 900)?;
        }
        if let Some(size) = asked.memory_size {
            self.memory_mb = number("memorySize", size, 128, 10_240)?;
        }
        if let Some(environment) = &asked.environment {
            self.environment.clone_from(&environment.variables);
        }
        check_role(&self.role)?;
        check_handler(&self.handler)?;
        check_environment(&self.environment)?;
        self.touch();
        Ok(())
    }

    /// Takes a zip.
    pub(in crate::lambda) fn set_code(
        &mut self,
        folder: &Path,
        bytes: &[u8],
    ) -> Result<(), Refusal> {
        let digest = hex::encode(Sha256::digest(bytes));
        self.zip = format!("{}-{}.zip", self.name, &digest[..16]);
        self.code_size = bytes.len() as u64;
        self.touch();
        write(&folder.join(&self.zip), bytes).map_err(|error| failed(&error))
    }

    fn touch(&mut self) {
        let now = time::OffsetDateTime::now_utc().format(crate::lambda::log::TIMESTAMP);
        self.last_modified = now.unwrap_or_default().replace('Z', "+0000");
        self.revision_id = Uuid::new_v4().to_string();
    }

    /// Returns the zip.
    pub(in crate::lambda) fn code(&self, folder: &Path) -> Result<Vec<u8>, Refusal> {
        fs::read(folder.join(&self.zip)).map_err(|error| failed(&error))
    }

    /// Writes the settings, and removes the zip of an earlier one.
    pub(in crate::lambda) fn save(
        &self,
        folder: &Path,
        before: Option<&Self>,
    ) -> Result<(), Refusal> {
        let text = serde_json::to_vec(self).expect("texts and numbers serialize");
        write(&place(folder, &self.name), &text).map_err(|error| failed(&error))?;
        if let Some(old) = before.filter(|old| old.zip != self.zip) {
            // Nothing names it any more.
            let _ = fs::remove_file(folder.join(&old.zip));
        }
        Ok(())
    }

    /// Removes the settings, and the zip after them.
    pub(in crate::lambda) fn remove(&self, folder: &Path) -> Result<(), Refusal> {
        fs::remove_file(place(folder, &self.name)).map_err(|error| failed(&error))?;
        let _ = fs::remove_file(folder.join(&self.zip));
        Ok(())
    }

    /// Reads all settings in a folder. Files that cannot be read are named.
    pub(in crate::lambda) fn all(folder: &Path) -> Vec<Result<Self, String>> {
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = files.map(|file| file.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        paths
            .into_iter()
            .map(|path| {
                let text = fs::read_to_string(&path).map_err(|error| error.to_string());
                let read = text.and_then(|text| {
                    serde_json::from_str(&text).map_err(|error| error.to_string())
                });
                read.map_err(|error| format!("`{}`: {error}", path.display()))
            })
            .collect()
    }
}

fn place(folder: &Path, name: &FunctionName) -> PathBuf {
    folder.join(format!("{name}.json"))
}

/// Writes a file as a whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let temporary = path.with_extension("new");
    fs::write(&temporary, bytes)?;
    fs::rename(&temporary, path)
}

fn failed(error: &io::Error) -> Refusal {
    Refusal::Service(format!("the function could not be kept: {error}"))
}

fn violated(value: &str, member: &str, constraint: &str) -> Refusal {
    Refusal::Validation(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must {constraint}"
    ))
}

fn number(member: &str, value: i64, least: i64, most: i64) -> Result<u32, Refusal> {
    let text = value.to_string();
    if value < least {
        let constraint = format!("have value greater than or equal to {least}");
        return Err(violated(&text, member, &constraint));
    }
    let constraint = format!("have value less than or equal to {most}");
    let number = u32::try_from(value).ok().filter(|_| value <= most);
    number.ok_or_else(|| violated(&text, member, &constraint))
}

fn check_role(role: &str) -> Result<(), Refusal> {
    let is_role = || {
        let (account, name) =
            role.strip_prefix("arn:aws")?.split_once(":iam::")?.1.split_once(":role/")?;
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&byte);
        (is_account && !name.is_empty() && name.bytes().all(is_allowed)).then_some(())
    };
    let pattern = r"satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+";
    is_role().ok_or_else(|| violated(role, "role", pattern))
}

fn check_handler(handler: &str) -> Result<(), Refusal> {
    let is_handler = (1..=128).contains(&handler.len()) && !handler.contains(char::is_whitespace);
    if is_handler {
        return Ok(());
    }
    Err(violated(handler, "handler", r"satisfy regular expression pattern: [^\s]+"))
}

/// Variables that Lambda sets itself.
const RESERVED: [&str; 17] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];
/// The most bytes of all names and values.
const ENVIRONMENT_BYTES: usize = 4_096;

fn check_environment(variables: &BTreeMap<String, String>) -> Result<(), Refusal> {
    let reserved: Vec<_> =
        RESERVED.into_iter().filter(|name| variables.contains_key(*name)).collect();
    if !reserved.is_empty() {
        return Err(Refusal::InvalidParameter(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    let is_name = |name: &str| {
        let mut letters = name.chars();
        name.len() >= 2
            && letters.next().is_some_and(|first| first.is_ascii_alphabetic())
            && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    if let Some(name) = variables.keys().find(|name| !is_name(name)) {
        let pattern = r"satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+";
        return Err(violated(name, "environment.variables", pattern));
    }
    let bytes: usize = variables.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > ENVIRONMENT_BYTES {
        return Err(Refusal::InvalidParameter(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: {bytes} bytes"
        )));
    }
    Ok(())
}
