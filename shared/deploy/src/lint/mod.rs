//! Checks a finished template for everything that an account would refuse, before it is sent.
//!
//! Each file checks one kind. All of them see names as they will be in an account: the one that is
//! deployed to, else the one with the longest names.

mod limits;
mod names;
mod patterns;
mod policies;
mod problem;
pub mod quotas;
pub mod runtimes;
mod subject;
mod variables;

use serde_json::{Map, Value};
use time::Date;

use crate::evaluate::Evaluator;
use crate::place::Place;

pub use self::problem::{Problem, Severity};
use self::subject::Subject;

/// Returns what is wrong in a template, errors first. `place` is where it is deployed to, and
/// `exists` says whether its stack is there already.
pub fn lint(template: &Value, place: Option<&Place>, today: Date, exists: bool) -> Vec<Problem> {
    let (worst, none) = (Place::worst(), Map::new());
    let template = template.as_object().unwrap_or(&none);
    let resources = template.get("Resources").and_then(Value::as_object).unwrap_or(&none);
    let evaluator = Evaluator { template, place: place.unwrap_or(&worst) };
    let subject = Subject { evaluator, resources, today, exists };
    let kinds = [
        names::check,
        policies::check,
        patterns::check,
        limits::check,
        runtimes::check,
        variables::check,
    ];
    let mut problems: Vec<_> = kinds.iter().flat_map(|check| check(&subject)).collect();
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    problems
}
