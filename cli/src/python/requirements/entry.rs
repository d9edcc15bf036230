//! One line of a `requirements.txt`
//! (<https://pip.pypa.io/en/stable/reference/requirements-file-format/>).

use std::path::{Path, PathBuf};

use super::place;

/// What an installer is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A requirement or an option that says the same everywhere.
    Line(String),
    /// A package on this machine.
    Local(Local),
    /// A folder with packages to choose from.
    FindLinks(PathBuf),
}

/// A package in a folder or a file of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Local {
    pub(super) path: PathBuf,
    pub(super) name: Option<String>,
    /// `[first,second]`, or nothing.
    pub(super) extras: String,
    /// A marker or options, with the blank before it, or nothing.
    pub(super) rest: String,
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Entry(Entry),
    /// The file at this path holds more requirements.
    Requirements(String),
    /// The file at this path holds constraints.
    Constraints(String),
}

/// Reads a line without its comment. Paths in it are relative to `folder`.
pub(super) fn parse(line: &str, folder: &Path) -> Line {
    if let Some(file) = option(line, "-r", "--requirement").filter(|file| !file.contains("://")) {
        return Line::Requirements(file.to_owned());
    }
    if let Some(file) = option(line, "-c", "--constraint").filter(|file| !file.contains("://")) {
        return Line::Constraints(file.to_owned());
    }
    if let Some(place) = option(line, "-f", "--find-links")
        && !place.contains("://")
    {
        return Line::Entry(Entry::FindLinks(folder.join(place)));
    }
    // The copy that runs is never edited, so nothing is installed as editable.
    if let Some(package) = option(line, "-e", "--editable") {
        return Line::Entry(requirement(package, folder));
    }
    if line.starts_with('-') {
        return Line::Entry(Entry::Line(line.to_owned()));
    }
    Line::Entry(requirement(line, folder))
}

/// Returns the value of an option, if the line is that option.
fn option<'a>(line: &'a str, short: &str, long: &str) -> Option<&'a str> {
    if let Some(rest) = line.strip_prefix(long) {
        let value = rest.strip_prefix(['=', ' ', '\t'])?;
        return Some(unquoted(value));
    }
    line.strip_prefix(short).map(|value| unquoted(value.strip_prefix('=').unwrap_or(value)))
}

fn unquoted(value: &str) -> &str {
    let value = value.trim();
    let inner = value.strip_prefix(['"', '\'']).and_then(|value| value.strip_suffix(['"', '\'']));
    inner.unwrap_or(value)
}

/// Reads a requirement: a name with versions, a URL, or a path.
pub(super) fn requirement(text: &str, folder: &Path) -> Entry {
    let (head, rest) = split_rest(text);
    if let Some((name, place)) = named(head) {
        let is_here = place.starts_with("file:") || place.starts_with(['.', '/']);
        if !is_here {
            return Entry::Line(text.to_owned());
        }
        let (name, extras) = split_extras(name);
        let path = place::of(place, folder).0;
        return Entry::Local(Local { path, name: Some(name.to_owned()), extras, rest });
    }
    if head.contains("://") && !head.starts_with("file:") {
        return Entry::Line(with_name(head) + &rest);
    }
    let (place, extras) = split_extras(head);
    let archives = [".whl", ".tar.gz", ".zip", ".tar.bz2"];
    let is_path = place.starts_with(['.', '/', '~']) || place.starts_with("file:");
    if !is_path && !place.contains('/') && !archives.iter().any(|ending| place.ends_with(ending)) {
        return Entry::Line(text.to_owned());
    }
    let (path, name) = place::of(place, folder);
    Entry::Local(Local { path, name, extras, rest })
}

/// Splits a requirement from its marker and options.
fn split_rest(text: &str) -> (&str, String) {
    // A URL may have the last one in it.
    let ends = [" ;", "; ", " --", ";"];
    let known = if text.contains("://") { &ends[..3] } else { &ends[..] };
    let end = known.iter().filter_map(|end| text.find(end)).min().unwrap_or(text.len());
    let rest = match text[end..].trim() {
        "" => String::new(),
        rest => format!(" {rest}"),
    };
    (text[..end].trim(), rest)
}

/// Splits `NAME @ PLACE`.
fn named(head: &str) -> Option<(&str, &str)> {
    let (name, place) = head.split_once('@')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.[], ".contains(c);
    let is_named =
        name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(is_name);
    is_named.then_some((name.trim(), place.trim()))
}

