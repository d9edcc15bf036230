//! Reads what each type of step adds to the keys that all steps share.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::definition::expression::{Expression, Reference};
use crate::definition::function_ref::FunctionRef;
use crate::definition::queue_url::QueueUrl;
use crate::definition::{
    CallbackStep, LambdaStep, OutputParameter, ScalarType, StepKind, StepType,
};
use crate::execution::invocation::RESERVED_KEY;
use crate::limits;
use crate::parse::problem::Code;
use crate::parse::text::{Content, Finding, Node};

use super::dependency::Site;
use super::member::cut;
use super::queue_url::{is_fifo, is_queue_url};
use super::reader::Reader;

impl<'d> Reader<'d> {
    pub(super) fn kind(&mut self, node: Node<'d>, site: &mut Site<'d>) -> Option<StepKind> {
        match site.step_type {
            Some(StepType::Lambda) => {
                let function_arn = self.function_arn(node);
                let (arguments, outputs) = self.call_parts(node, site);
                let code_version = node.get("CodeVersion").and_then(|node| self.code_version(node));
                let exactly_once_start = node
                    .get("ExactlyOnceStart")
                    .is_some_and(|member| self.boolean(member).unwrap_or_default());
                let reads = node.get("Reads").map(|list| self.reads(list, site));
                if let (Some(list), Some(arguments)) = (node.get("Arguments"), &arguments)
                    && site.is_cached
                    && reads.is_none()
                {
                    self.warn_unseen(list, arguments);
                }
                let (function_arn, arguments) = (function_arn?, arguments?);
                Some(StepKind::Lambda(LambdaStep {
                    function_arn,
                    arguments,
                    outputs,
                    code_version,
                    exactly_once_start,
                    reads,
                }))
            }
            Some(StepType::Callback) => {
                let queue = self.queue_url(node, site);
                let (arguments, outputs) = self.call_parts(node, site);
                let (sqs_queue_url, arguments) = (queue?, arguments?);
                Some(StepKind::Callback(CallbackStep { sqs_queue_url, arguments, outputs }))
            }
            Some(StepType::Condition) => {
                let arguments = self.required(node, "Arguments")?;
                let conditions = self.condition_arguments(arguments, site)?;
                Some(StepKind::Condition { conditions })
            }
            Some(StepType::Fail) => {
                let arguments = self.required(node, "Arguments")?;
                if !self.object(arguments, &["ErrorMessage"]) {
                    return None;
                }
                let member = self.required(arguments, "ErrorMessage")?;
                let message = self.string_expression(member, "ErrorMessage", site);
                Some(StepKind::Fail { message })
            }
            _ => self.job(node, site),
        }
    }

    fn function_arn(&mut self, node: Node<'d>) -> Option<FunctionRef> {
        let member = self.required(node, "FunctionArn")?;
        let text = self.literal_string(member, "`FunctionArn`")?;
        let function = FunctionRef::parse(text).ok();
        if function.is_none() {
            let message = format!("invalid Lambda function `{}`", cut(text));
            let finding = Finding::at(member, Code::InvalidFunctionArn, message);
            self.report(finding.allowed(FunctionRef::ALLOWED));
        }
        function
    }

    fn queue_url(&mut self, node: Node<'d>, site: &mut Site<'d>) -> Option<QueueUrl> {
        let member = self.required(node, "SqsQueueUrl")?;
        if let Content::Object(_) = member.content() {
            return self.queue_parameter(member, site);
        }
        let text = self.literal_string(member, "`SqsQueueUrl`")?;
        if !is_queue_url(text) {
            let message = format!("invalid queue URL `{}`", cut(text));
            let finding = Finding::at(member, Code::InvalidQueueUrl, message);
            self.report(finding.allowed("an http or https URL"));
        } else if is_fifo(text) {
            let message =
                format!("`{}` is a FIFO queue, which takes no callback messages", cut(text));
            let finding = Finding::at(member, Code::InvalidQueueUrl, message);
            self.report(finding.allowed("a standard queue"));
        }
        Some(QueueUrl::Literal(text.to_owned()))
    }

    /// Reads `{"Get": "Parameters.NAME"}` in the place of a queue's URL.
    fn queue_parameter(&mut self, node: Node<'d>, site: &mut Site<'d>) -> Option<QueueUrl> {
        let allowed = "a URL, or {\"Get\": \"Parameters.NAME\"} of a String parameter";
        let get = node.get("Get").filter(|_| node.members().nth(1).is_none());
        let is_parameter = |get: &Node<'d>| {
            get.as_str()
                .is_some_and(|text| text.split_once('.').is_some_and(|it| it.0 == "Parameters"))
        };
        let Some(get) = get.filter(is_parameter) else {
            let message = "`SqsQueueUrl` must be a URL or a parameter";
            self.report(Finding::at(node, Code::WrongType, message).allowed(allowed));
            return None;
        };
        let typed = self.get(get, site);
        let Expression::Get(Reference::Parameter(name)) = typed.expression else { return None };
        if typed.scalar_type.is_some_and(|it| it != ScalarType::String) {
            let message = format!("parameter `{name}` is no String, so it holds no queue's URL");
            self.report(Finding::at(get, Code::TypeMismatch, message).allowed(allowed));
        }
        Some(QueueUrl::Parameter(name))
    }

    /// Reads what Lambda and Callback steps share: arguments, always an object, and declared
    /// outputs.
    fn call_parts(
        &mut self,
        node: Node<'d>,
        site: &mut Site<'d>,
    ) -> (Option<Expression>, Vec<OutputParameter>) {
        let object = self.required(node, "Arguments").filter(|node| self.any_object(*node));
        let arguments = object.map(|node| {
            if let Some(member) = node.get(RESERVED_KEY) {
                let message = format!("`{RESERVED_KEY}` is reserved: the engine adds it");
                self.report(Finding::at_key(member, Code::InvalidName, message));
            }
            let is_call = node.members().any(|(key, _)| key == "Get" || key.starts_with("Std:"));
            if is_call && node.members().nth(1).is_none() {
                let message = "the arguments must be an object of their own, not an expression";
                self.report(Finding::at(node, Code::WrongType, message));
                return Expression::Literal(Value::Object(Map::new()));
            }
            self.any_members(node, site)
        });
        (arguments, node.get("OutputParameters").map(|list| self.outputs(list)).unwrap_or_default())
    }

    fn outputs(&mut self, node: Node<'d>) -> Vec<OutputParameter> {
        if !self.array(node, "outputs", limits::OUTPUT_PARAMETERS) {
            return Vec::new();
        }
        let mut seen = BTreeSet::new();
        let mut outputs = Vec::new();
        for node in node.elements() {
            if !self.object(node, &["OutputName", "OutputType"]) {
                continue;
            }
            let named = self
                .required(node, "OutputName")
                .and_then(|member| Some((member, self.string(member)?)));
            let output_type = self
                .required(node, "OutputType")
                .and_then(|member| self.word(member, "output type", &ScalarType::ALL));
            let Some((name_node, name)) = named else { continue };
            let limit = limits::OUTPUT_NAME_CHARS;
            self.check_chars(name_node, "characters of an output's name", name, limit);
            if name.is_empty() {
                let message = "an output's name must not be empty";
                self.report(Finding::at(name_node, Code::InvalidName, message));
            } else if !seen.insert(name) {
                let message = format!("output `{}` is declared twice", cut(name));
                self.report(Finding::at(name_node, Code::DuplicateName, message));
            }
            if let Some(output_type) = output_type {
                outputs.push(OutputParameter { name: name.to_owned(), output_type });
            }
        }
        outputs
    }
}
