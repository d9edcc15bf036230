//! What cargo says about a build: <https://doc.rust-lang.org/cargo/reference/external-tools.html#json-messages>.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

/// The messages of one call.
#[derive(Debug, Default)]
pub(super) struct Messages {
    artifacts: Vec<Artifact>,
    scripts: Vec<Script>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact(Artifact),
    BuildScriptExecuted(Script),
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Artifact {
    package_id: String,
    manifest_path: PathBuf,
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
}

/// A built program, by the names that cargo knows it by.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) package: String,
    pub(super) name: String,
    pub(super) path: PathBuf,
}

/// A build script that ran, now or earlier.
#[derive(Debug, Deserialize)]
pub(super) struct Script {
    package_id: String,
    /// Beside it is the file `output`, what the script told cargo.
    pub(super) out_dir: PathBuf,
}

impl Messages {
    /// Reads one message a line; what is none, such as a line of a compiler's plug-in, is passed over.
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut messages = Self::default();
        for line in text.split(|byte| *byte == b'\n') {
            match serde_json::from_slice(line) {
                Ok(Message::CompilerArtifact(artifact)) => messages.artifacts.push(artifact),
                Ok(Message::BuildScriptExecuted(script)) => messages.scripts.push(script),
                Ok(Message::Other) | Err(_) => {}
            }
        }
        messages
    }

    pub(super) fn programs(&self) -> Vec<Program> {
        let programs = self.artifacts.iter().filter(|artifact| artifact.target.kind == ["bin"]);
        let named = |artifact: &Artifact| {
            let manifest = fs::read_to_string(&artifact.manifest_path).ok()?;
            let manifest: toml::Table = manifest.parse().ok()?;
            let package = manifest.get("package")?.get("name")?.as_str()?.to_owned();
            let (name, path) = (artifact.target.name.clone(), artifact.executable.clone()?);
            Some(Program { package, name, path })
        };
        programs.filter_map(named).collect()
    }

    /// The manifests of packages that lie in folders, in contrast to those of a registry, which never change.
    pub(super) fn local_manifests(&self) -> BTreeSet<&PathBuf> {
        let local = self.artifacts.iter().filter(|artifact| is_local(&artifact.package_id));
        local.map(|artifact| &artifact.manifest_path).collect()
    }

    /// Build scripts of packages that lie in folders: they may look at anything.
    pub(super) fn has_local_script(&self) -> bool {
        self.scripts.iter().any(|script| is_local(&script.package_id))
    }

    pub(super) fn scripts(&self) -> &[Script] {
        &self.scripts
    }
}

fn is_local(package_id: &str) -> bool {
    package_id.starts_with("path+")
}
