//! Reads lock files in which each package says by itself where it is installed: `pylock.toml`
//! (<https://packaging.python.org/en/latest/specifications/pylock-toml/>) and `pdm.lock`.

use toml::{Table, Value};

/// Returns the requirements of a `pylock.toml`.
pub(super) fn pylock(lock: &Table) -> Vec<String> {
    let packages = lock.get("packages").and_then(Value::as_array).into_iter().flatten();
    packages.filter_map(line).collect()
}

/// Returns the requirements of a `pdm.lock`.
pub(super) fn pdm(lock: &Table) -> Vec<String> {
    let packages = lock.get("package").and_then(Value::as_array).into_iter().flatten();
    let is_default = |package: &&Value| {
        let groups = package.get("groups").and_then(Value::as_array);
        groups.is_none_or(|groups| groups.iter().any(|group| group.as_str() == Some("default")))
    };
    packages.filter(is_default).filter_map(line).collect()
}

fn line(package: &Value) -> Option<String> {
    let text = |key: &str| package.get(key).and_then(Value::as_str);
    let name = text("name")?;
    let of_vcs = package.get("vcs").and_then(Value::as_table).and_then(|vcs| {
        let url = vcs.get("url")?.as_str()?;
        Some(format!("git+{url}@{}", vcs.get("commit-id")?.as_str()?))
    });
    let of_git = || {
        let at = text("revision").map_or_else(String::new, |at| format!("@{at}"));
        Some(format!("git+{}{at}", text("git")?))
    };
    let path = || {
        let folder = package.get("directory").and_then(|folder| folder.get("path"));
        folder.and_then(Value::as_str).or_else(|| text("path")).map(super::place::relative)
    };
    let place = of_vcs.or_else(of_git).or_else(path);
    let mut line = match (place, text("version")) {
        (Some(place), _) => format!("{name} @ {place}"),
        (None, Some(version)) => format!("{name}=={version}"),
        (None, None) => name.to_owned(),
    };
    if let Some(marker) = text("marker") {
        line = format!("{line} ; {marker}");
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_package_says_where_it_is_installed() {
        let lock = "[[packages]]\nname = \"six\"\nversion = \"1.16.0\"\nmarker = \"os_name == 'posix'\"\n\
            [[packages]]\nname = \"x\"\ndirectory = { path = \"../x\" }\n";
        let expected = ["six==1.16.0 ; os_name == 'posix'", "x @ ../x"];
        assert_eq!(pylock(&lock.parse().expect("TOML")), expected);
        let lock = "[[package]]\nname = \"six\"\nversion = \"1.16.0\"\ngroups = [\"default\", \"dev\"]\n\
            [[package]]\nname = \"pytest\"\nversion = \"9\"\ngroups = [\"dev\"]\n";
        assert_eq!(pdm(&lock.parse().expect("TOML")), ["six==1.16.0"]);
    }
}
