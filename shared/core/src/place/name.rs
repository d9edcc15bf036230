//! The names by which arguments call buckets, keys and prefixes, in any style of writing.

/// What the name of a member says about its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Bucket,
    /// The key of an object, or a path that may be one.
    Key,
    /// The key of an object in S3, said so plainly that any word may be one.
    PlainKey,
    /// The beginning of keys.
    Prefix,
    /// A table, whose rows are not in S3.
    Table,
    /// A link that is never followed, such as `$schema`.
    Mark,
    Other,
}

/// Words that say no more than that a name follows.
const FILLERS: [&str; 11] =
    ["name", "names", "uri", "uris", "url", "urls", "arn", "id", "list", "value", "text"];

const KEYS: [&str; 21] = [
    "key",
    "keys",
    "object",
    "objects",
    "path",
    "paths",
    "file",
    "files",
    "filename",
    "filenames",
    "filepath",
    "filepaths",
    "blob",
    "blobs",
    "folder",
    "folders",
    "directory",
    "dir",
    "dirs",
    "keyname",
    "objectname",
];

/// Returns what `name` says about its value.
pub(super) fn role(name: &str) -> Role {
    if matches!(name, "$schema" | "$id" | "$ref" | "@context" | "xmlns") {
        return Role::Mark;
    }
    let all = words(name);
    let fillers = all.iter().rev().take_while(|word| FILLERS.contains(&word.as_str())).count();
    let own = &all[..all.len() - fillers];
    let Some(last) = own.last().map(String::as_str) else { return Role::Other };
    let is_s3 = own.iter().any(|word| matches!(word.as_str(), "s3" | "object"));
    match last {
        _ if matches!(last, "buckets" | "bucketname" | "bucketnames") => Role::Bucket,
        _ if last.ends_with("bucket") => Role::Bucket,
        _ if last.ends_with("prefix") || last == "prefixes" => Role::Prefix,
        "s3key" | "s3keys" | "objectkey" | "objectkeys" => Role::PlainKey,
        "key" | "keys" if is_s3 => Role::PlainKey,
        _ if KEYS.contains(&last) => Role::Key,
        "table" | "tables" if all.len() > 1 => Role::Table,
        "tablename" => Role::Table,
        _ => Role::Other,
    }
}

/// Returns true if a member of a `bucket` object holds the bucket's name.
pub(super) fn names_bucket(name: &str) -> bool {
    let words = words(name);
    words.last().is_some_and(|last| matches!(last.as_str(), "name" | "arn" | "id" | "bucketname"))
}

/// Splits a name into its words in lower case: `S3BucketName`, `s3_bucket_name`, `S3-BUCKET NAME`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let chars: Vec<char> = name.chars().collect();
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let next = chars.get(at + 1);
        let begins = c.is_uppercase()
            && (before.is_some_and(|b| b.is_lowercase() || b.is_ascii_digit())
                // The last capital of `HTTPServer` begins a word.
                || before.is_some_and(char::is_uppercase) && next.is_some_and(|n| n.is_lowercase()));
        if begins || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
