//! The packages of a Node.js function, which npm installs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sidestep_deploy::blueprint::Architecture;

use super::interpreter::Interpreter;
use crate::cache_folder::{cache_folder, made_once};
use crate::files::{INSTALLED, code_files, copy_into, digest};
use crate::installer::run;
use crate::output::error::{CommandError, OrError as _};

/// The folder that Node.js looks for packages in.
pub(super) const MODULES: &str = INSTALLED;
const MANIFEST: &str = "package.json";
const LOCK: &str = "package-lock.json";

/// What a function's `package.json` asks for.
#[derive(Debug)]
pub(super) struct Packages {
    folder: PathBuf,
    has_lock: bool,
    /// Packages in folders of this machine, with their files.
    local: Vec<(PathBuf, Vec<PathBuf>)>,
    digest: String,
}

/// Packages that are installed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Installed {
    pub(super) modules: PathBuf,
    /// The digest of the packages' names, versions and contents.
    pub(super) digest: String,
}

impl Packages {
    /// Reads what the function in `folder` needs from npm; returns `None` if that is nothing, or if
    /// the folder holds the packages and no lock file.
    pub(super) fn of(folder: &Path, top: &Path) -> Result<Option<Self>, CommandError> {
        let folder = fs::canonicalize(folder)
            .or_user(|| format!("could not read folder `{}`", folder.display()))?;
        let manifest = folder.join(MANIFEST);
        let has_lock = folder.join(LOCK).is_file();
        if !manifest.is_file() || (!has_lock && folder.join(MODULES).is_dir()) {
            return Ok(None);
        }
        let text = fs::read_to_string(&manifest)
            .or_user(|| format!("could not read `{}`", manifest.display()))?;
        let parsed: Value = serde_json::from_str(&text)
            .or_user(|| format!("`{}` is invalid", manifest.display()))?;
        let stated = ["dependencies", "optionalDependencies"].map(|key| &parsed[key]);
        let needs: Vec<_> = stated.into_iter().filter_map(Value::as_object).flatten().collect();
        if needs.is_empty() {
            return Ok(None);
        }
        let mut hash = Sha256::new();
        for name in [MANIFEST, LOCK, ".npmrc"] {
            hash.update(Sha256::digest(fs::read(folder.join(name)).unwrap_or_default()));
        }
        let mut local = Vec::new();
        for path in needs.iter().filter_map(|(_, need)| need.as_str()?.strip_prefix("file:")) {
            let package = fs::canonicalize(folder.join(path))
                .or_user(|| format!("`{}` names `{path}`", manifest.display()))?;
            if package.is_file() {
                hash.update(Sha256::digest(fs::read(&package)?));
                let name = PathBuf::from(package.file_name().unwrap_or_default());
                local.push((package.parent().unwrap_or(&folder).to_owned(), vec![name]));
                continue;
            }
            let mut files = code_files(&package, top)?;
            files.retain(|file| !file.starts_with(MODULES));
            hash.update(digest(&package, &files)?);
            local.push((package, files));
        }
        let digest = hex::encode(hash.finalize());
        Ok(Some(Self { folder, has_lock, local, digest }))
    }

    /// Installs the packages for this machine, once for all projects.
    pub(super) fn installed(
        &self,
        interpreter: &Interpreter,
        function: &str,
    ) -> Result<Installed, CommandError> {
        let name = format!("packages-{}-{}", interpreter.version, &self.digest[..24]);
        let folder = cache_folder()?.join("node").join(name);
        let is_whole = |installed: &Installed| installed.modules.is_dir();
        made_once(&folder, is_whole, || {
            let doing = format!("installing the packages of function `{function}`");
            eprintln!("{doing}, once (npm)");
            let modules = self.install(&folder, &doing, &[])?;
            let lock = fs::read(modules.join(".package-lock.json")).unwrap_or_default();
            let mut hash = Sha256::new();
            hash.update(lock);
            // The lock does not have the content of packages on this machine.
            if !self.local.is_empty() {
                hash.update(&self.digest);
            }
            Ok(Installed { modules, digest: hex::encode(hash.finalize()) })
        })
    }

    /// Installs the packages for Lambda, once, and returns the folder that holds them.
    pub(super) fn for_lambda(
        &self,
        architecture: Architecture,
        store: &Path,
    ) -> Result<PathBuf, CommandError> {
        let folder = store.join(format!("{}-node-{}", self.digest, architecture.name()));
        let cpu = if architecture == Architecture::Arm64 { "--cpu=arm64" } else { "--cpu=x64" };
        let doing = format!("installing `{}` for Lambda", self.folder.join(MANIFEST).display());
        let is_whole = |modules: &PathBuf| modules.is_dir();
        let modules = made_once(&folder, is_whole, || {
            self.install(&folder, &doing, &["--os=linux", cpu, "--install-links"])
        })?;
        Ok(modules.parent().unwrap_or(&folder).to_owned())
    }

    /// Runs npm on a copy of what it reads. The copies lie to each other as their sources do,
    /// because lock files name packages on this machine by relative paths.
    fn install(&self, top: &Path, doing: &str, more: &[&str]) -> Result<PathBuf, CommandError> {
        let mirrored =
            |path: &Path| top.join("source").join(path.strip_prefix("/").unwrap_or(path));
        let folder = mirrored(&self.folder);
        let mut files = [MANIFEST, LOCK, ".npmrc"].map(PathBuf::from).to_vec();
        files.retain(|name| self.folder.join(name).is_file());
        copy_into(&self.folder, &files, &folder)?;
        for (package, files) in &self.local {
            copy_into(package, files, &mirrored(package))?;
        }
        let mut command = Command::new("npm");
        command.arg(if self.has_lock { "ci" } else { "install" });
        command.args(["--omit=dev", "--no-audit", "--no-fund", "--no-update-notifier"]);
        command.args(more).current_dir(&folder);
        let manifest = self.folder.join(MANIFEST);
        run(&mut command, doing).map_err(|failure| {
            failure.error(format!("npm could not install `{}`", manifest.display()))
        })?;
        let modules = folder.join(MODULES);
        fs::create_dir_all(&modules)?;
        Ok(modules)
    }
}