/// Splits `[extras]` from the end.
fn split_extras(text: &str) -> (&str, String) {
    let split = text.strip_suffix(']').and_then(|start| start.rfind('['));
    split.map_or((text, String::new()), |at| (text[..at].trim_end(), text[at..].to_owned()))
}

/// Puts the name that `#egg=NAME` gives a repository in front, because not every tool knows `egg`.
fn with_name(url: &str) -> String {
    let Some((place, fragment)) = url.split_once('#') else { return url.to_owned() };
    let mut rest = Vec::new();
    let mut name = None;
    for part in fragment.split('&') {
        match part.strip_prefix("egg=") {
            Some(egg) => name = Some(egg),
            None => rest.push(part),
        }
    }
    let fragment = if rest.is_empty() { String::new() } else { format!("#{}", rest.join("&")) };
    name.map_or_else(|| url.to_owned(), |name| format!("{name} @ {place}{fragment}"))
}

/// Returns the name of the package that a line of an installer asks for, in its normal form.
pub(super) fn name_of(line: &str) -> Option<String> {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
    let name = &line[..end.unwrap_or(line.len())];
    name.starts_with(|c: char| c.is_ascii_alphanumeric()).then(|| normal(name))
}

/// Returns a package's name in the form in which equal names are equal.
pub(super) fn normal(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace(['_', '.'], "-");
    let mut normal = String::new();
    for c in name.chars() {
        if c != '-' || !normal.ends_with('-') {
            normal.push(c);
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(path: &str, name: Option<&str>, extras: &str, rest: &str) -> Line {
        let name = name.map(str::to_owned);
        let (extras, rest) = (extras.to_owned(), rest.to_owned());
        Line::Entry(Entry::Local(Local { path: path.into(), name, extras, rest }))
    }

    #[test]
    fn each_form_of_a_line_is_told_apart() {
        let as_is = |text: &str| Line::Entry(Entry::Line(text.to_owned()));
        let cases = [
            ("six", as_is("six")),
            ("six==1.16.0 --hash=sha256:ab", as_is("six==1.16.0 --hash=sha256:ab")),
            ("six>=1 ; python_version < '3'", as_is("six>=1 ; python_version < '3'")),
            ("--index-url https://x/simple", as_is("--index-url https://x/simple")),
            ("--require-hashes", as_is("--require-hashes")),
            ("-r ../base.txt", Line::Requirements("../base.txt".to_owned())),
            ("-rbase.txt", Line::Requirements("base.txt".to_owned())),
            ("--requirement=base.txt", Line::Requirements("base.txt".to_owned())),
            ("-r https://x/base.txt", as_is("-r https://x/base.txt")),
            ("-c limits.txt", Line::Constraints("limits.txt".to_owned())),
            ("--constraint limits.txt", Line::Constraints("limits.txt".to_owned())),
            ("-f wheels", Line::Entry(Entry::FindLinks("/f/wheels".into()))),
            ("--find-links https://x/", as_is("--find-links https://x/")),
            ("./x", local("/f/./x", None, "", "")),
            ("../x[a,b] ; os_name == 'nt'", local("/f/../x", None, "[a,b]", " ; os_name == 'nt'")),
            ("-e ../x", local("/f/../x", None, "", "")),
            ("--editable=/x", local("/x", None, "", "")),
            ("lib/x", local("/f/lib/x", None, "", "")),
            ("x-1.0-py3-none-any.whl", local("/f/x-1.0-py3-none-any.whl", None, "", "")),
            ("x @ file:///a%20b/x", local("/a b/x", Some("x"), "", "")),
            ("x[e]@file://localhost/x", local("/x", Some("x"), "[e]", "")),
            ("x @ file:../x", local("/f/../x", Some("x"), "", "")),
            ("file:///x#egg=named", local("/x", Some("named"), "", "")),
            ("x @ https://h/x.whl", as_is("x @ https://h/x.whl")),
            ("-e git+https://h/x.git#egg=x", as_is("x @ git+https://h/x.git")),
            (
                "git+https://h/x@v1#egg=x&subdirectory=s",
                as_is("x @ git+https://h/x@v1#subdirectory=s"),
            ),
            ("git+ssh://git@h/x.git", as_is("git+ssh://git@h/x.git")),
        ];
        for (line, expected) in cases {
            assert_eq!(parse(line, Path::new("/f")), expected, "{line}");
        }
        assert_eq!(name_of("Sidestep_Step[x]>=1").as_deref(), Some("sidestep-step"));
        assert_eq!(name_of("--pre"), None);
    }
}
