//! The forms in which a text can name a place: `s3://`, `s3a://`, an ARN, a URL of S3.

use crate::place::address::is_bucket;

/// What begins at a position of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form<'t> {
    /// A bucket, and the text in which the key stands first; it may end anywhere.
    Place { bucket: String, rest: &'t str, is_encoded: bool },
    /// Data that is not in S3, or whose place cannot be told.
    Elsewhere,
    /// Words.
    Nothing,
}

/// The schemes whose authority is a bucket.
const BUCKET_SCHEMES: [&str; 3] = ["s3", "s3a", "s3n"];

/// Suffixes of the hosts of AWS's partitions.
const HOSTS: [&str; 8] = [
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".api.aws",
    ".c2s.ic.gov",
    ".sc2s.sgov.gov",
    ".cloud.adc-e.uk",
    ".csp.hci.ic.gov",
];

/// The services whose ARNs name data that a function may read.
const STORES: [&str; 14] = [
    "s3",
    "s3express",
    "s3-object-lambda",
    "s3tables",
    "dynamodb",
    "rds",
    "redshift",
    "glue",
    "athena",
    "kinesis",
    "secretsmanager",
    "ssm",
    "elasticfilesystem",
    "es",
];

/// Reads what follows `SCHEME://`.
pub(super) fn of_scheme<'t>(scheme: &str, rest: &'t str) -> Form<'t> {
    let scheme = scheme.to_ascii_lowercase();
    // `delta+s3://` and `x.s3://` end in the scheme that counts.
    let last = scheme.rsplit(['+', '.']).next().unwrap_or_default();
    match last {
        _ if BUCKET_SCHEMES.contains(&last) => bucket_first(rest),
        "http" | "https" => url(rest),
        _ => {
            let is_word = rest.chars().next().is_some_and(|c| !is_break(c));
            if is_word { Form::Elsewhere } else { Form::Nothing }
        }
    }
}

/// Reads an ARN, whose text begins with `arn:`.
pub(super) fn of_arn(text: &str) -> Form<'_> {
    let mut parts = text.splitn(6, ':').skip(2);
    let Some(service) = parts.next().map(str::to_ascii_lowercase) else { return Form::Nothing };
    let (region, account) = (parts.next(), parts.next());
    match (service.as_str(), region, account, parts.next()) {
        ("s3", Some(""), Some(""), Some(rest)) => bucket_first(rest),
        (store, _, _, Some(_)) if STORES.contains(&store) => Form::Elsewhere,
        _ => Form::Nothing,
    }
}

/// Reads `BUCKET`, `BUCKET/` or `BUCKET/KEY`.
fn bucket_first(text: &str) -> Form<'_> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let place = |name: &str, rest| {
        let bucket = name.to_owned();
        match is_bucket(name) {
            true => Form::Place { bucket, rest, is_encoded: false },
            // No bucket has ever had so short a name.
            false if (1..3).contains(&name.len()) => Form::Nothing,
            false => Form::Elsewhere,
        }
    };
    match rest.chars().next() {
        Some('/') => place(name, &rest[1..]),
        // Words about URIs.
        None if name.is_empty() => Form::Nothing,
        Some(c) if name.is_empty() && is_break(c) => Form::Nothing,
        None => place(name.trim_end_matches('.'), ""),
        Some(c) if is_break(c) || matches!(c, '?' | '#') => place(name.trim_end_matches('.'), ""),
        // `s3://${BUCKET}/x`, the ARN of an access point.
        Some(_) => Form::Elsewhere,
    }
}

/// Returns true for a character that ends a word.
pub(super) fn is_break(c: char) -> bool {
    c.is_whitespace() || c.is_control() || ",;|\"'`<>()[]}\\*".contains(c)
}

/// Reads the host and path of a URL.
fn url(text: &str) -> Form<'_> {
    let end = text.find(|c| c == '/' || c == '?' || is_break(c)).unwrap_or(text.len());
    let (authority, rest) = text.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
    if host.is_empty() {
        return Form::Nothing;
    }
    let host = host.split(':').next().unwrap_or_default();
    let Some(bucket) = bucket_of_host(host) else { return Form::Elsewhere };
    let path = rest.strip_prefix('/').unwrap_or("");
    let (bucket, rest) = match bucket {
        "" => {
            let end = path.find(|c| c == '/' || c == '?' || is_break(c)).unwrap_or(path.len());
            let (bucket, rest) = path.split_at(end);
            (bucket, rest.strip_prefix('/').unwrap_or(""))
        }
        bucket => (bucket, path),
    };
    if !is_bucket(bucket) {
        return Form::Elsewhere;
    }
    Form::Place { bucket: bucket.to_owned(), rest, is_encoded: true }
}

/// Returns the bucket that a host of S3 names, which is empty if the path names it; `None` if the
/// host is none of S3's. The web pages of a bucket are not its objects.
fn bucket_of_host(host: &str) -> Option<&str> {
    let name = HOSTS.iter().find_map(|suffix| host.strip_suffix(suffix))?;
    let mut end = name.len();
    // From the right: a bucket's own name may hold dots and begin with `s3`.
    while end > 0 {
        let start = name[..end].rfind('.').map_or(0, |dot| dot + 1);
        let label = &name[start..end];
        let other =
            ["s3-website", "s3-accesspoint", "s3-object-lambda", "s3-control", "s3-outposts"];
        if other.iter().any(|other| label.starts_with(other)) {
            return None;
        }
        if label == "s3" || label.starts_with("s3-") || label.starts_with("s3express-") {
            return Some(name[..start].trim_end_matches('.'));
        }
        end = start.saturating_sub(1);
    }
    None
}
