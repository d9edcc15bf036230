//! Which package a function's `package` names: one of the project's workspace, or one in a folder
//! with a `Cargo.toml` of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::output::error::{CommandError, OrError as _, user};

/// A package, and the folder in which cargo knows it by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Crate {
    pub(crate) folder: PathBuf,
    pub(crate) package: String,
}

impl Crate {
    /// Finds the package that a function of the project in `project` names.
    ///
    /// A folder is named by a path with a `/`. A plain name is that of a folder if it has a
    /// `Cargo.toml` and no workspace above may hold it.
    pub(crate) fn named(project: &Path, name: &str) -> Result<Self, CommandError> {
        let folder = project.join(name);
        let manifest = folder.join("Cargo.toml");
        if !manifest.is_file() {
            if name.contains('/') {
                let problem = format!("`{}` does not exist", manifest.display());
                return Err(user(problem).hint("`package` is the name of a package, or a folder"));
            }
            return Ok(Self { folder: project.to_owned(), package: name.to_owned() });
        }
        let text = fs::read_to_string(&manifest)
            .or_user(|| format!("could not read `{}`", manifest.display()))?;
        let table: toml::Table =
            text.parse().or_user(|| format!("`{}` is invalid", manifest.display()))?;
        let is_own = name.contains('/') || table.contains_key("workspace");
        let has_workspace = || project.ancestors().any(|above| above.join("Cargo.toml").is_file());
        if !is_own && has_workspace() {
            return Ok(Self { folder: project.to_owned(), package: name.to_owned() });
        }
        let stated = table.get("package").and_then(|package| package.get("name"));
        let package = stated.and_then(toml::Value::as_str).ok_or_else(|| {
            user(format!("`{}` is not a package", manifest.display()))
                .hint("name the folder of one package, not that of a workspace")
        })?;
        Ok(Self { folder, package: package.to_owned() })
    }
}

/// Returns the names of the packages by the folder in which cargo knows them.
pub(crate) fn by_folder(
    crates: impl IntoIterator<Item = Crate>,
) -> BTreeMap<PathBuf, BTreeSet<String>> {
    let mut folders: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
    for Crate { folder, package } in crates {
        folders.entry(folder).or_default().insert(package);
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_one_of_the_workspace_or_a_folder_with_a_manifest() {
        let top_folder = tempfile::tempdir().expect("a folder");
        let top = top_folder.path();
        let write = |name: &str, text: &str| {
            let path = top.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("created");
            fs::write(path, text).expect("written");
        };
        let package = "[package]\nname = \"other\"\nversion = \"0.1.0\"\n";
        write("alone/Cargo.toml", package);
        write("many/Cargo.toml", "[workspace]\nmembers = []\n");
        let named = |name: &str| {
            let found = Crate::named(top, name).expect("found");
            let folder = found.folder.strip_prefix(top).expect("below").to_string_lossy();
            (folder.into_owned(), found.package)
        };
        let pair = |folder: &str, package: &str| (folder.to_owned(), package.to_owned());
        assert_eq!(named("flights"), pair("", "flights"));
        assert_eq!(named("alone"), pair("alone", "other"));
        assert_eq!(named("./alone"), pair("alone", "other"));
        for wrong in ["many", "no/folder", "./flights"] {
            assert!(Crate::named(top, wrong).is_err(), "{wrong}");
        }
        // With a workspace around it, a plain name is a package of that.
        write("Cargo.toml", "[workspace]\nmembers = [\"alone\"]\n");
        assert_eq!(named("alone"), pair("", "alone"));
        assert_eq!(named("./alone"), pair("alone", "other"));
        write("alone/Cargo.toml", &format!("{package}[workspace]\n"));
        assert_eq!(named("alone"), pair("alone", "other"));
    }
}
