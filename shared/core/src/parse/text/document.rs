//! A parsed text, whose values know where they stand.
//!
//! A [`Document`] is a flat list of nodes, each with its parent. So a node is a plain number that
//! can be kept anywhere, and its JSON pointer, line and column are worked out only when a problem
//! has to be reported.

use serde_json::{Map, Number, Value};

use super::lines::Lines;

/// A parsed text. Always has a root.
#[derive(Debug)]
pub(crate) struct Document<'t> {
    lines: Lines<'t>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    slot: Slot,
    /// Where the value begins, in bytes.
    offset: usize,
    content: Content,
}

/// The place of a node in its parent.
#[derive(Debug)]
pub(super) enum Slot {
    Root,
    Element { parent: u32, index: usize },
    Member { parent: u32, key: String, key_offset: usize },
}

/// The value of a node; children are named by their numbers.
#[derive(Debug)]
pub(crate) enum Content {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Array(Vec<u32>),
    Object(Vec<u32>),
    /// A value that was reported already, so that no other problem is reported of it.
    Unreadable,
}

impl<'t> Document<'t> {
    /// Makes a document of `text` without any node.
    pub(super) fn new(text: &'t str) -> Self {
        Self { lines: Lines::new(text), entries: Vec::new() }
    }

    pub(crate) fn root(&self) -> Node<'_> {
        self.node(0)
    }

    pub(super) fn node(&self, id: u32) -> Node<'_> {
        Node { document: self, id }
    }

    /// Returns how many nodes there are.
    pub(super) fn count(&self) -> usize {
        self.entries.len()
    }

    /// Returns line and column of a byte, both from 1.
    pub(super) fn place(&self, offset: usize) -> (usize, usize) {
        self.lines.place(offset)
    }

    /// Adds a node to its parent and returns its number.
    pub(super) fn add(&mut self, slot: Slot, offset: usize, content: Content) -> u32 {
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

    /// Returns the JSON pointer (RFC 6901).
    pub(crate) fn pointer(self) -> String {
        self.document.pointer(self.id)
    }

    /// Returns line and column of the value, both from 1.
    pub(crate) fn place(self) -> (usize, usize) {
        self.document.place(self.offset())
    }

    /// Returns where the value begins, in bytes.
    pub(super) fn offset(self) -> usize {
        self.entry().offset
    }

    /// Returns where the key begins, in bytes; where the value begins if there is no key.
    pub(super) fn key_offset(self) -> usize {
        match &self.entry().slot {
            Slot::Member { key_offset, .. } => *key_offset,
            Slot::Root | Slot::Element { .. } => self.offset(),
        }
    }

    pub(crate) fn parent(self) -> Option<Node<'d>> {
        match &self.entry().slot {
            Slot::Root => None,
            Slot::Element { parent, .. } | Slot::Member { parent, .. } => {
                Some(self.document.node(*parent))
            }
        }
    }

    /// Returns the members of an object in the order of the text; nothing for other values.
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

    /// Returns the elements of an array; nothing for other values.
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

    /// Returns the value without places. Recursive: the limit on nesting bounds the depth.
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

    /// Returns the JSON type in words, for "expected X, found Y".
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
