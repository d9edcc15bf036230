//! A function's `requirements.txt`: installs it, and digests it so that an installation is found
//! again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};
use sidestep_deploy::blueprint::Architecture;

use crate::files::{digest, list_files};
use crate::output::error::{CommandError, OrError as _, user};

/// Name of the file in the function's folder.
const FILE: &str = "requirements.txt";

/// The packages that a function needs beside its own files.
#[derive(Debug)]
pub(crate) struct Requirements {
    /// The function's folder, to which paths in the file are relative.
    folder: PathBuf,
    digest: [u8; 32],
    has_sdk: bool,
}

impl Requirements {
    /// Reads the requirements of the function in `folder`; returns `None` if it has none.
    pub(crate) fn of(folder: &Path) -> Result<Option<Self>, CommandError> {
        let file = folder.join(FILE);
        if !file.is_file() {
            return Ok(None);
        }
        let text =
            fs::read_to_string(&file).or_user(|| format!("could not read `{}`", file.display()))?;
        let mut hash = Sha256::new();
        hash.update(&text);
        // A package in a local folder may change while its line stays the same.
        for path in local_paths(&text) {
            let path = folder.join(path);
            let files = if path.is_dir() { list_files(&path)? } else { Vec::new() };
            if files.is_empty() {
                let bytes = fs::read(&path)
                    .or_user(|| format!("`{}` names `{}`", file.display(), path.display()))?;
                hash.update(Sha256::digest(bytes));
            } else {
                hash.update(digest(&path, &files)?);
            }
        }
        Ok(Some(Self {
            folder: folder.to_owned(),
            digest: hash.finalize().into(),
            has_sdk: has_sdk(&text),
        }))
    }

    /// Returns true if the function has the step SDK for Python.
    pub(crate) fn has_sdk(&self) -> bool {
        self.has_sdk
    }

    /// Returns the digest of the file and of everything it names in local folders.
    pub(crate) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Installs the requirements and `more` packages into the environment of `python`.
    pub(super) fn install(&self, python: &Path, more: &[&str]) -> Result<(), String> {
        let mut command = pip(python);
        // Python compiles what is imported; compiling all of a package takes longer than fetching
        // it.
        command.current_dir(&self.folder).arg("--no-compile").args(more).args(["-r", FILE]);
        finished(&mut command).map_err(|why| {
            format!("pip could not install `{}`: {why}", self.folder.join(FILE).display())
        })
    }

    /// Downloads the packages for Lambda into a folder below `store`, once, and returns the folder.
    pub(crate) fn vendored(
        &self,
        runtime: &str,
        architecture: Architecture,
        store: &Path,
    ) -> Result<PathBuf, CommandError> {
        let name = format!("{}-{runtime}-{}", hex::encode(self.digest), architecture.name());
        let folder = store.join(name);
        if folder.is_dir() {
            return Ok(folder);
        }
        let temporary = folder.with_extension(std::process::id().to_string());
        let version = runtime.trim_start_matches("python");
        let mut command = pip(Path::new("python3"));
        command.current_dir(&self.folder).arg("--target").arg(&temporary).args([
            "--no-compile",
            "--only-binary=:all:",
            "--implementation=cp",
            "--python-version",
            version,
        ]);
        for platform in platforms(version) {
            let machine = if architecture == Architecture::Arm64 { "aarch64" } else { "x86_64" };
            command.arg("--platform").arg(format!("{platform}_{machine}"));
        }
        if let Err(why) = finished(command.args(["-r", FILE])) {
            drop(fs::remove_dir_all(&temporary));
            let hint =
                "Lambda needs wheels for its system: a source distribution alone is not enough";
            let file = self.folder.join(FILE);
            return Err(
                user(format!("pip could not install `{}`: {why}", file.display())).hint(hint)
            );
        }
        // pip creates no folder for an empty file.
        fs::create_dir_all(&temporary)?;
        // Another process may have been faster; its copy is the same.
        if fs::rename(&temporary, &folder).is_err() {
            fs::remove_dir_all(&temporary)?;
        }
        Ok(folder)
    }
}

/// Returns true if a line of `requirements.txt` names the step SDK, as a package or as its folder.
fn has_sdk(text: &str) -> bool {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let names = lines.map(|line| {
        let end = line.find(['=', '<', '>', '~', '!', ' ', '[', ';', '@']).unwrap_or(line.len());
        line[..end].trim_end_matches('/').rsplit('/').next().unwrap_or_default().replace('-', "_")
    });
    names.into_iter().any(|name| name == "sidestep_step")
}

/// Returns the paths that lines name, relative to the file's folder.
fn local_paths(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.starts_with('#') {
            continue;
        }
        let mut words = line.split_whitespace();
        match words.next() {
            Some("-r" | "-c" | "-e") => found.extend(words.next()),
            Some(word) if word.starts_with(['.', '/']) => found.push(word),
            _ => {}
        }
    }
    found
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

/// Returns a call of `pip install`.
fn pip(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    command
}

/// Runs a command to its end; returns its last line of stderr if it fails.
fn finished(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    Err(last.unwrap_or("it said nothing").trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_lies_here_is_part_of_the_digest() {
        let folder = tempfile::tempdir().expect("a folder");
        let (own, other) = (folder.path().join("own"), folder.path().join("other"));
        fs::create_dir(&own).expect("created");
        fs::create_dir(&other).expect("created");
        assert!(Requirements::of(&own).expect("read").is_none());
        fs::write(own.join(FILE), "# what it needs\n../other # ours\nnumpy==2.4.6\n")
            .expect("written");
        let digest = || *Requirements::of(&own).expect("read").expect("it has some").digest();
        assert!(Requirements::of(&own).is_err(), "a folder without a package");
        fs::write(other.join("code.py"), "1").expect("written");
        let first = digest();
        assert_eq!(digest(), first);
        fs::write(other.join("code.py"), "2").expect("written");
        assert_ne!(digest(), first);
    }

    #[test]
    fn paths_are_told_from_names_and_options() {
        let text = "a==1\n./b\n/c\n-r d.txt\n-e ../e\n--index-url https://x\n#./f\n../g  # why\n";
        assert_eq!(local_paths(text), ["./b", "/c", "d.txt", "../e", "../g"]);
    }
}
