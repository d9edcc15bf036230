//! Selectors: a short language for sets of steps.
//!
//! ```text
//! train          the step
//! train+         and everything downstream of it        train+2   two steps far
//! +train         and everything upstream                1+train   one step far
//! tr*n, tr?in    every step whose name matches: `*` is any text, `?` one character
//! a..b           every step on a path from a to b, both included
//! tag:nightly    every step with the tag, which may be a pattern too
//! state:changed  steps whose code, arguments or inputs differ from the source execution
//! result:failed  steps that failed in the source execution
//! ```
//!
//! `+` combines with each of them. Several selectors make the union.

use std::collections::BTreeSet;
use std::fmt;

use crate::definition::graph::{Direction, Graph};
use crate::definition::{Pipeline, StepIndex};
use crate::name::StepName;
use crate::parse::suggest::{Suggester, list};
use crate::selection::pattern::{WILDCARDS, is_pattern, matches};

pub use crate::selection::selector_error::SelectorError;

/// A parsed selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    text: String,
    atom: Atom,
    /// How many steps far upstream; 0 for not at all.
    upstream: usize,
    downstream: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Atom {
    Step(StepName),
    /// The steps whose names match a pattern.
    Matching(String),
    Between(StepName, StepName),
    Tag(String),
    Changed,
    Failed,
}

/// The steps of an earlier execution that selectors can name.
#[derive(Debug, Clone, Default)]
pub struct PastSteps {
    pub changed: BTreeSet<StepIndex>,
    pub failed: BTreeSet<StepIndex>,
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Selector {
    /// Reads a selector. It may name steps that do not exist: [`Selector::expand`] checks that.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let unreadable = || SelectorError::Unreadable { selector: text.chars().take(80).collect() };
        let (upstream, rest) = match text.split_once('+') {
            Some((count, rest))
                if !rest.is_empty() && count.bytes().all(|b| b.is_ascii_digit()) =>
            {
                (distance(count).ok_or_else(unreadable)?, rest)
            }
            _ => (0, text),
        };
        let (downstream, atom) = match rest.rsplit_once('+') {
            Some((atom, count)) => (distance(count).ok_or_else(unreadable)?, atom),
            None => (0, rest),
        };
        let step = |name: &str| StepName::parse(name).map_err(|_| unreadable());
        let atom = if let Some(tag) = atom.strip_prefix("tag:") {
            Atom::Tag(tag.to_owned())
        } else if atom == "state:changed" {
            Atom::Changed
        } else if atom == "result:failed" {
            Atom::Failed
        } else if let Some((from, to)) = atom.split_once("..") {
            Atom::Between(step(from)?, step(to)?)
        } else if is_pattern(atom) {
            let plain: String = atom.chars().filter(|c| !WILDCARDS.contains(c)).collect();
            // What is beside the wildcards has to be a part of a step's name.
            if !plain.is_empty() {
                step(&plain)?;
            }
            Atom::Matching(atom.to_owned())
        } else {
            Atom::Step(step(atom)?)
        };
        Ok(Self { text: text.to_owned(), atom, upstream, downstream })
    }

    /// Returns true if it can only be expanded with an earlier execution.
    pub fn looks_back(&self) -> bool {
        matches!(self.atom, Atom::Changed | Atom::Failed)
    }

    /// Returns true if it selects changed steps, which takes the facts of a plan.
    pub fn asks_for_changes(&self) -> bool {
        self.atom == Atom::Changed
    }

    /// Returns the steps that this selects. `past` is `None` if there is no earlier execution.
    pub fn expand(
        &self,
        pipeline: &Pipeline,
        graph: &Graph,
        past: Option<&PastSteps>,
    ) -> Result<BTreeSet<StepIndex>, SelectorError> {
        let selector = || self.text.clone();
        let known_past = || past.ok_or_else(|| SelectorError::NoEarlier { selector: selector() });
        let mut steps = match &self.atom {
            Atom::Step(name) => BTreeSet::from([self.find(pipeline, name)?]),
            Atom::Matching(pattern) => self.matching(pipeline, pattern)?,
            Atom::Between(from, to) => self.between(pipeline, graph, from, to)?,
            Atom::Tag(tag) => {
                let is_it = |own: &String| matches(tag, own);
                let has_tag = |index: &StepIndex| pipeline.step(*index).tags.iter().any(is_it);
                let tagged: BTreeSet<_> = pipeline.indexes().filter(has_tag).collect();
                if tagged.is_empty() {
                    let all = pipeline.steps.iter().flat_map(|step| &step.tags);
                    let unique: BTreeSet<&str> = all.map(String::as_str).collect();
                    let tags = list(unique.into_iter());
                    return Err(SelectorError::UnknownTag { selector: selector(), tags });
                }
                tagged
            }
            Atom::Changed => known_past()?.changed.clone(),
            Atom::Failed => known_past()?.failed.clone(),
        };
        let upstream = graph.reach(steps.iter().copied(), Direction::Upstream, self.upstream);
        let downstream = graph.reach(steps.iter().copied(), Direction::Downstream, self.downstream);
        steps.extend(upstream);
        steps.extend(downstream);
        Ok(steps)
    }

    fn find(&self, pipeline: &Pipeline, name: &StepName) -> Result<StepIndex, SelectorError> {
        pipeline.find(name).ok_or_else(|| {
            let names = || pipeline.steps.iter().map(|step| step.name.as_str());
            let hint = match Suggester::default().closest(name.as_str(), names()) {
                Some(near) => format!(", did you mean `{near}`?"),
                None => format!(" (steps: {})", list(names())),
            };
            SelectorError::UnknownStep { selector: self.text.clone(), name: name.to_string(), hint }
        })
    }

