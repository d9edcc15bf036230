//! The requests of the runtime in the process, and the replies to them.
//!
//! A request that does not fit the state is refused and changes nothing, as Lambda's Runtime API
//! does.

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{Current, End, Init, Stage, Worker};
use crate::lambda::answer;
use crate::lambda::invocation::Failure;
use crate::lambda::runtime_api::{RuntimeCall, RuntimeReply, RuntimeRequest};

impl Worker {
    /// Answers a request of the runtime. Returns why the environment ends, if the request ends it.
    pub(super) fn answer(&mut self, call: RuntimeCall) -> Option<End> {
        let RuntimeCall { request, reply } = call;
        let mut end = None;
        let verdict = match request {
            RuntimeRequest::Next => {
                self.next(reply);
                return None;
            }
            RuntimeRequest::Response { request_id, body } => {
                self.respond(&request_id, || answer::response(&request_id, body))
            }
            RuntimeRequest::Error { request_id, error_type, body } => self
                .respond(&request_id, || {
                    (Err(answer::error(error_type, body)), RuntimeReply::Accepted)
                }),
            RuntimeRequest::InitError { error_type, body } if self.init == Init::Pending => {
                end = Some(End::InitError(answer::error(error_type, body)));
                RuntimeReply::Accepted
            }
            RuntimeRequest::InitError { .. } => RuntimeReply::InvalidStateTransition,
        };
        // Fails only if the runtime has hung up, and then it does not need the reply.
        let _ = reply.send(verdict);
        end
    }

    /// Parks a `next` until there is an event, and completes the invocation that was answered.
    fn next(&mut self, reply: oneshot::Sender<RuntimeReply>) {
        let is_busy = matches!(
            &self.current,
            Some(Current { stage: Stage::Running { answer: None, .. }, .. })
        );
        if is_busy || self.parked.as_ref().is_some_and(|parked| !parked.is_closed()) {
            let _ = reply.send(RuntimeReply::InvalidStateTransition);
            return;
        }
        if self.init == Init::Pending {
            let took = self.started_at.elapsed();
            self.init = Init::Took(took);
            self.permit = None;
            self.shared.metrics.init(took);
        }
        self.parked = Some(reply);
        if let Some(Current { stage: Stage::Running { .. }, .. }) = &self.current {
            self.complete();
        }
        self.deliver();
    }

    /// Records the answer of the running invocation, if `request_id` names it and it has none.
    fn respond(
        &mut self,
        request_id: &str,
        judge: impl FnOnce() -> (Result<Bytes, Failure>, RuntimeReply),
    ) -> RuntimeReply {
        match &mut self.current {
            Some(Current { assignment, stage: Stage::Running { answer, .. }, .. })
                if *assignment.invocation.request_id == *request_id =>
            {
                if answer.is_some() {
                    return RuntimeReply::InvalidStateTransition;
                }
                let (result, verdict) = judge();
                *answer = Some(result);
                verdict
            }
            _ => RuntimeReply::InvalidRequestId,
        }
    }
}
