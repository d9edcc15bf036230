//! What cargo's JSON messages say about one build
//! (<https://doc.rust-lang.org/cargo/reference/external-tools.html#json-messages>).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{Artifact, BuildScript, Message, PackageId, TargetKind};
use serde::Deserialize as _;
use serde_json::Value;

/// The messages of one call of cargo.
#[derive(Debug, Default)]
pub(super) struct Messages {
    artifacts: Vec<Artifact>,
    scripts: Vec<BuildScript>,
}

/// A built program, by the names that cargo knows it by.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) package: String,
    pub(super) name: String,
    pub(super) path: PathBuf,
}

impl Messages {
    /// Reads one message a line. Other lines, such as those of a compiler's plug-in, are skipped.
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut messages = Self::default();
        // By way of a value: read straight from text, a tagged type takes no numbers, because
        // `arbitrary_precision` keeps their digits as text.
        let lines = text.split(|byte| *byte == b'\n');
        let values = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        for message in values.filter_map(|value| Message::deserialize(value).ok()) {
            match message {
                Message::CompilerArtifact(artifact) => messages.artifacts.push(artifact),
                Message::BuildScriptExecuted(script) => messages.scripts.push(script),
                _ => {}
            }
        }
        messages
    }

    /// Returns the programs that the build made or found up to date.
    pub(super) fn programs(&self) -> Vec<Program> {
        let is_program = |artifact: &&Artifact| artifact.target.kind == [TargetKind::Bin];
        self.artifacts.iter().filter(is_program).filter_map(program).collect()
    }

    /// Returns the manifests of packages that lie in folders. Those of a registry never change.
    pub(super) fn local_manifests(&self) -> BTreeSet<&Path> {
        let local = self.artifacts.iter().filter(|artifact| is_local(&artifact.package_id));
        local.map(|artifact| artifact.manifest_path.as_std_path()).collect()
    }

    /// Returns true if a package that lies in a folder has a build script, which may read anything.
    pub(super) fn has_local_script(&self) -> bool {
        self.scripts.iter().any(|script| is_local(&script.package_id))
    }

    /// Returns the files in which cargo keeps what each build script told it.
    pub(super) fn script_outputs(&self) -> impl Iterator<Item = Option<PathBuf>> {
        self.scripts.iter().map(|script| Some(script.out_dir.parent()?.join("output").into()))
    }
}

/// Reads the package's name from its manifest, because an artifact only has the package's id.
fn program(artifact: &Artifact) -> Option<Program> {
    let manifest: toml::Table = fs::read_to_string(&artifact.manifest_path).ok()?.parse().ok()?;
    let package = manifest.get("package")?.get("name")?.as_str()?.to_owned();
    let path = artifact.executable.clone()?.into();
    Some(Program { package, name: artifact.target.name.clone(), path })
}

fn is_local(package: &PackageId) -> bool {
    package.repr.starts_with("path+")
}
