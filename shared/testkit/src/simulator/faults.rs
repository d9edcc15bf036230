//! Faults: at random with chances drawn from the seed, or once at a chosen effect.

use fastrand::Rng;

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The effect does not happen, and its caller gets an error.
    Fail,
    /// The effect happens, and its caller gets an error, such as a time-out after success.
    FailAfter,
    /// The effect happens twice.
    Twice,
    /// The planner dies before the effect.
    CrashBefore,
    /// The planner dies after the effect.
    CrashAfter,
}

impl Fault {
    pub const ALL: [Self; 5] =
        [Self::Fail, Self::FailAfter, Self::Twice, Self::CrashBefore, Self::CrashAfter];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fail => "effect failed",
            Self::FailAfter => "effect failed after success",
            Self::Twice => "effect done twice",
            Self::CrashBefore => "crash before effect",
            Self::CrashAfter => "crash after effect",
        }
    }
}

/// Chances in 1,000, and a planned fault at one position.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// The chance of each kind in [`Fault::ALL`], at each effect of a port.
    pub effect: [u32; 5],
    /// The chance that a planner's invocation is dropped at one of its polls.
    pub crash: u32,
    /// The chances that an event, a record or a call is lost, arrives twice, or is late by minutes.
    pub lost: u32,
    pub doubled: u32,
    pub late: u32,
    /// The chances that an invocation of a function is dropped, or arrives twice.
    pub dropped: u32,
    pub invoked_twice: u32,
    /// The chance that Lambda refuses an invocation.
    pub throttled: u32,
    /// The chances that a handler dies before or after it writes its manifest, or takes longer than
    /// its function may.
    pub handler_dies: u32,
    pub handler_hangs: u32,
    /// The chance that the index of live executions does not show one yet.
    pub stale_index: u32,
    /// The chance that an artifact is removed behind the cache's back, once an execution has ended.
    pub artifact_lost: u32,
    /// The largest difference between planners' clocks.
    pub skew_ms: u64,
    /// A planned fault, at the effect with this position, counted from 0.
    pub at: Option<(u64, Fault)>,
    /// When the faults stop, in milliseconds after the beginning.
    pub until_ms: u64,
}

impl Faults {
    /// Draws the chances for one seed: sometimes none at all, sometimes few kinds, sometimes all.
    pub(crate) fn random(rng: &mut Rng) -> Self {
        if rng.u32(0..8) == 0 {
            return Self::default();
        }
        let intensity = [2, 10, 40, 120][rng.usize(0..4)];
        let mut chance = || if rng.bool() { 0 } else { rng.u32(0..=intensity) };
        Self {
            effect: [chance(), chance(), chance(), chance(), chance()],
            crash: 5 * chance(),
            lost: 3 * chance(),
            doubled: 3 * chance(),
            late: 3 * chance(),
            dropped: chance(),
            invoked_twice: 3 * chance(),
            throttled: chance(),
            handler_dies: 2 * chance(),
            handler_hangs: chance(),
            stale_index: 5 * chance(),
            artifact_lost: chance(),
            skew_ms: [0, 0, 50, 5_000, 60_000][rng.usize(0..5)],
            at: None,
            until_ms: rng.u64(10_000..1_200_000),
        }
    }

    pub fn is_none(&self) -> bool {
        let Self { effect, crash, lost, doubled, late, dropped, invoked_twice, .. } = self;
        let chances = effect.iter().chain([crash, lost, doubled, late, dropped, invoked_twice]);
        let rest = self.throttled + self.handler_dies + self.handler_hangs + self.stale_index;
        chances.sum::<u32>() + rest + self.artifact_lost == 0 && self.at.is_none()
    }
}
