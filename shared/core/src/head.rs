//! When `HEAD` has to be written: it is the fold of the commits, so whoever holds the state itself may let it lag behind them.

use crate::commit::Commit;
use crate::execution::{Execution, Phase};
use crate::plan::{Effect, Plan};

/// Commits of a lone step that one write of `HEAD` stands for. Whoever finds `HEAD` behind reads those that it lacks in one request, of less than
/// a read unit each.
const LAG: u32 = 8;

/// Whether `HEAD` must say at once what `plan` made of `after`, though its planner and the function that it invokes hold the state.
///
/// Only a lone step's commit can wait: all that may happen next is the report of the attempt that it began, and that report comes
/// with the state. Where several steps are under way, each other one's report looks for `HEAD`.
pub fn is_head_due(plan: &Plan, after: &Execution) -> bool {
    let Commit { end, retry, stop, .. } = &plan.commit;
    let is_one_call = matches!(plan.effects.as_slice(), [Effect::InvokeStep { .. }]);
    let mut under_way = after
        .steps
        .iter()
        .filter(|state| matches!(state.phase, Phase::Executing | Phase::Retrying));
    let is_lone = under_way.next().is_some_and(|state| state.phase == Phase::Executing)
        && under_way.next().is_none();
    let can_wait = is_one_call && is_lone && end.is_none() && retry.is_none() && !stop;
    !can_wait || after.revision.is_multiple_of(LAG)
}
