//! A model of the protocol, checked exhaustively for small sizes.
//!
//! It covers claim, complete, join, lease and cache publication.
//!
//! Two planners act on one execution of three steps, `A` and `B` side by side and `C` after both,
//! with at most two attempts of `A` and of `C`. Each planner works in the code's own order and may
//! die between any two of its writes; reports are duplicated, reordered and lost; `HEAD` lags
//! behind the commits.
//!
//! | here | in the code |
//! |---|---|
//! | `Action::Load` | `Engine::load` (`engine/src/engine.rs`): `HEAD`, which may lag |
//! | `plan` | `plan()` (`core/src/plan/mod.rs`): fold a report in, claim what is ready |
//! | `Action::Publish` | `Engine::write_records`: the cache entry goes out before the commit |
//! | `Action::Commit` | `ExecutionStore::commit`: created once for each revision; the loser folds the winner's |
//! | `Action::Head` | `ExecutionStore::advance_head`: only forward |
//! | `Action::Invoke` | `Engine::perform`: after the commit |
//! | `Action::Lapse` | `Engine::resume` (`engine/src/sweep/mod.rs`): catch up with the commits, then a new attempt |
//! | `Action::Report` | `judge` (`core/src/plan/report.rs`): only the claimed attempt's first report counts |
//!
//! Left out: values, conditions and retry policies, which the simulator tries, and time: a lease
//! may lapse at any moment.

#![expect(
    clippy::trivially_copy_pass_by_ref,
    clippy::unused_self,
    clippy::too_many_lines,
    reason = "a model reads best as one table of states and one of moves"
)]

use stateright::{Checker, Model, Property};

const STEPS: usize = 3;
const ATTEMPTS: u8 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Waiting,
    /// With the number of the attempt.
    Claimed(u8),
    /// With the attempt whose result was accepted.
    Done(u8),
}

type Steps = [Step; STEPS];