    fn matching(
        &self,
        pipeline: &Pipeline,
        pattern: &str,
    ) -> Result<BTreeSet<StepIndex>, SelectorError> {
        let is_it = |index: &StepIndex| matches(pattern, pipeline.step(*index).name.as_str());
        let found: BTreeSet<_> = pipeline.indexes().filter(is_it).collect();
        if found.is_empty() {
            let steps = list(pipeline.steps.iter().map(|step| step.name.as_str()));
            return Err(SelectorError::NoMatch { selector: self.text.clone(), steps });
        }
        Ok(found)
    }

    fn between(
        &self,
        pipeline: &Pipeline,
        graph: &Graph,
        from: &StepName,
        to: &StepName,
    ) -> Result<BTreeSet<StepIndex>, SelectorError> {
        let (first, last) = (self.find(pipeline, from)?, self.find(pipeline, to)?);
        let mut down = graph.reach([first], Direction::Downstream, usize::MAX);
        down.insert(first);
        let mut up = graph.reach([last], Direction::Upstream, usize::MAX);
        up.insert(last);
        if !down.contains(&last) {
            let is_reverse = up.is_empty()
                || graph.reach([last], Direction::Downstream, usize::MAX).contains(&first);
            let hint =
                if is_reverse { format!(", but `{to}..{from}` is one") } else { String::new() };
            let (selector, from, to) = (self.text.clone(), from.clone(), to.clone());
            return Err(SelectorError::NoPath { selector, from, to, hint });
        }
        Ok(down.intersection(&up).copied().collect())
    }
}

/// Reads the number beside a `+`. Without a number the distance is unlimited.
fn distance(count: &str) -> Option<usize> {
    if count.is_empty() { Some(usize::MAX) } else { count.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Format, parse};

    /// Makes A -> B -> C -> E and A -> D -> E; F stands alone.
    fn pipeline() -> Pipeline {
        let step = |name: &str, after: &str, more: &str| {
            format!(
                "  - {{ Name: {name}, Type: Lambda, FunctionArn: f, Arguments: {{}}, DependsOn: [{after}]{more} }}\n"
            )
        };
        let steps = [
            step("A", "", ""),
            step("B", "A", ", Tags: [slow]"),
            step("C", "B", ""),
            step("D", "A", ", Tags: [slow, x]"),
            step("E", "C, D", ""),
            step("F", "", ""),
        ];
        let text = format!("Steps:\n{}", steps.concat());
        parse(text.as_bytes(), Format::Yaml).expect("a definition").pipeline
    }

    fn expand(text: &str) -> Result<String, String> {
        let pipeline = pipeline();
        let past = PastSteps {
            changed: BTreeSet::from([StepIndex(2)]),
            failed: BTreeSet::from([StepIndex(3)]),
        };
        let selector = Selector::parse(text).map_err(|error| error.to_string())?;
        let steps = selector
            .expand(&pipeline, &Graph::new(&pipeline), Some(&past))
            .map_err(|error| error.to_string())?;
        Ok(steps.into_iter().map(|index| pipeline.step(index).name.to_string()).collect())
    }

    #[test]
    fn selectors_expand_along_the_graph() {
        let cases = [
            ("B", "B"),
            ("B+", "BCE"),
            ("+C", "ABC"),
            ("1+C", "BC"),
            ("1+C+1", "BCE"),
            ("A+1", "ABD"),
            ("+C+", "ABCE"),
            ("A..E", "ABCDE"),
            ("A..C", "ABC"),
            ("A..C+1", "ABCDE"),
            ("tag:slow", "BD"),
            ("tag:slow+", "BCDE"),
            ("tag:x", "D"),
            ("state:changed", "C"),
            ("state:changed+", "CE"),
            ("1+result:failed", "AD"),
            ("F+", "F"),
            ("*", "ABCDEF"),
            ("?", "ABCDEF"),
            ("B*", "B"),
            ("*D*+", "DE"),
            ("1+C*", "BC"),
            ("tag:s*w", "BD"),
            ("tag:*", "BD"),
        ];
        for (selector, steps) in cases {
            assert_eq!(expand(selector), Ok(steps.to_owned()), "{selector}");
        }
    }

    #[test]
    fn what_cannot_be_selected_is_named_with_what_can() {
        let cases = [
            ("", "invalid selector ``: expected STEP, STEP+"),
            ("+", "invalid selector `+`"),
            ("x+A", "invalid selector `x+A`"),
            ("A..", "invalid selector `A..`"),
            ("A+99999999999999999999", "invalid selector"),
            ("b", "there is no step `b`, did you mean `B`?"),
            ("Zebra", "there is no step `Zebra` (steps: A, B, C, D, E, F)"),
            ("Z*", "no step's name matches (steps: A, B, C, D, E, F)"),
            ("??", "no step's name matches"),
            ("A/*", "invalid selector `A/*`"),
            ("A*..E", "invalid selector `A*..E`"),
            ("tag:f*", "no step has that tag (tags: slow, x)"),
            ("tag:fast", "no step has that tag (tags: slow, x)"),
            ("E..A", "no path leads from `E` to `A`, but `A..E` is one"),
            ("A..F", "no path leads from `A` to `F`"),
        ];
        for (selector, message) in cases {
            let error = expand(selector).expect_err(selector);
            assert!(error.contains(message), "{selector}: {error}");
        }
        let selector = Selector::parse("state:changed").expect("a selector");
        let pipeline = pipeline();
        let error = selector.expand(&pipeline, &Graph::new(&pipeline), None);
        assert!(matches!(error, Err(SelectorError::NoEarlier { .. })));
    }
}
