//! Names in a template: the stack's, with which all others begin, and the ids of resources.

use std::fmt;

/// The longest name of a stack. Its bucket is called `STACK-artifacts-ACCOUNT-REGION`, and S3
/// allows 63 characters.
pub const STACK_NAME_CHARACTERS: usize = 25;
/// Lambda's limit for a function's name, which includes the stack's.
pub const FUNCTION_NAME_CHARACTERS: usize = 64;
/// The names of the engine's own functions.
pub const RESERVED: [&str; 2] = ["planner", "trigger"];

/// The name of a stack, with which the names of its resources begin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StackName(String);

/// A text that cannot name a stack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid stack name `{0}`: expected 1 to {STACK_NAME_CHARACTERS} lower case letters, digits or `-`, beginning with a letter and not ending in `-`"
)]
pub struct StackNameError(pub String);

impl StackName {
    /// Parses a name. The rule is narrower than CloudFormation's, because buckets carry the name
    /// too.
    pub fn parse(text: &str) -> Result<Self, StackNameError> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let begins = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        let is_right = begins
            && text.len() <= STACK_NAME_CHARACTERS
            && text.bytes().all(legal)
            && !text.ends_with('-');
        if is_right { Ok(Self(text.to_owned())) } else { Err(StackNameError(text.to_owned())) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name in the account of a function of the project.
    pub fn function(&self, name: &str) -> String {
        format!("{}-{name}", self.0)
    }
}

impl fmt::Display for StackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of a resource in a template: letters and digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogicalId(String);

impl LogicalId {
    /// Returns `Step` and the function's name without characters that an id may not hold:
    /// `train-model` becomes `StepTrainModel`.
    pub fn of_function(name: &str) -> Self {
        Self(format!("Step{}", pascal(name)))
    }

    /// Returns the id of the `number`th `kind` (from 0) of `name`.
    pub fn numbered(name: &str, kind: &str, number: usize) -> Self {
        Self(format!("{}{kind}{number}", pascal(name)))
    }

    /// Returns the id of `kind` for `name`.
    pub fn of(name: &str, kind: &str) -> Self {
        Self(format!("{kind}{}", pascal(name)))
    }

    /// Returns the id of a part of this: `StepTrainRole`.
    pub fn with(&self, part: &str) -> String {
        format!("{}{part}", self.0)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn pascal(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    let capital = |word: &str| {
        let mut characters = word.chars();
        characters.next().map_or_else(String::new, |first| {
            first.to_ascii_uppercase().to_string() + characters.as_str()
        })
    };
    words.map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_name_leaves_room_for_its_bucket() {
        for text in ["a", "flights", "a-1", &"a".repeat(25)] {
            let name = StackName::parse(text).expect("legal");
            let bucket = format!("{name}-artifacts-123456789012-ap-northeast-1");
            assert!(bucket.len() <= 63, "{bucket}");
        }
        for text in ["", "A", "1a", "a-", "a_b", "a b", "ä", &"a".repeat(26)] {
            assert!(StackName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_id_holds_only_letters_and_digits() {
        assert_eq!(LogicalId::of_function("train-model_2").as_str(), "StepTrainModel2");
        assert_eq!(LogicalId::numbered("my-flights", "Upload", 1).as_str(), "MyFlightsUpload1");
    }
}
