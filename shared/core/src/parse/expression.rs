//! Reads expressions: `Get`, `Std:Join`, `Std:JsonGet`, and plain data with expressions at any
//! depth.
//!
//! Everything here recurses along the document, whose depth is limited when its text is read.

use serde_json::{Map, Value};

use crate::definition::ScalarType;
use crate::definition::expression::Expression;
use crate::definition::property_path::PropertyPath;
use crate::parse::problem::Code;
use crate::parse::text::{Content, Finding, Node};
use crate::uri::S3Uri;

use super::dependency::Site;
use super::member::cut;
use super::reader::Reader;

const FUNCTIONS: [&str; 3] = ["Get", "Std:Join", "Std:JsonGet"];

/// An expression and its type, if the type is known before an execution.
#[derive(Debug)]
pub(super) struct Typed {
    pub(super) expression: Expression,
    pub(super) scalar_type: Option<ScalarType>,
}

impl Typed {
    pub(super) fn new(expression: Expression, scalar_type: Option<ScalarType>) -> Self {
        Self { expression, scalar_type }
    }

    /// Returns a placeholder for an expression that was reported.
    pub(super) fn unknown() -> Self {
        Self::new(Expression::Literal(Value::Null), None)
    }
}

/// Returns the type with its article for messages, such as `an Integer`.
pub(super) fn with_article(scalar_type: ScalarType) -> String {
    let article = if scalar_type == ScalarType::Integer { "an" } else { "a" };
    format!("{article} {}", scalar_type.name())
}

impl<'d> Reader<'d> {
    /// Reads any JSON, in which any part may be an expression.
    pub(super) fn any(&mut self, node: Node<'d>, site: &mut Site<'d>) -> Expression {
        match node.content() {
            Content::Object(_) => match self.function(node) {
                Some((name, argument)) => self.call(name, argument, site).expression,
                None => self.any_members(node, site),
            },
            Content::Array(_) => {
                let elements: Vec<_> =
                    node.elements().map(|element| self.any(element, site)).collect();
                if elements.iter().all(is_literal) {
                    let values = elements.into_iter().filter_map(into_literal);
                    return Expression::Literal(values.collect());
                }
                Expression::Array(elements)
            }
            _ => Expression::Literal(node.to_value()),
        }
    }

    /// Reads the members of an object that is not an expression itself.
    pub(super) fn any_members(&mut self, node: Node<'d>, site: &mut Site<'d>) -> Expression {
        let members: Vec<(String, Expression)> =
            node.members().map(|(key, node)| (key.to_owned(), self.any(node, site))).collect();
        if members.iter().all(|(_, value)| is_literal(value)) {
            let members =
                members.into_iter().filter_map(|(key, value)| Some((key, into_literal(value)?)));
            return Expression::Literal(Value::Object(members.collect::<Map<_, _>>()));
        }
        Expression::Object(members.into_iter().collect())
    }

    /// Reads a string, number, boolean or expression.
    pub(super) fn scalar(&mut self, node: Node<'d>, site: &mut Site<'d>) -> Typed {
        let scalar_type = match node.content() {
            Content::String(_) => ScalarType::String,
            Content::Bool(_) => ScalarType::Boolean,
            Content::Number(number) if number.is_f64() => ScalarType::Float,
            Content::Number(_) => ScalarType::Integer,
            Content::Unreadable => return Typed::unknown(),
            Content::Object(_) => {
                if let Some((name, argument)) = self.function(node) {
                    return self.call(name, argument, site);
                }
                let message = "an object here must be an expression with one key";
                let finding = Finding::at(node, Code::InvalidExpression, message);
                self.report(finding.allowed(FUNCTIONS.join(", ")));
                return Typed::unknown();
            }
            Content::Null | Content::Array(_) => {
                let found = node.describe();
                let message =
                    format!("expected a string, number, boolean or expression, found {found}");
                self.report(Finding::at(node, Code::WrongType, message));
                return Typed::unknown();
            }
        };
        Typed::new(Expression::Literal(node.to_value()), Some(scalar_type))
    }

