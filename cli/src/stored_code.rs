//! Code of a function, copied into the project's state folder.

use base64::Engine as _;
use sha2::{Digest, Sha256};
use sidestep_local::lambda::Command;

use crate::settings::FunctionSettings;

/// A function's code and how to run it. `sha256` is in base64, as Lambda gives it.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) command: Command,
    pub(crate) sha256: String,
}

/// Returns the digest of code and of the settings that a result can depend on.
pub(crate) fn lambda_digest(code: &[u8], settings: &FunctionSettings) -> String {
    let mut hash = Sha256::new();
    hash.update(code);
    for (name, value) in &settings.environment {
        hash.update(format!("{name}\0{value}\0"));
    }
    base64::engine::general_purpose::STANDARD.encode(hash.finalize())
}
