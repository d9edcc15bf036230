//! Lists the files of a folder. Links are followed, and circles of links are refused.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::ignored::Ignored;
use crate::output::error::{CommandError, OrError as _, user};
use crate::state_folder::state_folder;

/// Device and inode of a folder, which tell it apart from every other one.
type Identity = (u64, u64);

/// Which files are listed.
#[derive(Debug)]
enum Rules {
    Code(Ignored),
    /// Packages that a tool installed.
    Installed,
    Data,
}

/// A walk through one folder.
#[derive(Debug)]
struct Walk {
    folder: PathBuf,
    rules: Rules,
    /// The folders that the walk is in, to find circles.
    above: Vec<Identity>,
    /// The state of the embedded cloud, which is never code.
    state: Option<Identity>,
    found: Vec<PathBuf>,
}

/// Returns the code in a folder of the project `top`, sorted and relative to the folder.
pub(crate) fn code_files(folder: &Path, top: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let canonical = fs::canonicalize(folder)
        .or_user(|| format!("could not read folder `{}`", folder.display()))?;
    let rules = Rules::Code(Ignored::above(&canonical, top)?);
    let state = fs::metadata(state_folder(top)).ok().as_ref().map(identity);
    list(canonical, rules, state)
}

/// Returns the files of a folder that a tool filled with packages, without what Python compiled.
pub(crate) fn installed_files(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    list(folder.to_owned(), Rules::Installed, None)
}

/// Returns the files of a folder of data, without hidden ones.
pub(crate) fn data_files(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    list(folder.to_owned(), Rules::Data, None)
}

fn list(
    folder: PathBuf,
    rules: Rules,
    state: Option<Identity>,
) -> Result<Vec<PathBuf>, CommandError> {
    let mut walk = Walk { folder, rules, above: Vec::new(), state, found: Vec::new() };
    walk.folder(Path::new(""))?;
    walk.found.sort();
    Ok(walk.found)
}

impl Walk {
    /// Lists what is in one folder.
    fn folder(&mut self, relative: &Path) -> Result<(), CommandError> {
        let path = self.folder.join(relative);
        let unreadable = || format!("could not read folder `{}`", path.display());
        let this = identity(&fs::metadata(&path).or_user(unreadable)?);
        if self.state == Some(this) && !relative.as_os_str().is_empty() {
            return Ok(());
        }
        if self.above.contains(&this) {
            let problem = format!("`{}` is a link to a folder that it lies in", path.display());
            return Err(user(problem).hint("remove the link, or name it in `.sidestepignore`"));
        }
        self.above.push(this);
        if let Rules::Code(ignored) = &mut self.rules {
            ignored.enter(&path)?;
        }
        for entry in fs::read_dir(&path).or_user(unreadable)? {
            self.entry(&relative.join(entry.or_user(unreadable)?.file_name()))?;
        }
        if let Rules::Code(ignored) = &mut self.rules {
            ignored.leave();
        }
        self.above.pop();
        Ok(())
    }

    /// Lists a file, or what is in a folder.
    fn entry(&mut self, relative: &Path) -> Result<(), CommandError> {
        let path = self.folder.join(relative);
        let metadata = fs::metadata(&path);
        let is_folder = metadata.as_ref().is_ok_and(Metadata::is_dir);
        if self.rules.skip(&path, is_folder) {
            return Ok(());
        }
        let metadata = metadata.or_user(|| match fs::read_link(&path) {
            Ok(target) => {
                format!(
                    "`{}` is a link to `{}`, which is missing",
                    path.display(),
                    target.display()
                )
            }
            Err(_) => format!("could not read `{}`", path.display()),
        })?;
        if is_folder {
            self.folder(relative)?;
        } else if metadata.is_file() {
            // Sockets and pipes are not code.
            self.found.push(relative.to_owned());
        }
        Ok(())
    }
}

