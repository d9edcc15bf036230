//! The content of a job's inputs, as a cache key and its readers see it.
//!
//! An input of a job is a prefix of keys and not a folder. What counts is what reaches the job: the
//! name of each file there, and its content. The prefix itself does not count, because the SDKs
//! upload unchanged code to a new place each time.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::cache::key::short_digest;
use crate::uri::S3Uri;

/// The files of an input: the name under which each reaches the job, and its digest.
pub type Files = Vec<(String, String)>;

/// The member of a key that stands for the files of an input. NUL cannot occur in a real member.
pub const FILES_MARK: &str = "\u{0}files";
/// The member of [`crate::job::compared`]'s result that stands for an input yet to be looked up.
pub(crate) const INPUT_MARK: &str = "\u{0}input";

/// Files that a key lists one by one. Of more it keeps the number and a digest of all.
const LISTED: usize = 100;

/// The scripts among the SDK's drivers that say what the author asked for. The others change with
/// the SDK.
const DRIVERS: [&str; 3] = ["sm_train.sh", "sourcecode.json", "distributed.json"];

/// Which files of an input count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    All,
    /// Those that the author of the step decides about.
    Drivers,
    /// All, where the SDK gives a file another name each time.
    Requirements,
}

impl View {
    const ALL: [(Self, &'static str); 3] =
        [(Self::All, "All"), (Self::Drivers, "Drivers"), (Self::Requirements, "Requirements")];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(view, _)| *view == self).map_or("", |(_, name)| name)
    }

    fn apply(self, files: Files) -> Files {
        let renamed = |name: String| {
            let is_random = name.starts_with("sagemaker_requirements_");
            if is_random { "requirements.txt".to_owned() } else { name }
        };
        match self {
            Self::All => files,
            Self::Drivers => {
                let is_kept = |name: &str| DRIVERS.iter().any(|kept| name.ends_with(kept));
                files.into_iter().filter(|(name, _)| is_kept(name)).collect()
            }
            Self::Requirements => {
                files.into_iter().map(|(name, digest)| (renamed(name), digest)).collect()
            }
        }
    }
}

/// Returns the name under which an object reaches the job whose input is `prefix`.
pub fn landing<'a>(prefix: &S3Uri, key: &'a str) -> &'a str {
    let start = prefix.key();
    let basename = |at: &str| at.rfind('/').map_or(0, |slash| slash + 1);
    match key.strip_prefix(start) {
        Some("") => &key[basename(key)..],
        Some(rest) if prefix.is_prefix() => rest,
        Some(rest) if rest.starts_with('/') => &rest[1..],
        _ => &key[basename(start).min(key.len())..],
    }
}

/// Returns the digest of files.
pub fn files_digest(files: &[(String, String)]) -> String {
    let mut sorted: Vec<_> = files.iter().collect();
    sorted.sort_unstable();
    let mut hash = Sha256::new();
    for (name, digest) in sorted {
        // S3 refuses keys with NUL.
        hash.update(name.as_bytes());
        hash.update(b"\0");
        hash.update(digest.as_bytes());
        hash.update(b"\0");
    }
    format!("files:{}", hex::encode(hash.finalize()))
}

/// Returns what stands in a key for an input that is to be looked up.
pub(crate) fn input(uri: &S3Uri, view: View) -> Value {
    json!({ INPUT_MARK: uri.to_string(), "View": view.name() })
}

/// Reads an input that is to be looked up; `None` for any other value.
pub(crate) fn as_input(value: &Value) -> Option<(S3Uri, View)> {
    let uri = S3Uri::parse(value.get(INPUT_MARK)?.as_str()?).ok()?;
    let name = value["View"].as_str()?;
    let view = View::ALL.iter().find(|(_, known)| *known == name)?.0;
    Some((uri, view))
}

/// Returns what stands in a key for the files of an input.
pub(crate) fn files_value(files: Files, view: View) -> Value {
    let files = view.apply(files);
    let mut value = json!({ "Count": files.len(), "Digest": files_digest(&files) });
    if files.len() <= LISTED {
        let short =
            |(name, digest): &(String, String)| (name.clone(), Value::from(short_digest(digest)));
        value["Objects"] = Value::Object(files.iter().map(short).collect());
    }
    json!({ FILES_MARK: value })
}

/// Reads the files of an input in a key; `None` for any other value.
pub(crate) fn as_files(value: &Value) -> Option<&Value> {
    value.get(FILES_MARK)
}

/// Returns in words how files of an input differ. `place` is where they are now.
pub(crate) fn changed(then: &Value, now: &Value, place: Option<&str>) -> String {
    let none = Map::new();
    let objects = |value: &'_ Value| value["Objects"].as_object().cloned();
    let below = place.map(|place| format!(" below {place}")).unwrap_or_default();
    let count = now["Count"].as_u64().unwrap_or_default();
    let (Some(then), Some(now)) = (objects(then), objects(now)) else {
        return format!("content of {count} objects{below} changed");
    };
    let names: std::collections::BTreeSet<_> = then.keys().chain(now.keys()).collect();
    let differing: Vec<_> =
        names.into_iter().filter(|name| then.get(*name) != now.get(*name)).collect();
    match differing.as_slice() {
        [] => format!("content of {count} objects{below} changed"),
        [name] => {
            let how = match (then.contains_key(*name), now.contains_key(*name)) {
                (false, _) => "is new",
                (_, false) => "is gone",
                _ => "changed",
            };
            format!("{name} {how}")
        }
        names if names.len() <= 3 && now != none => {
            let names: Vec<_> = names.iter().map(|name| name.as_str()).collect();
            format!("{} changed", names.join(", "))
        }
        names => format!("{} of {count} objects{below} changed", names.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_no_folder() {
        for (prefix, key, expected) in [
            ("code/abc/process.py", "code/abc/process.py", "process.py"),
            ("data", "data/a/b.csv", "a/b.csv"),
            ("data/", "data/a.csv", "a.csv"),
            ("in/data", "in/database.csv", "database.csv"),
            ("", "a/b.csv", "a/b.csv"),
        ] {
            assert_eq!(landing(&S3Uri::new("bucket", prefix), key), expected, "{prefix} {key}");
        }
    }

    #[test]
    fn a_change_is_told_by_file_or_by_number() {
        let files = |names: &[(&str, &str)]| {
            let files = names.iter().map(|(n, d)| ((*n).to_owned(), format!("etag:{d}")));
            files_value(files.collect(), View::All)
        };
        let many = |digest: &str| {
            let names: Vec<_> = (0..40).map(|i| format!("p{i}")).collect();
            let digest_of = |i: usize| if i < 5 { digest } else { "1" };
            let pairs: Vec<_> =
                names.iter().enumerate().map(|(i, n)| (n.as_str(), digest_of(i))).collect();
            files(&pairs)
        };
        for (then, now, expected) in [
            (files(&[("a.py", "1")]), files(&[("a.py", "2")]), "a.py changed"),
            (files(&[("a.py", "1")]), files(&[("a.py", "1"), ("b", "2")]), "b is new"),
            (files(&[("a.py", "1"), ("b", "2")]), files(&[("a.py", "1")]), "b is gone"),
            (files(&[("a", "1"), ("b", "1")]), files(&[("a", "2"), ("b", "2")]), "a, b changed"),
            (many("1"), many("2"), "5 of 40 objects below s3://b/x changed"),
        ] {
            let (then, now) = (as_files(&then).expect("files"), as_files(&now).expect("files"));
            assert_eq!(changed(then, now, Some("s3://b/x")), expected);
        }
    }
}
