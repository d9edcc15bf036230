//! Addresses: the ways in which the key of an object can be written.

use percent_encoding::percent_decode_str;

use crate::place::found::Certainty;
use crate::uri::S3Uri;

/// The longest key that S3 takes, in bytes.
const KEY_BYTES: usize = 1024;

/// Returns true if S3 takes this bucket name.
pub(super) fn is_bucket(name: &str) -> bool {
    let is_edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let (first, last) = (name.bytes().next(), name.bytes().last());
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    (3..=63).contains(&name.len())
        && name.bytes().all(is_inner)
        && (is_edge(first) && is_edge(last))
}

/// Returns the place of `key`: the object or prefix, or everything that begins like a pattern.
///
/// A pattern ends at its first variable part, because the functions that take patterns differ in
/// what they match.
pub fn place(bucket: &str, key: &str) -> S3Uri {
    match pattern_start(key) {
        Some(start) => S3Uri::new(bucket, format!("{}*", &key[..start])),
        None => S3Uri::new(bucket, key),
    }
}

/// Returns the position of the first variable part: `*`, `[a-z]`, `{a,b}`, `<name>`, `${name}`,
/// `%Y`.
fn pattern_start(key: &str) -> Option<usize> {
    let bytes = key.as_bytes();
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    (0..bytes.len()).find(|at| match bytes[*at] {
        b'*' | b'[' | b'{' | b'<' => true,
        b'$' => bytes.get(at + 1) == Some(&b'{'),
        b'%' => !(is_hex(at + 1) && is_hex(at + 2)) && at + 1 < bytes.len(),
        _ => false,
    })
}

/// Returns the places that `key` may mean in `bucket`.
///
/// A key of a URL is encoded, and any other key is not. Libraries differ, so the other reading is
/// possible, too.
pub(super) fn readings(
    bucket: &str,
    key: &str,
    is_encoded: bool,
    certainty: Certainty,
) -> Vec<(S3Uri, Certainty)> {
    let decoded = decode(key);
    let blanks = key.replace('+', " ");
    let spaced = decode(&blanks).or_else(|| (blanks != key).then_some(blanks));
    let (sure, others) = match (is_encoded, decoded) {
        (true, Some(decoded)) => (decoded, vec![key.to_owned()]),
        (_, decoded) => (key.to_owned(), Vec::from_iter(decoded)),
    };
    let mut keys = vec![(sure.clone(), certainty)];
    for other in others.into_iter().chain(spaced) {
        if keys.iter().all(|(key, _)| *key != other) {
            keys.push((other, Certainty::Possible));
        }
    }
    let fits = |key: &str| key.len() <= KEY_BYTES && !key.contains('\0');
    let keys = keys.into_iter().filter(|(key, _)| fits(key));
    keys.map(|(key, certainty)| (place(bucket, &key), certainty)).collect()
}

/// Returns the text without its percent-encoding; `None` if that is the same text or not UTF-8.
pub(super) fn decode(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    (decoded != text).then(|| decoded.into_owned())
}
