//! Paths and `file:` URLs of packages.

use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Returns the path that a path or a `file:` URL names, and the name that `#egg=NAME` gives it.
pub(super) fn of(text: &str, folder: &Path) -> (PathBuf, Option<String>) {
    let (place, fragment) = text.split_once('#').unwrap_or((text, ""));
    let name = fragment.split('&').find_map(|part| part.strip_prefix("egg=")).map(str::to_owned);
    let stated = match place.strip_prefix("file:") {
        Some(url) => {
            let path = url.strip_prefix("//").unwrap_or(url);
            decoded(path.strip_prefix("localhost").unwrap_or(path))
        }
        None => place.to_owned(),
    };
    let path = with_variables(&stated, folder);
    match (path.strip_prefix("~/"), env::var_os("HOME")) {
        (Some(rest), Some(home)) => (Path::new(&home).join(rest), name),
        _ => (folder.join(path), name),
    }
}

/// Returns the `file:` URL of an absolute path.
pub(super) fn url(path: &Path) -> String {
    let mut url = "file://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(byte) {
            url.push(char::from(*byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}

/// Returns pip's form of a repository, at a commit, tag or branch, and of a folder in it.
pub(super) fn repository(url: &str, at: Option<&str>, folder: Option<&str>) -> String {
    let at = at.map_or_else(String::new, |at| format!("@{at}"));
    let folder = folder.map_or_else(String::new, |folder| format!("#subdirectory={folder}"));
    format!("git+{url}{at}{folder}")
}

/// Returns a path that cannot be taken for a name.
pub(super) fn relative(path: &str) -> String {
    if path.starts_with(['.', '/']) { path.to_owned() } else { format!("./{path}") }
}

/// Replaces `%41` by the byte it stands for.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).and_then(|code| hex::decode(code).ok());
        if let (b'%', Some([byte])) = (first, code.as_deref()) {
            bytes.push(*byte);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Replaces `${NAME}` by the variable of that name. `PWD` is the function's folder, in which pip
/// would be called.
fn with_variables(text: &str, folder: &Path) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, tail)) = after.split_once('}') else { break };
        done.push_str(before);
        match (name, env::var(name)) {
            ("PWD", _) => done.push_str(&folder.to_string_lossy()),
            (_, Ok(value)) => done.push_str(&value),
            (_, Err(_)) => {
                done.push_str("${");
                done.push_str(name);
                done.push('}');
            }
        }
        rest = tail;
    }
    done + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_survives_its_url() {
        let path = Path::new("/a b/ü#1%/x");
        assert_eq!(of(&url(path), Path::new("/f")), (path.to_owned(), None));
        let (path, name) = of("file://${PWD}/../x#egg=x", Path::new("/f"));
        assert_eq!((path, name.as_deref()), ("/f/../x".into(), Some("x")));
    }
}
