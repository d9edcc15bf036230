//! Builds the Rust functions of a project and copies their programs into the store.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use sidestep_core::plan::lease::SDK_VARIABLE;
use sidestep_local::lambda::Command;

use super::binaries::binaries;
use super::binary::Binary;
use super::crates::{Crate, by_folder};
use crate::output::error::{CommandError, OrError as _, user};
use crate::project::Project;
use crate::refused::refused;
use crate::settings::FunctionSettings;
use crate::stored_code::{Stored, lambda_digest};

/// Builds the functions that are Rust packages, and returns their code or why they have none.
///
/// All packages that cargo knows in one folder are built by one call. Optional functions are built
/// each by itself, so that one that does not compile is told apart.
pub(crate) fn stored(
    project: &Project,
    wanted: &BTreeMap<String, FunctionSettings>,
) -> Result<BTreeMap<String, Result<Stored, CommandError>>, CommandError> {
    let store = project.state_folder().join("functions");
    let mut needed = BTreeMap::new();
    let mut codes = BTreeMap::new();
    for (name, settings) in wanted {
        let Some(package) = &settings.package else { continue };
        let found = Crate::named(&project.folder, package);
        if settings.optional {
            let built = found.and_then(|package| {
                let built = build(project, &store, [package.clone()])?;
                code(&package, &built, settings, &store)
            });
            codes.insert(name.clone(), built);
        } else {
            let found = found.map_err(|why| refused(&[name], why))?;
            needed.insert(name.clone(), found);
        }
    }
    let built = build(project, &store, needed.values().cloned()).map_err(|why| {
        let names: Vec<_> = needed.keys().map(String::as_str).collect();
        refused(&names, why)
    })?;
    for (name, package) in needed {
        let code = code(&package, &built, &wanted[&name], &store);
        codes.insert(name, code);
    }
    Ok(codes)
}

/// Builds packages and returns their programs.
fn build(
    project: &Project,
    store: &Path,
    crates: impl IntoIterator<Item = Crate>,
) -> Result<BTreeMap<Crate, Binary>, CommandError> {
    let mut built = BTreeMap::new();
    for (folder, packages) in by_folder(crates) {
        let packages: Vec<_> = packages.into_iter().collect();
        let record = if folder == project.folder {
            "build.json".to_owned()
        } else {
            let digest = Sha256::digest(folder.as_os_str().as_encoded_bytes());
            format!("build-{}.json", &hex::encode(digest)[..16])
        };
        for (package, binary) in binaries(&folder, &packages, &store.join(record))? {
            built.insert(Crate { folder: folder.clone(), package }, binary);
        }
    }
    Ok(built)
}

/// Copies a built program into the store and returns how to run it.
fn code(
    package: &Crate,
    built: &BTreeMap<Crate, Binary>,
    settings: &FunctionSettings,
    store: &Path,
) -> Result<Stored, CommandError> {
    let binary = built
        .get(package)
        .ok_or_else(|| user(format!("package `{}` has no binary", package.package)))?;
    let folder = store.join(hex::encode(binary.sha256));
    let program = folder.join("bootstrap");
    if !program.exists() {
        fs::create_dir_all(&folder)
            .or_service(|| format!("could not create `{}`", folder.display()))?;
        let temporary = folder.join(format!("bootstrap.{}", std::process::id()));
        // `copy` keeps the permission to execute.
        fs::copy(&binary.path, &temporary)
            .and_then(|_| fs::rename(&temporary, &program))
            .or_service(|| {
                format!("could not copy `{}` to `{}`", binary.path.display(), folder.display())
            })?;
    }
    let mut environment = settings.environment.clone();
    if binary.has_sdk {
        environment.insert(SDK_VARIABLE.to_owned(), "1".to_owned());
    }
    let command = Command {
        program,
        working_dir: Some(folder),
        environment,
        runtime: "provided.al2023".to_owned(),
        handler: "bootstrap".to_owned(),
        ..Command::default()
    };
    Ok(Stored { command, sha256: lambda_digest(&binary.sha256, settings) })
}
