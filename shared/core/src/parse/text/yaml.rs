//! Reads YAML 1.2 with positions, from the events of `saphyr-parser`, which does not recurse.
//!
//! Plain scalars follow the core schema. Tags, anchors, aliases, merge keys, keys that are not
//! scalars, and a second document are refused, each with its place. Without aliases a text cannot
//! grow when it is read.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

use crate::limits;
use crate::parse::problem::Code;

use super::document::{Content, Document, Slot};
use super::finding::{Finding, Problems};
use super::scalar::resolve;
use super::{json, measure};

pub(super) fn read(
    text: &str,
    document: &mut Document<'_>,
    problems: &mut Problems,
) -> Result<(), Finding> {
    let offsets = Offsets::new(text);
    let mut builder = Builder { document, problems, frames: Vec::new(), documents: 0 };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => {
                let offset = offsets.bytes(span.start.index());
                if builder.on_event(event, offset)? == Progress::Done {
                    break;
                }
            }
            Err(error) => {
                let offset = offsets.bytes(error.marker().index());
                return Err(if error.info() == "recursion limit exceeded" {
                    measure::too_deep(offset)
                } else {
                    let message = format!("not YAML: {}", error.info());
                    Finding::at_offset(offset, Code::InvalidSyntax, message)
                });
            }
        }
    }
    if document.count() == 0 {
        return Err(Finding::at_offset(0, Code::EmptyDocument, "the definition is empty"));
    }
    Ok(())
}

/// Converts the parser's positions, which count characters, into bytes. A text beyond ASCII needs a
/// table.
struct Offsets(Option<Vec<u32>>, usize);

impl Offsets {
    fn new(text: &str) -> Self {
        let table = || text.char_indices().map(|(at, _)| u32::try_from(at).unwrap_or(u32::MAX));
        Self((!text.is_ascii()).then(|| table().collect()), text.len())
    }

    fn bytes(&self, characters: usize) -> usize {
        match &self.0 {
            None => characters.min(self.1),
            Some(table) => table.get(characters).map_or(self.1, |at| *at as usize),
        }
    }
}

#[derive(PartialEq)]
enum Progress {
    More,
    Done,
}

enum Frame {
    Array {
        id: u32,
        next: usize,
    },
    Object {
        id: u32,
        key: Option<(String, usize)>,
        seen: HashMap<String, usize>,
    },
    /// The value of a duplicate key, which is read and dropped.
    Dropped,
}

struct Builder<'a, 't> {
    document: &'a mut Document<'t>,
    problems: &'a mut Problems,
    frames: Vec<Frame>,
    documents: usize,
}

/// The place of the next value.
enum Target {
    Slot(Slot),
    Key,
    Nowhere,
}

impl Builder<'_, '_> {
    fn on_event(&mut self, event: Event<'_>, offset: usize) -> Result<Progress, Finding> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.refuse(None, offset, "a second document", "one document in a file");
                    return Ok(Progress::Done);
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let id = self.on_scalar(&text, style, offset)?;
                self.check_properties(id, anchor, tag.is_some(), offset);
            }
            Event::SequenceStart(anchor, tag) => {
                let id = self.open(offset, Content::Array(Vec::new()))?;
                self.check_properties(id, anchor, tag.is_some(), offset);
            }
            Event::MappingStart(anchor, tag) => {
                let id = self.open(offset, Content::Object(Vec::new()))?;
                self.check_properties(id, anchor, tag.is_some(), offset);
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.frames.pop();
            }
            Event::Alias(_) => {
                let id = self.put(offset, Content::Unreadable)?;
                self.refuse(id, offset, "an alias (`*name`)", "the value itself");
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(Progress::More)
    }

    fn refuse(&mut self, id: Option<u32>, offset: usize, what: &str, allowed: &str) {
        let message = format!("{what} is not supported");
        let code = Code::UnsupportedYaml;
        let finding = match id {
            Some(id) => Finding::at_node(id, code, message),
            None => Finding::at_offset(offset, code, message),
        };
        self.problems.add(finding.allowed(allowed));
    }

