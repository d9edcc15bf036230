//! Mailboxes: within one process, one task at a time advances an execution.
//!
//! A second task could only lose commits to the first. Events that arrive while a task has the turn
//! are handled together by the next one, so two hundred branches that end at once are a few commits
//! and not two hundred.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use sidestep_core::execution::ExecutionStatus;
use sidestep_core::name::ExecutionId;
use sidestep_core::plan::Event;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{MutexGuard, oneshot};

/// Calls that one turn handles at most, so that no call waits for ever longer plans.
const CALLS_A_TURN: usize = 64;

/// The mailboxes of a process's executions, each as long as a task has it or waits for it.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    known: Mutex<BTreeMap<ExecutionId, Weak<Mailbox>>>,
}

/// The calls that wait for one execution.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    turn: tokio::sync::Mutex<()>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    last_number: u64,
    calls: VecDeque<Call>,
}

/// Events on their way, and the task that waits for them.
#[derive(Debug)]
struct Call {
    number: u64,
    events: Vec<Event>,
    answer: oneshot::Sender<ExecutionStatus>,
}

/// What became of a call while it waited.
#[derive(Debug)]
pub(crate) enum Joined<'a> {
    /// Another task's turn handled it, and left the execution in this status.
    Handled(ExecutionStatus),
    /// The calling task has the turn.
    Turn(Turn<'a>),
}

/// The right to advance an execution, with the calls to handle.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    _guard: MutexGuard<'a, ()>,
    calls: Vec<Call>,
}

impl Mailboxes {
    /// Returns the mailbox of an execution, and forgets those that no task has.
    pub(crate) fn of(&self, id: &ExecutionId) -> Arc<Mailbox> {
        let mut known = self.known.lock();
        if let Some(mailbox) = known.get(id).and_then(Weak::upgrade) {
            return mailbox;
        }
        known.retain(|_, mailbox| mailbox.strong_count() > 0);
        let mailbox = Arc::new(Mailbox::default());
        known.insert(id.clone(), Arc::downgrade(&mailbox));
        mailbox
    }
}

impl Mailbox {
    /// Waits for a turn that handles no other calls.
    pub(crate) async fn alone(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Waits for a turn, or until another task's turn has handled `events`.
    ///
    /// If the caller stops waiting, the events may be handled all the same.
    pub(crate) async fn join(&self, events: Vec<Event>) -> Joined<'_> {
        let (answer, mut answered) = oneshot::channel();
        let number = self.push(events.clone(), answer);
        let guard = self.turn.lock().await;
        // Calls that arrived in the same batch of messages have not reached the mailbox yet.
        tokio::task::yield_now().await;
        let calls = match answered.try_recv() {
            Ok(status) => return Joined::Handled(status),
            // A turn that failed had taken the call. It is tried alone, so that no other call fails
            // because of it.
            Err(TryRecvError::Closed) => {
                vec![Call { number, events, answer: oneshot::channel().0 }]
            }
            Err(TryRecvError::Empty) => self.take(number),
        };
        Joined::Turn(Turn { _guard: guard, calls })
    }

    fn push(&self, events: Vec<Event>, answer: oneshot::Sender<ExecutionStatus>) -> u64 {
        let mut waiting = self.waiting.lock();
        waiting.last_number += 1;
        let number = waiting.last_number;
        waiting.calls.push_back(Call { number, events, answer });
        number
    }

    /// Takes the caller's own call, and the ones that have waited longest.
    fn take(&self, own: u64) -> Vec<Call> {
        let calls = &mut self.waiting.lock().calls;
        let position = calls.iter().position(|call| call.number == own);
        let mut taken: Vec<_> =
            position.and_then(|place| calls.remove(place)).into_iter().collect();
        let others = calls.len().min(CALLS_A_TURN - taken.len());
        taken.extend(calls.drain(..others));
        taken
    }
}

impl Turn<'_> {
    /// Returns the events of all calls to handle, in the order in which the calls came.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.calls.iter().flat_map(|call| call.events.clone()).collect()
    }

    /// Ends the turn and answers the calls that it handled.
    pub(crate) fn end(self, status: ExecutionStatus) {
        for call in self.calls {
            // A caller that stopped waiting does not need the answer.
            let _ = call.answer.send(status);
        }
    }
}
