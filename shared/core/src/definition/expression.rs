//! Values that are known only at run time (`Get`, `Std:Join` and `Std:JsonGet`), and their
//! evaluation.
//!
//! An expression is parsed once, when the definition is read. Evaluation is pure and looks names up
//! in a [`Scope`]. For each name the scope answers with a value, with "a fact is missing", or with
//! "there is no such thing".

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Number, Value};

use crate::definition::property_path::{PropertyPath, Segment};
use crate::name::{ParameterName, StepName};
use crate::uri::S3Uri;

/// Stands for a value that is not known before an execution. It is a legal name of a bucket.
pub const UNKNOWN: &str = "unknown";

/// A value of a definition in which any part may be an expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// A value that holds no expression at any depth.
    Literal(Value),
    Get(Reference),
    /// `{"Std:Join":{"On":on,"Values":values}}`, always a string.
    Join {
        on: String,
        values: Vec<Expression>,
    },
    /// `{"Std:JsonGet":{"S3Uri":uri,"Path":path}}`: a value of a JSON document in S3, with its
    /// type.
    JsonGet {
        uri: Box<Expression>,
        path: PropertyPath,
    },
    /// `{"Std:JsonGet":{"PropertyFile":{"Get":"Steps.S.PropertyFiles.F"},"Path":path}}`: a value of
    /// a document that a Processing step declares.
    PropertyFile {
        step: StepName,
        file: String,
        path: PropertyPath,
    },
    Array(Vec<Expression>),
    Object(BTreeMap<String, Expression>),
}

/// The name in a `Get`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// `Parameters.NAME`
    Parameter(ParameterName),
    /// `Steps.STEP.PATH`
    Step { step: StepName, path: PropertyPath },
    /// `Execution.VARIABLE`
    Execution(ExecutionVariable),
    /// `PipelineExperimentConfig.ExperimentName` or `.TrialName`
    Experiment(ExperimentVariable),
}

/// A value of the execution itself. All are strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExecutionVariable {
    StartDateTime,
    CurrentDateTime,
    PipelineName,
    PipelineArn,
    PipelineExecutionId,
    PipelineExecutionArn,
    /// Only inside a Training step.
    TrainingJobName,
    /// Only inside a Processing step.
    ProcessingJobName,
}

impl ExecutionVariable {
    pub const ALL: [(&'static str, Self); 8] = [
        ("StartDateTime", Self::StartDateTime),
        ("CurrentDateTime", Self::CurrentDateTime),
        ("PipelineName", Self::PipelineName),
        ("PipelineArn", Self::PipelineArn),
        ("PipelineExecutionId", Self::PipelineExecutionId),
        ("PipelineExecutionArn", Self::PipelineExecutionArn),
        ("TrainingJobName", Self::TrainingJobName),
        ("ProcessingJobName", Self::ProcessingJobName),
    ];

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, variable)| *variable)
    }

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, variable)| *variable == self).map_or("", |(name, _)| name)
    }
}

/// A resolved name of the experiment configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExperimentVariable {
    ExperimentName,
    TrialName,
}

/// The reason why a reference has no value.
#[derive(Debug, Clone, PartialEq)]
pub enum Unresolved<N> {
    /// A fact has to be gathered first.
    Missing(N),
    /// It can never have one; the reading step fails with this text.
    Absent(String),
}

/// The names that an evaluation can look up. `Missing` tells the caller of a fact that is missing.
pub trait Scope {
    type Missing;

    /// Returns the value of a reference as a whole JSON value.
    fn reference(&self, reference: &Reference) -> Result<Value, Unresolved<Self::Missing>>;

    /// Returns the JSON document at `uri`.
    fn document(&self, uri: &S3Uri) -> Result<Value, Unresolved<Self::Missing>>;

    /// Returns the place of a property file that a step declares.
    fn property_file(
        &self,
        step: &StepName,
        file: &str,
    ) -> Result<S3Uri, Unresolved<Self::Missing>> {
        Err(Unresolved::Absent(format!("step `{step}` has no property file `{file}`")))
    }
}

