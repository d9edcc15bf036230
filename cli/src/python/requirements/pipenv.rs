//! Reads pipenv's `Pipfile.lock` and `Pipfile`.

use serde_json::{Map, Value};
use toml::Table;

use super::place::{relative, repository};

/// Returns the requirements that install the locked packages.
pub(super) fn locked(text: &str) -> Result<Vec<String>, String> {
    let lock: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let sources = lock["_meta"]["sources"].as_array().into_iter().flatten();
    let urls = sources.filter_map(|source| source["url"].as_str());
    let mut lines: Vec<_> = urls.filter_map(index).collect();
    let packages = lock["default"].as_object().cloned().unwrap_or_default();
    let with_hashes = packages.values().all(|package| package["hashes"].is_array());
    for (name, package) in &packages {
        let mut line = line(name, package);
        if with_hashes {
            let hashes = package["hashes"].as_array().into_iter().flatten();
            let options = hashes.filter_map(|hash| Some(format!(" --hash={}", hash.as_str()?)));
            line.extend(options);
        }
        lines.push(line);
    }
    Ok(lines)
}

/// Returns the requirements that a `Pipfile` states, without a lock.
pub(super) fn lines(pipfile: &Table) -> Vec<String> {
    let value = |key: &str| pipfile.get(key).and_then(|value| serde_json::to_value(value).ok());
    let sources = value("source").unwrap_or_default();
    let places = sources.as_array().into_iter().flatten();
    let mut lines: Vec<_> = places.filter_map(|source| index(source["url"].as_str()?)).collect();
    let packages: Map<String, Value> =
        value("packages").and_then(|packages| packages.as_object().cloned()).unwrap_or_default();
    lines.extend(packages.iter().map(|(name, package)| line(name, package)));
    lines
}

/// Returns the option for an index that is not PyPI.
fn index(url: &str) -> Option<String> {
    (!url.starts_with("https://pypi.org/")).then(|| format!("--extra-index-url {url}"))
}

fn line(name: &str, package: &Value) -> String {
    let text = |key: &str| package[key].as_str();
    let names: Vec<_> =
        package["extras"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let extras = if names.is_empty() { String::new() } else { format!("[{}]", names.join(",")) };
    let place = if let Some(url) = text("git") {
        Some(repository(url, text("ref"), text("subdirectory")))
    } else {
        text("path").map(relative).or_else(|| {
            let file = text("file")?;
            Some(if file.contains("://") { file.to_owned() } else { relative(file) })
        })
    };
    let version = package.as_str().or_else(|| text("version")).filter(|version| *version != "*");
    let mut line = match place {
        Some(place) => format!("{name}{extras} @ {place}"),
        None => format!("{name}{extras}{}", version.unwrap_or_default()),
    };
    if let Some(marker) = text("markers") {
        line = format!("{line} ; {marker}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_files_of_pipenv_are_read() {
        let mut lock = json!({"_meta": {"sources": [{"url": "https://pypi.org/simple"}, {"url": "https://other/simple"}]},
            "default": {"six": {"version": "==1.16.0", "hashes": ["sha256:aa"], "markers": "python_version >= '2.7'"}},
            "develop": {"pytest": {"version": "==9"}}});
        let first = locked(&lock.to_string()).expect("read");
        assert_eq!(
            first,
            [
                "--extra-index-url https://other/simple",
                "six==1.16.0 ; python_version >= '2.7' --hash=sha256:aa"
            ]
        );
        lock["default"]["helper"] = json!({"path": "../helper", "editable": true});
        lock["default"]["tool"] = json!({"git": "https://h/tool", "ref": "abc"});
        let second = locked(&lock.to_string()).expect("read");
        assert_eq!(
            second[1..],
            [
                "helper @ ../helper",
                "six==1.16.0 ; python_version >= '2.7'",
                "tool @ git+https://h/tool@abc"
            ]
        );
        assert!(locked("nonsense").is_err());
        let pipfile = "[packages]\nsix = \"*\"\nweb = {version = \">=1\", extras = [\"fast\"]}\n[dev-packages]\npytest = \"*\"\n";
        assert_eq!(lines(&pipfile.parse().expect("TOML")), ["six", "web[fast]>=1"]);
    }
}
