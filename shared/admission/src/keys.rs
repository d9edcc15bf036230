//! The access keys whose signatures are accepted, as a file has them: `ACCESS_KEY_ID
//! SECRET_ACCESS_KEY` a line.

use std::collections::BTreeMap;
use std::fmt;

use crate::signature::Secrets;

/// The length of an access key's id, as in IAM.
const ID: std::ops::RangeInclusive<usize> = 16..=128;
/// The length of a secret. AWS's have 40 characters. A short one could be guessed from one signed
/// request.
const SECRET: std::ops::RangeInclusive<usize> = 32..=256;
/// The most keys of one file.
const KEYS: usize = 1_000;

/// Secrets by the id of their access key. `Debug` shows only the ids.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKeys(BTreeMap<String, String>);

/// A text without keys, or a line that is not a key. The message never shows the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessKeysError {
    #[error("no access key found")]
    Empty,
    #[error("invalid line {0}: expected two words, `ACCESS_KEY_ID SECRET_ACCESS_KEY`")]
    NotTwoWords(usize),
    #[error("invalid id in line {0}: expected 16 to 128 letters, digits or `_`")]
    Id(usize),
    #[error("invalid secret in line {0}: expected 32 to 256 visible ASCII characters")]
    Secret(usize),
    #[error("line {0} repeats the id of an earlier line")]
    Twice(usize),
    #[error("more than {KEYS} access keys")]
    TooMany,
}

impl AccessKeys {
    /// Parses lines. Empty ones and those that begin with `#` are ignored.
    pub fn parse(text: &str) -> Result<Self, AccessKeysError> {
        let mut keys = BTreeMap::new();
        for (line, text) in (1..).zip(text.lines()) {
            if text.trim().is_empty() || text.trim_start().starts_with('#') {
                continue;
            }
            let mut words = text.split_ascii_whitespace();
            let (Some(id), Some(secret), None) = (words.next(), words.next(), words.next()) else {
                return Err(AccessKeysError::NotTwoWords(line));
            };
            if !ID.contains(&id.len())
                || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            {
                return Err(AccessKeysError::Id(line));
            }
            if !SECRET.contains(&secret.len()) || !secret.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(AccessKeysError::Secret(line));
            }
            if keys.insert(id.to_owned(), secret.to_owned()).is_some() {
                return Err(AccessKeysError::Twice(line));
            }
        }
        match keys.len() {
            0 => Err(AccessKeysError::Empty),
            1..=KEYS => Ok(Self(keys)),
            _ => Err(AccessKeysError::TooMany),
        }
    }

    /// Returns one key without checking its form.
    #[cfg(test)]
    pub(crate) fn of(access_key_id: &str, secret: &str) -> Self {
        Self(BTreeMap::from([(access_key_id.to_owned(), secret.to_owned())]))
    }
}

impl Secrets for AccessKeys {
    fn secret(&self, access_key_id: &str) -> Option<String> {
        self.0.get(access_key_id).cloned()
    }
}

impl fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AccessKeys").field(&self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a-secret-of-thirty-two-characters";

    #[test]
    fn a_file_of_keys_is_two_words_a_line_and_an_error_names_its_line() {
        let id = "AKIDEXAMPLE00001";
        let keys = AccessKeys::parse(&format!("# ours\n\n{id}\t{SECRET}\r\n")).expect("right");
        assert_eq!(keys.secret(id).as_deref(), Some(SECRET));
        assert_eq!(keys.secret("AKIDEXAMPLE00002"), None);
        let cases = [
            ("", AccessKeysError::Empty),
            ("# none\n", AccessKeysError::Empty),
            ("\nAKIDEXAMPLE00001\n", AccessKeysError::NotTwoWords(2)),
            (&format!("{id} {SECRET} x"), AccessKeysError::NotTwoWords(1)),
            (&format!("short {SECRET}"), AccessKeysError::Id(1)),
            (&format!("AKID/EXAMPLE/0001 {SECRET}"), AccessKeysError::Id(1)),
            (&format!("{id} short"), AccessKeysError::Secret(1)),
            (&format!("{id} {SECRET}\n{id} {SECRET}2"), AccessKeysError::Twice(2)),
        ];
        for (text, error) in cases {
            assert_eq!(AccessKeys::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let keys = AccessKeys::parse(&format!("AKIDEXAMPLE00001 {SECRET}")).expect("right");
        let shown = format!("{keys:?}");
        assert!(shown.contains("AKIDEXAMPLE00001") && !shown.contains(SECRET), "{shown}");
        let error = AccessKeys::parse(&format!("{SECRET} AKIDEXAMPLE00001")).expect_err("swapped");
        assert!(!error.to_string().contains(SECRET), "{error}");
    }
}
