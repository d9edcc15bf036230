//! Reads `[tool.poetry.dependencies]` and `poetry.lock`.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::entry::{name_of, normal};
use super::lock::{Edge, Node, pins};
use super::place::{relative, repository};
use super::specifier::{self, python_marker};

/// Returns what Poetry's own table asks for, without the version of Python.
pub(super) fn dependencies(pyproject: &Table) -> impl Iterator<Item = (&str, &Value)> {
    let poetry = pyproject.get("tool").and_then(|tool| tool.get("poetry"));
    let needs = poetry.and_then(|poetry| poetry.get("dependencies")).and_then(Value::as_table);
    needs.into_iter().flatten().map(|(name, need)| (name.as_str(), need)).filter(is_package)
}

fn is_package((name, _): &(&str, &Value)) -> bool {
    *name != "python"
}

/// Returns the requirements that Poetry's table states, without a lock.
pub(super) fn lines(pyproject: &Table) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    for (name, need) in dependencies(pyproject) {
        let needs = need.as_array().map_or_else(|| vec![need], |needs| needs.iter().collect());
        for need in needs.into_iter().filter(|need| !is_optional(need)) {
            lines.push(line(name, need).ok_or_else(|| format!("`{name}` is not understood"))?);
        }
    }
    Ok(lines)
}

fn is_optional(need: &Value) -> bool {
    need.get("optional").and_then(Value::as_bool).unwrap_or(false)
}

fn line(name: &str, need: &Value) -> Option<String> {
    let text = |key: &str| need.get(key).and_then(Value::as_str);
    let version = need.as_str().or_else(|| text("version"));
    let names = extras(need);
    let extras = if names.is_empty() { String::new() } else { format!("[{}]", names.join(",")) };
    let place = if let Some(url) = text("git") {
        let at = text("rev").or_else(|| text("tag")).or_else(|| text("branch"));
        Some(repository(url, at, text("subdirectory")))
    } else {
        text("path")
            .or_else(|| text("file"))
            .map(relative)
            .or_else(|| text("url").map(str::to_owned))
    };
    let mut line = match place {
        Some(place) => format!("{name}{extras} @ {place}"),
        None => format!("{name}{extras}{}", specifier::of(version.unwrap_or("*"))?),
    };
    if let Some(marker) = marker(need) {
        line = format!("{line} ; {marker}");
    }
    Some(line)
}

fn extras(need: &Value) -> Vec<String> {
    let extras = need.get("extras").and_then(Value::as_array).into_iter().flatten();
    extras.filter_map(|extra| extra.as_str().map(str::to_owned)).collect()
}

/// Returns where a need holds: its own marker, and its versions of Python.
fn marker(need: &Value) -> Option<String> {
    let text = |key: &str| need.get(key).and_then(Value::as_str);
    let both = [text("markers").map(str::to_owned), text("python").and_then(python_marker)];
    let parts: Vec<_> = both.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    match &*parts {
        [] => None,
        [part] => Some(part.clone()),
        parts => Some(format!("({})", parts.join(") and ("))),
    }
}

/// Returns the requirements that install the locked packages.
pub(super) fn locked(lock: &Table, pyproject: &Table) -> Result<Vec<String>, String> {
    let packages = lock.get("package").and_then(Value::as_array).into_iter().flatten();
    let tables: Vec<_> = packages.filter_map(Value::as_table).collect();
    let nodes: Vec<_> = tables.iter().filter_map(|package| node(package)).collect();
    let missing = |name| format!("it lacks `{name}`: run `poetry lock`");
    let mut lines: Vec<_> = tables.iter().filter_map(|package| index(package)).collect();
    lines.sort();
    lines.dedup();
    lines.extend(pins(&nodes, &roots(pyproject)).map_err(missing)?);
    Ok(lines)
}

/// Returns what the project needs, by both tables in which Poetry lets it be said.
fn roots(pyproject: &Table) -> Vec<Edge> {
    let own = dependencies(pyproject).filter(|(_, need)| !is_optional(need));
    let of_poetry = own.map(|(name, need)| edge(name, need));
    let stated = pyproject.get("project").and_then(|project| project.get("dependencies"));
    let needs = stated.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let of_project = needs.filter_map(|need| {
        let bracket = need.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
        let names = bracket.map(|(names, _)| names.split(',').map(|name| name.trim().to_owned()));
        let marker = need.split_once(';').map(|(_, marker)| marker.trim().to_owned());
        let extras = names.into_iter().flatten().collect();
        Some(Edge { name: name_of(need)?, version: None, marker, extras })
    });
    of_poetry.chain(of_project).collect()
}

fn edge(name: &str, need: &Value) -> Edge {
    Edge { name: name.to_owned(), version: None, marker: marker(need), extras: extras(need) }
}

fn text(table: &Table, key: &str) -> Option<String> {
    table.get(key)?.as_str().map(str::to_owned)
}

