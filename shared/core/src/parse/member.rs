//! Checks members of objects: present, of the right JSON type, within their limits, and known.

use crate::parse::problem::Code;
use crate::parse::suggest::list;
use crate::parse::text::{Content, Finding, Node};

use super::reader::Reader;

impl<'d> Reader<'d> {
    fn wrong_type(&mut self, node: Node<'d>, expected: &str) {
        if matches!(node.content(), Content::Unreadable) {
            return;
        }
        let message = format!("expected {expected}, found {}", node.describe());
        self.report(Finding::at(node, Code::WrongType, message));
    }

    /// Returns true if `node` is an object, and reports keys other than `known`.
    pub(super) fn object(&mut self, node: Node<'d>, known: &[&str]) -> bool {
        if !self.any_object(node) {
            return false;
        }
        for (key, member) in node.members().filter(|(key, _)| !known.contains(key)) {
            self.unknown_key(key, member, known);
        }
        true
    }

    pub(super) fn any_object(&mut self, node: Node<'d>) -> bool {
        let is_object = matches!(node.content(), Content::Object(_));
        if !is_object {
            self.wrong_type(node, "an object");
        }
        is_object
    }

    fn unknown_key(&mut self, key: &str, member: Node<'d>, known: &[&str]) {
        let message = format!("unknown key `{}`", cut(key));
        let mut finding = Finding::at_key(member, Code::UnknownKey, message);
        if !known.is_empty() {
            finding = finding.allowed(list(known.iter().copied()));
        }
        let hint = self.did_you_mean(key, known.iter().copied());
        self.report(finding.hint(hint));
    }

    /// Reports `ExactlyOnceStart`, which only a Lambda step can keep, on steps whose other keys are
    /// not checked.
    pub(super) fn refuse_exactly_once(&mut self, node: Node<'d>) {
        if let Some(member) = node.get("ExactlyOnceStart") {
            self.unknown_key("ExactlyOnceStart", member, &[]);
        }
    }

    pub(super) fn did_you_mean<'a>(
        &mut self,
        word: &str,
        candidates: impl Iterator<Item = &'a str>,
    ) -> Option<String> {
        self.suggester.closest(word, candidates).map(|word| format!("did you mean `{word}`?"))
    }

    pub(super) fn required(&mut self, node: Node<'d>, key: &str) -> Option<Node<'d>> {
        let member = node.get(key);
        if member.is_none() {
            let message = format!("the required key `{key}` is missing");
            self.report(Finding::at(node, Code::MissingKey, message));
        }
        member
    }

    pub(super) fn string(&mut self, node: Node<'d>) -> Option<&'d str> {
        let text = node.as_str();
        if text.is_none() {
            self.wrong_type(node, "a string");
        }
        text
    }

    /// Reads a string that must not be an expression, because it is needed before an execution
    /// starts.
    pub(super) fn literal_string(&mut self, node: Node<'d>, what: &str) -> Option<&'d str> {
        if let Content::Object(_) = node.content() {
            let message = format!("{what} must be a literal string, not an expression");
            self.report(Finding::at(node, Code::WrongType, message));
            return None;
        }
        self.string(node)
    }

    pub(super) fn boolean(&mut self, node: Node<'d>) -> Option<bool> {
        if let Content::Bool(flag) = node.content() {
            return Some(*flag);
        }
        self.wrong_type(node, "a boolean");
        None
    }

    /// Reads a whole number from 0 to `limit`.
    pub(super) fn whole(&mut self, node: Node<'d>, what: &str, limit: u64) -> Option<u64> {
        let Content::Number(number) = node.content() else {
            self.wrong_type(node, "an integer");
            return None;
        };
        let whole = number.as_u64().filter(|number| *number <= limit);
        if whole.is_none() {
            let message = format!("{what} is {number}, out of its range");
            let finding = Finding::at(node, Code::InvalidValue, message);
            self.report(finding.allowed(format!("integers from 0 to {limit}")));
        }
        whole
    }

    /// Returns true if `node` is an array, and reports more than `limit` elements.
    pub(super) fn array(&mut self, node: Node<'d>, what: &str, limit: usize) -> bool {
        let Content::Array(elements) = node.content() else {
            self.wrong_type(node, "an array");
            return false;
        };
        if elements.len() > limit {
            self.over_limit(node, what, elements.len(), limit);
        }
        true
    }

    pub(super) fn over_limit(&mut self, node: Node<'d>, what: &str, actual: usize, limit: usize) {
        let message = format!("{what}: {actual}, over the limit of {limit}");
        self.report(Finding::at(node, Code::LimitExceeded, message));
    }

    /// Reads an optional string member of at most `limit` characters.
    pub(super) fn text(&mut self, node: Node<'d>, key: &str, limit: usize) -> Option<String> {
        let member = node.get(key)?;
        let text = self.string(member)?;
        self.check_chars(member, &format!("characters of `{key}`"), text, limit);
        Some(text.to_owned())
    }

    pub(super) fn check_chars(&mut self, node: Node<'d>, what: &str, text: &str, limit: usize) {
        let chars = text.chars().count();
        if chars > limit {
            self.over_limit(node, what, chars, limit);
        }
    }

    /// Returns the value of the word that `node` is.
    pub(super) fn word<T: Copy>(
        &mut self,
        node: Node<'d>,
        what: &str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let names: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let found = self.one_of(node, what, &names)?;
        words.iter().find(|(word, _)| *word == found).map(|(_, value)| *value)
    }

    /// Returns the one of `words` that `node` is, and reports any other text.
    pub(super) fn one_of(
        &mut self,
        node: Node<'d>,
        what: &str,
        words: &[&'static str],
    ) -> Option<&'static str> {
        let text = self.string(node)?;
        let found = words.iter().find(|word| **word == text);
        if found.is_none() {
            let hint = self.did_you_mean(text, words.iter().copied());
            let message = format!("invalid {what} `{}`", cut(text));
            let allowed = list(words.iter().copied());
            let finding = Finding::at(node, Code::InvalidValue, message).allowed(allowed);
            self.report(finding.hint(hint));
        }
        found.copied()
    }
}

/// Cuts a text of the user's to the length that a message quotes.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