    fn check_properties(&mut self, id: Option<u32>, anchor: usize, has_tag: bool, offset: usize) {
        if anchor != 0 {
            self.refuse(id, offset, "an anchor (`&name`)", "the value itself");
        }
        if has_tag {
            let allowed = "plain values; quote a string that looks otherwise";
            self.refuse(id, offset, "a tag (`!name`)", allowed);
        }
    }

    fn target(&mut self) -> Target {
        match self.frames.last_mut() {
            None => Target::Slot(Slot::Root),
            Some(Frame::Dropped) => Target::Nowhere,
            Some(Frame::Array { id, next }) => {
                *next += 1;
                Target::Slot(Slot::Element { parent: *id, index: *next - 1 })
            }
            Some(Frame::Object { id, key, seen }) => {
                let Some((key, key_offset)) = key.take() else { return Target::Key };
                if let Some(first) = seen.get(&key) {
                    let finding = json::duplicate_key(self.document, *id, &key, *first, key_offset);
                    self.problems.add(finding);
                    return Target::Nowhere;
                }
                seen.insert(key.clone(), key_offset);
                Target::Slot(Slot::Member { parent: *id, key, key_offset })
            }
        }
    }

    /// Opens a list or a mapping. Returns its node; `None` inside the value of a duplicate key.
    fn open(&mut self, offset: usize, content: Content) -> Result<Option<u32>, Finding> {
        if self.frames.len() >= limits::DEFINITION_DEPTH {
            return Err(measure::too_deep(offset));
        }
        measure::check_count(self.document, offset)?;
        let is_array = matches!(content, Content::Array(_));
        let (id, frame) = match self.target() {
            Target::Key => return Err(no_scalar_key(offset)),
            Target::Nowhere => (None, Frame::Dropped),
            Target::Slot(slot) => {
                let id = self.document.add(slot, offset, content);
                let frame = if is_array {
                    Frame::Array { id, next: 0 }
                } else {
                    Frame::Object { id, key: None, seen: HashMap::new() }
                };
                (Some(id), frame)
            }
        };
        self.frames.push(frame);
        Ok(id)
    }

    fn put(&mut self, offset: usize, content: Content) -> Result<Option<u32>, Finding> {
        measure::check_count(self.document, offset)?;
        match self.target() {
            Target::Key => Err(no_scalar_key(offset)),
            Target::Nowhere => Ok(None),
            Target::Slot(slot) => Ok(Some(self.document.add(slot, offset, content))),
        }
    }

    fn on_scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        offset: usize,
    ) -> Result<Option<u32>, Finding> {
        if let Some(Frame::Object { id, key: key @ None, .. }) = self.frames.last_mut() {
            if text.len() > limits::KEY_BYTES {
                return Err(measure::long_key(offset, text.len()));
            }
            *key = Some((text.to_owned(), offset));
            let id = *id;
            if text == "<<" && style == ScalarStyle::Plain {
                let message = "a merge key (`<<`) is not supported";
                let finding = Finding::at_node(id, Code::UnsupportedYaml, message).moved_to(offset);
                self.problems.add(finding.allowed("the keys themselves"));
            }
            return Ok(None);
        }
        if style != ScalarStyle::Plain {
            return self.put(offset, Content::String(text.to_owned()));
        }
        if let Some(content) = resolve(text) {
            return self.put(offset, content);
        }
        let id = self.put(offset, Content::Unreadable)?;
        if let Some(id) = id {
            self.problems.add(json::out_of_range(id, text));
        }
        Ok(id)
    }
}

fn no_scalar_key(offset: usize) -> Finding {
    let message = "a key that is a list, a mapping or an alias is not supported";
    Finding::at_offset(offset, Code::UnsupportedYaml, message).allowed("strings")
}
