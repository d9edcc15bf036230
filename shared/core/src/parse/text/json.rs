//! Reads JSON with positions.
//!
//! `jsonc-parser` gives the byte range of every value, but accepts some things that RFC 8259
//! forbids (control characters in strings, other white space). So `serde_json` has the last word on
//! what is JSON.

use std::collections::HashMap;

use jsonc_parser::ast::{ObjectProp, Value as Ast};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::{Number, Value};

use crate::definition::decimal;
use crate::limits;
use crate::parse::problem::Code;

use super::document::{Content, Document, Slot};
use super::finding::{Finding, Problems};
use super::measure;

const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

pub(super) fn read(
    text: &str,
    document: &mut Document<'_>,
    problems: &mut Problems,
) -> Result<(), Finding> {
    measure::check(text)?;
    if text.trim_matches([' ', '\t', '\r', '\n']).is_empty() {
        return Err(Finding::at_offset(0, Code::EmptyDocument, "the definition is empty"));
    }
    let ast = match parse_to_ast(text, &CollectOptions::default(), &STRICT) {
        Ok(result) => result.value,
        Err(error) => {
            let said = error.kind().to_string();
            let mut letters = said.chars();
            let first = letters.next().map(|c| c.to_ascii_lowercase());
            let said: String = first.into_iter().chain(letters).collect();
            let message = format!("not JSON: {said}");
            return Err(Finding::at_offset(error.range().start, Code::InvalidSyntax, message));
        }
    };
    let Some(ast) = ast else {
        return Err(Finding::at_offset(0, Code::EmptyDocument, "the definition is empty"));
    };
    let mut builder = Builder { document, problems, out_of_range: false };
    builder.add(Slot::Root, ast)?;
    // A number out of range is a syntax error for `serde_json`; it was reported already.
    if builder.out_of_range { Ok(()) } else { syntax_error(text).map_or(Ok(()), Err) }
}

fn syntax_error(text: &str) -> Option<Finding> {
    let error = serde_json::from_str::<Value>(text).err()?;
    let start = match error.line() {
        0 | 1 => 0,
        line => text.match_indices('\n').nth(line - 2).map_or(text.len(), |(at, _)| at + 1),
    };
    let message = error.to_string();
    let suffix = format!(" at line {} column {}", error.line(), error.column());
    let message = message.strip_suffix(&suffix).unwrap_or(&message);
    let offset = start + error.column().saturating_sub(1);
    Some(Finding::at_offset(offset, Code::InvalidSyntax, format!("not JSON: {message}")))
}

struct Builder<'a, 't> {
    document: &'a mut Document<'t>,
    problems: &'a mut Problems,
    out_of_range: bool,
}

impl Builder<'_, '_> {
    /// Adds a value and all inside it. Recursive: the depth was measured before.
    fn add(&mut self, slot: Slot, ast: Ast<'_>) -> Result<(), Finding> {
        let offset = ast.range().start;
        measure::check_count(self.document, offset)?;
        let content = match ast {
            Ast::NullKeyword(_) => Content::Null,
            Ast::BooleanLit(literal) => Content::Bool(literal.value),
            Ast::StringLit(literal) => Content::String(literal.value.into_owned()),
            Ast::NumberLit(literal) => {
                let Some(number) = number(literal.value) else {
                    self.out_of_range = true;
                    let id = self.document.add(slot, offset, Content::Unreadable);
                    self.problems.add(out_of_range(id, literal.value));
                    return Ok(());
                };
                Content::Number(number)
            }
            Ast::Array(array) => {
                let parent = self.document.add(slot, offset, Content::Array(Vec::new()));
                for (index, element) in array.elements.into_iter().enumerate() {
                    self.add(Slot::Element { parent, index }, element)?;
                }
                return Ok(());
            }
            Ast::Object(object) => {
                let parent = self.document.add(slot, offset, Content::Object(Vec::new()));
                let mut seen = HashMap::new();
                for property in object.properties {
                    self.add_member(parent, property, &mut seen)?;
                }
                return Ok(());
            }
        };
        self.document.add(slot, offset, content);
        Ok(())
    }

    fn add_member(
        &mut self,
        parent: u32,
        property: ObjectProp<'_>,
        seen: &mut HashMap<String, usize>,
    ) -> Result<(), Finding> {
        let key_offset = property.name.range().start;
        let key = property.name.into_string();
        if key.len() > limits::KEY_BYTES {
            return Err(measure::long_key(key_offset, key.len()));
        }
        if let Some(first) = seen.get(&key) {
            self.problems.add(duplicate_key(self.document, parent, &key, *first, key_offset));
            return Ok(());
        }
        seen.insert(key.clone(), key_offset);
        self.add(Slot::Member { parent, key, key_offset }, property.value)
    }
}

/// Reads a number with every digit. One with a fraction or an exponent is a float.
pub(super) fn number(text: &str) -> Option<Number> {
    if text.contains(['.', 'e', 'E']) { decimal::float(text) } else { decimal::integer(text) }
}

pub(super) fn out_of_range(node: u32, text: &str) -> Finding {
    let shown: String = text.chars().take(40).collect();
    Finding::at_node(node, Code::NumberOutOfRange, format!("`{shown}` is out of range"))
        .allowed("integers, and floats within the range of 64 bits")
}

pub(super) fn duplicate_key(
    document: &Document<'_>,
    parent: u32,
    key: &str,
    first: usize,
    second: usize,
) -> Finding {
    let (line, column) = document.place(first);
    let message = format!("key `{key}` is already at line {line}, column {column}");
    Finding::at_node(parent, Code::DuplicateKey, message).moved_to(second)
}
