//! Reads a text into values that know where they stand: JSON or YAML into one [`Document`].
//!
//! Limits hold before any parser that recurses sees the text. What the values mean is the business
//! of [`super::reader`].

mod document;
mod finding;
mod json;
mod lines;
mod measure;
mod scalar;
mod yaml;

use crate::limits;
use crate::parse::problem::{Code, Problem, Severity};
use lines::Lines;

pub(crate) use document::{Content, Document, Node};
pub(crate) use finding::{Finding, Problems};

/// How a definition is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// RFC 8259, strictly: no comments, no trailing commas.
    Json,
    /// YAML 1.2 with the core schema, without tags, anchors, aliases and merge keys; one document.
    Yaml,
}

/// Reads a text. The problems beside a document are independent ones, such as duplicate keys.
///
/// Fails with every problem found if there is no document to go on with.
pub(crate) fn read(bytes: &[u8], format: Format) -> Result<(Document<'_>, Problems), Vec<Problem>> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => return Err(vec![not_utf8(bytes, error.valid_up_to())]),
    };
    let mut document = Document::new(text);
    let mut problems = Problems::default();
    let fatal = if bytes.len() > limits::DEFINITION_BYTES {
        let (size, limit) = (bytes.len(), limits::DEFINITION_BYTES);
        let message = format!("the definition has {size} bytes, over the limit of {limit}");
        Err(Finding::at_offset(0, Code::LimitExceeded, message))
    } else {
        match format {
            Format::Json => json::read(text, &mut document, &mut problems),
            Format::Yaml => yaml::read(text, &mut document, &mut problems),
        }
    };
    match fatal {
        Ok(()) => Ok((document, problems)),
        Err(finding) => {
            problems.add(finding);
            Err(problems.finish(&document, |_| None))
        }
    }
}

fn not_utf8(bytes: &[u8], at: usize) -> Problem {
    let before = std::str::from_utf8(&bytes[..at]).unwrap_or_default();
    let (line, column) = Lines::new(before).place(before.len());
    Problem {
        severity: Severity::Error,
        code: Code::InvalidUtf8,
        pointer: String::new(),
        step: None,
        message: format!("the text is not UTF-8: byte {at} (from 0) belongs to no character"),
        allowed: None,
        hint: None,
        line,
        column,
    }
}