/// Returns the option for an index that is not PyPI.
fn index(package: &Table) -> Option<String> {
    let source = package.get("source")?.as_table()?;
    let is_index = source.get("type").and_then(Value::as_str) == Some("legacy");
    is_index.then(|| Some(format!("--extra-index-url {}", text(source, "url")?))).flatten()
}

fn reference(package: &Table) -> Option<String> {
    let source = package.get("source")?.as_table()?;
    let url = text(source, "url")?;
    match text(source, "type")?.as_str() {
        "git" => {
            let at = text(source, "resolved_reference").or_else(|| text(source, "reference"));
            let folder = text(source, "subdirectory");
            Some(repository(&url, at.as_deref(), folder.as_deref()))
        }
        "directory" | "file" => Some(relative(&url)),
        "url" => Some(url),
        _ => None,
    }
}

fn node(package: &Table) -> Option<Node> {
    let needs = package.get("dependencies").and_then(Value::as_table);
    let mut edges = Vec::new();
    for (name, need) in needs.into_iter().flatten() {
        let needs = need.as_array().map_or_else(|| vec![need], |needs| needs.iter().collect());
        let needed = needs.into_iter().filter(|need| !is_optional(need));
        edges.extend(needed.map(|need| edge(name, need)));
    }
    let optional = package.get("extras").and_then(Value::as_table).into_iter().flatten();
    let extras = optional.map(|(name, needs)| {
        let texts = needs.as_array().into_iter().flatten().filter_map(Value::as_str);
        let edge = |need| Some(Edge { name: name_of(need)?, ..Edge::default() });
        (normal(name), texts.filter_map(edge).collect())
    });
    let marker = package.get("markers").and_then(|markers| match markers {
        Value::Table(groups) => groups.get("main")?.as_str(),
        other => other.as_str(),
    });
    let files = package.get("files").and_then(Value::as_array).into_iter().flatten();
    Some(Node {
        name: text(package, "name")?,
        version: text(package, "version"),
        reference: reference(package),
        is_virtual: false,
        marker: marker.map(str::to_owned),
        hashes: files.filter_map(|file| text(file.as_table()?, "hash")).collect(),
        needs: edges,
        extras: extras.collect::<BTreeMap<_, _>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PYPROJECT: &str = r#"
        [tool.poetry.dependencies]
        python = "^3.11"
        six = "^1.16"
        web = { version = "*", extras = ["fast"], python = ">=3.11" }
        helper = { path = "../helper", develop = true }
        tool = { git = "https://h/tool", tag = "v1" }
        no = { version = "1", optional = true }
        [tool.poetry.group.dev.dependencies]
        pytest = "*"
    "#;

    #[test]
    fn poetrys_own_table_is_read_without_a_lock() {
        let lines = lines(&PYPROJECT.parse().expect("TOML")).expect("read");
        let expected = [
            "helper @ ../helper",
            "six>=1.16,<2",
            "tool @ git+https://h/tool@v1",
            "web[fast] ; python_full_version >= \"3.11\"",
        ];
        let mut sorted = lines;
        sorted.sort();
        assert_eq!(sorted, expected);
    }

    #[test]
    fn a_lock_of_poetry_gives_pins_of_what_the_project_needs() {
        let lock = r#"
            [[package]]
            name = "six"
            version = "1.16.0"
            files = [{ file = "a", hash = "sha256:aa" }]
            [[package]]
            name = "web"
            version = "2"
            [package.dependencies]
            base = ">=1"
            speed = { version = "*", optional = true }
            [package.extras]
            fast = ["speed (>=1)"]
            [[package]]
            name = "base"
            version = "3"
            markers = "sys_platform == 'linux'"
            [[package]]
            name = "speed"
            version = "4"
            [[package]]
            name = "helper"
            version = "0"
            [package.source]
            type = "directory"
            url = "../helper"
            [[package]]
            name = "tool"
            version = "1"
            [package.source]
            type = "git"
            url = "https://h/tool"
            resolved_reference = "abc"
            [[package]]
            name = "pytest"
            version = "9"
        "#;
        let pyproject = PYPROJECT.parse().expect("TOML");
        let lines = locked(&lock.parse().expect("TOML"), &pyproject).expect("complete");
        let expected = [
            "six==1.16.0",
            "web==2 ; (python_full_version >= \"3.11\")",
            "base==3 ; (python_full_version >= \"3.11\") and (sys_platform == 'linux')",
            "speed==4 ; (python_full_version >= \"3.11\")",
            "helper @ ../helper",
            "tool @ git+https://h/tool@abc",
        ];
        assert_eq!(lines, expected);
        let other = "[tool.poetry.dependencies]\nnew = \"*\"\n".parse().expect("TOML");
        let problem = locked(&lock.parse().expect("TOML"), &other).expect_err("it is old");
        assert!(problem.contains("`new`"), "{problem}");
    }
}
