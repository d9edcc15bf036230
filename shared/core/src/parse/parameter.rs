//! Reads the declarations of parameters.

use std::collections::HashMap;

use serde_json::Value;

use crate::definition::decimal;
use crate::definition::expression::type_name;
use crate::definition::{Parameter, ScalarType};
use crate::limits;
use crate::name::ParameterName;
use crate::parse::problem::Code;
use crate::parse::suggest::list;
use crate::parse::text::{Content, Finding, Node};

use super::member::cut;
use super::reader::Reader;

const KEYS: [&str; 6] = ["Name", "Type", "DefaultValue", "EnumValues", "Description", "NoEcho"];

impl<'d> Reader<'d> {
    pub(super) fn parameters(&mut self, node: Node<'d>) -> Vec<Parameter> {
        if !self.array(node, "parameters", limits::PARAMETERS) {
            return Vec::new();
        }
        let mut seen = HashMap::new();
        node.elements().filter_map(|node| self.parameter(node, &mut seen)).collect()
    }

    fn parameter(
        &mut self,
        node: Node<'d>,
        seen: &mut HashMap<&'d str, Node<'d>>,
    ) -> Option<Parameter> {
        if !self.object(node, &KEYS) {
            return None;
        }
        let name = self.parameter_name(node, seen);
        let parameter_type = match node.get("Type") {
            // The published schema lets String parameters leave it out.
            None => Some(ScalarType::String),
            Some(node) => self.word(node, "parameter type", &ScalarType::ALL),
        };
        let enum_values = node
            .get("EnumValues")
            .map(|member| self.enum_values(member, parameter_type))
            .unwrap_or_default();
        let default = match (node.get("DefaultValue"), parameter_type) {
            (Some(node), Some(parameter_type)) => self.default(node, parameter_type, &enum_values),
            _ => None,
        };
        let description = self.text(node, "Description", limits::PARAMETER_DEFAULT_CHARS);
        let (name, parameter_type) = (name?, parameter_type?);
        let no_echo = node.get("NoEcho").and_then(|node| self.boolean(node)).unwrap_or_default();
        Some(Parameter { name, parameter_type, default, enum_values, description, no_echo })
    }

    fn parameter_name(
        &mut self,
        node: Node<'d>,
        seen: &mut HashMap<&'d str, Node<'d>>,
    ) -> Option<ParameterName> {
        let node = self.required(node, "Name")?;
        let text = self.string(node)?;
        if let Some(first) = seen.get(text) {
            let (line, column) = first.place();
            let message =
                format!("parameter `{}` is already at line {line}, column {column}", cut(text));
            self.report(Finding::at(node, Code::DuplicateName, message));
            return None;
        }
        seen.insert(text, node);
        let name = ParameterName::parse(text).ok();
        if name.is_none() {
            let message = format!("invalid parameter name `{}`", cut(text));
            let finding = Finding::at(node, Code::InvalidName, message);
            self.report(finding.allowed(ParameterName::ALLOWED));
        }
        name
    }

    fn enum_values(&mut self, node: Node<'d>, parameter_type: Option<ScalarType>) -> Vec<String> {
        if let Some(other) = parameter_type.filter(|scalar| *scalar != ScalarType::String) {
            let message = format!("a parameter of type {} cannot have `EnumValues`", other.name());
            let finding = Finding::at_key(node, Code::TypeMismatch, message);
            self.report(finding.allowed("String parameters"));
        }
        if !self.array(node, "values of an enumeration", limits::ENUM_VALUES) {
            return Vec::new();
        }
        if node.elements().next().is_none() {
            let message = "`EnumValues` is empty, so that no value would do";
            self.report(Finding::at(node, Code::InvalidValue, message).allowed("1 to 16 strings"));
        }
        let values = node.elements().filter_map(|node| self.string(node));
        values.map(str::to_owned).collect()
    }

    fn default(
        &mut self,
        node: Node<'d>,
        parameter_type: ScalarType,
        enum_values: &[String],
    ) -> Option<Value> {
        let value = match (parameter_type, node.content()) {
            (_, Content::Unreadable) => return None,
            (ScalarType::String, Content::String(text)) => {
                let limit = limits::PARAMETER_DEFAULT_CHARS;
                self.check_chars(node, "characters of `DefaultValue`", text, limit);
                if !enum_values.is_empty() && !enum_values.contains(text) {
                    let message = format!("`{}` is not one of `EnumValues`", cut(text));
                    let allowed = list(enum_values.iter().map(String::as_str));
                    self.report(Finding::at(node, Code::InvalidValue, message).allowed(allowed));
                }
                Some(Value::String(text.clone()))
            }
            (ScalarType::Boolean, Content::Bool(flag)) => Some(Value::Bool(*flag)),
            (ScalarType::Integer, Content::Number(number)) if !number.is_f64() => {
                Some(Value::Number(number.clone()))
            }
            // A value given at start as `6` is read as 6.0, and both must have the same cache key.
            (ScalarType::Float, Content::Number(number)) => {
                decimal::float(&number.to_string()).map(Value::Number)
            }
            _ => None,
        };
        if value.is_none() {
            let found = match node.content() {
                Content::Array(_) => "List",
                Content::Object(_) => "Object",
                _ => type_name(&node.to_value()),
            };
            let message = format!("the default is of type {found}, not {}", parameter_type.name());
            let finding = Finding::at(node, Code::TypeMismatch, message);
            self.report(finding.allowed(format!("a literal of type {}", parameter_type.name())));
        }
        value
    }
}
