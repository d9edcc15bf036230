//! The manifest: the small JSON that a step writes last, below its `OutputPrefix`. Its existence is
//! the report of the step's success.
//!
//! It is create-only, so of two runs of one attempt the first to finish counts.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::cache::key::canonical_sha256;
use crate::execution::proof::{Proof, Standing, Token, content_code};
use crate::uri::S3Uri;

/// The newest manifest version this code writes and reads.
pub const VERSION: u32 = 2;

/// What one attempt of a step produced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Manifest {
    pub version: u32,
    /// The JSON object that the handler returned, undeclared keys included.
    pub outputs: Map<String, Value>,
    /// The artifacts in order of URI.
    pub artifacts: Vec<Artifact>,
    /// The time at which the handler began by the function's clock, in milliseconds since 1970.
    pub started_at_ms: u64,
    /// The time from the handler's start to its return by a monotonic clock.
    pub duration_ms: u64,
    /// The code over all of the above under the attempt's token. Version 1 has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
    /// The attempt's token. Only version 1 has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// What an attempt measured of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timing {
    pub started_at_ms: u64,
    pub duration_ms: u64,
}

impl Manifest {
    /// Makes the manifest of the attempt that has `token`.
    pub fn new(
        token: &str,
        outputs: Map<String, Value>,
        artifacts: Vec<Artifact>,
        timing: Timing,
    ) -> Self {
        let Timing { started_at_ms, duration_ms } = timing;
        let (proof, version) = (None, VERSION);
        let unproven =
            Self { version, outputs, artifacts, started_at_ms, duration_ms, proof, token: None };
        let code = content_code(token, &unproven.sha256());
        Self { proof: Some(code), ..unproven }
    }

    /// Returns the SHA-256 of the content that the proof is over: everything but the proof, as
    /// JSON without spaces and with all members in order.
    ///
    /// It is taken of what is read back, because reading writes an exponent as `e` and a sign.
    fn sha256(&self) -> String {
        let read = serde_json::from_str(&json!(self).to_string());
        let mut content = read.unwrap_or_else(|_| json!(self));
        if let Some(members) = content.as_object_mut() {
            members.remove("Proof");
        }
        canonical_sha256(&content)
    }

    /// Returns what the manifest shows.
    pub fn proof(&self) -> Proof {
        match &self.proof {
            Some(code) => Proof::Content { code: code.clone(), sha256: self.sha256() },
            None => Proof::Bare(Token(self.token.clone().unwrap_or_default())),
        }
    }

    /// Returns true if the attempt that has `token` wrote it.
    pub fn is_by(&self, token: &str) -> bool {
        self.proof().standing(token) != Standing::Unproven
    }
}

/// An object that a step wrote, with the digest that was computed during the write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Artifact {
    pub uri: S3Uri,
    pub bytes: u64,
    /// SHA-256 of the content, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the manifest in `text`, whose proof is that of `token` over the same text.
    fn read(text: &str) -> Manifest {
        serde_json::from_str(text).expect("a manifest")
    }

    #[test]
    fn any_change_of_the_content_leaves_the_proof_without_worth() {
        let artifact = |name: &str| Artifact {
            uri: S3Uri::new("bucket", name),
            bytes: 1,
            sha256: "0".repeat(64),
        };
        let outputs = json!({"A": 1, "B": 1e16}).as_object().expect("an object").clone();
        let made = Manifest::new("t", outputs, vec![artifact("a")], Timing::default());
        assert!(made.is_by("t") && !made.is_by("u"));
        assert!(read(&json!(made).to_string()).is_by("t"), "as it was written");
        let mut others = vec![made.clone(); 7];
        others[0].outputs.insert("A".to_owned(), json!(1.0));
        others[1].outputs.insert("C".to_owned(), json!(1));
        others[2].artifacts[0].sha256 = "1".repeat(64);
        others[3].artifacts.push(artifact("b"));
        others[4].duration_ms = 1;
        others[5].started_at_ms = 1;
        others[6].version = 1;
        for other in others {
            assert!(!other.is_by("t"), "{other:?}");
        }
        let bare = Manifest { proof: None, token: Some("t".to_owned()), ..made };
        assert_eq!(bare.proof().standing("t"), Standing::Outdated);
    }

    /// What other languages sign is what they wrote: the digits of numbers, escapes, any order.
    #[test]
    fn a_proof_made_elsewhere_fits_however_the_json_is_spelt() {
        let content = r#"{"Artifacts":[],"DurationMs":2,"Outputs":{"A":1e+16,"B":[-0.0,1e+5,1.50],"é":"\"\\\n\u0001"},"StartedAtMs":1,"Version":2}"#;
        let sha256 = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(content));
        let code = content_code("t", &sha256);
        let spelt = r#"{ "Version": 2, "Proof": "CODE", "Outputs": {"\u00e9": "\u0022\\\n\u0001", "A": 1e+16,
            "B": [-0.0, 1E5, 1.50]}, "StartedAtMs": 1, "DurationMs": 2, "Artifacts": [] }"#;
        assert!(read(&spelt.replace("CODE", &code)).is_by("t"));
    }
}
