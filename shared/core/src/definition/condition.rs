//! Conditions and their evaluation.
//!
//! SageMaker is silent about some types, or its local mode differs. Here Integer and Float are one
//! numeric type. A String against a number, or a Boolean against anything else, fails the condition
//! step, with both values and types in the message. Strings are ordered lexicographically. An empty
//! list of conditions holds.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use crate::definition::decimal::Decimal;
use crate::definition::expression::{Expression, Scope, Unresolved, type_name};
use crate::name::StepName;

/// One condition of a Condition step.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    Compare {
        operator: Operator,
        left: Expression,
        right: Expression,
    },
    In {
        query: Expression,
        values: Vec<Expression>,
    },
    Not(Box<Condition>),
    Or(Vec<Condition>),
    /// The content behind a value differs from that of an earlier execution. An extension.
    Changed {
        value: Expression,
        /// The value as the definition writes it, as canonical JSON. Executions are compared by it.
        text: String,
    },
    /// The code of a step's function differs from that of an earlier execution. An extension.
    CodeChanged {
        step: StepName,
    },
}

/// A scope that knows an earlier execution: the source, or the last one that succeeded.
pub trait ChangeScope: Scope {
    /// Tells whether the content behind `value` differs from what was behind `text` in the earlier
    /// execution.
    fn changed(
        &self,
        value: &Expression,
        text: &str,
    ) -> Result<Evaluation, Unresolved<Self::Missing>>;

    fn code_changed(&self, step: &StepName) -> Result<Evaluation, Unresolved<Self::Missing>>;
}

/// An operator that compares two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Equals,
    GreaterThan,
    GreaterThanOrEqualTo,
    LessThan,
    LessThanOrEqualTo,
}

impl Operator {
    pub const ALL: [(&'static str, Self); 5] = [
        ("Equals", Self::Equals),
        ("GreaterThan", Self::GreaterThan),
        ("GreaterThanOrEqualTo", Self::GreaterThanOrEqualTo),
        ("LessThan", Self::LessThan),
        ("LessThanOrEqualTo", Self::LessThanOrEqualTo),
    ];

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, operator)| *operator == self).map_or("", |(name, _)| name)
    }

    fn symbol(self) -> &'static str {
        match self {
            Self::Equals => "=",
            Self::GreaterThan => ">",
            Self::GreaterThanOrEqualTo => ">=",
            Self::LessThan => "<",
            Self::LessThanOrEqualTo => "<=",
        }
    }

    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equals => ordering.is_eq(),
            Self::GreaterThan => ordering.is_gt(),
            Self::GreaterThanOrEqualTo => ordering.is_ge(),
            Self::LessThan => ordering.is_lt(),
            Self::LessThanOrEqualTo => ordering.is_le(),
        }
    }
}

/// The outcome of a condition, with the comparison that decided it: `5.2 <= 6.0 is true`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    pub holds: bool,
    pub because: String,
}

/// Evaluates `conditions` from left to right. All must hold; the first that does not decides.
pub fn all<S: ChangeScope>(
    conditions: &[Condition],
    scope: &S,
) -> Result<Evaluation, Unresolved<S::Missing>> {
    let mut because = Vec::new();
    for condition in conditions {
        let evaluation = condition.evaluate(scope)?;
        if !evaluation.holds {
            return Ok(evaluation);
        }
        because.push(evaluation.because);
    }
    let because =
        if because.is_empty() { "no conditions".to_owned() } else { because.join(" and ") };
    Ok(Evaluation { holds: true, because })
}

