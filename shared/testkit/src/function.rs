//! The suite that every port to functions passes.

#![expect(clippy::unwrap_used, reason = "a suite panics where a promise is broken")]

use serde_json::{Value, json};
use sidestep_core::execution::invocation::AttemptName;
use sidestep_core::failure::FailureType;
use sidestep_core::name::{ExecutionId, StepName};
use sidestep_engine::ports::functions::{FunctionError, Functions};

/// Checks the promises of `functions`, with a function of the name `known`.
///
/// `invoked` waits for so many of its invocations and takes them, and `deploy` gives it other code.
pub async fn suite(
    functions: &dyn Functions,
    known: &str,
    invoked: impl AsyncFn(usize) -> Vec<Value>,
    deploy: impl FnOnce(),
) {
    let attempt = AttemptName {
        execution_id: ExecutionId::from_bytes([7; 16]),
        step_name: StepName::parse("Work").unwrap(),
        attempt_count: 1,
    };
    // What does not exist is absent, and cannot be invoked.
    assert_eq!(functions.describe("absent").await.unwrap(), None);
    let error = functions.invoke("absent", &json!({}), &attempt).await.unwrap_err();
    assert!(matches!(&error, FunctionError::NotFound { .. }), "{error:?}");
    assert_eq!(error.failure_type(), FailureType::UnknownFunction);

    // A description is the same at every look, also by the name under which it is invoked.
    let function = functions.describe(known).await.unwrap().expect("it exists");
    assert!(!function.code_digest.is_empty() && function.timeout_seconds > 0, "{function:?}");
    assert_eq!(functions.describe(known).await.unwrap().as_ref(), Some(&function));
    let pinned = functions.describe(&function.invoke_arn).await.unwrap();
    assert_eq!(pinned.map(|pinned| pinned.code_digest).as_ref(), Some(&function.code_digest));

    // A payload arrives as it was sent, as often as it was.
    let payload = json!({"text": "ü \" \n\u{1F600}", "whole": 9_007_199_254_740_993_i64,
        "real": 0.1, "null": null, "deep": [{"a": [[]]}]});
    let first = functions.invoke(&function.invoke_arn, &payload, &attempt).await.unwrap();
    let second = functions.invoke(&function.invoke_arn, &payload, &attempt).await.unwrap();
    assert!(!first.is_empty() && first != second, "each has a request id of its own");
    assert_eq!(invoked(2).await, [payload.clone(), payload]);

    // Other code is another digest.
    deploy();
    let other = functions.describe(known).await.unwrap().expect("it exists");
    assert_ne!(other.code_digest, function.code_digest);
}

#[cfg(test)]
mod tests {
    use sidestep_engine::ports::functions::Functions as _;

    use crate::memory::MemoryFunctions;

    #[tokio::test]
    async fn the_functions_in_memory_pass_their_suite() {
        let functions = MemoryFunctions::default();
        functions.deploy("known", "code", 60);
        let invoked = async |count| {
            let taken: Vec<_> = functions.take().into_iter().map(|taken| taken.payload).collect();
            assert_eq!(taken.len(), count);
            taken
        };
        super::suite(&functions, "known", invoked, || functions.deploy("known", "other", 60)).await;
        assert!(functions.describe("known:code").await.unwrap().is_some(), "a version stays");
    }
}
