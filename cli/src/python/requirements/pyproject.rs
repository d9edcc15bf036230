//! Reads what a `pyproject.toml` asks for.

use std::path::Path;

use toml::{Table, Value};

use super::entry::{name_of, normal};
use super::place::{relative, repository};
use super::{poetry, text};
use crate::output::error::{CommandError, OrError as _};

/// Reads a TOML file; returns `None` if there is none.
pub(super) fn table(file: &Path) -> Result<Option<Table>, CommandError> {
    if !file.is_file() {
        return Ok(None);
    }
    let parsed = text::read(file)?.parse();
    parsed.map(Some).or_user(|| format!("`{}` is invalid", file.display()))
}

/// Returns the lines of `[project] dependencies` or of Poetry's table, or `None` without either.
pub(super) fn lines(pyproject: &Table, folder: &Path) -> Result<Option<Vec<String>>, String> {
    let project = pyproject.get("project").and_then(|project| project.get("dependencies"));
    let mut lines: Vec<String> = texts(project).map(|need| with_source(need, pyproject)).collect();
    lines.extend(poetry::lines(pyproject)?);
    for file in dynamic(pyproject) {
        lines.push(format!("-r {}", folder.join(file).display()));
    }
    Ok((!lines.is_empty()).then_some(lines))
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Returns the files from which setuptools takes the dependencies.
fn dynamic(pyproject: &Table) -> Vec<&str> {
    let files = pyproject
        .get("tool")
        .and_then(|tool| tool.get("setuptools")?.get("dynamic")?.get("dependencies")?.get("file"));
    files.and_then(Value::as_str).into_iter().chain(texts(files)).collect()
}

/// Puts the place that `[tool.uv.sources]` gives a package behind its name.
fn with_source(need: &str, pyproject: &Table) -> String {
    let sources = pyproject.get("tool").and_then(|tool| tool.get("uv")?.get("sources")?.as_table());
    let name = name_of(need);
    let mut sources = sources.into_iter().flatten();
    let source = sources.find(|(of, _)| Some(normal(of)) == name).map(|(_, source)| source);
    let text = |key: &str| source.and_then(|source| source.get(key)?.as_str());
    let place = if let Some(url) = text("git") {
        let at = text("rev").or_else(|| text("tag")).or_else(|| text("branch"));
        Some(repository(url, at, text("subdirectory")))
    } else {
        text("path").map(relative).or_else(|| text("url").map(str::to_owned))
    };
    let Some(place) = place else { return need.to_owned() };
    let (head, marker) = need.split_once(';').unwrap_or((need, ""));
    let end = head.find(['=', '<', '>', '~', '!', ' ', '(']).unwrap_or(head.len());
    let marker = if marker.is_empty() { String::new() } else { format!(" ; {}", marker.trim()) };
    format!("{} @ {place}{marker}", &head[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_of_a_project_are_read_with_their_sources() {
        let read = |text: &str| lines(&text.parse().expect("TOML"), Path::new("/f")).expect("read");
        let text = "[project]\ndependencies = [\"six>=1\", \"A_b[x]>=2 ; os_name == 'nt'\"]\n\
            [tool.uv.sources]\na-b = { path = \"../ab\" }\n";
        assert_eq!(read(text).expect("some"), ["six>=1", "A_b[x] @ ../ab ; os_name == 'nt'"]);
        let text = "[project]\ndynamic = [\"dependencies\"]\n\
            [tool.setuptools.dynamic]\ndependencies = { file = [\"needs.txt\"] }\n";
        assert_eq!(read(text).expect("some"), ["-r /f/needs.txt"]);
        assert_eq!(read("[tool.ruff]\nline-length = 100\n"), None);
    }
}
