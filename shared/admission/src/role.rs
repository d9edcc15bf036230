//! The credentials of a role, good for a while: a derived key, and the token that it needs.
//!
//! No table of them is kept. The token says whose it is and until when, and follows from the key.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::credentials::{Credentials, tag_of};
use crate::signature::{Refused, Secrets};

/// Begins the tags of such keys. Other tags are hexadecimal.
const ROLE: &str = "sts";

/// Who has the credentials, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSession {
    /// The name of the role.
    pub role: String,
    /// The name that the caller gave the session.
    pub name: String,
    pub expires_at_ms: u64,
}

impl RoleSession {
    /// Makes credentials for the session, with their token. `root` is the key of the state folder.
    pub fn credentials(&self, root: &Credentials) -> (Credentials, String) {
        let key = root.derived(&format!("{ROLE}{}", Uuid::new_v4().simple()));
        let text = format!("{}/{}/{}", self.expires_at_ms, self.role, self.name);
        let token = format!("{}.{}", hex::encode(&text), proof(&key, &text));
        (key, token)
    }

    /// Returns the session of a key and its token, if `root` made them.
    pub fn read(root: &Credentials, access_key_id: &str, token: &str) -> Option<Self> {
        let tag = tag_of(access_key_id).filter(|tag| tag.starts_with(ROLE))?;
        let key = Some(root.derived(tag)).filter(|key| key.access_key_id == access_key_id)?;
        let (text, found) = token.split_once('.')?;
        let text = String::from_utf8(hex::decode(text).ok()?).ok()?;
        let is_right: bool = proof(&key, &text).as_bytes().ct_eq(found.as_bytes()).into();
        let mut parts = text.splitn(3, '/');
        let (expires, role, name) = (parts.next()?, parts.next()?, parts.next()?);
        let expires_at_ms = expires.parse().ok()?;
        let session = Self { role: role.to_owned(), name: name.to_owned(), expires_at_ms };
        is_right.then_some(session)
    }
}

/// Returns what only the owner of the key can write below a text.
fn proof(key: &Credentials, text: &str) -> String {
    let secret = key.secret_access_key.as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length is a key");
    mac.update(b"token\0");
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

impl Secrets for Credentials {
    fn secret(&self, access_key_id: &str) -> Option<String> {
        self.secret_for(access_key_id)
    }

    fn check_token(
        &self,
        access_key_id: &str,
        token: Option<&str>,
        now_ms: u64,
    ) -> Result<(), Refused> {
        let is_role = tag_of(access_key_id).is_some_and(|tag| tag.starts_with(ROLE));
        let Some(token) = token else {
            return if is_role { Err(Refused::UnknownKey) } else { Ok(()) };
        };
        match RoleSession::read(self, access_key_id, token) {
            Some(session) if session.expires_at_ms <= now_ms => Err(Refused::Expired),
            Some(_) => Ok(()),
            None => Err(Refused::UnknownKey),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_its_key_with_its_token_until_it_expires() {
        let (root, other) = (Credentials::generate(), Credentials::generate());
        let session =
            RoleSession { role: "r".to_owned(), name: "a@b".to_owned(), expires_at_ms: 1_000 };
        let (key, token) = session.credentials(&root);
        let id = key.access_key_id.as_str();
        assert_eq!(root.secret(id), Some(key.secret_access_key.clone()));
        assert_eq!(RoleSession::read(&root, id, &token), Some(session.clone()));
        let forged = token.replacen('3', "4", 1);
        let second = session.credentials(&root).1;
        let environment = root.derived("e7").access_key_id;
        for (id, token, now_ms, expected) in [
            (id, Some(token.as_str()), 999, Ok(())),
            (id, Some(&token), 1_000, Err(Refused::Expired)),
            (id, None, 0, Err(Refused::UnknownKey)),
            (id, Some(""), 0, Err(Refused::UnknownKey)),
            (id, Some(&forged), 0, Err(Refused::UnknownKey)),
            (id, Some(&second), 0, Err(Refused::UnknownKey)),
            (&root.access_key_id, None, 0, Ok(())),
            (&root.access_key_id, Some(&token), 0, Err(Refused::UnknownKey)),
            (&environment, None, 0, Ok(())),
            (&environment, Some(&token), 0, Err(Refused::UnknownKey)),
        ] {
            assert_eq!(root.check_token(id, token, now_ms), expected, "{id} {token:?} {now_ms}");
        }
        assert_eq!(RoleSession::read(&other, id, &token), None);
    }
}