impl Condition {
    /// Evaluates this condition. Values of the wrong types are [`Unresolved::Absent`], and the
    /// condition step fails with its text.
    pub fn evaluate<S: ChangeScope>(
        &self,
        scope: &S,
    ) -> Result<Evaluation, Unresolved<S::Missing>> {
        match self {
            Self::Compare { operator, left, right } => {
                let (left, right) = (left.evaluate(scope)?, right.evaluate(scope)?);
                let holds = operator.holds(compare(*operator, &left, &right)?);
                let because =
                    format!("{} {} {} is {holds}", show(&left), operator.symbol(), show(&right));
                Ok(Evaluation { holds, because })
            }
            Self::In { query, values } => {
                let query = query.evaluate(scope)?;
                let values: Vec<_> =
                    values.iter().map(|value| value.evaluate(scope)).collect::<Result<_, _>>()?;
                // No type error here: a value of another type is no match, as in the SDK's local
                // mode.
                let holds = values.iter().any(|value| same(&query, value));
                let list = values.iter().map(show).collect::<Vec<_>>().join(", ");
                Ok(Evaluation {
                    holds,
                    because: format!("{} in [{list}] is {holds}", show(&query)),
                })
            }
            Self::Not(condition) => {
                let evaluation = condition.evaluate(scope)?;
                Ok(Evaluation { holds: !evaluation.holds, because: evaluation.because })
            }
            Self::Or(conditions) => {
                let mut because = Vec::new();
                for condition in conditions {
                    let evaluation = condition.evaluate(scope)?;
                    if evaluation.holds {
                        return Ok(evaluation);
                    }
                    because.push(evaluation.because);
                }
                Ok(Evaluation { holds: false, because: because.join(" and ") })
            }
            Self::Changed { value, text } => scope.changed(value, text),
            Self::CodeChanged { step } => scope.code_changed(step),
        }
    }

    /// Calls `visit` for every expression in this condition, at any depth.
    pub fn expressions<'a>(&'a self, visit: &mut dyn FnMut(&'a Expression)) {
        match self {
            Self::Compare { left, right, .. } => {
                visit(left);
                visit(right);
            }
            Self::In { query, values } => {
                visit(query);
                for value in values {
                    visit(value);
                }
            }
            Self::Not(condition) => condition.expressions(visit),
            Self::Or(conditions) => {
                for condition in conditions {
                    condition.expressions(visit);
                }
            }
            Self::Changed { value, .. } => visit(value),
            Self::CodeChanged { .. } => {}
        }
    }

    /// Calls `visit` for every `Changed` in this condition, at any depth.
    pub fn observed<'a>(&'a self, visit: &mut dyn FnMut(&'a Expression, &'a str)) {
        match self {
            Self::Changed { value, text } => visit(value, text),
            Self::Not(condition) => condition.observed(visit),
            Self::Or(conditions) => {
                for condition in conditions {
                    condition.observed(visit);
                }
            }
            Self::Compare { .. } | Self::In { .. } | Self::CodeChanged { .. } => {}
        }
    }

    /// Returns true if the condition compares with an earlier execution.
    pub fn looks_back(&self) -> bool {
        match self {
            Self::Changed { .. } | Self::CodeChanged { .. } => true,
            Self::Not(condition) => condition.looks_back(),
            Self::Or(conditions) => conditions.iter().any(Self::looks_back),
            Self::Compare { .. } | Self::In { .. } => false,
        }
    }
}

fn compare<N>(operator: Operator, left: &Value, right: &Value) -> Result<Ordering, Unresolved<N>> {
    let ordering = match (left, right) {
        (Value::Number(left), Value::Number(right)) => Some(compare_numbers(left, right)),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) if operator == Operator::Equals => {
            Some(left.cmp(right))
        }
        _ => None,
    };
    ordering.ok_or_else(|| {
        Unresolved::Absent(format!(
            "{} cannot compare {} ({}) with {} ({})",
            operator.name(),
            show(left),
            type_name(left),
            show(right),
            type_name(right)
        ))
    })
}

fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare_numbers(left, right).is_eq(),
        _ => left == right,
    }
}

/// Compares two numbers by value, to the last digit.
fn compare_numbers(left: &Number, right: &Number) -> Ordering {
    Decimal::of(left).cmp(&Decimal::of(right))
}

