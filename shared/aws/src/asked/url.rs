//! The parts of a request's URL.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// Returns the path of a URL without its first `/`, and the query.
pub(super) fn path_and_query(uri: &str) -> Option<(&str, BTreeMap<String, String>)> {
    // A server sees the path alone.
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let (_, path) = rest.split_once('/')?;
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Some((path, pairs(query)))
}

/// Returns the parameters of a query.
pub(super) fn pairs(query: &str) -> BTreeMap<String, String> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect()
}

pub(super) fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
