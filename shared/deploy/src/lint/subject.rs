//! What the checks look at.

use serde_json::{Map, Value};
use time::Date;

use crate::evaluate::Evaluator;

/// What the checks look at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'t> {
    pub(super) evaluator: Evaluator<'t>,
    pub(super) resources: &'t Map<String, Value>,
    pub(super) today: Date,
    /// True if the stack exists, so that its functions are only changed.
    pub(super) exists: bool,
}

impl<'t> Subject<'t> {
    /// Returns the resources of a type, with their properties.
    pub(super) fn of_type(
        &self,
        kind: &'static str,
    ) -> impl Iterator<Item = (&'t String, &'t Value)> {
        let all = self.resources.iter().filter(move |(_, resource)| resource["Type"] == kind);
        all.map(|(id, resource)| (id, &resource["Properties"]))
    }
}
