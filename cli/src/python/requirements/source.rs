//! Which file of a function's folder says what packages the function needs.

use std::path::{Path, PathBuf};

use toml::Table;

use super::file::Asked;
use super::{flat, pipenv, poetry, pyproject, text, uv};
use crate::output::error::{CommandError, user};

/// The files that can say so, the one that counts first.
const FILES: [&str; 8] = [
    "requirements.txt",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "pylock.toml",
    "Pipfile.lock",
    "pyproject.toml",
    "Pipfile",
];

/// Files that say so to other tools.
const UNREAD: [&str; 3] = ["setup.py", "environment.yml", "environment.yaml"];

/// What a function needs, and which file says so.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) file: PathBuf,
    pub(super) asked: Asked,
}

/// Returns what the function in `folder` needs, if a file says so.
pub(super) fn source(folder: &Path) -> Result<Option<Source>, CommandError> {
    for name in FILES {
        let file = folder.join(name);
        if !file.is_file() {
            continue;
        }
        if name == FILES[0] {
            return Ok(Some(Source { file: file.clone(), asked: Asked::of_file(&file, folder)? }));
        }
        let invalid = |why: String| user(format!("`{}` cannot be used: {why}", file.display()));
        if let Some(lines) = lines(&file, name, folder)?.map_err(invalid)? {
            let asked = Asked::of_lines(&lines.join("\n"), folder)?;
            return Ok(Some(Source { file, asked }));
        }
    }
    Ok(None)
}

/// Returns the files of the folder that look as if they named packages but are not read.
pub(super) fn unread(folder: &Path, read: Option<&Path>) -> Vec<&'static str> {
    // These may be there for other tools, or for the one that wrote the lock file.
    let names = FILES.into_iter().filter(|name| !["pyproject.toml", "Pipfile"].contains(name));
    let is_unread = |name: &&str| {
        let file = folder.join(name);
        file.is_file() && Some(file.as_path()) != read
    };
    names.chain(UNREAD).filter(is_unread).collect()
}

type Lines = Result<Option<Vec<String>>, String>;

fn lines(file: &Path, name: &str, folder: &Path) -> Result<Lines, CommandError> {
    if name == "Pipfile.lock" {
        return Ok(pipenv::locked(&text::read(file)?).map(Some));
    }
    let table = pyproject::table(file)?.unwrap_or_default();
    Ok(match name {
        "uv.lock" => uv::lines(&table).map(Some),
        "poetry.lock" => {
            let own: Option<Table> = pyproject::table(&folder.join("pyproject.toml"))?;
            poetry::locked(&table, &own.unwrap_or_default()).map(Some)
        }
        "pdm.lock" => Ok(Some(flat::pdm(&table))),
        "pylock.toml" => Ok(Some(flat::pylock(&table))),
        "Pipfile" => Ok(Some(pipenv::lines(&table))),
        _ => pyproject::lines(&table, folder),
    })
}