/// A planner between its reads and writes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Planner {
    Idle,
    /// It has planned on this revision.
    Planned {
        revision: usize,
        next: Steps,
        report: Option<(usize, u8)>,
        is_published: bool,
    },
    /// Its commit was won: what is left to do.
    Won {
        revision: usize,
        is_head_done: bool,
        invoke: Vec<(usize, u8)>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    /// The state after each commit; the first is before any.
    commits: Vec<Steps>,
    head: usize,
    planners: [Planner; 2],
    /// Attempts that were started at least once.
    ran: Vec<(usize, u8)>,
    /// Reports that are under way, each as often as it is delivered.
    reports: Vec<(usize, u8)>,
    /// Steps with a cache entry, and the attempt it is of.
    cached: Vec<(usize, u8)>,
    crashes: u8,
    losses: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Action {
    Load(usize, Option<(usize, u8)>),
    Lapse(usize, usize),
    Publish(usize),
    Commit(usize),
    Head(usize),
    Invoke(usize),
    Crash(usize),
    Report(usize, u8),
    Lose(usize),
}

struct Protocol {
    crashes: u8,
    losses: u8,
    /// A store that accepts two commits of one revision, to show that the model would notice.
    is_store_broken: bool,
}

fn is_ready(steps: &Steps, step: usize) -> bool {
    let is_done = |of: usize| matches!(steps[of], Step::Done(_));
    steps[step] == Step::Waiting && (step < 2 || (is_done(0) && is_done(1)))
}

/// Folds a report in and claims what is ready.
fn plan(steps: &Steps, report: Option<(usize, u8)>) -> Steps {
    let mut next = *steps;
    if let Some((step, attempt)) = report
        && next[step] == Step::Claimed(attempt)
    {
        next[step] = Step::Done(attempt);
    }
    for step in 0..STEPS {
        if is_ready(&next, step) {
            next[step] = Step::Claimed(1);
        }
    }
    next
}

fn claimed_anew(before: &Steps, after: &Steps) -> Vec<(usize, u8)> {
    let claimed = |step: usize| match after[step] {
        Step::Claimed(attempt) if before[step] != after[step] => Some((step, attempt)),
        _ => None,
    };
    (0..STEPS).filter_map(claimed).collect()
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            commits: vec![[Step::Waiting; STEPS]],
            head: 0,
            planners: [Planner::Idle, Planner::Idle],
            ran: Vec::new(),
            reports: Vec::new(),
            cached: Vec::new(),
            crashes: 0,
            losses: 0,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let last = state.commits[state.commits.len() - 1];
        for (number, planner) in state.planners.iter().enumerate() {
            match planner {
                Planner::Idle => {
                    if state.commits.len() == 1 {
                        actions.push(Action::Load(number, None));
                    }
                    let mut seen = Vec::new();
                    for report in &state.reports {
                        if !seen.contains(report) {
                            seen.push(*report);
                            actions.push(Action::Load(number, Some(*report)));
                        }
                    }
                    // `B` is as `A`, and only makes more states.
                    for (step, found) in last.iter().enumerate().filter(|(step, _)| *step != 1) {
                        if matches!(found, Step::Claimed(attempt) if *attempt < ATTEMPTS) {
                            actions.push(Action::Lapse(number, step));
                        }
                    }
                }
                Planner::Planned { report: Some(_), is_published: false, .. } => {
                    actions.push(Action::Publish(number));
                }
                Planner::Planned { .. } => actions.push(Action::Commit(number)),
                Planner::Won { is_head_done, invoke, .. } => {
                    if !is_head_done {
                        actions.push(Action::Head(number));
                    }
                    if !invoke.is_empty() {
                        actions.push(Action::Invoke(number));
                    }
                }
            }
            if *planner != Planner::Idle && state.crashes < self.crashes {
                actions.push(Action::Crash(number));
            }
        }
        for (step, attempt) in &state.ran {
            // Lambda may run an attempt twice, and S3 may tell of it twice.
            let under_way = state.reports.iter().filter(|report| **report == (*step, *attempt));
            if under_way.count() == 0 && last[*step] == Step::Claimed(*attempt) {
                actions.push(Action::Report(*step, *attempt));
            }
        }
        if state.losses < self.losses {
            actions.extend((0..state.reports.len()).map(Action::Lose));
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        let planned = |revision: usize, next, report| Planner::Planned {
            revision,
            next,
            report,
            is_published: false,
        };
        match action {
            Action::Load(number, report) => {
                let revision = state.head;
                let steps = state.commits[revision];
                if let Some(report) = report {
                    let position = state.reports.iter().position(|found| *found == report)?;
                    state.reports.remove(position);
                }
                let (revision, steps) = self.caught_up(&state, revision, steps, report);
                let next = plan(&steps, report);
                if next == steps {
                    return Some(state);
                }
                let accepted = report.filter(|(step, _)| steps[*step] != next[*step]);
                state.planners[number] = planned(revision, next, accepted);
            }
            Action::Lapse(number, step) => {
                let revision = state.commits.len() - 1;
                state.head = revision;
                let mut next = state.commits[revision];
                let Step::Claimed(attempt) = next[step] else { return None };
                next[step] = Step::Claimed(attempt + 1);
                state.planners[number] = planned(revision, next, None);
            }
            Action::Publish(number) => {
                let Planner::Planned { report, is_published, .. } = &mut state.planners[number]
                else {
                    return None;
                };
                *is_published = true;
                let entry = (*report)?;
                if !state.cached.contains(&entry) {
                    state.cached.push(entry);
                    state.cached.sort_unstable();
                }
            }
            Action::Commit(number) => {
                let Planner::Planned { revision, next, report, .. } =
                    state.planners[number].clone()
                else {
                    return None;
                };
                let steps = state.commits[revision];
                if revision + 1 == state.commits.len() {
                    state.commits.push(next);
                } else if self.is_store_broken {
                    state.commits[revision + 1] = next;
                } else {
                    // Lost: fold the winner's commit and decide again.
                    let steps = state.commits[revision + 1];
                    let next = plan(&steps, report);
                    let accepted = report.filter(|(step, _)| steps[*step] != next[*step]);
                    state.head = state.head.max(revision + 1);
                    state.planners[number] = if next == steps {
                        Planner::Idle
                    } else {
                        planned(revision + 1, next, accepted)
                    };
                    return Some(state);
                }
                let invoke = claimed_anew(&steps, &next);
                let revision = revision + 1;
                state.planners[number] = Planner::Won { revision, is_head_done: false, invoke };
            }
            Action::Head(number) => {
                let Planner::Won { revision, is_head_done, .. } = &mut state.planners[number]
                else {
                    return None;
                };
                *is_head_done = true;
                state.head = state.head.max(*revision);
            }
            Action::Invoke(number) => {
                let Planner::Won { invoke, .. } = &mut state.planners[number] else { return None };
                let started = invoke.pop()?;
                if !state.ran.contains(&started) {
                    state.ran.push(started);
                    state.ran.sort_unstable();
                }
            }
            Action::Crash(number) => {
                state.planners[number] = Planner::Idle;
                state.crashes += 1;
            }
            Action::Report(step, attempt) => {
                state.reports.push((step, attempt));
                state.reports.sort_unstable();
            }
            Action::Lose(position) => {
                state.reports.remove(position);
                state.losses += 1;
            }
        }
        for planner in &mut state.planners {
            if matches!(planner, Planner::Won { is_head_done: true, invoke, .. } if invoke.is_empty())
            {
                *planner = Planner::Idle;
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("a step starts after its dependencies", |_, state: &State| {
                let is_early = |steps: &Steps| {
                    steps[2] != Step::Waiting
                        && !matches!((steps[0], steps[1]), (Step::Done(_), Step::Done(_)))
                };
                !state.commits.iter().any(is_early)
            }),
            Property::always("an accepted result stays", |_, state: &State| {
                state.commits.windows(2).all(|two| {
                    (0..STEPS).all(|step| {
                        !matches!(two[0][step], Step::Done(_)) || two[0][step] == two[1][step]
                    })
                })
            }),
            Property::always("nothing runs without its claim", |_, state: &State| {
                state.ran.iter().all(|(step, attempt)| {
                    state.commits.iter().any(|steps| steps[*step] == Step::Claimed(*attempt))
                })
            }),
            Property::always("what is cached was the result of a run", |_, state: &State| {
                state.cached.iter().all(|entry| state.ran.contains(entry))
            }),
            Property::always("every accepted result is cached", |_, state: &State| {
                let last = state.commits[state.commits.len() - 1];
                let is_cached = |step: usize| match last[step] {
                    Step::Done(attempt) => state.cached.contains(&(step, attempt)),
                    _ => true,
                };
                (0..STEPS).all(is_cached)
            }),
            Property::sometimes(
                "the execution ends after a crash or a loss",
                |_, state: &State| {
                    let last = state.commits[state.commits.len() - 1];
                    last.iter().all(|step| matches!(step, Step::Done(_)))
                        && state.crashes + state.losses > 0
                },
            ),
            Property::always("something can always go on", |model: &Self, state: &State| {
                let last = state.commits[state.commits.len() - 1];
                let is_over = last.iter().all(|step| matches!(step, Step::Done(_)));
                // The second attempt, and of `B` the first, is the last one of the model, not of
                // the code.
                let is_used_up =
                    last.contains(&Step::Claimed(ATTEMPTS)) || last[1] == Step::Claimed(1);
                let mut actions = Vec::new();
                model.actions(state, &mut actions);
                is_over || is_used_up || !actions.is_empty()
            }),
        ]
    }
}

impl Protocol {
    /// Returns the state after catching up: the planner checks if `HEAD` lags before it discards a
    /// report that its state does not know.
    fn caught_up(
        &self,
        state: &State,
        mut revision: usize,
        mut steps: Steps,
        report: Option<(usize, u8)>,
    ) -> (usize, Steps) {
        while let Some((step, attempt)) = report
            && steps[step] != Step::Claimed(attempt)
            && revision + 1 < state.commits.len()
        {
            revision += 1;
            steps = state.commits[revision];
        }
        (revision, steps)
    }
}

#[test]
fn every_interleaving_of_two_planners_two_attempts_and_lost_reports_is_safe() {
    for (crashes, losses) in [(1, 0), (0, 1), (1, 1)] {
        let model = Protocol { crashes, losses, is_store_broken: false };
        let checker = model.checker().threads(1).spawn_bfs().join();
        checker.assert_properties();
        let states = checker.unique_state_count();
        println!("{crashes} crashes, {losses} losses: {states} states");
        assert!(states > 10_000, "{states} states");
    }
}

#[test]
fn a_store_that_accepts_two_commits_of_one_revision_is_found() {
    let model = Protocol { crashes: 0, losses: 0, is_store_broken: true };
    let checker = model.checker().threads(1).spawn_bfs().join();
    let broken = checker.discovery("an accepted result stays");
    let lost = checker.discovery("nothing runs without its claim");
    assert!(broken.is_some() || lost.is_some());
}
