//! The credentials of one state folder, in the form of an AWS credentials file.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use uuid::Uuid;

/// Separates the root's id from the tag of a derived key. No id of a root contains it.
const TAGGED: char = '_';

/// An access key. `Debug` shows only the id.
///
/// A root key has derived ones without a table of them: their secret follows from the root's.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
}

/// A text that does not hold an access key. The message never shows the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the lines `aws_access_key_id = ID` and `aws_secret_access_key = SECRET`")]
pub struct InvalidCredentials;

impl Default for Credentials {
    /// Returns a fixed key, for servers that accept every one.
    fn default() -> Self {
        let name = || "sidestep".to_owned();
        Self { access_key_id: name(), secret_access_key: name() }
    }
}

impl Credentials {
    /// Makes a key that no other process can guess.
    pub fn generate() -> Self {
        let random = || Uuid::new_v4().simple().to_string();
        Self {
            access_key_id: format!("SIDESTEP{}", random()[..12].to_uppercase()),
            secret_access_key: random() + &random(),
        }
    }

    /// Returns the key that this one has for `tag`, which is made of letters and digits.
    ///
    /// A process that gets it can not find this key or that of another tag.
    pub fn derived(&self, tag: &str) -> Self {
        let access_key_id = format!("{}{TAGGED}{tag}", self.access_key_id);
        let secret_access_key = self.secret_of(&access_key_id);
        Self { access_key_id, secret_access_key }
    }

    /// Parses a credentials file of AWS's tools. Other lines than the two of the key are ignored.
    pub fn parse(text: &str) -> Result<Self, InvalidCredentials> {
        let value = |name: &str| {
            let lines = text.lines().filter_map(|line| line.split_once('='));
            let found = lines.filter(|(found, _)| found.trim() == name).map(|(_, value)| value);
            found.map(str::trim).find(|value| !value.is_empty()).map(str::to_owned)
        };
        let id = value("aws_access_key_id")
            .filter(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric()) && id.len() >= MIN_ID);
        let secret = value("aws_secret_access_key").filter(|secret| secret.len() >= MIN_SECRET);
        match (id, secret) {
            (Some(access_key_id), Some(secret_access_key)) => {
                Ok(Self { access_key_id, secret_access_key })
            }
            _ => Err(InvalidCredentials),
        }
    }

    /// Returns the text of a credentials file for AWS's tools.
    pub fn to_text(&self) -> String {
        format!(
            "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            self.access_key_id, self.secret_access_key
        )
    }

    /// Returns the secret of a derived key.
    fn secret_of(&self, access_key_id: &str) -> String {
        let key = self.secret_access_key.as_bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
        mac.update(access_key_id.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}

/// The shortest id and secret that are read, so that none can be guessed.
const MIN_ID: usize = 16;
const MIN_SECRET: usize = 32;

impl Credentials {
    /// Returns the secret of this key, or of one that it has for a tag.
    pub(crate) fn secret_for(&self, access_key_id: &str) -> Option<String> {
        if access_key_id == self.access_key_id {
            return Some(self.secret_access_key.clone());
        }
        let tag = access_key_id.strip_prefix(&self.access_key_id)?.strip_prefix(TAGGED)?;
        let is_tag = !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_tag.then(|| self.secret_of(access_key_id))
    }
}

/// Returns the tag of a derived key's id.
pub(crate) fn tag_of(access_key_id: &str) -> Option<&str> {
    access_key_id.split_once(TAGGED).map(|(_, tag)| tag)
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Credentials").field(&self.access_key_id).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::Secrets as _;

    #[test]
    fn a_key_is_written_and_read_and_its_secret_never_shown() {
        let key = Credentials::generate();
        assert_eq!(Credentials::parse(&key.to_text()), Ok(key.clone()));
        assert!(!format!("{key:?}").contains(&key.secret_access_key), "{key:?}");
        assert_ne!(Credentials::generate(), key);
        for text in ["", "[default]\n", "aws_access_key_id = short\naws_secret_access_key = short"]
        {
            assert_eq!(Credentials::parse(text), Err(InvalidCredentials), "{text}");
        }
    }

    #[test]
    fn a_derived_key_is_known_by_its_root_alone() {
        let (root, other) = (Credentials::generate(), Credentials::generate());
        let derived = root.derived("e7");
        assert_eq!(root.secret(&root.access_key_id), Some(root.secret_access_key.clone()));
        assert_eq!(root.secret(&derived.access_key_id), Some(derived.secret_access_key.clone()));
        assert_eq!(tag_of(&derived.access_key_id), Some("e7"));
        assert_eq!(tag_of(&root.access_key_id), None);
        assert_eq!(other.secret(&derived.access_key_id), None);
        assert_ne!(root.derived("e8").secret_access_key, derived.secret_access_key);
        for id in ["", "_e7", "sidestep", &format!("{}_", root.access_key_id)] {
            assert_eq!(root.secret(id), None, "{id}");
        }
    }
}