    /// Returns the only key of an expression and its argument; `None` for an object that is data.
    fn function(&mut self, node: Node<'d>) -> Option<(&'d str, Node<'d>)> {
        let mut members = node.members();
        let (key, argument) = members.next()?;
        if members.next().is_none() && key == "Get" {
            return Some((key, argument));
        }
        // Data does not have members called `Std:...`.
        for (index, (key, argument)) in node.members().enumerate() {
            if !key.starts_with("Std:") {
                continue;
            }
            if !FUNCTIONS.contains(&key) {
                let hint = self.did_you_mean(key, FUNCTIONS.into_iter());
                let message = format!("unknown function `{}`", cut(key));
                let finding = Finding::at_key(argument, Code::InvalidExpression, message);
                self.report(finding.allowed(FUNCTIONS.join(", ")).hint(hint));
            } else if index > 0 || node.members().nth(1).is_some() {
                let message = format!("`{key}` must be the only key of its object");
                self.report(Finding::at_key(argument, Code::InvalidExpression, message));
            } else {
                return Some((key, argument));
            }
        }
        None
    }

    fn call(&mut self, name: &str, node: Node<'d>, site: &mut Site<'d>) -> Typed {
        match name {
            "Get" => self.get(node, site),
            "Std:Join" => self.join(node, site).unwrap_or_else(Typed::unknown),
            _ => self.json_get(node, site).unwrap_or_else(Typed::unknown),
        }
    }

    fn join(&mut self, node: Node<'d>, site: &mut Site<'d>) -> Option<Typed> {
        if !self.object(node, &["On", "Values"]) {
            return None;
        }
        let on = match node.get("On") {
            Some(node) => self.literal_string(node, "`On` of Std:Join")?,
            None => "",
        };
        let list = self.required(node, "Values")?;
        if !self.array(list, "values", usize::MAX) {
            return None;
        }
        let values = list.elements().map(|node| self.scalar(node, site).expression);
        let join = Expression::Join { on: on.to_owned(), values: values.collect() };
        Some(Typed::new(join, Some(ScalarType::String)))
    }

    fn json_get(&mut self, node: Node<'d>, site: &mut Site<'d>) -> Option<Typed> {
        if !self.object(node, &["S3Uri", "PropertyFile", "Path"]) {
            return None;
        }
        let path = self.required(node, "Path").and_then(|node| self.json_path(node));
        let expression = match (node.get("S3Uri"), node.get("PropertyFile")) {
            (Some(uri), None) => {
                let uri = Box::new(self.s3_uri(uri, site));
                Expression::JsonGet { uri, path: path? }
            }
            (None, Some(file)) => {
                let (step, file) = self.property_file(file, site)?;
                Expression::PropertyFile { step, file, path: path? }
            }
            (Some(_), Some(second)) => {
                let message = "`S3Uri` and `PropertyFile` exclude each other";
                self.report(Finding::at_key(second, Code::ConflictingKeys, message));
                return None;
            }
            (None, None) => {
                let message = "one of the keys `S3Uri` and `PropertyFile` is missing";
                self.report(Finding::at(node, Code::MissingKey, message));
                return None;
            }
        };
        // The type is known only when the document is read.
        Some(Typed::new(expression, None))
    }

    fn json_path(&mut self, node: Node<'d>) -> Option<PropertyPath> {
        let text = self.literal_string(node, "`Path` of Std:JsonGet")?;
        match PropertyPath::parse_json_path(text) {
            Ok(path) => Some(path),
            Err(error) => {
                self.report(Finding::at(node, Code::InvalidPath, error.to_string()));
                None
            }
        }
    }

    fn s3_uri(&mut self, node: Node<'d>, site: &mut Site<'d>) -> Expression {
        let typed = self.scalar(node, site);
        if let Some(found) = typed.scalar_type.filter(|found| *found != ScalarType::String) {
            let message = format!("`S3Uri` takes a String, and this is {}", with_article(found));
            self.report(Finding::at(node, Code::TypeMismatch, message));
        } else if let Some(text) = node.as_str() {
            let message = match S3Uri::parse(text) {
                Err(error) => Some(error.to_string()),
                Ok(uri) if uri.is_prefix() => {
                    Some(format!("`{uri}` names a prefix, not an object"))
                }
                Ok(_) => None,
            };
            if let Some(message) = message {
                self.report(Finding::at(node, Code::InvalidS3Uri, message));
            }
        }
        typed.expression
    }
}

fn is_literal(expression: &Expression) -> bool {
    matches!(expression, Expression::Literal(_))
}

fn into_literal(expression: Expression) -> Option<Value> {
    if let Expression::Literal(value) = expression { Some(value) } else { None }
}
