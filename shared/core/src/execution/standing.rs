//! What a report's proof is worth in its execution.

use crate::definition::StepIndex;
use crate::execution::phase::Revision;
use crate::execution::proof::{Proof, Standing};
use crate::execution::start::Start;

/// The layout of state since which a report has to be bound to its content. The functions of older
/// executions are of a release whose manifests hold the token.
const BOUND_SINCE: u32 = 3;

impl Start {
    /// Returns what `proof` is worth for the attempt that was claimed at `claim`.
    ///
    /// The execution decides, not the report, whether a token in an object counts. So no report of
    /// the old form proves anything in an execution of this release.
    pub fn standing(
        &self,
        proof: &Proof,
        step: StepIndex,
        attempt: u32,
        claim: Revision,
    ) -> Standing {
        let token = self.secret.token(&self.execution_id, step, attempt, claim);
        match proof.standing(&token) {
            Standing::Outdated if self.state_version < BOUND_SINCE => Standing::Proven,
            standing => standing,
        }
    }
}
