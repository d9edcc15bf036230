//! Packages code for Lambda: zips it, under a key that is made of the zip's digest.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use sidestep_deploy::blueprint::Architecture;
use zip::write::SimpleFileOptions;

use crate::build::crates::{Crate, by_folder};
use crate::build::lambda::build;
use crate::engine_code::EngineCode;
use crate::files::{code_files, installed_files};
use crate::node;
use crate::output::error::{CommandError, OrError as _, user};
use crate::project::Project;
use crate::python::{Requirements, vendored};

/// The template's parameter for the code of each part of the engine, its package and its zip.
const ENGINE: [(&str, &str, &str); 3] = [
    ("PlannerCode", "sidestep-planner", "planner.zip"),
    ("TriggerCode", "sidestep-trigger", "trigger.zip"),
    ("JobCode", "sidestep-job", "job.zip"),
];

/// Lambda's quota for a function's unzipped code
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const UNZIPPED_BYTES: usize = 250 * 1024 * 1024;

/// A zip and its key in the bucket for code.
#[derive(Debug)]
pub(crate) struct Package {
    /// The template's parameter.
    pub(crate) parameter: String,
    /// `code/SHA256.zip`: equal code has an equal key.
    pub(crate) key: String,
    pub(crate) zip: Vec<u8>,
}

impl Package {
    fn new(parameter: String, zip: Vec<u8>) -> Self {
        let key = format!("code/{}.zip", hex::encode(Sha256::digest(&zip)));
        Self { parameter, key, zip }
    }
}

/// Zips the engine and all functions of the project. Builds what has to be built. The job function
/// is part of the engine only if a pipeline has jobs.
pub(crate) fn packages(
    project: &Project,
    architecture: Architecture,
    has_jobs: bool,
) -> Result<Vec<Package>, CommandError> {
    let parts = if has_jobs { &ENGINE[..] } else { &ENGINE[..2] };
    let mut packages = engine(&EngineCode::find(project, architecture)?, architecture, parts)?;
    let functions = &project.settings.functions;
    let named = |name: &String| Crate::named(&project.folder, name);
    let crates = functions.values().filter_map(|function| function.package.as_ref());
    let mut built = BTreeMap::new();
    for (folder, names) in by_folder(crates.map(named).collect::<Result<Vec<_>, _>>()?) {
        let names: Vec<_> = names.into_iter().collect();
        built.insert(folder.clone(), build(&folder, &names, architecture)?);
    }
    for (name, function) in functions {
        let parameter = sidestep_deploy::code_parameter(name);
        match (&function.package, &function.path) {
            (Some(name), _) => {
                let Crate { folder, package } = named(name)?;
                packages.push(binary(parameter, &package, &built[&folder])?);
            }
            (None, Some(path)) => {
                let source = project.folder.join(path);
                let store = project.state_folder().join("vendored");
                let runtime = function.runtime.as_deref().unwrap_or_default();
                let (files, vendored) = if runtime.starts_with("nodejs") {
                    let vendored = node::vendored(&source, project, architecture, &store)?;
                    (node::code(&source, project)?, vendored)
                } else {
                    let needed = Requirements::of(&source, &project.folder)?
                        .filter(|_| runtime.starts_with("python"));
                    let vendored =
                        needed.map(|needed| vendored(&needed, runtime, architecture, &store));
                    (code_files(&source, &project.folder)?, vendored.transpose()?)
                };
                packages.push(folder(parameter, &source, &files, vendored.as_deref())?);
            }
            (None, None) => return Err(user(format!("`[functions.{name}]` is incomplete"))),
        }
    }
    Ok(packages)
}

/// Reads the engine's parts as they came with the command, or builds and zips them.
fn engine(
    code: &EngineCode,
    architecture: Architecture,
    parts: &[(&str, &str, &str)],
) -> Result<Vec<Package>, CommandError> {
    match code {
        EngineCode::Built(folder) => {
            let read = |(parameter, _, name): &(&str, &str, &str)| {
                let path = folder.join(name);
                let zip =
                    fs::read(&path).or_user(|| format!("could not read `{}`", path.display()))?;
                Ok(Package::new((*parameter).to_owned(), zip))
            };
            parts.iter().map(read).collect()
        }
        EngineCode::Source(folder) => {
            let names: Vec<_> = parts.iter().map(|(_, package, _)| (*package).to_owned()).collect();
            let built = build(folder, &names, architecture)?;
            let zipped = |(parameter, package, _): &(&str, &str, &str)| {
                binary((*parameter).to_owned(), package, &built)
            };
            parts.iter().map(zipped).collect()
        }
    }
}

