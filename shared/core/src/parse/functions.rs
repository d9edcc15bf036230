//! Functions that a definition names and its project does not have.

use std::collections::BTreeSet;

use crate::definition::function_ref::FunctionRef;
use crate::parse::problem::{Code, Problem};
use crate::parse::suggest::{list, nearest};
use crate::parse::text::{Content, Document, Finding, Format, Node, Problems, read};

/// Returns a problem for each step of a valid definition whose function is named, not given as an
/// ARN, and is not `known`.
pub fn unknown_functions(bytes: &[u8], format: Format, known: &BTreeSet<&str>) -> Vec<Problem> {
    let Ok((document, _)) = read(bytes, format) else { return Vec::new() };
    let mut problems = Problems::default();
    let mut queue: Vec<Node<'_>> = document.root().get("Steps").into_iter().collect();
    while let Some(node) = queue.pop() {
        queue.extend(node.elements());
        // Branches hold steps; arguments and their texts are not looked at.
        let inner =
            ["Arguments", "IfSteps", "ElseSteps"].into_iter().filter_map(|key| node.get(key));
        queue.extend(inner.filter(|node| !matches!(node.content(), Content::String(_))));
        let Some(function) = node.get("FunctionArn").filter(|_| is_step(node)) else { continue };
        let named = function.as_str().and_then(|text| FunctionRef::parse(text).ok());
        if let Some(FunctionRef::Named(name)) = named
            && !known.contains(name.as_str())
        {
            problems.add(unknown(function, name.as_str(), known));
        }
    }
    finish(problems, &document)
}

fn is_step(node: Node<'_>) -> bool {
    node.get("Type").and_then(Node::as_str) == Some("Lambda")
}

fn unknown(node: Node<'_>, name: &str, known: &BTreeSet<&str>) -> Finding {
    let near = nearest(name, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
    let message = format!("`sidestep.toml` has no function `{name}`");
    let finding = Finding::at(node, Code::UnknownFunction, message).hint(near);
    finding.allowed(list(known.iter().copied()))
}

fn finish<'d>(problems: Problems, document: &'d Document<'d>) -> Vec<Problem> {
    problems.finish(document, |node| {
        if is_step(node) { node.get("Name").and_then(Node::as_str) } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_looked_for_in_all_steps_and_nowhere_else() {
        let text = r#"{"Version": "2020-12-01", "Steps": [
            {"Name": "A", "Type": "Lambda", "FunctionArn": "work", "Arguments": {"FunctionArn": "x"}},
            {"Name": "B", "Type": "Lambda", "FunctionArn": "wrok", "Arguments": {}},
            {"Name": "C", "Type": "Condition", "Arguments": {"Conditions": [], "ElseSteps": [],
                "IfSteps": [{"Name": "D", "Type": "Lambda", "FunctionArn": "other", "Arguments": {}}]}},
            {"Name": "E", "Type": "Lambda", "Arguments": {},
                "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:far"}]}"#;
        let known = BTreeSet::from(["work"]);
        let problems = unknown_functions(text.as_bytes(), Format::Json, &known);
        let found: Vec<_> = problems
            .iter()
            .map(|problem| (problem.pointer.as_str(), problem.step.as_deref(), problem.line))
            .collect();
        let steps = [
            ("/Steps/1/FunctionArn", Some("B"), 3),
            ("/Steps/2/Arguments/IfSteps/0/FunctionArn", Some("D"), 5),
        ];
        assert_eq!(found, steps);
        assert!(problems[0].to_string().contains("did you mean `work`?"), "{}", problems[0]);
    }
}
