//! Comparisons with the baseline, the last execution that succeeded: the conditions `Changed` and
//! `CodeChanged`.

use crate::cache::key::short_digest;
use crate::definition::condition::{ChangeScope, Evaluation};
use crate::definition::expression::{Expression, Unresolved};
use crate::name::StepName;
use crate::plan::resolver::{Pending, Resolver};

/// Characters of a condition's value that its reason quotes.
const SHOWN_CHARS: usize = 80;

impl ChangeScope for Resolver<'_> {
    fn changed(&self, value: &Expression, text: &str) -> Result<Evaluation, Unresolved<Pending>> {
        let shown: String = text.chars().take(SHOWN_CHARS).collect();
        let changed = |because| Ok(Evaluation { holds: true, because });
        let now = self.content_digest(value)?;
        let Some(baseline) = &self.start.baseline else {
            return changed(format!("{shown} is new: no execution has succeeded yet"));
        };
        let earlier = self.earlier(baseline)?;
        match earlier.and_then(|earlier| earlier.observed(text)) {
            None => changed(format!("{shown} was not looked at in execution {baseline}")),
            Some(then) if *then == now => {
                let because = format!("{shown} is as it was in execution {baseline}");
                Ok(Evaluation { holds: false, because })
            }
            Some(_) => changed(format!("{shown} differs from execution {baseline}")),
        }
    }

    fn code_changed(&self, step: &StepName) -> Result<Evaluation, Unresolved<Pending>> {
        let changed = |because| Ok(Evaluation { holds: true, because });
        let Some(baseline) = &self.start.baseline else {
            return changed(format!("the code of `{step}` is new: no execution has succeeded yet"));
        };
        let index = self.pipeline.find(step);
        let function = index.and_then(|index| self.start.function(self.pipeline.step(index)));
        let now = function.map(|function| function.code_digest.as_str());
        let earlier = self.earlier(baseline)?;
        let then = earlier.and_then(|earlier| earlier.code_digest(step));
        match (then, now) {
            (Some(then), Some(now)) if then == now => {
                let because = format!("the code of `{step}` is as it was in execution {baseline}");
                Ok(Evaluation { holds: false, because })
            }
            (Some(then), Some(now)) => changed(format!(
                "the code of `{step}` went from {} to {} since execution {baseline}",
                short_digest(then),
                short_digest(now)
            )),
            _ => changed(format!("execution {baseline} had no code of `{step}`")),
        }
    }
}
