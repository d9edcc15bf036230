//! Code made ready for Lambda: built for its instruction set, zipped, named by what the zip holds.
//!
//! cargo-lambda builds for any machine. Without it plain cargo builds for this one, and says so: the binary then needs a C library that is no
//! newer than that of Lambda's `provided.al2023`.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sidestep_deploy::blueprint::Architecture;
use zip::write::SimpleFileOptions;

use crate::build::{handler, inherited};
use crate::error::user;
use crate::project::Project;
use crate::python::{self, Requirements};

/// The engine's own packages, by what the template calls their code.
const ENGINE: [(&str, &str); 2] =
    [("PlannerCode", "sidestep-planner"), ("TriggerCode", "sidestep-trigger")];

/// Lambda's quota for a function's code, unzipped (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const UNZIPPED_BYTES: usize = 250 * 1024 * 1024;

/// The profile of deployed functions: small, for a short start. It is given along because a project's workspace need not have it.
const FUNCTION_PROFILE: [&str; 8] = [
    "--profile",
    "function",
    "--config",
    "profile.function.inherits=\"release\"",
    "--config",
    "profile.function.lto=\"fat\"",
    "--config",
    "profile.function.codegen-units=1",
];

/// A zip, and where it goes.
#[derive(Debug)]
pub(crate) struct Package {
    /// The template's parameter.
    pub(crate) parameter: String,
    /// `code/SHA256.zip`: equal code has an equal key.
    pub(crate) key: String,
    pub(crate) zip: Vec<u8>,
}

/// Builds and zips the engine and all functions of the project.
pub(crate) fn packages(
    project: &Project,
    architecture: Architecture,
) -> anyhow::Result<Vec<Package>> {
    let source = engine_source(project)?;
    let names: Vec<_> = ENGINE.iter().map(|(_, package)| (*package).to_owned()).collect();
    let engine = build(&source, &names, architecture)?;
    let mut packages = Vec::new();
    for (parameter, package) in ENGINE {
        packages.push(binary(parameter.to_owned(), package, &engine)?);
    }
    let functions = &project.settings.functions;
    let names: Vec<_> =
        functions.values().filter_map(|function| function.package.clone()).collect();
    let built = build(&project.folder, &names, architecture)?;
    for (name, function) in functions {
        let parameter = sidestep_deploy::code_parameter(name);
        match (&function.package, &function.path) {
            (Some(package), _) => packages.push(binary(parameter, package, &built)?),
            (None, Some(path)) => {
                let source = project.folder.join(path);
                let vendored = match (Requirements::of(&source)?, &function.runtime) {
                    (Some(requirements), Some(runtime)) => {
                        let store = project.state_folder().join("vendored");
                        Some(requirements.vendored(runtime, architecture, &store)?)
                    }
                    _ => None,
                };
                packages.push(folder(parameter, &source, vendored.as_deref())?);
            }
            (None, None) => bail!(user(format!("`[functions.{name}]` is not complete"))),
        }
    }
    Ok(packages)
}

