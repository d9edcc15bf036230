//! Text into values that know where they stand.
//!
//! A [`Document`] is a flat list of nodes, each with its parent, so that a node is a plain number that can be kept anywhere, and
//! its JSON pointer, line and column are worked out only when a problem has to be reported. Limits hold before any parser that
//! recurses sees the text. What the values mean is the reader's business.

mod json;
mod lines;
mod measure;
mod report;
mod scalar;
mod yaml;

use serde_json::{Map, Number, Value};

use crate::limits;
use crate::parse::problem::{Code, Problem};
use lines::Lines;
pub(crate) use report::{Draft, Problems};

/// How a definition is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// RFC 8259, strictly: no comments, no trailing commas.
    Json,
    /// YAML 1.2 with the core schema, without tags, anchors, aliases and merge keys; one document.
    Yaml,
}

/// A parsed text. Always has a root.
#[derive(Debug)]
pub(crate) struct Document<'t> {
    lines: Lines<'t>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    slot: Slot,
    /// Of the value, in bytes.
    offset: usize,
    content: Content,
}

/// Where a node hangs.
#[derive(Debug)]
enum Slot {
    Root,
    Element { parent: u32, index: usize },
    Member { parent: u32, key: String, key_offset: usize },
}

#[derive(Debug)]
pub(crate) enum Content {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Array(Vec<u32>),
    Object(Vec<u32>),
    /// Already reported; whoever meets it keeps quiet.
    Unreadable,
}

/// Reads a text. The problems beside a document are independent ones, such as duplicate keys.
///
/// Fails with everything there is to say when there is no document to go on with.
pub(crate) fn read(bytes: &[u8], format: Format) -> Result<(Document<'_>, Problems), Vec<Problem>> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(vec![not_utf8(bytes, error.valid_up_to())]),
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut document = Document { lines: Lines::new(text), entries: Vec::new() };
    let mut problems = Problems::default();
    let fatal = if bytes.len() > limits::DEFINITION_BYTES {
        let message = format!(
            "the definition has {} bytes, over the limit of {}",
            bytes.len(),
            limits::DEFINITION_BYTES
        );
        Err(Draft::at_offset(0, Code::LimitExceeded, message))
    } else {
        match format {
            Format::Json => json::read(text, &mut document, &mut problems),
            Format::Yaml => yaml::read(text, &mut document, &mut problems),
        }
    };
    match fatal {
        Ok(()) => Ok((document, problems)),
        Err(draft) => {
            problems.add(draft);
            Err(problems.finish(&document, |_| None))
        }
    }
}

fn not_utf8(bytes: &[u8], at: usize) -> Problem {
    let before = std::str::from_utf8(&bytes[..at]).unwrap_or_default();
    let (line, column) = Lines::new(before).place(before.len());
    Problem {
        severity: crate::parse::problem::Severity::Error,
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

impl Document<'_> {
    pub(crate) fn root(&self) -> Node<'_> {
        self.node(0)
    }

    fn node(&self, id: u32) -> Node<'_> {
        Node { document: self, id }
    }

    /// Adds a node and hangs it into its parent.
    fn add(&mut self, slot: Slot, offset: usize, content: Content) -> u32 {
        let id = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        if let Slot::Element { parent, .. } | Slot::Member { parent, .. } = &slot
            && let Content::Array(children) | Content::Object(children) =
                &mut self.entries[*parent as usize].content
        {
            children.push(id);
        }
        self.entries.push(Entry { slot, offset, content });
        id
    }

    /// Refuses a document with more values than the limit.
    fn check_count(&self, offset: usize) -> Result<(), Draft> {
        if self.entries.len() < limits::DEFINITION_NODES {
            return Ok(());
        }
        Err(measure::too_many_values(offset))
    }

    fn pointer(&self, mut id: u32) -> String {
        let mut segments = Vec::new();
        loop {
            match &self.entries[id as usize].slot {
                Slot::Root => break,
                Slot::Element { parent, index } => {
                    segments.push(index.to_string());
                    id = *parent;
                }
                Slot::Member { parent, key, .. } => {
                    segments.push(key.replace('~', "~0").replace('/', "~1"));
                    id = *parent;
                }
            }
        }
        segments.iter().rev().fold(String::new(), |pointer, segment| pointer + "/" + segment)
    }
}

/// A value and its place. Cheap to copy and to keep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'d> {
    document: &'d Document<'d>,
    id: u32,
}

impl<'d> Node<'d> {
    fn entry(self) -> &'d Entry {
        &self.document.entries[self.id as usize]
    }

    pub(crate) fn id(self) -> u32 {
        self.id
    }

    pub(crate) fn content(self) -> &'d Content {
        &self.entry().content
    }

    /// RFC 6901.
    pub(crate) fn pointer(self) -> String {
        self.document.pointer(self.id)
    }

    /// Line and column of the value, from 1.
    pub(crate) fn place(self) -> (usize, usize) {
        self.document.lines.place(self.entry().offset)
    }

    pub(crate) fn parent(self) -> Option<Node<'d>> {
        match &self.entry().slot {
            Slot::Root => None,
            Slot::Element { parent, .. } | Slot::Member { parent, .. } => {
                Some(self.document.node(*parent))
            }
        }
    }

    /// The members of an object in the order of the text; nothing for other values.
    pub(crate) fn members(self) -> impl Iterator<Item = (&'d str, Node<'d>)> {
        let ids: &[u32] = if let Content::Object(ids) = self.content() { ids } else { &[] };
        ids.iter().map(move |id| {
            let node = self.document.node(*id);
            match &node.entry().slot {
                Slot::Member { key, .. } => (key.as_str(), node),
                Slot::Root | Slot::Element { .. } => ("", node),
            }
        })
    }

    /// The elements of an array; nothing for other values.
    pub(crate) fn elements(self) -> impl Iterator<Item = Node<'d>> {
        let ids: &[u32] = if let Content::Array(ids) = self.content() { ids } else { &[] };
        ids.iter().map(move |id| self.document.node(*id))
    }

    pub(crate) fn get(self, key: &str) -> Option<Node<'d>> {
        self.members().find(|(name, _)| *name == key).map(|(_, node)| node)
    }

    pub(crate) fn as_str(self) -> Option<&'d str> {
        if let Content::String(text) = self.content() { Some(text) } else { None }
    }

    /// The plain value. Depth is bounded by the limit on nesting.
    pub(crate) fn to_value(self) -> Value {
        match self.content() {
            Content::Null | Content::Unreadable => Value::Null,
            Content::Bool(flag) => Value::Bool(*flag),
            Content::Number(number) => Value::Number(number.clone()),
            Content::String(text) => Value::String(text.clone()),
            Content::Array(_) => self.elements().map(Node::to_value).collect(),
            Content::Object(_) => {
                let members = self.members().map(|(key, node)| (key.to_owned(), node.to_value()));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }

    /// The JSON type in words, for "expected X, found Y".
    pub(crate) fn describe(self) -> &'static str {
        match self.content() {
            Content::Null | Content::Unreadable => "null",
            Content::Bool(_) => "a boolean",
            Content::Number(_) => "a number",
            Content::String(_) => "a string",
            Content::Array(_) => "an array",
            Content::Object(_) => "an object",
        }
    }
}