/// Zips a built program as Lambda wants it.
fn binary(
    parameter: String,
    package: &str,
    built: &BTreeMap<String, PathBuf>,
) -> Result<Package, CommandError> {
    let path = &built[package];
    let bytes = fs::read(path).or_service(|| format!("could not read `{}`", path.display()))?;
    zip(parameter, [("bootstrap".to_owned(), bytes)])
}

/// Zips a function's files and the packages it requires. If both have a file, the function's own
/// wins.
fn folder(
    parameter: String,
    own: &Path,
    code: &[PathBuf],
    vendored: Option<&Path>,
) -> Result<Package, CommandError> {
    let installed = match vendored {
        Some(folder) => {
            let mut files = installed_files(folder)?;
            files.retain(|file| !is_about_this_machine(file));
            files.into_iter().map(|file| (folder, file)).collect()
        }
        None => Vec::new(),
    };
    let code = code.iter().map(|file| (own, file.clone()));
    let mut files = BTreeMap::new();
    for (folder, file) in installed.into_iter().chain(code) {
        let parts: Vec<_> =
            file.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        let path = folder.join(&file);
        let bytes =
            fs::read(&path).or_service(|| format!("could not read `{}`", path.display()))?;
        files.insert(parts.join("/"), bytes);
    }
    if files.is_empty() {
        return Err(user(format!("`{}` holds no code", own.display())));
    }
    let bytes: usize = files.values().map(Vec::len).sum();
    if bytes > UNZIPPED_BYTES {
        let problem = format!("`{}` has {bytes} bytes with what it asks for", own.display());
        return Err(user(problem).hint(format!("Lambda takes {UNZIPPED_BYTES}")));
    }
    zip(parameter, files)
}

/// Returns true if an installed file would make the zip differ between machines.
fn is_about_this_machine(file: &Path) -> bool {
    let notes = ["direct_url.json", "RECORD"];
    file.starts_with("bin") || notes.iter().any(|name| file.ends_with(name))
}

/// Zips files without their times, so that equal files make equal bytes.
fn zip(
    parameter: String,
    files: impl IntoIterator<Item = (String, Vec<u8>)>,
) -> Result<Package, CommandError> {
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
    Ok(Package::new(parameter, zip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zip_has_hidden_files_and_nothing_about_the_machine_that_made_it() {
        let folder_path = tempfile::tempdir().expect("a folder");
        for name in [
            "own/.env",
            "own/a.py",
            "packages/np.libs/.b.so",
            "packages/.libs/c.so",
            "packages/bin/tool",
            "packages/np.dist-info/RECORD",
            "packages/np/__pycache__/d.pyc",
        ] {
            let path = folder_path.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("created");
            fs::write(path, "").expect("written");
        }
        let (own, packages) = (folder_path.path().join("own"), folder_path.path().join("packages"));
        let code = code_files(&own, folder_path.path()).expect("listed");
        let package = folder("Code".to_owned(), &own, &code, Some(&packages)).expect("zipped");
        let archive = zip::ZipArchive::new(Cursor::new(package.zip)).expect("a zip");
        let names: Vec<_> = archive.file_names().collect();
        assert_eq!(names, [".env", ".libs/c.so", "a.py", "np.libs/.b.so"]);
    }

    #[test]
    fn equal_files_have_equal_keys_whatever_their_times() {
        let make = |text: &str| {
            let folder_path = tempfile::tempdir().expect("a folder");
            fs::create_dir(folder_path.path().join("inner")).expect("create");
            fs::write(folder_path.path().join("inner/a.py"), text).expect("write");
            folder("Code".to_owned(), folder_path.path(), &["inner/a.py".into()], None)
                .expect("zipped")
        };
        let (one, again, other) = (make("x = 1"), make("x = 1"), make("x = 2"));
        assert_eq!(one.key, again.key);
        assert_ne!(one.key, other.key);
        let mut archive = zip::ZipArchive::new(Cursor::new(one.zip)).expect("a zip");
        assert_eq!(archive.by_index(0).expect("a file").name(), "inner/a.py");
    }
}
