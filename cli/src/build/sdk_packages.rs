//! Which packages of a project are built on the step SDK: their functions report by manifest or commit, and need nobody to report for them.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

/// The step SDK's package.
const SDK: &str = "sidestep-step";

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

/// The packages of the workspace in `folder` that depend on the SDK. If cargo cannot say, none: then Lambda reports for them as well, which
/// costs a little and harms nothing.
pub(crate) fn packages_with_sdk(folder: &Path) -> BTreeSet<String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(folder);
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
    let output = output.map(|output| output.stdout).unwrap_or_default();
    with_sdk(&output)
}

fn with_sdk(metadata: &[u8]) -> BTreeSet<String> {
    let Ok(metadata) = serde_json::from_slice::<Metadata>(metadata) else { return BTreeSet::new() };
    let has_sdk = |package: &Package| {
        let mut dependencies = package.dependencies.iter();
        dependencies.any(|dependency| dependency.name == SDK && dependency.kind.is_none())
    };
    metadata.packages.into_iter().filter(has_sdk).map(|package| package.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_has_the_sdk_when_it_depends_on_it_and_not_only_in_tests() {
        let metadata = br#"{"packages": [
            {"name": "step", "dependencies": [{"name": "serde", "kind": null}, {"name": "sidestep-step", "kind": null}]},
            {"name": "plain", "dependencies": [{"name": "lambda_runtime", "kind": null}]},
            {"name": "tested", "dependencies": [{"name": "sidestep-step", "kind": "dev"}]}]}"#;
        assert_eq!(with_sdk(metadata), ["step".to_owned()].into());
        assert_eq!(with_sdk(b"error: no Cargo.toml"), BTreeSet::new());
    }
}
