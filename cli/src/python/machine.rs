//! What this machine has: uv, pyenv, and the programs on the path.

use std::env;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Returns uv, if it is on the path.
pub(super) fn uv() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join("uv")).find(|file| file.is_file())
}

/// Returns the folder of pyenv, if the user has it.
pub(super) fn pyenv() -> Option<PathBuf> {
    let named = env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = named.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".pyenv")))?;
    root.is_dir().then_some(root)
}

/// Returns true if the file is run by another program, or cannot be read.
pub(super) fn is_script(file: &Path) -> bool {
    let mut start = [0; 2];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut start));
    read.is_err() || start == *b"#!"
}

/// Returns facts of a file that change when it does. Links are followed.
pub(super) fn stamp(file: &Path) -> String {
    let facts = fs::metadata(file)
        .map(|found| (found.dev(), found.ino(), found.size(), found.mtime_nsec(), found.mtime()));
    format!("{} {:?}", file.display(), facts.ok())
}
