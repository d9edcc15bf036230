//! Who may call SageMaker's API of `up` and `serve`.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use sidestep_api::{AccessKeys, Admission};

use crate::output::error::{CommandError, OrError as _, user};
use crate::project::Project;

/// Variable that names the file of access keys; it goes before `[serve] keys`.
const KEYS_FILE: &str = "SIDESTEP_SERVE_KEYS";

/// Returns who may call SageMaker's API on an address: all of this machine, or signed requests
/// only, if a file of access keys is named.
pub(crate) fn admission(
    project: &Project,
    listen: Option<SocketAddr>,
) -> Result<Admission, CommandError> {
    let admission = keys(project)?;
    match listen.filter(|address| !address.ip().is_loopback()) {
        Some(address) if admission == Admission::Loopback => {
            let problem = format!("`{}` is not a loopback address", address.ip());
            let hint = format!(
                "requests from other machines must be signed: name a file of access keys with `keys = \"FILE\"` in `[serve]`, or in {KEYS_FILE}"
            );
            Err(user(problem).hint(hint))
        }
        _ => Ok(admission),
    }
}

/// Reads the access keys whose signatures are accepted.
///
/// Keys are never an argument or a variable, because other users of the machine can see those.
fn keys(project: &Project) -> Result<Admission, CommandError> {
    let named = std::env::var_os(KEYS_FILE).filter(|name| !name.is_empty()).map(PathBuf::from);
    let settings = project.settings.serve.keys.as_ref();
    let Some(path) = named.or_else(|| settings.map(|keys| project.folder.join(keys))) else {
        return Ok(Admission::Loopback);
    };
    let shown = path.display();
    let text = std::fs::read_to_string(&path)
        .or_user(|| format!("could not read the access keys in `{shown}`"))?;
    let keys = AccessKeys::parse(&text).map_err(|error| user(format!("`{shown}`: {error}")))?;
    let mode = std::fs::metadata(&path)?.permissions().mode();
    if mode & 0o077 != 0 {
        eprintln!("note: other users of this machine can read `{shown}`; run `chmod 600` on it");
    }
    Ok(Admission::Signed(keys))
}
