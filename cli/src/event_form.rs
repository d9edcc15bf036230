//! What a function's event holds: the arguments alone, or beside them the key `Sidestep`.
//!
//! Most functions use no step SDK and know nothing of sidestep. They get their arguments alone, so
//! that `handler(**event)` works as it does when another caller invokes them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sidestep_core::plan::lease::{EVENT_VARIABLE, EVENT_WITH_KEY, SDK_VARIABLE};

use crate::files::code_files;
use crate::output::error::{CommandError, user};
use crate::project::Project;
use crate::settings::{EventForm, FunctionSettings};

/// The beginnings of lines that load the step SDK for Python.
const IMPORTS: [&str; 2] = ["import sidestep_step", "from sidestep_step"];

/// Adds to a function's variables what tells the engine the form of its event.
///
/// A function with a step SDK has [`SDK_VARIABLE`] already, unless the SDK is among its own files.
pub(crate) fn announce(
    project: &Project,
    name: &str,
    settings: &FunctionSettings,
    environment: &mut BTreeMap<String, String>,
) -> Result<(), CommandError> {
    announce_named(name, settings, named_by(project, settings)?, environment)
}

/// Does [`announce`] for code that names what it names.
pub(crate) fn announce_named(
    name: &str,
    settings: &FunctionSettings,
    named: Named,
    environment: &mut BTreeMap<String, String>,
) -> Result<(), CommandError> {
    let has_sdk = named.has_sdk || environment.contains_key(SDK_VARIABLE);
    let gets_key = gets_key(name, settings, has_sdk, named)?;
    if has_sdk {
        environment.insert(SDK_VARIABLE.to_owned(), "1".to_owned());
    } else if gets_key {
        environment.insert(EVENT_VARIABLE.to_owned(), EVENT_WITH_KEY.to_owned());
    }
    Ok(())
}

/// Returns true if the function's event has the key `Sidestep`.
pub(crate) fn gets_key(
    name: &str,
    settings: &FunctionSettings,
    has_sdk: bool,
    named: Named,
) -> Result<bool, CommandError> {
    let is_sdk = has_sdk || named.has_sdk;
    // The handlers of a step SDK need the key, and the SDK takes it out of the event itself.
    if is_sdk && settings.event == Some(EventForm::Plain) {
        let problem = format!(
            "invalid `functions.{name}.event`: expected `sidestep` for a function with a step SDK"
        );
        return Err(user(problem)
            .hint("remove `event`: the SDK takes the key out before your handler runs"));
    }
    let by_itself = if is_sdk || named.has_key { EventForm::Sidestep } else { EventForm::Plain };
    Ok(settings.event.unwrap_or(by_itself) == EventForm::Sidestep)
}

/// What a function's code names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// The word `Sidestep`: the code reads the key.
    pub(crate) has_key: bool,
    /// The step SDK for Python, which may be among the function's own files.
    pub(crate) has_sdk: bool,
}

/// Returns what the code of a function in a folder names. Rust packages are known by what they
/// depend on.
pub(crate) fn named_by(
    project: &Project,
    settings: &FunctionSettings,
) -> Result<Named, CommandError> {
    let path = settings.path.as_ref().filter(|_| settings.package.is_none());
    let Some(folder) = path.map(|path| project.folder.join(path)) else {
        return Ok(Named::default());
    };
    Ok(named(&folder, &code_files(&folder, &project.folder)?))
}

/// Looks into the files of a function's folder. A file that cannot be read names nothing.
pub(crate) fn named(folder: &Path, files: &[PathBuf]) -> Named {
    let mut found = Named::default();
    for file in files {
        let Ok(bytes) = fs::read(folder.join(file)) else { continue };
        // Programs and archives are not text.
        let Ok(text) = std::str::from_utf8(&bytes) else { continue };
        found.has_key |= has_word(text);
        found.has_sdk |= text.lines().any(|line| loads_sdk(line.trim_start()));
    }
    found
}

/// Returns true if the text has the word `Sidestep`, in this case and on its own.
fn has_word(text: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices("Sidestep").any(|(at, word)| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        !before.ends_with(is_part) && !after.starts_with(is_part)
    })
}

fn loads_sdk(line: &str) -> bool {
    let rest = IMPORTS.iter().find_map(|import| line.strip_prefix(import));
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_looked_through_for_the_key_and_for_the_sdk() {
        for (text, has_key, has_sdk) in [
            (
                "def handler(event, context):\n    return event['Sidestep']['OutputPrefix']",
                true,
                false,
            ),
            ("Sidestep = 'x'", true, false),
            ("# for sidestep", false, false),
            ("MySidestepHelper", false, false),
            ("from sidestep_step import step", false, true),
            ("  import sidestep_step", false, true),
            ("import sidestep_stepping", false, false),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            fs::write(folder.path().join("h.py"), text).expect("written");
            fs::write(folder.path().join("x.so"), b"\xff\xfeSidestep").expect("written");
            let files = ["h.py".into(), "x.so".into(), "absent.py".into()];
            assert_eq!(named(folder.path(), &files), Named { has_key, has_sdk }, "{text}");
        }
    }
}
