//! The packages of a function in a folder, as a deployed zip holds them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sidestep_deploy::blueprint::Architecture;

use super::requirements::Requirements;
use crate::installer::run;
use crate::output::error::{CommandError, OrError as _};

/// Downloads the packages for Lambda into a folder below `store`, once, and returns the folder.
pub(crate) fn vendored(
    requirements: &Requirements,
    runtime: &str,
    architecture: Architecture,
    store: &Path,
) -> Result<PathBuf, CommandError> {
    let digest = hex::encode(requirements.digest());
    let folder = store.join(format!("{digest}-{runtime}-{}", architecture.name()));
    if folder.is_dir() {
        return Ok(folder);
    }
    let own = tempfile::tempdir().or_service(|| "could not make a temporary folder")?;
    let copies = fs::canonicalize(own.path())?;
    let file = requirements.write(&copies)?;
    let temporary = folder.with_extension(std::process::id().to_string());
    let version = runtime.trim_start_matches("python");
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"]);
    command.args(["--no-compile", "--only-binary=:all:", "--implementation=cp"]);
    command.args(["--python-version", version]).arg("--target").arg(&temporary);
    for platform in platforms(version) {
        let machine = if architecture == Architecture::Arm64 { "aarch64" } else { "x86_64" };
        command.arg("--platform").arg(format!("{platform}_{machine}"));
    }
    command.arg("-r").arg(&file).current_dir(&copies);
    let what = requirements.file.display();
    run(&mut command, &format!("installing `{what}` for Lambda")).map_err(|why| {
        drop(fs::remove_dir_all(&temporary));
        let hint = "Lambda needs wheels for its system: a source distribution alone is not enough";
        why.error(format!("pip could not install `{what}`")).hint(hint)
    })?;
    // pip creates no folder for an empty file.
    fs::create_dir_all(&temporary)?;
    // Another process may have been faster; its copy is the same.
    if fs::rename(&temporary, &folder).is_err() {
        fs::remove_dir_all(&temporary)?;
    }
    Ok(folder)
}

/// Returns the platform tags of Lambda's C library: Amazon Linux 2023 from Python 3.12 on, Amazon
/// Linux 2 before.
fn platforms(version: &str) -> &'static [&'static str] {
    match version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok()) {
        Some(minor) if minor < 12 => &["manylinux_2_26", "manylinux_2_17", "manylinux2014"],
        _ => &[
            "manylinux_2_34",
            "manylinux_2_28",
            "manylinux_2_27",
            "manylinux_2_17",
            "manylinux2014",
        ],
    }
}
