//! Small pipelines for trying every fault at every effect.

use super::pipeline::{Kind, Model, ModelStep, Rule};

/// A small pipeline for one aspect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Example {
    /// Two parallel steps between two others.
    Diamond,
    /// A condition with a step in each branch, and one that rejoins them.
    Gate,
    /// A chain whose second execution comes from the cache.
    Cached,
    /// A callback, and a step that reads the answer.
    Callback,
    /// A step that fails at first.
    Retry,
}

impl Example {
    pub const ALL: [Self; 5] =
        [Self::Diamond, Self::Gate, Self::Cached, Self::Callback, Self::Retry];

    pub(crate) fn model(self) -> Model {
        let lambda = |function, argument, is_cached| Kind::Lambda { function, argument, is_cached };
        let plain = |argument| lambda(0, argument, false);
        let steps = match self {
            Self::Diamond => vec![
                step(plain(0), &[]),
                step(lambda(2, 1, false), &[0]),
                step(plain(2), &[0]),
                step(plain(0), &[1, 2]),
            ],
            Self::Gate => vec![
                step(plain(0), &[]),
                step(Kind::Condition { of: Some(0), above: 0 }, &[0]),
                ModelStep { parent: Some((1, true)), ..step(plain(1), &[]) },
                ModelStep { parent: Some((1, false)), ..step(plain(2), &[]) },
                ModelStep { rule: Rule::AnySucceeded, ..step(plain(1), &[2, 3]) },
            ],
            Self::Cached => vec![
                step(lambda(0, 0, true), &[]),
                step(lambda(1, 1, true), &[0]),
                step(lambda(2, 2, true), &[1]),
            ],
            Self::Callback => {
                vec![step(plain(0), &[]), step(Kind::Callback, &[0]), step(plain(1), &[1])]
            }
            Self::Retry => vec![
                ModelStep { retries: Some(3), ..step(lambda(3, 0, false), &[]) },
                ModelStep { retries: Some(3), ..step(lambda(3, 1, false), &[0]) },
            ],
        };
        Model { steps }
    }
}

fn step(kind: Kind, reads: &[usize]) -> ModelStep {
    ModelStep {
        kind,
        parent: None,
        reads: reads.to_vec(),
        depends_on: Vec::new(),
        rule: Rule::AllSucceeded,
        may_fail: false,
        retries: None,
        timeout_seconds: None,
        is_once: false,
        when: None,
    }
}
