//! Proofs: what shows that a report is of the attempt it names, and that it says what the attempt
//! said.
//!
//! An attempt's token must not lie where others read, because every reader of it could report in
//! the attempt's name. So what a step leaves behind holds a code instead: an HMAC-SHA256 under the
//! token over what is reported. It fits nothing else, and tells nothing of the token.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a report shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The attempt's token: the planner made the report itself, or read it from Lambda's record,
    /// which holds the function's event.
    Token(Token),
    /// A code over the content of a manifest, which has this SHA-256.
    Content { code: String, sha256: String },
    /// A code over the request id of the attempt's invocation.
    Request { code: String, id: String },
    /// The token itself in an object, or nothing, as manifests of earlier releases have it.
    Bare(Token),
}

/// The text of a token. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

/// What a proof is worth for the attempt that a report names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The attempt said so.
    Proven,
    /// The attempt said so, but in a form that every reader of it can repeat.
    Outdated,
    /// Anyone can have said so.
    Unproven,
}

impl Proof {
    /// Returns what the proof is worth for the attempt that has `token`. Compares in constant time.
    pub fn standing(&self, token: &str) -> Standing {
        match self {
            Self::Token(shown) if is_same(token, &shown.0) => Standing::Proven,
            Self::Bare(shown) if is_same(token, &shown.0) => Standing::Outdated,
            Self::Content { code, sha256 } if is_code(token, &content(sha256), code) => {
                Standing::Proven
            }
            Self::Request { code, id } if is_code(token, &request(id), code) => Standing::Proven,
            // Records of earlier releases hold the token in place of the code.
            Self::Request { code, .. } if is_same(token, code) => Standing::Outdated,
            _ => Standing::Unproven,
        }
    }
}

/// Returns the code over content with this SHA-256.
pub fn content_code(token: &str, sha256: &str) -> String {
    code(token, &content(sha256))
}

/// Returns the code over the id of an invocation's request.
pub fn request_code(token: &str, id: &str) -> String {
    code(token, &request(id))
}

// The two begin differently, so that no code passes for one of the other kind.

fn content(sha256: &str) -> String {
    format!("manifest/{sha256}")
}

fn request(id: &str) -> String {
    format!("request/{id}")
}

fn mac(token: &str, message: &str) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(token.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(message.as_bytes());
    mac
}

fn code(token: &str, message: &str) -> String {
    hex::encode(mac(token, message).finalize().into_bytes())
}

fn is_code(token: &str, message: &str, code: &str) -> bool {
    hex::decode(code).is_ok_and(|bytes| mac(token, message).verify_slice(&bytes).is_ok())
}

/// Returns true if both tokens are the same. Codes under them take the same time to compare.
fn is_same(token: &str, shown: &str) -> bool {
    is_code(token, "", &code(shown, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_fits_one_token_and_one_content() {
        let sha256 = "0".repeat(64);
        let proof = |code: String, sha256: &str| Proof::Content { code, sha256: sha256.to_owned() };
        let made = content_code("token", &sha256);
        let of_a_request = Proof::Request { code: request_code("token", "id"), id: "id".into() };
        for (proof, expected) in [
            (proof(made.clone(), &sha256), Standing::Proven),
            (proof(made.to_uppercase(), &sha256), Standing::Proven),
            (proof(made.clone(), &"1".repeat(64)), Standing::Unproven),
            (proof(content_code("other", &sha256), &sha256), Standing::Unproven),
            (proof("token".to_owned(), &sha256), Standing::Unproven),
            (proof(String::new(), &sha256), Standing::Unproven),
            (of_a_request, Standing::Proven),
            (Proof::Request { code: made, id: sha256.clone() }, Standing::Unproven),
            (Proof::Request { code: "token".into(), id: "id".into() }, Standing::Outdated),
            (Proof::Bare(Token("token".into())), Standing::Outdated),
            (Proof::Bare(Token(String::new())), Standing::Unproven),
            (Proof::Token(Token("token".into())), Standing::Proven),
            (Proof::Token(Token("tokens".into())), Standing::Unproven),
        ] {
            assert_eq!(proof.standing("token"), expected, "{proof:?}");
        }
    }

    #[test]
    fn no_debug_output_shows_a_token() {
        let said = format!("{:?}", Proof::Bare(Token("secret".to_owned())));
        assert!(!said.contains("secret"), "{said}");
    }
}
