//! Where the code of planner and trigger comes from.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use sidestep_deploy::blueprint::Architecture;

use crate::output::error::{CommandError, OrError as _, user};
use crate::project::Project;

/// The code of planner and trigger.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum EngineCode {
    /// A folder with `planner.zip` and `trigger.zip`, which came with the command.
    Built(PathBuf),
    /// A folder with their source, from which cargo builds them.
    Source(PathBuf),
}

impl EngineCode {
    /// Finds the code: the source that `[deploy] engine_source` names, else what came with the
    /// command, else the source that the command was built from.
    pub(crate) fn find(
        project: &Project,
        architecture: Architecture,
    ) -> Result<Self, CommandError> {
        if let Some(folder) = &project.settings.deploy.engine_source {
            let folder = project.folder.join(folder);
            return source(&folder).ok_or_else(|| {
                let problem = format!("sidestep's own source is not in `{}`", folder.display());
                user(problem)
                    .hint("`[deploy]`, `engine_source = \"DIR\"` names a clone of its repository")
            });
        }
        let program = env::current_exe()
            .and_then(fs::canonicalize)
            .or_service(|| "could not find the place of this command")?;
        if let Some(folder) = beside(&program, architecture)? {
            return Ok(Self::Built(folder));
        }
        source(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).ok_or_else(|| {
            let problem = format!("planner and trigger did not come with `{}`", program.display());
            user(problem).hint(
                "unpack a release whole, or name a clone of sidestep's repository: `[deploy]`, \
                 `engine_source = \"DIR\"`",
            )
        })
    }
}

fn source(folder: &Path) -> Option<EngineCode> {
    let is_ours = folder.join("functions/planner/Cargo.toml").is_file();
    is_ours.then(|| EngineCode::Source(folder.to_owned()))
}

/// Returns the folder with the zips for an instruction set that came with a program.
///
/// A release has them in `lambda/` beside the program, or in `../lib/sidestep/lambda/` where it is
/// installed below a prefix such as `/usr/local`. The file `version` there tells that they are of
/// the same release, because a planner of another one may read the state in another way.
fn beside(program: &Path, architecture: Architecture) -> Result<Option<PathBuf>, CommandError> {
    let folder = program.parent().unwrap_or(program);
    let places = [folder.join("lambda"), folder.join("../lib/sidestep/lambda")];
    let Some(place) = places.into_iter().find(|place| place.join("version").is_file()) else {
        return Ok(None);
    };
    let version = fs::read_to_string(place.join("version"))
        .or_service(|| format!("could not read `{}`", place.join("version").display()))?;
    let (version, own) = (version.trim(), env!("CARGO_PKG_VERSION"));
    if version != own {
        let problem = format!("`{}` is of sidestep {version}, and this is {own}", place.display());
        return Err(user(problem).hint("unpack one release whole"));
    }
    let zips = place.join(architecture.name());
    if !zips.is_dir() {
        let problem = format!("`{}` has no code for {}", place.display(), architecture.name());
        return Err(
            user(problem).hint("pass the other `--architecture`, or unpack a release whole")
        );
    }
    Ok(Some(zips))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_with_a_program_is_of_its_version_and_for_the_instruction_set() {
        let own = env!("CARGO_PKG_VERSION");
        let wrong_version = "is of sidestep 0.0.9";
        for (version_file, version, expected) in [
            ("bin/lambda/version", own, Ok(Some("bin/lambda/arm64"))),
            ("lib/sidestep/lambda/version", own, Ok(Some("bin/../lib/sidestep/lambda/arm64"))),
            ("bin/lambda/version", "0.0.9", Err(wrong_version)),
            ("lib/lambda/version", own, Ok(None)),
        ] {
            let top = tempfile::tempdir().expect("a folder");
            let file = top.path().join(version_file);
            fs::create_dir_all(file.with_file_name("arm64")).expect("created");
            fs::create_dir_all(top.path().join("bin")).expect("created");
            fs::write(&file, format!("{version}\n")).expect("written");
            let program = top.path().join("bin/sidestep");
            let found = beside(&program, Architecture::Arm64);
            match (found, expected) {
                (Ok(found), Ok(expected)) => {
                    assert_eq!(found, expected.map(|place| top.path().join(place)));
                    let other = beside(&program, Architecture::X86_64);
                    assert_eq!(other.is_err(), expected.is_some(), "{version_file}");
                }
                (Err(error), Err(expected)) => {
                    assert!(error.one_line().contains(expected), "{}", error.one_line());
                }
                (found, _) => panic!("{version_file}: {found:?}"),
            }
        }
    }
}