impl Expression {
    /// Calls `visit` for every reference, at any depth.
    pub fn references<'a>(&'a self, visit: &mut dyn FnMut(&'a Reference)) {
        match self {
            Self::Literal(_) | Self::PropertyFile { .. } => {}
            Self::Get(reference) => visit(reference),
            Self::Join { values, .. } | Self::Array(values) => {
                for value in values {
                    value.references(visit);
                }
            }
            Self::JsonGet { uri, .. } => uri.references(visit),
            Self::Object(members) => {
                for value in members.values() {
                    value.references(visit);
                }
            }
        }
    }

    /// Calls `visit` with the name of every step that this reads, at any depth.
    pub fn steps<'a>(&'a self, visit: &mut dyn FnMut(&'a StepName)) {
        match self {
            Self::PropertyFile { step, .. } | Self::Get(Reference::Step { step, .. }) => {
                visit(step);
            }
            Self::Literal(_) | Self::Get(_) => {}
            Self::Join { values, .. } | Self::Array(values) => {
                for value in values {
                    value.steps(visit);
                }
            }
            Self::JsonGet { uri, .. } => uri.steps(visit),
            Self::Object(members) => {
                for value in members.values() {
                    value.steps(visit);
                }
            }
        }
    }

    /// Returns the value that this most likely has: parameters have their `defaults`, and any
    /// other value that an execution gives is [`UNKNOWN`].
    pub fn likely(&self, defaults: &BTreeMap<String, Value>) -> Value {
        let unknown = || Value::String(UNKNOWN.to_owned());
        match self {
            Self::Literal(value) => value.clone(),
            Self::Get(Reference::Parameter(name)) => {
                defaults.get(name.as_str()).cloned().unwrap_or_else(unknown)
            }
            Self::Get(_) | Self::JsonGet { .. } | Self::PropertyFile { .. } => unknown(),
            Self::Join { on, values } => {
                let text = |value: &Self| match value.likely(defaults) {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                Value::String(values.iter().map(text).collect::<Vec<_>>().join(on))
            }
            Self::Array(values) => values.iter().map(|value| value.likely(defaults)).collect(),
            Self::Object(members) => {
                let member =
                    |(name, value): (&String, &Self)| (name.clone(), value.likely(defaults));
                Value::Object(members.iter().map(member).collect())
            }
        }
    }

    /// Returns the value of this expression.
    ///
    /// Stops at the first value that is absent. If a fact is missing, later ones are found on the
    /// next call.
    pub fn evaluate<S: Scope>(&self, scope: &S) -> Result<Value, Unresolved<S::Missing>> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Get(reference) => scope.reference(reference),
            Self::Join { on, values } => {
                let parts = values.iter().map(|value| text_of(&value.evaluate(scope)?));
                Ok(Value::String(parts.collect::<Result<Vec<_>, _>>()?.join(on)))
            }
            Self::JsonGet { uri, path } => json_get(&uri.evaluate(scope)?, path, scope),
            Self::PropertyFile { step, file, path } => {
                value_of(&scope.property_file(step, file)?, path, scope)
            }
            Self::Array(values) => values.iter().map(|value| value.evaluate(scope)).collect(),
            Self::Object(members) => members
                .iter()
                .map(|(name, value)| Ok((name.clone(), value.evaluate(scope)?)))
                .collect::<Result<Map<_, _>, _>>()
                .map(Value::Object),
        }
    }
}

fn json_get<S: Scope>(
    uri: &Value,
    path: &PropertyPath,
    scope: &S,
) -> Result<Value, Unresolved<S::Missing>> {
    let absent = |text: String| Unresolved::Absent(text);
    let text = uri
        .as_str()
        .ok_or_else(|| absent(format!("S3Uri of Std:JsonGet is {uri}, not a string")))?;
    let uri = S3Uri::parse(text).map_err(|error| absent(error.to_string()))?;
    value_of(&uri, path, scope)
}

/// Returns the value at `path` of the JSON document at `uri`.
fn value_of<S: Scope>(
    uri: &S3Uri,
    path: &PropertyPath,
    scope: &S,
) -> Result<Value, Unresolved<S::Missing>> {
    let value = path.find(&scope.document(uri)?).cloned();
    value.ok_or_else(|| Unresolved::Absent(format!("`{path}` is not in the JSON document `{uri}`")))
}

