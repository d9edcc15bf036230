//! Places in S3 that a request names: `s3://BUCKET/KEY`.

/// Splits a URI into its bucket and its key.
pub(super) fn split(uri: &str) -> Result<(&str, &str), String> {
    let named = uri.strip_prefix("s3://").filter(|rest| !rest.is_empty());
    let rest = named.ok_or_else(|| {
        format!("ClientError: invalid S3 URI '{uri}': expected 's3://BUCKET/KEY'")
    })?;
    Ok(rest.split_once('/').unwrap_or((rest, "")))
}

/// Returns where an object of an input lands, relative to the input's folder.
///
/// An input is a prefix of key names and not a folder: `s3://b/data` means `data/a.csv` and also
/// `database.csv`.
pub(super) fn landing<'a>(prefix: &str, key: &'a str) -> &'a str {
    let rest = key.strip_prefix(prefix).unwrap_or(key);
    if let Some(below) = rest.strip_prefix('/') {
        return below;
    }
    if !rest.is_empty() && (prefix.is_empty() || prefix.ends_with('/')) {
        return rest;
    }
    let folder = prefix.rfind('/').map_or(0, |slash| slash + 1);
    if rest.is_empty() { key.rsplit('/').next().unwrap_or(key) } else { &key[folder..] }
}

/// Returns true if a path stays below the folder that it is joined to.
pub(super) fn is_below(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_a_prefix_of_keys() {
        for (prefix, key, expected) in [
            ("code/a.py", "code/a.py", "a.py"),
            ("data", "data/a.csv", "a.csv"),
            ("data/", "data/x/a.csv", "x/a.csv"),
            ("in/data", "in/database.csv", "database.csv"),
            ("in/da", "in/data/a.csv", "data/a.csv"),
            ("", "a/b.csv", "a/b.csv"),
        ] {
            assert_eq!(landing(prefix, key), expected, "{prefix} {key}");
        }
    }

    #[test]
    fn a_place_has_a_bucket_and_a_key_and_a_path_stays_below_its_folder() {
        assert_eq!(split("s3://b/k/l"), Ok(("b", "k/l")));
        assert_eq!(split("s3://b"), Ok(("b", "")));
        assert!(split("https://b/k").is_err() && split("s3://").is_err());
        for (path, expected) in
            [("a/b", true), ("a/../b", false), ("/a", false), ("", false), ("a//b", false)]
        {
            assert_eq!(is_below(path), expected, "{path}");
        }
    }
}
