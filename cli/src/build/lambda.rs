//! Builds packages for Lambda's instruction sets.
//!
//! cargo-lambda builds for any machine. Without it plain cargo builds for this one, and the command
//! says so: the binary then needs a C library that is not newer than that of Lambda's
//! `provided.al2023`.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::{MetadataCommand, TargetKind};
use sidestep_deploy::blueprint::Architecture;

use super::call::inherited;
use super::handler::handler;
use crate::output::error::{CommandError, OrError as _, user};

/// The profile of deployed functions: small, for a short start. It is passed as options because a
/// project's workspace need not have it.
///
/// A planner that is built here is built the same way. One that comes with a release has fat LTO,
/// which takes longer and saves little (`docs/adr/0002-function-builds.md`).
const FUNCTION_PROFILE: [&str; 8] = [
    "--profile",
    "function",
    "--config",
    "profile.function.inherits=\"release\"",
    "--config",
    "profile.function.lto=\"thin\"",
    "--config",
    "profile.function.codegen-units=1",
];

/// Builds packages of one workspace and returns their programs by package.
pub(crate) fn build(
    folder: &Path,
    packages: &[String],
    architecture: Architecture,
) -> Result<BTreeMap<String, PathBuf>, CommandError> {
    if packages.is_empty() {
        return Ok(BTreeMap::new());
    }
    // First, because building takes long.
    let Programs { manifest, target, names } = Programs::of(folder, packages)?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(&cargo);
    command.current_dir(folder).env_clear().envs(inherited(env::vars_os()));
    let with_lambda = has_cargo_lambda(&cargo);
    // A command under development builds quickly for its emulator.
    let is_quick = cfg!(debug_assertions) && !with_lambda;
    let profile = if is_quick { "debug" } else { "function" };
    if with_lambda {
        command.args(["lambda", "build"]);
        // It looks for `Cargo.toml` in the working folder only, and not upwards as cargo does.
        command.arg("--manifest-path").arg(&manifest);
        command.arg(match architecture {
            Architecture::Arm64 => "--arm64",
            Architecture::X86_64 => "--x86-64",
        });
    } else {
        check_host(architecture)?;
        command.arg("build");
    }
    if !is_quick {
        command.args(FUNCTION_PROFILE);
    }
    for package in packages {
        command.args(["--package", package]);
    }
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .or_user(|| "could not run `cargo` to build the functions")?;
    if !status.success() {
        return Err(user("cargo could not build the functions"));
    }
    let mut built = BTreeMap::new();
    for (package, program) in names {
        let path = if with_lambda {
            target.join("lambda").join(program).join("bootstrap")
        } else {
            target.join(profile).join(program)
        };
        built.insert(package, path);
    }
    Ok(built)
}

/// Returns true if cargo-lambda is installed.
fn has_cargo_lambda(cargo: &OsString) -> bool {
    let mut command = Command::new(cargo);
    command.args(["lambda", "--version"]).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Checks that programs built for this machine can run on Lambda.
fn check_host(architecture: Architecture) -> Result<(), CommandError> {
    let host = match (env::consts::OS, env::consts::ARCH) {
        ("linux", "x86_64") => Some(Architecture::X86_64),
        ("linux", "aarch64") => Some(Architecture::Arm64),
        _ => None,
    };
    if host != Some(architecture) {
        let hint = "install cargo-lambda (`pip install cargo-lambda ziglang`), or pass this machine's `--architecture`";
        let problem = format!("plain cargo cannot build for {} here", architecture.name());
        return Err(user(problem).hint(hint));
    }
    eprintln!(
        "note: cargo-lambda is not installed: functions are linked against this machine's C library"
    );
    Ok(())
}

/// What cargo knows of the packages to build.
struct Programs {
    /// The `Cargo.toml` of their workspace.
    manifest: PathBuf,
    target: PathBuf,
    /// The name of the binary of each package that is its function.
    names: BTreeMap<String, String>,
}

impl Programs {
    /// Asks cargo, which looks for a `Cargo.toml` in `folder` and above it.
    fn of(folder: &Path, packages: &[String]) -> Result<Self, CommandError> {
        let metadata =
            MetadataCommand::new().current_dir(folder).no_deps().exec().or_user(|| {
                format!("cargo does not know the packages of `{}`", folder.display())
            })?;
        let mut names = BTreeMap::new();
        for name in packages {
            let known = metadata.packages.iter().find(|package| *package.name == **name);
            let Some(package) = known else {
                let place = &metadata.workspace_root;
                return Err(user(format!("package `{name}` is not in the workspace `{place}`")));
            };
            let targets = package.targets.iter().filter(|target| target.kind == [TargetKind::Bin]);
            let binaries: Vec<_> = targets.map(|target| target.name.as_str()).collect();
            let Some(binary) = handler(name, &binaries) else {
                return Err(user(format!(
                    "package `{name}` has no binary, or several and none with its name"
                )));
            };
            names.insert(name.clone(), binary.to_owned());
        }
        let manifest = metadata.workspace_root.join("Cargo.toml").into();
        Ok(Self { manifest, target: metadata.target_directory.into(), names })
    }
}