/// Returns a scalar as it reads inside a `Std:Join`.
///
/// Integers are decimal, floats have the shortest form that reads back (`6.0`), booleans are `true`
/// and `false`. SageMaker does not say how floats read.
fn text_of<N>(value: &Value) -> Result<String, Unresolved<N>> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        other => Err(Unresolved::Absent(format!(
            "Std:Join takes strings, numbers and booleans, not {}",
            type_name(other)
        ))),
    }
}

/// Returns the name of a value's type for error texts: SageMaker's four, `List`, `Object` or
/// `Null`.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "String",
        Value::Number(number) if is_integer(number) => "Integer",
        Value::Number(_) => "Float",
        Value::Bool(_) => "Boolean",
        Value::Array(_) => "List",
        Value::Object(_) => "Object",
        Value::Null => "Null",
    }
}

pub(crate) fn is_integer(number: &Number) -> bool {
    !number.is_f64()
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter(name) => write!(f, "Parameters.{name}"),
            Self::Step { step, path } => match path.0.first() {
                Some(Segment::Index(_)) => write!(f, "Steps.{step}{path}"),
                _ => write!(f, "Steps.{step}.{path}"),
            },
            Self::Execution(variable) => write!(f, "Execution.{}", variable.name()),
            Self::Experiment(ExperimentVariable::ExperimentName) => {
                f.write_str("PipelineExperimentConfig.ExperimentName")
            }
            Self::Experiment(ExperimentVariable::TrialName) => {
                f.write_str("PipelineExperimentConfig.TrialName")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Fixed;

    impl Scope for Fixed {
        type Missing = ();

        fn reference(&self, reference: &Reference) -> Result<Value, Unresolved<()>> {
            match reference {
                Reference::Parameter(name) if name.as_str() == "N" => {
                    Ok(json!(9_007_199_254_740_993_i64))
                }
                Reference::Parameter(_) => Err(Unresolved::Missing(())),
                other => Err(Unresolved::Absent(other.to_string())),
            }
        }

        fn document(&self, _: &S3Uri) -> Result<Value, Unresolved<()>> {
            Ok(json!({"metrics": {"rmse": 0.5}}))
        }
    }

    fn parameter(name: &str) -> Expression {
        Expression::Get(Reference::Parameter(ParameterName::parse(name).expect("legal")))
    }

    fn literal(value: Value) -> Expression {
        Expression::Literal(value)
    }

    #[test]
    fn join_writes_scalars_and_keeps_every_digit() {
        let values = vec![
            literal(json!("a")),
            parameter("N"),
            literal(json!(6.0)),
            literal(json!(1e-7)),
            literal(json!(true)),
        ];
        let join = Expression::Join { on: "/".to_owned(), values };
        assert_eq!(join.evaluate(&Fixed), Ok(json!("a/9007199254740993/6.0/1e-7/true")));
        let empty = Expression::Join { on: ",".to_owned(), values: Vec::new() };
        assert_eq!(empty.evaluate(&Fixed), Ok(json!("")));
    }

    #[test]
    fn a_list_in_a_join_is_absent_with_its_type() {
        let join = Expression::Join { on: String::new(), values: vec![literal(json!([1]))] };
        let expected = "Std:Join takes strings, numbers and booleans, not List";
        assert_eq!(join.evaluate(&Fixed), Err(Unresolved::Absent(expected.to_owned())));
    }

    #[test]
    fn json_get_keeps_the_type_and_names_what_is_not_there() {
        let get = |path: &str| Expression::JsonGet {
            uri: Box::new(literal(json!("s3://bucket/report.json"))),
            path: PropertyPath::parse_json_path(path).expect("legal"),
        };
        assert_eq!(get("metrics.rmse").evaluate(&Fixed), Ok(json!(0.5)));
        let expected = "`metrics.mae` is not in the JSON document `s3://bucket/report.json`";
        assert_eq!(
            get("metrics.mae").evaluate(&Fixed),
            Err(Unresolved::Absent(expected.to_owned()))
        );
    }

    #[test]
    fn a_missing_fact_is_told_apart_from_an_absent_value() {
        let list = Expression::Array(vec![parameter("N"), parameter("Other")]);
        assert_eq!(list.evaluate(&Fixed), Err(Unresolved::Missing(())));
    }
}
