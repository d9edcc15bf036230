//! Tokens: what an attempt proves its report with.
//!
//! A token is an HMAC-SHA256 of the attempt's coordinates under a secret of the execution. So
//! nothing has to be stored per step, the token of another step, attempt or execution does not fit,
//! and a forged or replayed report changes nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::definition::StepIndex;
use crate::execution::phase::Revision;
use crate::name::ExecutionId;

/// The secret of an execution: 32 random bytes as base64url. It is never logged or shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    fn mac(
        &self,
        id: &ExecutionId,
        step: StepIndex,
        attempt: u32,
        claim: Revision,
    ) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update(format!("{id}/{}/{attempt}/{claim}", step.0).as_bytes());
        mac
    }

    /// Returns the token of the attempt that was claimed at `claim`.
    pub fn token(
        &self,
        id: &ExecutionId,
        step: StepIndex,
        attempt: u32,
        claim: Revision,
    ) -> String {
        URL_SAFE_NO_PAD.encode(self.mac(id, step, attempt, claim).finalize().into_bytes())
    }

    /// Returns the token of a Callback step's attempt: ten letters and digits, as SageMaker's are.
    pub fn callback_token(
        &self,
        id: &ExecutionId,
        step: StepIndex,
        attempt: u32,
        claim: Revision,
    ) -> String {
        const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut mac = self.mac(id, step, attempt, claim);
        // It must differ from the attempt's own token, which is never sent out.
        mac.update(b"/callback");
        let bytes = mac.finalize().into_bytes();
        let mut number = bytes.iter().take(16).fold(0_u128, |n, byte| n << 8 | u128::from(*byte));
        let digits = (0..10).map(|_| {
            let digit = usize::try_from(number % 62).unwrap_or_default();
            number /= 62;
            char::from(DIGITS[digit])
        });
        digits.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attempt_has_a_token_of_its_own() {
        let secret = Secret::from_bytes([7; 32]);
        let [id, other_id] = [1, 2].map(|byte| ExecutionId::from_bytes([byte; 16]));
        let token = secret.token(&id, StepIndex(3), 1, 9);
        assert_eq!(token, secret.token(&id, StepIndex(3), 1, 9));
        for other in [
            secret.token(&id, StepIndex(4), 1, 9),
            secret.token(&id, StepIndex(3), 2, 9),
            secret.token(&id, StepIndex(3), 1, 8),
            secret.token(&other_id, StepIndex(3), 1, 9),
            Secret::from_bytes([8; 32]).token(&id, StepIndex(3), 1, 9),
        ] {
            assert_ne!(other, token);
        }
    }
}
