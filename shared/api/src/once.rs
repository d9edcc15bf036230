//! Idempotency tokens: one token, one answer.
//!
//! An answer is remembered for eight hours. It is written after the work, so a crash in between
//! repeats the work. That does no harm: the execution's id follows from the token of a start, and
//! the other operations do nothing new a second time.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use sidestep_engine::ports::pipelines::Answered;

use crate::api::Api;
use crate::checks::{Checks, limit};
use crate::error::ApiError;
use crate::operation::{Operation, Token};

const TOKEN: &str = "ClientRequestToken";
/// How long a token is remembered. SageMaker does not document its own time. Clients repeat within
/// minutes.
const REMEMBERED_SECONDS: u64 = 8 * 60 * 60;

impl Api {
    /// Performs an operation, unless the same request came under its token before. Then the answer
    /// is the same.
    pub(crate) async fn once(
        &self,
        operation: Operation,
        mut request: Map<String, Value>,
    ) -> Result<Value, ApiError> {
        let token = match request.remove(TOKEN) {
            None | Some(Value::Null) => None,
            Some(Value::String(token)) => Some(token),
            Some(_) => {
                return Err(ApiError::Serialization(format!("at '{TOKEN}': expected a string")));
            }
        };
        let mut checks = Checks::default();
        if operation.token() == Token::Required {
            checks.required("clientRequestToken", token.as_ref());
        }
        checks.text("clientRequestToken", token.as_ref(), limit::TOKEN, None);
        checks.finish()?;
        let body = serde_json::to_vec(&request).expect("JSON that was read");
        let Some(token) = token else { return operation.perform(self, &body, None).await };
        let key = format!("{}#{token}", operation.name());
        let digest = hex::encode(Sha256::digest(&body));
        let now_ms = self.engine.now_ms();
        if let Some(answered) = self.pipelines.answered(&key, now_ms).await? {
            return same(&answered, &digest);
        }
        let answer = match operation.perform(self, &body, Some(&token)).await {
            Ok(answer) => answer,
            // The same request may have come twice at once, and the other one was faster.
            Err(error) => match self.pipelines.answered(&key, now_ms).await? {
                Some(answered) => return same(&answered, &digest),
                None => return Err(error),
            },
        };
        let answered = Answered {
            request: digest.clone(),
            answer: answer.to_string(),
            expires_at: Some(now_ms / 1000 + REMEMBERED_SECONDS),
        };
        same(&self.pipelines.remember(&key, &answered, now_ms).await?, &digest)
    }
}

fn same(answered: &Answered, digest: &str) -> Result<Value, ApiError> {
    if answered.request != digest {
        let text = "A different request was made with the same ClientRequestToken.";
        return Err(ApiError::Conflict(text.to_owned()));
    }
    let answer = serde_json::from_str(&answered.answer);
    answer.map_err(|error| ApiError::Internal(format!("a remembered answer is damaged: {error}")))
}
