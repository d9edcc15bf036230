//! Problems while they are collected: a draft knows its node or offset, and gets its pointer, line and column at the end.

use crate::limits;
use crate::parse::problem::{Code, Problem, Severity};

use super::{Document, Node, Slot};

/// A problem before its place is worked out.
#[derive(Debug)]
pub(crate) struct Draft {
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

impl Draft {
    fn new(node: Option<u32>, at: At, code: Code, message: impl Into<String>) -> Self {
        let severity = match code {
            Code::NeverCached | Code::UnusedParameter | Code::NoEffect | Code::NeverRuns => {
                Severity::Warning
            }
            _ => Severity::Error,
        };
        Self { node, at, severity, code, message: message.into(), allowed: None, hint: None }
    }

    /// At the value of a node.
    pub(crate) fn at(node: Node<'_>, code: Code, message: impl Into<String>) -> Self {
        Self::new(Some(node.id()), At::Value, code, message)
    }

    /// At the key of a node; at its value where it has no key.
    pub(crate) fn at_key(node: Node<'_>, code: Code, message: impl Into<String>) -> Self {
        Self::new(Some(node.id()), At::Key, code, message)
    }

    pub(super) fn at_node(node: u32, code: Code, message: impl Into<String>) -> Self {
        Self::new(Some(node), At::Value, code, message)
    }

    pub(super) fn at_offset(offset: usize, code: Code, message: impl Into<String>) -> Self {
        Self::new(None, At::Offset(offset), code, message)
    }

    /// The same node, another place in the text.
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

/// What was found so far, bounded by [`limits::PROBLEMS`].
#[derive(Debug, Default)]
pub(crate) struct Problems {
    drafts: Vec<Draft>,
    errors: usize,
    dropped: usize,
}

impl Problems {
    pub(crate) fn add(&mut self, draft: Draft) {
        self.errors += usize::from(draft.severity == Severity::Error);
        if self.drafts.len() < limits::PROBLEMS {
            self.drafts.push(draft);
        } else {
            self.dropped += 1;
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.drafts.len() >= limits::PROBLEMS
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// The problems in order of their places. `step_of` names the step that a node stands for.
    pub(crate) fn finish<'d>(
        self,
        document: &'d Document<'d>,
        step_of: impl Fn(Node<'d>) -> Option<&'d str>,
    ) -> Vec<Problem> {
        let mut placed: Vec<_> = self
            .drafts
            .into_iter()
            .map(|draft| {
                let offset = offset(&draft, document);
                (offset, problem(draft, offset, document, &step_of))
            })
            .collect();
        // Stable: problems of one place keep the order in which they were found.
        placed.sort_by_key(|(offset, _)| *offset);
        let mut problems: Vec<_> = placed.into_iter().map(|(_, problem)| problem).collect();
        if self.dropped > 0 {
            // Errors beyond the bound must not turn into a success.
            let code = Code::TooManyProblems;
            let message = format!("{} more problems are not listed", self.dropped);
            let mut draft = Draft::new(None, At::Offset(0), code, message);
            if self.errors == 0 {
                draft = draft.warning();
            }
            problems.push(problem(draft, usize::MAX, document, &step_of));
        }
        problems
    }
}

fn offset(draft: &Draft, document: &Document<'_>) -> usize {
    let entry = draft.node.map(|id| &document.entries[id as usize]);
    match (draft.at, entry) {
        (At::Offset(offset), _) => offset,
        (At::Key, Some(entry)) => match &entry.slot {
            Slot::Member { key_offset, .. } => *key_offset,
            Slot::Root | Slot::Element { .. } => entry.offset,
        },
        (At::Value, Some(entry)) => entry.offset,
        (_, None) => 0,
    }
}

fn problem<'d>(
    draft: Draft,
    offset: usize,
    document: &'d Document<'d>,
    step_of: &impl Fn(Node<'d>) -> Option<&'d str>,
) -> Problem {
    let (line, column) = document.lines.place(offset);
    let node = draft.node.map(|id| document.node(id));
    let mut around = std::iter::successors(node, |node| node.parent());
    let step = around.find_map(step_of).map(|name| printable(name.chars().take(80).collect()));
    Problem {
        severity: draft.severity,
        code: draft.code,
        pointer: node.map(Node::pointer).unwrap_or_default(),
        step,
        message: printable(draft.message),
        allowed: draft.allowed.map(printable),
        hint: draft.hint.map(printable),
        line,
        column,
    }
}

/// Texts quote the definition, which may hold what a terminal obeys; pointers stay exact.
fn printable(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    text.chars().map(escape).collect()
}
