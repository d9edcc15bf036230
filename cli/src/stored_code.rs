//! Code of a function, copied into the project's state folder.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use sha2::{Digest, Sha256};
use sidestep_local::lambda::Command;

use crate::output::error::{CommandError, OrError as _};
use crate::settings::{FunctionSettings, NetworkSettings};

/// A function's code and how to run it. `sha256` is in base64, as Lambda gives it.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) command: Command,
    pub(crate) sha256: String,
}

/// A function in a folder, as `sidestep.toml` describes it.
#[derive(Debug)]
pub(crate) struct FolderFunction<'a> {
    pub(crate) name: &'a str,
    pub(crate) settings: &'a FunctionSettings,
    pub(crate) runtime: &'a str,
    /// The `N` of `python3.N` and of `nodejsN.x`.
    pub(crate) version: u32,
    pub(crate) handler: &'a str,
    pub(crate) path: &'a Path,
}

/// Writes a runtime client into the store, once, and returns its file.
pub(crate) fn runtime_client(
    store: &Path,
    name: &str,
    text: &str,
) -> Result<PathBuf, CommandError> {
    let digest = hex::encode(Sha256::digest(text));
    let folder = store.join(format!("bootstrap-{}", &digest[..16]));
    let file = folder.join(name);
    if !file.exists() {
        let temporary = folder.join(format!("{name}.{}", std::process::id()));
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&temporary, text))
            .and_then(|()| fs::rename(&temporary, &file))
            .or_service(|| format!("could not write `{}`", file.display()))?;
    }
    Ok(file)
}

/// Returns the digest of code and of the settings that a result can depend on.
pub(crate) fn lambda_digest(code: &[u8], settings: &FunctionSettings) -> String {
    let mut hash = Sha256::new();
    hash.update(code);
    for (name, value) in &settings.environment {
        hash.update(format!("{name}\0{value}\0"));
    }
    if settings.network == NetworkSettings::Aws {
        hash.update(b"\0network\0aws\0");
    }
    base64::engine::general_purpose::STANDARD.encode(hash.finalize())
}