fn show(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::expression::Reference;
    use crate::uri::S3Uri;
    use serde_json::json;

    struct Nothing;

    impl Scope for Nothing {
        type Missing = ();
        fn reference(&self, _: &Reference) -> Result<Value, Unresolved<()>> {
            Err(Unresolved::Missing(()))
        }
        fn document(&self, _: &S3Uri) -> Result<Value, Unresolved<()>> {
            Err(Unresolved::Missing(()))
        }
    }

    impl ChangeScope for Nothing {
        fn changed(&self, _: &Expression, _: &str) -> Result<Evaluation, Unresolved<()>> {
            Err(Unresolved::Missing(()))
        }
        fn code_changed(&self, _: &StepName) -> Result<Evaluation, Unresolved<()>> {
            Err(Unresolved::Missing(()))
        }
    }

    fn compare(operator: Operator, left: Value, right: Value) -> Result<bool, String> {
        let condition = Condition::Compare {
            operator,
            left: Expression::Literal(left),
            right: Expression::Literal(right),
        };
        match condition.evaluate(&Nothing) {
            Ok(evaluation) => Ok(evaluation.holds),
            Err(Unresolved::Absent(text)) => Err(text),
            Err(Unresolved::Missing(())) => unreachable!("literals need no facts"),
        }
    }

    #[test]
    fn integers_and_floats_are_one_numeric_type() {
        assert_eq!(compare(Operator::Equals, json!(6), json!(6.0)), Ok(true));
        assert_eq!(compare(Operator::LessThan, json!(5), json!(5.5)), Ok(true));
    }

    #[test]
    fn integers_beyond_53_bits_are_compared_exactly() {
        let (left, right) = (json!(9_007_199_254_740_993_i64), json!(9_007_199_254_740_992_i64));
        assert_eq!(compare(Operator::Equals, left.clone(), right.clone()), Ok(false));
        assert_eq!(compare(Operator::GreaterThan, left, right), Ok(true));
    }

    #[test]
    fn values_of_two_types_fail_with_both_values_and_types() {
        assert_eq!(
            compare(Operator::Equals, json!("1"), json!(1)),
            Err("Equals cannot compare \"1\" (String) with 1 (Integer)".to_owned())
        );
        assert!(compare(Operator::Equals, json!(true), json!("true")).is_err());
        assert!(compare(Operator::LessThan, json!(true), json!(false)).is_err());
        assert_eq!(compare(Operator::Equals, json!(true), json!(true)), Ok(true));
    }

    #[test]
    fn strings_are_ordered_lexicographically() {
        assert_eq!(compare(Operator::LessThan, json!("10"), json!("9")), Ok(true));
    }

    #[test]
    fn membership_of_another_type_is_no_match() {
        let condition = Condition::In {
            query: Expression::Literal(json!("1")),
            values: vec![Expression::Literal(json!(1)), Expression::Literal(json!(true))],
        };
        assert_eq!(condition.evaluate(&Nothing).map(|evaluation| evaluation.holds), Ok(false));
    }

    #[test]
    fn an_empty_list_of_conditions_holds() {
        assert_eq!(all(&[], &Nothing).map(|evaluation| evaluation.holds), Ok(true));
        assert_eq!(Condition::Or(Vec::new()).evaluate(&Nothing).map(|v| v.holds), Ok(false));
    }

    #[test]
    fn evaluation_stops_at_the_first_condition_that_decides() {
        let parameter = crate::name::ParameterName::parse("Unknown").expect("legal");
        let unknown = Expression::Get(Reference::Parameter(parameter));
        let no = Condition::Compare {
            operator: Operator::Equals,
            left: Expression::Literal(json!(1)),
            right: Expression::Literal(json!(2)),
        };
        let later = Condition::In { query: unknown, values: Vec::new() };
        let evaluation = all(&[no.clone(), later.clone()], &Nothing).expect("the first decides");
        assert_eq!(evaluation, Evaluation { holds: false, because: "1 = 2 is false".to_owned() });
        let yes = Condition::Not(Box::new(no));
        assert_eq!(Condition::Or(vec![yes, later]).evaluate(&Nothing).map(|v| v.holds), Ok(true));
    }
}
