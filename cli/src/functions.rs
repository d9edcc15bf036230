//! Functions of a project made ready to run: Rust packages built by cargo, other code as it lies there, each copied under its digest.
//!
//! The copy is what runs, so a build or an edit in the middle of an execution does not change code that is already in use.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sidestep_local::lambda::{Code, Command, FunctionConfig, FunctionName};

use crate::error::user;
use crate::project::{FunctionSettings, Project};
use crate::python;

/// A function that can be registered, or the reason why it is left out on this machine.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) functions: Vec<FunctionConfig>,
    /// By function: why it cannot run here.
    pub(crate) left_out: BTreeMap<String, String>,
}

/// Builds what has to be built and returns `wanted` functions of the project.
pub(crate) fn prepare(project: &Project, wanted: &[String]) -> anyhow::Result<Ready> {
    let settings =
        |name: &String| Some((name.clone(), project.settings.functions.get(name)?.clone()));
    let wanted: BTreeMap<_, _> = wanted.iter().filter_map(settings).collect();
    let packages: Vec<_> =
        wanted.values().filter_map(|settings| settings.package.clone()).collect();
    let binaries = build(&project.folder, &packages)?;
    let store = project.state_folder().join("functions");
    let mut ready = Ready { functions: Vec::new(), left_out: BTreeMap::new() };
    for (name, settings) in &wanted {
        let code = match &settings.package {
            Some(package) => {
                let binary = binaries.get(package).ok_or_else(|| {
                    user(format!("package `{package}` of function `{name}` has no binary"))
                })?;
                rust(binary, settings, &store)?
            }
            None => match python::command(&project.folder, name, settings, &store)? {
                python::Found::Code(code) => *code,
                python::Found::LeftOut(why) => {
                    ready.left_out.insert(name.clone(), why);
                    continue;
                }
            },
        };
        let mut config =
            FunctionConfig::new(FunctionName::parse(name)?, Code::Process(code.command));
        config.memory_mb = settings.memory_mb;
        config.timeout = Duration::from_secs(settings.timeout_seconds.into());
        config.code_sha256 = code.sha256;
        ready.functions.push(config);
    }
    Ok(ready)
}

/// Code in the store, and its digest as Lambda gives it: base64.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) command: Command,
    pub(crate) sha256: String,
}

fn rust(binary: &Path, settings: &FunctionSettings, store: &Path) -> anyhow::Result<Stored> {
    let bytes =
        fs::read(binary).with_context(|| format!("could not read `{}`", binary.display()))?;
    let digest = Sha256::digest(&bytes);
    let folder = store.join(hex::encode(digest));
    let program = folder.join("bootstrap");
    if !program.exists() {
        fs::create_dir_all(&folder)
            .with_context(|| format!("could not create `{}`", folder.display()))?;
        let temporary = folder.join(format!("bootstrap.{}", std::process::id()));
        // `copy` keeps the permission to execute.
        fs::copy(binary, &temporary).and_then(|_| fs::rename(&temporary, &program)).with_context(
            || format!("could not copy `{}` to `{}`", binary.display(), folder.display()),
        )?;
    }
    let command = Command {
        program,
        working_dir: Some(folder),
        environment: settings.environment.clone(),
        runtime: "provided.al2023".to_owned(),
        handler: "bootstrap".to_owned(),
        ..Command::default()
    };
    Ok(Stored { command, sha256: lambda_digest(&digest, settings) })
}

/// The digest of code and of the settings that a result can depend on.
pub(crate) fn lambda_digest(code: &[u8], settings: &FunctionSettings) -> String {
    let mut hash = Sha256::new();
    hash.update(code);
    for (name, value) in &settings.environment {
        hash.update(format!("{name}\0{value}\0"));
    }
    base64::engine::general_purpose::STANDARD.encode(hash.finalize())
}

/// Builds packages in one call of cargo, and returns their binaries by package.
///
/// The profile is the one that sidestep itself was built with, so that in a development tree both share what is compiled.
fn build(folder: &Path, packages: &[String]) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    if packages.is_empty() {
        return Ok(BTreeMap::new());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Process::new(cargo);
    command.current_dir(folder).args(["build", "--message-format=json-render-diagnostics"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    for package in packages {
        command.args(["--package", package]);
    }
    // Cargo's own progress goes to the terminal; what it says to programs comes to us.
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| user("could not run `cargo` to build the functions"))?;
    if !output.status.success() {
        bail!(user("cargo could not build the functions"));
    }
    let mut binaries = BTreeMap::new();
    for line in output.stdout.split(|byte| *byte == b'\n') {
        let Ok(message) = serde_json::from_slice::<Value>(line) else { continue };
        let is_binary = message["target"]["kind"] == serde_json::json!(["bin"]);
        let executable = message["executable"].as_str().filter(|_| is_binary);
        let package = message["manifest_path"].as_str().and_then(package_name);
        if let (Some(executable), Some(package)) = (executable, package) {
            binaries.insert(package, PathBuf::from(executable));
        }
    }
    Ok(binaries)
}

fn package_name(manifest: &str) -> Option<String> {
    let manifest: toml::Table = fs::read_to_string(manifest).ok()?.parse().ok()?;
    Some(manifest.get("package")?.get("name")?.as_str()?.to_owned())
}
