//! The runtimes that a function's `runtime` can name.

use crate::output::error::{CommandError, user};

/// A runtime, by Lambda's identifiers
/// (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// `python3.N`.
    Python { minor: u32 },
    /// `nodejsN.x`.
    Node { major: u32 },
    /// A program named `bootstrap` that speaks the Runtime API itself.
    Provided,
}

impl Runtime {
    /// Reads an identifier.
    pub(crate) fn parse(text: &str) -> Result<Self, CommandError> {
        let node = || text.strip_prefix("nodejs")?.strip_suffix(".x")?.parse().ok();
        let python = || text.strip_prefix("python3.")?.parse().ok();
        match (text, python(), node()) {
            ("provided" | "provided.al2" | "provided.al2023", ..) => Ok(Self::Provided),
            (_, Some(minor @ 9..), _) => Ok(Self::Python { minor }),
            (_, _, Some(major @ 18..)) => Ok(Self::Node { major }),
            _ => Err(user(format!("runtime `{text}` cannot run on this machine")).hint(
                "expected `python3.9` or newer, `nodejs22.x`, `nodejs24.x`, `provided.al2023` or `provided`, or a Rust `package`",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambdas_identifiers_are_read_and_others_refused() {
        let cases = [
            ("python3.13", Some(Runtime::Python { minor: 13 })),
            ("nodejs22.x", Some(Runtime::Node { major: 22 })),
            ("provided.al2023", Some(Runtime::Provided)),
            ("provided", Some(Runtime::Provided)),
            ("python3.8", None),
            ("python3", None),
            ("python2.7", None),
            ("nodejs22", None),
            ("nodejs16.x", None),
            ("java21", None),
            ("ruby3.3", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Runtime::parse(text).ok(), expected, "{text}");
        }
    }
}