impl Rules {
    /// Returns true if the file or folder is not listed.
    fn skip(&self, path: &Path, is_folder: bool) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_compiled = name == "__pycache__" || name.ends_with(".pyc");
        match self {
            Self::Code(ignored) => ignored.matches(path, is_folder),
            Self::Installed => is_compiled,
            Self::Data => is_compiled || name.starts_with('.'),
        }
    }
}

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn write(folder: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("created");
            fs::write(path, text).expect("written");
        }
    }

    fn listed(folder: &Path, top: &Path) -> Vec<String> {
        let files = code_files(folder, top).expect("listed");
        files.iter().map(|file| file.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn code_is_every_file_that_a_tool_did_not_leave_there() {
        let top_folder = tempfile::tempdir().expect("a folder");
        let top = fs::canonicalize(top_folder.path()).expect("a path");
        let code = ["f/.env", "f/h.py", "f/np.libs/.hidden.so", "f/.libs/a.so", "f/build/own.py"];
        let other = [
            "f/h.py~",
            "f/.h.py.swp",
            "f/.#h.py",
            "f/Thumbs.db",
            "f/sub/.DS_Store",
            "f/h.pyc",
            "f/__pycache__/h.cpython-313.pyc",
            "f/.idea/a.xml",
            "f/.vscode/a.json",
            "f/.git/HEAD",
            "f/.gitignore",
            "f/venv/pyvenv.cfg",
            "f/venv/lib/six.py",
            "f/.venv/pyvenv.cfg",
            "f/node_modules/.cache/x",
            "f/.sidestep/version",
            "f/.pytest_cache/v",
            "f/pkg/pyproject.toml.orig~",
            "f/pkg/build/lib/pkg/old.py",
            "f/pkg/pkg.egg-info/PKG-INFO",
            "f/pkg/src/pkg.egg-info/PKG-INFO",
        ];
        let package =
            ["f/pkg/setup.py", "f/pkg/src/pkg/new.py", "f/vendored-1.0.egg-info/PKG-INFO"];
        for name in code.iter().chain(&other).chain(&package) {
            write(&top, &[(name, "")]);
        }
        let mut expected: Vec<_> = code.iter().chain(&package).map(|name| &name[2..]).collect();
        expected.sort_unstable();
        assert_eq!(listed(&top.join("f"), &top), expected);
    }

    #[test]
    fn rules_are_read_from_the_project_down_and_own_ones_win() {
        let top_folder = tempfile::tempdir().expect("a folder");
        let top = fs::canonicalize(top_folder.path()).expect("a path");
        write(
            &top,
            &[
                (".gitignore", "*.log\n/f/made/\n"),
                (".sidestepignore", "secret.txt\n"),
                ("f/.gitignore", "*.so\nlocal/\n"),
                ("f/.sidestepignore", "!keep.so\n!__pycache__/\n!*.pyc\nnotes/\n"),
                ("f/a.log", ""),
                ("f/b.so", ""),
                ("f/keep.so", ""),
                ("f/secret.txt", ""),
                ("f/made/x.py", ""),
                ("f/notes/x.py", ""),
                ("f/local/x.py", ""),
                ("f/h.py", ""),
                ("f/sub/.gitignore", "!c.log\nd.py\n"),
                ("f/sub/c.log", ""),
                ("f/sub/d.py", ""),
                ("f/__pycache__/only.pyc", ""),
            ],
        );
        let expected = ["__pycache__/only.pyc", "h.py", "keep.so", "sub/c.log"];
        assert_eq!(listed(&top.join("f"), &top), expected);
        // A folder outside the project has only its own rules.
        let other_folder = tempfile::tempdir().expect("a folder");
        let other = fs::canonicalize(other_folder.path()).expect("a path");
        assert!(listed(&top.join("f"), &other).contains(&"a.log".to_owned()));
    }

    #[test]
    fn links_are_followed_and_circles_and_dead_links_are_refused() {
        let top_folder = tempfile::tempdir().expect("a folder");
        let top = fs::canonicalize(top_folder.path()).expect("a path");
        write(
            &top,
            &[("common/c.py", "1"), ("f/h.py", ""), ("venv/pyvenv.cfg", ""), ("venv/lib/x.py", "")],
        );
        symlink("../common", top.join("f/common")).expect("linked");
        symlink("../common/c.py", top.join("f/d.py")).expect("linked");
        symlink("lib", top.join("venv/lib64")).expect("linked");
        let names = ["common/c.py", "d.py", "h.py"];
        assert_eq!(listed(&top.join("f"), &top), names);
        let all = ["common/c.py", "f/common/c.py", "f/d.py", "f/h.py"];
        assert_eq!(listed(&top, &top), all, "an environment beside the code is not code");

        symlink("nothing", top.join("f/dead")).expect("linked");
        let refused = code_files(&top.join("f"), &top).expect_err("a dead link").one_line();
        assert!(refused.contains("is a link to `nothing`, which is missing"), "{refused}");
        fs::remove_file(top.join("f/dead")).expect("removed");
        symlink("..", top.join("f/up")).expect("linked");
        let refused = code_files(&top.join("f"), &top).expect_err("a circle").one_line();
        assert!(refused.contains("is a link to a folder that it lies in"), "{refused}");
        write(&top, &[("f/.sidestepignore", "up\n")]);
        assert_eq!(listed(&top.join("f"), &top), names);
    }
}
