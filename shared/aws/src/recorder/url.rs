//! The parts of a request's URL.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// Returns the path of a URL without its first `/`, and the query.
pub(super) fn path_and_query(uri: &str) -> Option<(&str, BTreeMap<String, String>)> {
    let (_, rest) = uri.split_once("://")?;
    let (_, path) = rest.split_once('/')?;
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    };
    Some((path, query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect()))
}

pub(super) fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
