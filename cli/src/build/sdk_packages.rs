//! Which packages of a project are built on the step SDK.
//!
//! Their functions report to the planner themselves, so Lambda need not report for them.

use std::collections::BTreeSet;
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use crate::output::error::{CommandError, OrError as _};

/// The step SDK's package.
const SDK: &str = "sidestep-step";

/// Returns the packages of the workspace in `folder` that depend on the SDK.
///
/// If cargo cannot say, that is an error: without the SDK a function would get another template.
pub(crate) fn packages_with_sdk(folder: &Path) -> Result<BTreeSet<String>, CommandError> {
    let asked = MetadataCommand::new().current_dir(folder).no_deps().exec();
    let metadata =
        asked.or_user(|| format!("cargo does not know the packages of `{}`", folder.display()))?;
    Ok(with_sdk(&metadata))
}

fn with_sdk(metadata: &Metadata) -> BTreeSet<String> {
    let has_sdk = |package: &&Package| {
        let mut dependencies = package.dependencies.iter();
        dependencies.any(|needed| needed.name == SDK && needed.kind == DependencyKind::Normal)
    };
    metadata.packages.iter().filter(has_sdk).map(|package| package.name.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Value {
        let dependency = |(name, kind): &(&str, Option<&str>)| {
            json!({"name": name, "kind": kind, "req": "^1", "optional": false,
                "uses_default_features": true, "features": [], "target": null})
        };
        json!({"name": name, "version": "0.1.0", "id": name, "targets": [], "features": {},
            "manifest_path": "/p/Cargo.toml",
            "dependencies": dependencies.iter().map(dependency).collect::<Vec<_>>()})
    }

    #[test]
    fn a_package_has_the_sdk_when_it_depends_on_it_and_not_only_in_tests() {
        let metadata = json!({"version": 1, "workspace_members": [], "workspace_root": "/p",
            "target_directory": "/p/target", "packages": [
                package("step", &[("serde", None), (SDK, None)]),
                package("plain", &[("lambda_runtime", None)]),
                package("tested", &[(SDK, Some("dev"))])]});
        let parsed = serde_json::from_value(metadata).expect("cargo's form");
        assert_eq!(with_sdk(&parsed), ["step".to_owned()].into());
        let empty = tempfile::tempdir().expect("a folder");
        let refused = packages_with_sdk(empty.path()).expect_err("no Cargo.toml").one_line();
        assert!(refused.starts_with("cargo does not know the packages of"), "{refused}");
    }
}
