//! Property paths: `segment ( "." segment | "[" digits "]" | "['" name "']" )*`.
//!
//! Names in brackets may hold dots, dashes, spaces and colons, so a path is split on `.` only
//! outside brackets (sagemaker-pipelines reference, property path grammar). `Std:JsonGet` has the
//! same grammar and also allows a leading `$` or `$.`.

use std::fmt;

use serde_json::Value;

/// The property of a step that failed: why. It is `null` for a step that did not fail.
pub const FAILURE_REASON: &str = "FailureReason";

/// One segment of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A member of an object, or of a list of named things (`Outputs['train']`).
    Key(String),
    /// An element of a list.
    Index(usize),
}

/// The path of a value inside a JSON value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PropertyPath(pub Vec<Segment>);

/// A text that does not follow the grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid property path `{path}`: {problem} at character {at}")]
pub struct PathError {
    pub path: String,
    pub problem: &'static str,
    /// The position of the problem in characters, from 1.
    pub at: usize,
}

impl PropertyPath {
    /// Reads `a.b[0]['c d']`.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let error = |problem, at: usize| PathError {
            path: text.chars().take(200).collect(),
            problem,
            at: text.get(..at).map_or(0, |before| before.chars().count()) + 1,
        };
        let mut segments = Vec::new();
        let mut at = 0;
        while let Some(byte) = text.as_bytes().get(at) {
            if *byte == b'[' {
                let inside = &text[at + 1..];
                if let Some(name) = inside.strip_prefix('\'') {
                    let end = name
                        .find("']")
                        .ok_or_else(|| error("a name in brackets has no end", at))?;
                    segments.push(Segment::Key(name[..end].to_owned()));
                    at += 2 + end + 2;
                } else {
                    let end = inside.find(']').ok_or_else(|| error("a bracket has no end", at))?;
                    let digits = &inside[..end];
                    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                        return Err(error("brackets hold digits or a 'quoted name'", at));
                    }
                    let index = digits.parse().map_err(|_| error("the index is too large", at))?;
                    segments.push(Segment::Index(index));
                    at += 1 + end + 1;
                }
                continue;
            }
            let start = if *byte == b'.' && !segments.is_empty() { at + 1 } else { at };
            if *byte != b'.' && !segments.is_empty() {
                return Err(error("a `.` or `[` must follow a bracket", at));
            }
            let end = text[start..].find(['.', '[']).map_or(text.len(), |length| start + length);
            if start == end {
                return Err(error("a name is empty", start));
            }
            segments.push(Segment::Key(text[start..end].to_owned()));
            at = end;
        }
        if segments.is_empty() {
            return Err(error("the path is empty", 0));
        }
        Ok(Self(segments))
    }

    /// Reads the path of a `Std:JsonGet`: a path after an optional `$` or `$.`. `$` alone is the
    /// whole document.
    pub fn parse_json_path(text: &str) -> Result<Self, PathError> {
        match text.strip_prefix('$') {
            Some("") => Ok(Self(Vec::new())),
            Some(rest) => Self::parse(rest.strip_prefix('.').unwrap_or(rest)),
            None => Self::parse(text),
        }
    }

    /// Returns the value at this path, or `None` if there is no such value.
    pub fn find<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(root, |value, segment| match segment {
            Segment::Key(key) => value.get(key),
            Segment::Index(index) => value.get(index),
        })
    }
}

impl fmt::Display for PropertyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            let is_plain = |key: &str| !key.is_empty() && !key.contains(['.', '[', ']', ' ', '\'']);
            match segment {
                Segment::Key(key) if position == 0 && is_plain(key) => write!(f, "{key}")?,
                Segment::Key(key) if is_plain(key) => write!(f, ".{key}")?,
                Segment::Key(key) => write!(f, "['{key}']")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(name: &str) -> Segment {
        Segment::Key(name.to_owned())
    }

    #[test]
    fn paths_split_on_dots_only_outside_brackets() {
        let path = PropertyPath::parse("FinalMetricDataList['val:acc 1.0'].Value").expect("legal");
        assert_eq!(path.0, [key("FinalMetricDataList"), key("val:acc 1.0"), key("Value")]);
        let path = PropertyPath::parse("Summaries[1][2].x").expect("legal");
        assert_eq!(path.0, [key("Summaries"), Segment::Index(1), Segment::Index(2), key("x")]);
    }

    #[test]
    fn broken_paths_say_where() {
        for text in
            ["", ".", "a..b", "a[", "a[x]", "a['x", "a[0]b", "a.", "a[99999999999999999999999]"]
        {
            let error = PropertyPath::parse(text).expect_err(text);
            assert!(error.at >= 1, "{error}");
        }
    }

    #[test]
    fn a_json_path_may_begin_with_a_dollar() {
        let document = json!({"cols": [{"null ratio": 0.5}]});
        for text in
            ["$.cols[0]['null ratio']", "$['cols'][0]['null ratio']", "cols[0]['null ratio']"]
        {
            let path = PropertyPath::parse_json_path(text).expect("legal");
            assert_eq!(path.find(&document), Some(&json!(0.5)), "{text}");
        }
        let whole = PropertyPath::parse_json_path("$").expect("legal");
        assert_eq!(whole.find(&document), Some(&document));
    }
}
