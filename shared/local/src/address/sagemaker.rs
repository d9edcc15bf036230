//! SageMaker's API on the one address: requests wait until it is there.

use std::fmt;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use sidestep_admission::Answer;
use tokio::sync::watch;

use super::json::refused;

/// How long a request waits.
const WAIT: Duration = Duration::from_secs(30);

/// SageMaker's API, once there is one. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct SageMaker(watch::Sender<Option<Answer>>);

impl fmt::Debug for SageMaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SageMaker").field(&self.0.borrow().is_some()).finish()
    }
}

impl SageMaker {
    /// Answers requests from now on. It decides itself whom it lets in.
    pub(crate) fn set(&self, answer: Answer) {
        self.0.send_replace(Some(answer));
    }

    pub(super) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let mut known = self.0.subscribe();
        let waited = tokio::time::timeout(WAIT, known.wait_for(Option::is_some)).await;
        let found = waited.ok().and_then(Result::ok).and_then(|answer| answer.clone());
        match found {
            Some(answer) => answer(request).await,
            None => refused(
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailableException",
                "SageMaker's API is served by `sidestep up` and `sidestep serve`",
            ),
        }
    }
}
