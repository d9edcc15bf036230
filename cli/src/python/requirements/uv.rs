//! Reads `uv.lock` (<https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile>).

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::entry::normal;
use super::lock::{Edge, Node, pins};
use super::place::{relative, repository};

/// Returns the requirements that install what the project itself needs.
pub(super) fn lines(lock: &Table) -> Result<Vec<String>, String> {
    let packages = lock.get("package").and_then(Value::as_array).cloned().unwrap_or_default();
    let tables: Vec<_> = packages.iter().filter_map(Value::as_table).collect();
    let nodes: Vec<_> = tables.iter().filter_map(|package| node(package)).collect();
    let is_root =
        |package: &&&Table| place(package, &["virtual", "editable", "directory"]) == Some(".");
    let root = tables.iter().find(is_root).ok_or("it has no package for the folder itself")?;
    let name = text(root, "name").unwrap_or_default();
    let mut lines: Vec<_> = indexes(&tables).into_iter().collect();
    let missing = |name| format!("it lacks `{name}`");
    lines.extend(pins(&nodes, &[Edge { name, ..Edge::default() }]).map_err(missing)?);
    Ok(lines)
}

fn text(table: &Table, key: &str) -> Option<String> {
    table.get(key)?.as_str().map(str::to_owned)
}

/// Returns where a package comes from, if its source is of one of these kinds.
fn place<'a>(package: &'a Table, kinds: &[&str]) -> Option<&'a str> {
    let source = package.get("source")?.as_table()?;
    kinds.iter().find_map(|kind| source.get(*kind)?.as_str())
}

/// Returns options for the indexes that are not PyPI.
fn indexes(packages: &[&Table]) -> BTreeSet<String> {
    let places = packages.iter().filter_map(|package| place(package, &["registry"]));
    let others = places.filter(|place| !place.starts_with("https://pypi.org/"));
    let option = |place: &str| {
        let name = if place.contains("://") { "--extra-index-url" } else { "--find-links" };
        format!("{name} {place}")
    };
    others.map(option).collect()
}

fn node(package: &Table) -> Option<Node> {
    let local = place(package, &["virtual", "editable", "directory", "path"]);
    let reference = match (local, place(package, &["git"]), place(package, &["url"])) {
        (Some(path), ..) => Some(relative(path)),
        (None, Some(url), _) => Some(git(url)),
        (None, None, url) => url.map(str::to_owned),
    };
    let optional = package.get("optional-dependencies").and_then(Value::as_table);
    let extras =
        optional.into_iter().flatten().map(|(name, needs)| (normal(name), edges(Some(needs))));
    Some(Node {
        name: text(package, "name")?,
        version: text(package, "version"),
        reference,
        is_virtual: local == Some(".") || place(package, &["virtual"]).is_some(),
        marker: None,
        hashes: hashes(package),
        needs: edges(package.get("dependencies")),
        extras: extras.collect::<BTreeMap<_, _>>(),
    })
}

/// Reads uv's form of a repository: `https://host/x?subdirectory=s&rev=v1#COMMIT`.
fn git(url: &str) -> String {
    let (place, commit) = url.split_once('#').map_or((url, None), |(url, at)| (url, Some(at)));
    let (url, query) = place.split_once('?').unwrap_or((place, ""));
    let folder = query.split('&').find_map(|part| part.strip_prefix("subdirectory="));
    repository(url, commit, folder)
}

fn hashes(package: &Table) -> Vec<String> {
    let wheels = package.get("wheels").and_then(Value::as_array).into_iter().flatten();
    let files = wheels.chain(package.get("sdist"));
    files.filter_map(|file| text(file.as_table()?, "hash")).collect()
}

fn edges(needs: Option<&Value>) -> Vec<Edge> {
    let needs = needs.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table);
    let edge = |need: &Table| {
        let extras = need.get("extra").and_then(Value::as_array).into_iter().flatten();
        Some(Edge {
            name: text(need, "name")?,
            version: text(need, "version"),
            marker: text(need, "marker"),
            extras: extras.filter_map(|extra| extra.as_str().map(str::to_owned)).collect(),
        })
    };
    needs.filter_map(edge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_of_uv_gives_pins_of_the_projects_own_needs() {
        let lock = r#"
            version = 1
            [[package]]
            name = "app"
            version = "0.1.0"
            source = { virtual = "." }
            dependencies = [{ name = "six" }, { name = "helper" }, { name = "web", extra = ["fast"] },
                { name = "win", marker = "sys_platform == 'win32'" }]
            [package.dev-dependencies]
            dev = [{ name = "pytest" }]
            [[package]]
            name = "six"
            version = "1.16.0"
            source = { registry = "https://pypi.org/simple" }
            sdist = { url = "https://x", hash = "sha256:aa" }
            wheels = [{ url = "https://y", hash = "sha256:bb" }]
            [[package]]
            name = "helper"
            source = { directory = "../helper" }
            [[package]]
            name = "web"
            version = "2.0"
            source = { git = "https://h/web?subdirectory=py&rev=v2#abc" }
            [package.optional-dependencies]
            fast = [{ name = "speed" }]
            [[package]]
            name = "speed"
            version = "3"
            source = { registry = "https://other/simple" }
            [[package]]
            name = "win"
            version = "4"
            source = { registry = "https://pypi.org/simple" }
            [[package]]
            name = "pytest"
            version = "5"
            source = { registry = "https://pypi.org/simple" }
        "#;
        let lines = lines(&lock.parse().expect("TOML")).expect("complete");
        let expected = [
            "--extra-index-url https://other/simple",
            "six==1.16.0",
            "helper @ ../helper",
            "web @ git+https://h/web@abc#subdirectory=py",
            "speed==3",
            "win==4 ; (sys_platform == 'win32')",
        ];
        assert_eq!(lines, expected);
    }
}
