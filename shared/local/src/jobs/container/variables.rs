//! The environment variables of a job's process.

use std::collections::BTreeMap;
use std::env;

use super::layout::{Layout, ML};
use super::machine::Machine;
use super::mounts::Way;
use super::rewrite::rewritten;
use super::venv::Venv;
use crate::account::REGION;
use crate::jobs::images::Prepared;
use crate::jobs::kind::JobKind;
use crate::jobs::record::Record;

/// The user's variables that a job gets: by which programs find folders, certificates and a package
/// index. No others, because scripts print all that they have.
const INHERITED: [&str; 19] = [
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "PIP_CERT",
    "PIP_CONFIG_FILE",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_NO_INDEX",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "UV_INDEX_URL",
    "XDG_CACHE_HOME",
    "SIDESTEP_CACHE_DIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// What every job gets.
const FIXED: [(&str, &str); 12] = [
    ("AWS_REGION", REGION),
    ("AWS_DEFAULT_REGION", REGION),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("AWS_CONFIG_FILE", "/dev/null"),
    ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ("SAGEMAKER_VALIDATE_ROLE", "false"),
    // The SDKs' bootstraps ask `sudo` for more if the user is another one.
    ("USER", "root"),
    ("LOGNAME", "root"),
    ("LANG", "C.UTF-8"),
    ("PYTHONUNBUFFERED", "1"),
    ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    ("PIP_ROOT_USER_ACTION", "ignore"),
];

/// Returns all variables of a job's process.
pub(super) fn variables(
    machine: &Machine,
    record: &Record,
    layout: &Layout,
    prepared: &Prepared,
    venv: &Venv,
    way: Way,
) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut put = |name: &str, value: String| drop(all.insert(name.to_owned(), value));
    for name in INHERITED {
        if let Some(value) = env::var(name).ok().filter(|value| !value.is_empty()) {
            put(name, value);
        }
    }
    for (name, value) in &machine.variables {
        put(name, value.clone());
    }
    let path = env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
    put("PATH", format!("{}:{path}", venv.bin().display()));
    put("VIRTUAL_ENV", venv.folder.display().to_string());
    let temporary = layout.root.join("tmp").display().to_string();
    put("TMPDIR", if way == Way::Rewrite { temporary } else { "/tmp".to_owned() });
    if let Some(endpoint) = machine.variables.get("AWS_ENDPOINT_URL_S3") {
        // The training toolkit's own name for it.
        put("S3_ENDPOINT_URL", endpoint.clone());
    }
    for (name, value) in FIXED {
        put(name, value.to_owned());
    }
    match record.kind {
        JobKind::Processing => {
            put("PROCESSING_JOB_NAME", record.name.clone());
            put("PROCESSING_JOB_ARN", record.arn());
        }
        JobKind::Training => {
            put("TRAINING_JOB_NAME", record.name.clone());
            put("TRAINING_JOB_ARN", record.arn());
        }
    }
    put("SIDESTEP_JOB", record.name.clone());
    let own = layout.ml().display().to_string();
    put("SAGEMAKER_BASE_DIR", if way == Way::Rewrite { own } else { ML.to_owned() });
    for (name, value) in &prepared.variables {
        put(name, value.clone());
    }
    let given = record.request["Environment"].as_object().into_iter().flatten();
    for (name, value) in given.filter_map(|(name, value)| Some((name, value.as_str()?))) {
        let value = if way == Way::Rewrite { rewritten(value, layout) } else { value.to_owned() };
        put(name, value);
    }
    all
}