/// Where the source of planner and trigger is: `[deploy] engine_source`, else where this command was built from.
fn engine_source(project: &Project) -> anyhow::Result<PathBuf> {
    let source = match &project.settings.deploy.engine_source {
        Some(folder) => project.folder.join(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join(".."),
    };
    if source.join("functions/planner/Cargo.toml").is_file() {
        return Ok(source);
    }
    let hint = "clone it, and name it: `[deploy]`, `engine_source = \"DIR\"`";
    let problem = format!("sidestep's own source is not in `{}`", source.display());
    Err(user(problem).hint(hint).into())
}

/// Builds packages of one workspace, and returns their programs by package.
fn build(
    folder: &Path,
    packages: &[String],
    architecture: Architecture,
) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    if packages.is_empty() {
        return Ok(BTreeMap::new());
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let profile = if cfg!(debug_assertions) { "debug" } else { "function" };
    let mut command = Command::new(&cargo);
    command.current_dir(folder).env_clear().envs(inherited(env::vars_os()));
    let with_lambda = has_cargo_lambda(&cargo);
    if with_lambda {
        command.args(["lambda", "build"]);
        command.arg(match architecture {
            Architecture::Arm64 => "--arm64",
            Architecture::X86_64 => "--x86-64",
        });
    } else {
        check_host(architecture)?;
        command.arg("build");
    }
    if profile == "function" {
        command.args(FUNCTION_PROFILE);
    }
    for package in packages {
        command.args(["--package", package]);
    }
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let status = status.with_context(|| user("could not run `cargo` to build the functions"))?;
    if !status.success() {
        bail!(user("cargo could not build the functions"));
    }
    let programs = programs(&cargo, folder)?;
    let mut built = BTreeMap::new();
    for package in packages {
        let Some((target, program)) = programs.get(package) else {
            bail!(user(format!(
                "package `{package}` has no binary, or several and none with its name"
            )));
        };
        let path = if with_lambda {
            target.join("lambda").join(program).join("bootstrap")
        } else {
            target.join(profile).join(program)
        };
        built.insert(package.clone(), path);
    }
    Ok(built)
}

fn has_cargo_lambda(cargo: &OsString) -> bool {
    let mut command = Command::new(cargo);
    command.args(["lambda", "--version"]).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether this machine's own programs run on Lambda, as far as can be told.
fn check_host(architecture: Architecture) -> anyhow::Result<()> {
    let host = match (env::consts::OS, env::consts::ARCH) {
        ("linux", "x86_64") => Some(Architecture::X86_64),
        ("linux", "aarch64") => Some(Architecture::Arm64),
        _ => None,
    };
    if host != Some(architecture) {
        let hint = "install cargo-lambda (`pip install cargo-lambda ziglang`), or choose this machine's: `--architecture`";
        let problem = format!("plain cargo cannot build for {} here", architecture.name());
        return Err(user(problem).hint(hint).into());
    }
    eprintln!(
        "note: cargo-lambda is not installed: functions are linked against this machine's C library"
    );
    Ok(())
}

/// Of every package with a binary that can be its function: the target folder and the binary's name.
fn programs(
    cargo: &OsString,
    folder: &Path,
) -> anyhow::Result<BTreeMap<String, (PathBuf, String)>> {
    let mut command = Command::new(cargo);
    command.current_dir(folder).args(["metadata", "--format-version=1", "--no-deps"]);
    let output = command.stdin(Stdio::null()).output().context("could not run `cargo metadata`")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).with_context(|| {
        user(format!("cargo does not know the packages of `{}`", folder.display()))
    })?;
    let target = PathBuf::from(metadata["target_directory"].as_str().unwrap_or("target"));
    let mut programs = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let targets = package["targets"].as_array().into_iter().flatten();
        let binaries = targets.filter(|target| target["kind"] == serde_json::json!(["bin"]));
        let names: Vec<_> = binaries.filter_map(|target| target["name"].as_str()).collect();
        let Some(package) = package["name"].as_str() else { continue };
        if let Some(name) = handler(package, &names) {
            programs.insert(package.to_owned(), (target.clone(), name.to_owned()));
        }
    }
    Ok(programs)
}

fn binary(
    parameter: String,
    package: &str,
    built: &BTreeMap<String, PathBuf>,
) -> anyhow::Result<Package> {
    let path = &built[package];
    let bytes = fs::read(path).with_context(|| format!("could not read `{}`", path.display()))?;
    zip(parameter, [("bootstrap".to_owned(), bytes)])
}

/// A function's own files, beside the packages that it asks for. Its own come first where both have one.
fn folder(parameter: String, own: &Path, vendored: Option<&Path>) -> anyhow::Result<Package> {
    let mut files = BTreeMap::new();
    for folder in vendored.into_iter().chain([own]) {
        for file in python::files(folder)? {
            let parts: Vec<_> =
                file.components().map(|part| part.as_os_str().to_string_lossy()).collect();
            // What pip notes about this machine would make the zip another on each.
            let is_note = parts.first().is_some_and(|first| first == "bin")
                || parts.last().is_some_and(|last| last == "direct_url.json" || last == "RECORD");
            if folder != own && is_note {
                continue;
            }
            let path = folder.join(&file);
            let bytes =
                fs::read(&path).with_context(|| format!("could not read `{}`", path.display()))?;
            files.insert(parts.join("/"), bytes);
        }
    }
    if files.is_empty() {
        bail!(user(format!("`{}` holds no code", own.display())));
    }
    let bytes: usize = files.values().map(Vec::len).sum();
    if bytes > UNZIPPED_BYTES {
        let problem = format!("`{}` has {bytes} bytes with what it asks for", own.display());
        bail!(user(problem).hint(format!("Lambda takes {UNZIPPED_BYTES}")));
    }
    zip(parameter, files)
}

/// Zips files without their times, so that equal files make equal bytes.
fn zip(
    parameter: String,
    files: impl IntoIterator<Item = (String, Vec<u8>)>,
) -> anyhow::Result<Package> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o755);
    for (name, bytes) in files {
        writer.start_file(name, options)?;
        writer.write_all(&bytes)?;
    }
    let zip = writer.finish()?.into_inner();
    let key = format!("code/{}.zip", hex::encode(Sha256::digest(&zip)));
    Ok(Package { parameter, key, zip })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_files_have_equal_keys_whatever_their_times() {
        let make = |text: &str| {
            let folder_path = tempfile::tempdir().expect("a folder");
            fs::create_dir(folder_path.path().join("inner")).expect("create");
            fs::write(folder_path.path().join("inner/a.py"), text).expect("write");
            folder("Code".to_owned(), folder_path.path(), None).expect("zipped")
        };
        let (one, again, other) = (make("x = 1"), make("x = 1"), make("x = 2"));
        assert_eq!(one.key, again.key);
        assert_ne!(one.key, other.key);
        let mut archive = zip::ZipArchive::new(Cursor::new(one.zip)).expect("a zip");
        assert_eq!(archive.by_index(0).expect("a file").name(), "inner/a.py");
    }
}
