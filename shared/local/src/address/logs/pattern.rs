//! Filter patterns of unstructured lines: `ERROR`, `"two words"`, `?one ?other`, `-not`.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>

/// What a message must have.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    /// Parses a pattern. Those of JSON and of columns are refused.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.trim_start().starts_with(['{', '[', '%']) {
            return Err(format!(
                "the filter pattern `{text}` is not one of terms, which alone are known here"
            ));
        }
        let mut pattern = Self::default();
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let terms = match first {
                '?' => &mut pattern.any,
                '-' => &mut pattern.none,
                _ => &mut pattern.all,
            };
            let term = rest.strip_prefix(['?', '-']).unwrap_or(rest);
            let (term, after) = match term.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => term.split_once(char::is_whitespace).unwrap_or((term, "")),
            };
            terms.push(term.to_owned());
            rest = after.trim_start();
        }
        Ok(pattern)
    }

    /// Returns true if the message has what the pattern asks for.
    pub(super) fn matches(&self, message: &str) -> bool {
        let has = |term: &String| message.contains(term.as_str());
        self.all.iter().all(has)
            && (self.any.is_empty() || self.any.iter().any(has))
            && !self.none.iter().any(has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_found_as_at_aws() {
        for (pattern, message, matches) in [
            ("", "any", true),
            ("ERROR", "[ERROR] x", true),
            ("ERROR", "error", false),
            ("a b", "b a", true),
            ("a b", "a", false),
            ("\"a b\"", "b a", false),
            ("\"a b\" c", "c a b", true),
            ("?a ?b", "b", true),
            ("?a ?b", "c", false),
            ("a -b", "a", true),
            ("a -b", "a b", false),
        ] {
            let parsed = Pattern::parse(pattern).expect("terms");
            assert_eq!(parsed.matches(message), matches, "{pattern}: {message}");
        }
        assert!(Pattern::parse("{ $.level = 1 }").is_err());
    }
}
