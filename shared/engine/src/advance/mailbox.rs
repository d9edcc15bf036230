//! Mailboxes: within one process an execution is advanced by one task at a time, since racing it would only cost lost commits. Events that arrive
//! while another task has the turn are taken together by the next one: two hundred branches that end at once are a few commits, not two hundred.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sidestep_core::execution::ExecutionStatus;
use sidestep_core::name::ExecutionId;
use sidestep_core::plan::Event;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{MutexGuard, oneshot};

use crate::engine::Loaded;

/// Calls that one turn takes along at most, so that nobody waits for ever longer plans.
const TOGETHER: usize = 64;

/// Makes a call's events of the loaded state.
pub(crate) type Events = Arc<dyn Fn(&Loaded) -> Vec<Event> + Send + Sync>;

/// The turns of a process's executions, as long as anybody has or wants one.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    known: Mutex<BTreeMap<ExecutionId, Weak<Turn>>>,
}

#[derive(Default)]
pub(crate) struct Turn {
    held: tokio::sync::Mutex<()>,
    inbox: Mutex<VecDeque<Call>>,
}

/// Events on their way, and who waits for them.
struct Call {
    events: Events,
    told: oneshot::Sender<ExecutionStatus>,
}

/// What became of a call while it waited for its turn.
pub(crate) enum Place<'a> {
    /// An earlier turn took it along, and the execution came to this.
    Taken(ExecutionStatus),
    /// It has the turn, with all that is to be taken along.
    Held(Held<'a>),
}

/// A turn, with the calls that it takes along.
pub(crate) struct Held<'a> {
    _guard: MutexGuard<'a, ()>,
    calls: Vec<Call>,
}

impl Mailboxes {
    pub(crate) fn of(&self, id: &ExecutionId) -> Arc<Turn> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = known.get(id).and_then(Weak::upgrade) {
            return turn;
        }
        known.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::new(Turn::default());
        known.insert(id.clone(), Arc::downgrade(&turn));
        turn
    }
}

impl Turn {
    /// Waits for a turn that is nobody else's business.
    pub(crate) async fn alone(&self) -> MutexGuard<'_, ()> {
        self.held.lock().await
    }

    /// Waits for a turn for `events`, or until another one has taken them along. Dropped while it waits, the events may be taken all the same.
    pub(crate) async fn join(&self, events: Events) -> Place<'_> {
        let (told, mut heard) = oneshot::channel();
        self.inbox().push_back(Call { events: Arc::clone(&events), told });
        let guard = self.held.lock().await;
        // Those that came in the same batch have not said so yet.
        tokio::task::yield_now().await;
        let calls = match heard.try_recv() {
            Ok(status) => return Place::Taken(status),
            // Taken along by a turn that failed: nobody else is to fail for it again.
            Err(TryRecvError::Closed) => vec![Call { events, told: oneshot::channel().0 }],
            Err(TryRecvError::Empty) => self.take(&events),
        };
        Place::Held(Held { _guard: guard, calls })
    }

    /// The call of `own` events, and those that wait longest.
    fn take(&self, own: &Events) -> Vec<Call> {
        let mut inbox = self.inbox();
        let place = inbox.iter().position(|call| Arc::ptr_eq(&call.events, own));
        let mut calls: Vec<_> = place.and_then(|place| inbox.remove(place)).into_iter().collect();
        let others = inbox.len().min(TOGETHER - calls.len());
        calls.extend(inbox.drain(..others));
        calls
    }

    fn inbox(&self) -> std::sync::MutexGuard<'_, VecDeque<Call>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held<'_> {
    pub(crate) fn events(&self, loaded: &Loaded) -> Vec<Event> {
        self.calls.iter().flat_map(|call| (call.events)(loaded)).collect()
    }

    /// Ends the turn and tells those whose events it took along.
    pub(crate) fn tell(self, status: ExecutionStatus) {
        for call in self.calls {
            // Whoever left does not care.
            let _ = call.told.send(status);
        }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("waiting", &self.inbox().len()).finish_non_exhaustive()
    }
}
