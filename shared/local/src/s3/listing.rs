//! Lists keys: by prefix, in byte order, rolled up at a delimiter, page by page.

use super::error::S3ServerError;
use super::index;
use super::store::Store;

/// The most keys of a page. S3 returns no more, even if a client asks for more.
pub(crate) const PAGE_KEYS_MAX: usize = 1000;

/// The request for a page.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    pub(crate) delimiter: Option<String>,
    /// The first key that may be listed.
    pub(crate) from: Vec<u8>,
    /// How many keys and common prefixes to return.
    pub(crate) limit: usize,
}

/// One page of a listing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) objects: Vec<Listed>,
    pub(crate) common_prefixes: Vec<String>,
    /// The first key of the next page, if there is one.
    pub(crate) next: Option<Vec<u8>>,
}

/// An object as listed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) key: String,
    pub(crate) etag: String,
    pub(crate) bytes: i64,
    pub(crate) modified_ms: i64,
}

impl Listing {
    /// Starts after `marker`.
    ///
    /// If that is a common prefix, it was listed already, so the listing starts after all keys
    /// below it.
    pub(crate) fn start_after(&mut self, marker: &str) {
        let is_rolled_up = self.common_prefix(marker.as_bytes()) == Some(marker.as_bytes());
        self.from = match after_prefix(marker.as_bytes()) {
            Some(next) if is_rolled_up => next,
            _ => [marker.as_bytes(), &[0]].concat(),
        };
    }

    /// Returns the part of `key` up to the first delimiter after the prefix.
    fn common_prefix<'a>(&self, key: &'a [u8]) -> Option<&'a [u8]> {
        let delimiter =
            self.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty())?.as_bytes();
        let rest = key.strip_prefix(self.prefix.as_bytes())?;
        let at = rest.windows(delimiter.len()).position(|window| window == delimiter)?;
        Some(&key[..self.prefix.len() + at + delimiter.len()])
    }
}

impl Store {
    /// Returns a page, as of one moment.
    pub(crate) fn list(&self, listing: &Listing) -> Result<Page, S3ServerError> {
        let connection = self.index.lock();
        index::notifications(&connection, &listing.bucket)?;
        let mut statement = connection.prepare_cached(
            "SELECT key, etag, bytes, modified_ms FROM object
             WHERE bucket = ?1 AND key >= ?2 ORDER BY key LIMIT ?3",
        )?;
        let (mut page, mut count) = (Page::default(), 0);
        let mut from = listing.from.clone().max(listing.prefix.as_bytes().to_vec());
        if listing.limit == 0 {
            return Ok(page);
        }
        // Each turn reads keys up to a common prefix and continues after all keys that it stands
        // for.
        'seek: loop {
            let mut rows = statement.query((&listing.bucket, &from, listing.limit - count + 1))?;
            while let Some(row) = rows.next()? {
                let key: Vec<u8> = row.get(0)?;
                if !key.starts_with(listing.prefix.as_bytes()) {
                    return Ok(page);
                }
                if count == listing.limit {
                    page.next = Some(key);
                    return Ok(page);
                }
                count += 1;
                if let Some(prefix) = listing.common_prefix(&key) {
                    page.common_prefixes.push(text(prefix));
                    let Some(next) = after_prefix(prefix) else { return Ok(page) };
                    from = next;
                    continue 'seek;
                }
                page.objects.push(Listed {
                    key: text(&key),
                    etag: row.get(1)?,
                    bytes: row.get(2)?,
                    modified_ms: row.get(3)?,
                });
            }
            return Ok(page);
        }
    }
}

/// Returns the smallest key above all keys that start with `prefix`.
///
/// There is none above bytes that are all 255, which UTF-8 never is.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut next = prefix[..=last].to_vec();
    next[last] += 1;
    Some(next)
}

/// Returns a key as text.
///
/// Keys were text when they were stored, and a delimiter cannot cut a character in two.
fn text(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}
