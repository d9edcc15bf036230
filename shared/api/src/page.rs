//! Pages of a list. A token names the last line of its page, so lines that come or go between two
//! pages do not move the others.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::error::ApiError;

/// The lines of a page if the caller does not say: SageMaker's largest page.
const DEFAULT: usize = 100;
/// The characters of the digest that binds a token to its list.
const BINDING: usize = 16;

/// A request for a page of a list.
#[derive(Debug)]
pub(crate) struct PageRequest<'a> {
    /// What is listed, how it is sorted and filtered. A token of another list is refused.
    pub(crate) list: String,
    pub(crate) descending: bool,
    pub(crate) max_results: Option<i64>,
    pub(crate) next_token: Option<&'a String>,
}

impl PageRequest<'_> {
    /// Returns the number of lines of the page.
    pub(crate) fn size(&self) -> usize {
        self.max_results.and_then(|size| usize::try_from(size).ok()).unwrap_or(DEFAULT)
    }
}

/// A page, and the token of the next one.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) lines: Vec<T>,
    pub(crate) next_token: Option<String>,
}

/// Sorts lines by their keys and cuts one page from them.
pub(crate) fn page<T>(
    mut lines: Vec<(String, T)>,
    request: &PageRequest<'_>,
) -> Result<Page<T>, ApiError> {
    lines.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    if request.descending {
        lines.reverse();
    }
    if let Some(after) = after(request)? {
        let is_left = |key: &String| if request.descending { *key < after } else { *key > after };
        lines.retain(|(key, _)| is_left(key));
    }
    Ok(cut(lines, request))
}

/// Cuts one page from `lines`, which must be sorted and start at the page.
///
/// Pass at least one line more than the page holds if there are more.
pub(crate) fn cut<T>(mut lines: Vec<(String, T)>, request: &PageRequest<'_>) -> Page<T> {
    let has_more = lines.len() > request.size();
    lines.truncate(request.size());
    let last = lines.last().filter(|_| has_more);
    let next_token = last
        .map(|(key, _)| BASE64_URL_SAFE_NO_PAD.encode(format!("{}{key}", binding(&request.list))));
    Page { lines: lines.into_iter().map(|(_, line)| line).collect(), next_token }
}

/// Returns the key of the last line of the page before.
pub(crate) fn after(request: &PageRequest<'_>) -> Result<Option<String>, ApiError> {
    request.next_token.map(|token| read(token, &request.list)).transpose()
}

fn read(token: &str, list: &str) -> Result<String, ApiError> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let key = text.as_deref().and_then(|text| text.strip_prefix(&binding(list)));
    key.map(str::to_owned).ok_or_else(foreign)
}

/// Returns the error for a token that was not issued for this list.
pub(crate) fn foreign() -> ApiError {
    ApiError::validation("Invalid pagination token: it is not of this list.")
}

fn binding(list: &str) -> String {
    let mut text = hex::encode(Sha256::digest(list));
    text.truncate(BINDING);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(keys: &[&str]) -> Vec<(String, String)> {
        keys.iter().map(|key| ((*key).to_owned(), (*key).to_owned())).collect()
    }

    fn request(descending: bool, next_token: Option<&String>) -> PageRequest<'_> {
        PageRequest { list: "l".to_owned(), descending, max_results: Some(2), next_token }
    }

    #[test]
    fn a_line_that_comes_or_goes_between_two_pages_moves_no_other() {
        let first = page(lines(&["b", "d", "a", "c"]), &request(true, None)).expect("no token");
        assert_eq!(first.lines, ["d", "c"]);
        // `c`, the last line, goes, and `e` comes.
        let rest = request(true, first.next_token.as_ref());
        let second = page(lines(&["a", "b", "d", "e"]), &rest).expect("its own token");
        assert_eq!((second.lines, second.next_token), (vec!["b".to_owned(), "a".to_owned()], None));
    }

    #[test]
    fn a_token_of_another_list_or_none_at_all_is_refused() {
        let first = page(lines(&["a", "b", "c"]), &request(false, None)).expect("no token");
        let mut other = request(false, first.next_token.as_ref());
        other.list = "other".to_owned();
        assert!(page(lines(&["a"]), &other).is_err());
        assert!(page(lines(&["a"]), &request(false, Some(&"%%%".to_owned()))).is_err());
    }
}
