//! Names of functions, and the references by which the API names one.

use std::fmt;
use std::sync::Arc;

use super::limits::FUNCTION_NAME_CHARS;

/// The name of a function: 1 to 64 letters, digits, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionName(Arc<str>);

/// A text that cannot name a function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid function name `{name}`: expected 1 to 64 letters, digits, `-` or `_`")]
pub struct InvalidFunctionName {
    pub name: String,
}

impl FunctionName {
    /// Parses a name on its own; an ARN is refused.
    pub fn parse(name: &str) -> Result<Self, InvalidFunctionName> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.is_empty() || name.len() > FUNCTION_NAME_CHARS || !name.bytes().all(is_allowed) {
            return Err(InvalidFunctionName { name: name.to_owned() });
        }
        Ok(Self(name.into()))
    }

    /// Parses what the Invoke API takes as a function: a name, a partial ARN or a full ARN.
    ///
    /// The qualifier `$LATEST` is accepted; any other version or alias gives `None`, because the
    /// host has none. Region and account are not compared: every ARN is looked up here.
    ///
    /// <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>
    pub fn from_reference(reference: &str) -> Option<Self> {
        let qualified = match reference.split_once("function:") {
            Some((prefix, rest)) if prefix.is_empty() || prefix.ends_with(':') => rest,
            _ => reference,
        };
        let name = match qualified.split_once(':') {
            Some((name, "$LATEST")) => name,
            Some(_) => return None,
            None => qualified,
        };
        Self::parse(name).ok()
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_arns_refer_to_the_function() {
        for reference in [
            "step",
            "step:$LATEST",
            "function:step",
            "123456789012:function:step",
            "arn:aws:lambda:us-east-1:123456789012:function:step",
            "arn:aws:lambda:us-east-1:123456789012:function:step:$LATEST",
        ] {
            let name = FunctionName::from_reference(reference).expect(reference);
            assert_eq!(name.as_str(), "step", "{reference}");
        }
    }

    #[test]
    fn versions_aliases_and_paths_are_not_found() {
        for reference in
            ["step:7", "step:live", "../step", "", "arn:aws:lambda:x:1:function:", "a b"]
        {
            assert_eq!(FunctionName::from_reference(reference), None, "{reference}");
        }
    }
}
