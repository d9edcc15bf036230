//! A single-threaded executor under a virtual clock: one seed, one schedule, to the byte.
//!
//! Time passes only when no task can go on. Then the earliest sleeper wakes. Sleepers of one
//! millisecond wake in an order drawn from the seed. Every effect of a port sleeps before and after
//! it (see [`super::ports`]), so that any two tasks can meet at any point.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::{Mutex, MutexGuard};

use fastrand::Rng;

use super::faults::Faults;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The most polls of one simulation, many times more than the longest needs.
const POLLS: u64 = 3_000_000;
/// The most violations that are kept.
const VIOLATIONS: usize = 20;

/// The simulated world's time, random numbers, tasks and trace. Clones are handles to the same
/// world.
#[derive(Clone)]
pub(crate) struct Sim(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    ready: Arc<Mutex<VecDeque<usize>>>,
}

pub(crate) struct State {
    pub(crate) now_ms: u64,
    pub(crate) rng: Rng,
    pub(crate) faults: Faults,
    /// Effects so far, which are the positions for a planned fault.
    pub(crate) effects: u64,
    /// How often each fault was injected.
    pub(crate) injected: BTreeMap<&'static str, u64>,
    /// Visits of the planner in the chain of events that the running task belongs to.
    hop: u32,
    pub(crate) longest_chain: u32,
    /// The running planner dies at once.
    is_killed: bool,
    sleepers: BinaryHeap<Reverse<(u64, u32, u64)>>,
    wakers: BTreeMap<u64, Waker>,
    next: u64,
    spawned: Vec<(u32, Task)>,
    polls: u64,
    trace: Option<String>,
    pub(crate) violations: Vec<String>,
}

struct Ready {
    task: usize,
    queue: Arc<Mutex<VecDeque<usize>>>,
}

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.queue.lock().push_back(self.task);
    }
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim").finish_non_exhaustive()
    }
}

impl Sim {
    pub(crate) fn new(seed: u64, start_ms: u64, faults: Faults, is_traced: bool) -> Self {
        let state = State {
            now_ms: start_ms,
            rng: Rng::with_seed(seed),
            faults,
            effects: 0,
            injected: BTreeMap::new(),
            hop: 0,
            longest_chain: 0,
            is_killed: false,
            sleepers: BinaryHeap::new(),
            wakers: BTreeMap::new(),
            next: 0,
            spawned: Vec::new(),
            polls: 0,
            trace: is_traced.then(String::new),
            violations: Vec::new(),
        };
        Self(Arc::new(Inner { state: Mutex::new(state), ready: Arc::default() }))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.state().now_ms
    }

    /// Draws a number of the range.
    pub(crate) fn draw(&self, range: std::ops::Range<u64>) -> u64 {
        self.state().rng.u64(range)
    }

    /// Returns true with this chance in 1,000.
    pub(crate) fn chance(&self, per_mille: u32) -> bool {
        self.state().rng.u32(0..1_000) < per_mille
    }

    pub(crate) fn hop(&self) -> u32 {
        self.state().hop
    }

    /// Notes that the running task is another visit of the planner.
    pub(crate) fn next_hop(&self) {
        let mut state = self.state();
        state.hop += 1;
        state.longest_chain = state.longest_chain.max(state.hop);
    }

    pub(crate) fn trace(&self, text: impl FnOnce() -> String) {
        let mut state = self.state();
        let now_ms = state.now_ms;
        if let Some(trace) = &mut state.trace {
            let _ = writeln!(trace, "{now_ms:>9} {}", text());
        }
    }

    pub(crate) fn violation(&self, text: impl Into<String>) {
        let text = text.into();
        self.trace(|| format!("VIOLATION {text}"));
        let mut state = self.state();
        if state.violations.len() < VIOLATIONS {
            state.violations.push(text);
        }
    }

    pub(crate) fn take_trace(&self) -> String {
        self.state().trace.take().unwrap_or_default()
    }

    /// Starts a task that belongs to the chain of the running one.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut state = self.state();
        let hop = state.hop;
        state.spawned.push((hop, Box::pin(task)));
    }

    /// Starts a task that belongs to no chain.
    pub(crate) fn spawn_new(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.state().spawned.push((0, Box::pin(task)));
    }

    /// Lets the running planner die at this point. It is never polled again.
    pub(crate) async fn die(&self) {
        self.state().is_killed = true;
        std::future::pending::<()>().await;
    }

    pub(crate) fn sleep(&self, ms: u64) -> Sleep {
        Sleep { sim: self.clone(), ms, due: None }
    }

    /// Runs `future` until it is done, dies, or `polls` polls have passed. Returns `None` if it was
    /// cut off.
    pub(crate) fn mortal<F: Future>(&self, future: F, polls: Option<u32>) -> Mortal<F> {
        Mortal { sim: self.clone(), future: Box::pin(future), polls }
    }

    /// Runs all tasks until none is left or the time is over.
    pub(crate) fn run(&self, until_ms: u64) {
        let mut tasks: Vec<Option<(u32, Task, Waker)>> = Vec::new();
        loop {
            let spawned = std::mem::take(&mut self.state().spawned);
            for (hop, task) in spawned {
                let queue = Arc::clone(&self.0.ready);
                let waker = Waker::from(Arc::new(Ready { task: tasks.len(), queue }));
                waker.wake_by_ref();
                tasks.push(Some((hop, task, waker)));
            }
            let next = self.0.ready.lock().pop_front();
            if let Some(id) = next {
                self.poll(&mut tasks[id]);
                continue;
            }
            let waker = {
                let mut state = self.state();
                let Some(Reverse((due_ms, _, number))) = state.sleepers.pop() else { return };
                if due_ms > until_ms || state.polls > POLLS {
                    return;
                }
                state.now_ms = state.now_ms.max(due_ms);
                state.wakers.remove(&number)
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    fn poll(&self, slot: &mut Option<(u32, Task, Waker)>) {
        let Some((hop, task, waker)) = slot else { return };
        {
            let mut state = self.state();
            state.hop = *hop;
            state.polls += 1;
        }
        let poll = task.as_mut().poll(&mut Context::from_waker(waker));
        *hop = self.hop();
        if poll.is_ready() {
            *slot = None;
        }
    }
}

/// Waits for virtual time to pass.
pub(crate) struct Sleep {
    sim: Sim,
    ms: u64,
    /// The time to wake at, and the number of its waker.
    due: Option<(u64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let sim = self.sim.clone();
        let mut state = sim.state();
        if let Some((until_ms, number)) = self.due {
            if state.now_ms >= until_ms {
                return Poll::Ready(());
            }
            state.wakers.insert(number, context.waker().clone());
            return Poll::Pending;
        }
        let until_ms = state.now_ms + self.ms.max(1);
        let (tie, number) = (state.rng.u32(..), state.next);
        state.next += 1;
        state.sleepers.push(Reverse((until_ms, tie, number)));
        state.wakers.insert(number, context.waker().clone());
        self.due = Some((until_ms, number));
        Poll::Pending
    }
}

/// The future of [`Sim::mortal`].
pub(crate) struct Mortal<F> {
    sim: Sim,
    future: Pin<Box<F>>,
    polls: Option<u32>,
}

impl<F: Future> Future for Mortal<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(polls) = &mut self.polls {
            if *polls == 0 {
                return Poll::Ready(None);
            }
            *polls -= 1;
        }
        let poll = self.future.as_mut().poll(context).map(Some);
        let is_killed = std::mem::take(&mut self.sim.state().is_killed);
        if is_killed { Poll::Ready(None) } else { poll }
    }
}
