//! Which program of a package is its function.

/// Returns the one of a package's binaries that is its function.
pub(super) fn handler<'a>(package: &str, names: &[&'a str]) -> Option<&'a str> {
    match names {
        [name] => Some(name),
        names => names.iter().copied().find(|name| *name == package),
    }
}
