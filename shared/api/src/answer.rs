//! One request in, one answer out.

use serde_json::{Map, Value};

use crate::api::{Api, read};
use crate::error::ApiError;
use crate::operation::{Operation, Token};

impl Api {
    /// Answers a request: `operation` is the name without its service, `body` the JSON of its
    /// members.
    pub async fn answer(&self, operation: &str, body: &[u8]) -> Result<Value, ApiError> {
        let operation = Operation::parse(operation)?;
        let mut answer = match operation.token() {
            Token::None => operation.perform(self, body, None).await,
            Token::Optional | Token::Required => self.once(operation, read(body)?).await,
        }?;
        strip_nulls(&mut answer);
        Ok(answer)
    }
}

/// Removes members that are `null`, because clients take them for ill-typed ones.
fn strip_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let kept = std::mem::take(members).into_iter().filter(|(_, member)| !member.is_null());
            *members = kept.collect::<Map<_, _>>();
            members.values_mut().for_each(strip_nulls);
        }
        Value::Array(elements) => elements.iter_mut().for_each(strip_nulls),
        _ => {}
    }
}
