//! Problems while they are collected: a finding knows its node or offset, and gets its pointer,
//! line and column at the end.

use crate::limits;
use crate::parse::problem::{Code, Problem, Severity};

use super::document::{Document, Node};

/// A problem before its place is worked out.
#[derive(Debug)]
pub(crate) struct Finding {
    node: Option<u32>,
    at: At,
    severity: Severity,
    code: Code,
    message: String,
    allowed: Option<String>,
    hint: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum At {
    Value,
    Key,
    Offset(usize),
}

impl Finding {
    fn new(node: Option<u32>, at: At, code: Code, message: impl Into<String>) -> Self {
        let severity = match code {
            Code::NeverCached | Code::UnusedParameter | Code::NoEffect | Code::NeverRuns => {
                Severity::Warning
            }
            _ => Severity::Error,
        };
        Self { node, at, severity, code, message: message.into(), allowed: None, hint: None }
    }

    /// Makes a finding at the value of a node.
    pub(crate) fn at(node: Node<'_>, code: Code, message: impl Into<String>) -> Self {
        Self::new(Some(node.id()), At::Value, code, message)
    }

    /// Makes a finding at the key of a node; at its value if it has no key.
    pub(crate) fn at_key(node: Node<'_>, code: Code, message: impl Into<String>) -> Self {
        Self::new(Some(node.id()), At::Key, code, message)
    }

    pub(super) fn at_node(node: u32, code: Code, message: impl Into<String>) -> Self {
        Self::new(Some(node), At::Value, code, message)
    }

    pub(super) fn at_offset(offset: usize, code: Code, message: impl Into<String>) -> Self {
        Self::new(None, At::Offset(offset), code, message)
    }

    /// Keeps the node and moves to another place in the text.
    pub(super) fn moved_to(mut self, offset: usize) -> Self {
        self.at = At::Offset(offset);
        self
    }

    pub(crate) fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }

    pub(crate) fn hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    pub(crate) fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }
}

/// The findings so far, at most [`limits::PROBLEMS`].
#[derive(Debug, Default)]
pub(crate) struct Problems {
    findings: Vec<Finding>,
    errors: usize,
    dropped: usize,
}

impl Problems {
    pub(crate) fn add(&mut self, finding: Finding) {
        self.errors += usize::from(finding.severity == Severity::Error);
        if self.findings.len() < limits::PROBLEMS {
            self.findings.push(finding);
        } else {
            self.dropped += 1;
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.findings.len() >= limits::PROBLEMS
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Returns the problems in order of their places. `step_of` names the step that a node stands
    /// for.
    pub(crate) fn finish<'d>(
        self,
        document: &'d Document<'d>,
        step_of: impl Fn(Node<'d>) -> Option<&'d str>,
    ) -> Vec<Problem> {
        let mut placed: Vec<_> = self
            .findings
            .into_iter()
            .map(|finding| {
                let offset = offset(&finding, document);
                (offset, problem(finding, offset, document, &step_of))
            })
            .collect();
        // Stable: problems of one place keep the order in which they were found.
        placed.sort_by_key(|(offset, _)| *offset);
        let mut problems: Vec<_> = placed.into_iter().map(|(_, problem)| problem).collect();
        if self.dropped > 0 {
            // Errors beyond the bound must not turn into a success.
            let code = Code::TooManyProblems;
            let message = format!("{} more problems are not listed", self.dropped);
            let mut finding = Finding::new(None, At::Offset(0), code, message);
            if self.errors == 0 {
                finding = finding.warning();
            }
            problems.push(problem(finding, usize::MAX, document, &step_of));
        }
        problems
    }
}

/// Returns the place of a finding, in bytes.
fn offset(finding: &Finding, document: &Document<'_>) -> usize {
    match (finding.at, finding.node.map(|id| document.node(id))) {
        (At::Offset(offset), _) => offset,
        (At::Key, Some(node)) => node.key_offset(),
        (At::Value, Some(node)) => node.offset(),
        (_, None) => 0,
    }
}

fn problem<'d>(
    finding: Finding,
    offset: usize,
    document: &'d Document<'d>,
    step_of: &impl Fn(Node<'d>) -> Option<&'d str>,
) -> Problem {
    let (line, column) = document.place(offset);
    let node = finding.node.map(|id| document.node(id));
    let mut around = std::iter::successors(node, |node| node.parent());
    let step = around.find_map(step_of).map(|name| printable(name.chars().take(80).collect()));
    Problem {
        severity: finding.severity,
        code: finding.code,
        pointer: node.map(Node::pointer).unwrap_or_default(),
        step,
        message: printable(finding.message),
        allowed: finding.allowed.map(printable),
        hint: finding.hint.map(printable),
        line,
        column,
    }
}

/// Escapes control characters, because a text quotes the definition, which may hold what a terminal
/// obeys. Pointers stay exact.
fn printable(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    text.chars().map(escape).collect()
}
