//! Measures a text before a recursive parser sees it: one pass over the bytes, without recursion.

use crate::limits;
use crate::parse::problem::Code;

use super::document::Document;
use super::finding::Finding;

/// Refuses JSON that is nested too deeply or holds too many values.
///
/// Other mistakes are not reported. In a broken text the count may be wrong, and the parser that
/// follows finds the mistake.
pub(super) fn check(text: &str) -> Result<(), Finding> {
    let (mut depth, mut values) = (0_usize, 1_usize);
    let (mut in_string, mut escaped) = (false, false);
    let mut previous = b' ';
    for (at, byte) in text.bytes().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                values += 1;
                if depth > limits::DEFINITION_DEPTH {
                    return Err(too_deep(at));
                }
            }
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                // An empty container holds no value, but was counted when it was opened.
                values -= usize::from(matches!(previous, b'[' | b'{'));
            }
            b',' => values += 1,
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            _ => {}
        }
        // An opened container may turn out to be empty, hence one more than the limit.
        if values > limits::DEFINITION_NODES + 1 {
            return Err(too_many_values(at));
        }
        previous = byte;
    }
    Ok(())
}

/// Refuses another value at `offset` if the document already has as many as are allowed.
pub(super) fn check_count(document: &Document<'_>, offset: usize) -> Result<(), Finding> {
    if document.count() < limits::DEFINITION_NODES { Ok(()) } else { Err(too_many_values(offset)) }
}

pub(super) fn too_deep(offset: usize) -> Finding {
    let limit = limits::DEFINITION_DEPTH;
    let message = format!("values are nested more than {limit} deep, over the limit");
    Finding::at_offset(offset, Code::LimitExceeded, message)
}

fn too_many_values(offset: usize) -> Finding {
    let limit = limits::DEFINITION_NODES;
    let message = format!("the definition holds more than {limit} values, over the limit");
    Finding::at_offset(offset, Code::LimitExceeded, message)
}

pub(super) fn long_key(offset: usize, bytes: usize) -> Finding {
    let limit = limits::KEY_BYTES;
    let message = format!("a key has {bytes} bytes, over the limit of {limit}");
    Finding::at_offset(offset, Code::LimitExceeded, message)
}
