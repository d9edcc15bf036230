//! Walks through arguments, JSON in texts included, and collects what names buckets and keys.

use std::collections::BTreeMap;

use serde_json::{Deserializer, Value};

use crate::definition::property_path::Segment;
use crate::place::address::{self, is_bucket};
use crate::place::assign::{assigned, listed};
use crate::place::found::{Certainty, Unseen};
use crate::place::name::{Role, names_bucket, role};
use crate::place::shape;
use crate::place::text::places_in;
use crate::uri::S3Uri;

/// The nesting at which texts are no longer read as JSON.
const DEPTH: usize = 200;

/// What the arguments name.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) places: BTreeMap<S3Uri, Certainty>,
    pub(super) unseen: Vec<Unseen>,
    /// The whole arguments that are plain URIs.
    pub(super) plain: Vec<S3Uri>,
    pub(super) objects: Vec<Object>,
}

/// The buckets and keys that one object names.
#[derive(Debug, Default)]
pub(super) struct Object {
    /// The position of the enclosing object.
    pub(super) parent: Option<usize>,
    pub(super) buckets: Vec<String>,
    pub(super) keys: Vec<Key>,
}

/// A text that may be the key of an object.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) path: Vec<Segment>,
    pub(super) text: String,
    pub(super) role: Role,
}

/// Collects what `arguments` name.
pub(super) fn walk(arguments: &Value) -> Walked {
    let mut walker = Walker { walked: Walked::default(), path: Vec::new(), texts: 0 };
    walker.walked.objects.push(Object::default());
    walker.value(arguments, Role::Other, 0, 0);
    walker.walked
}

struct Walker {
    walked: Walked,
    path: Vec<Segment>,
    /// The number of enclosing texts.
    texts: usize,
}

impl Walker {
    /// Visits the value of a member whose name says `role`, in the object at `object`.
    fn value(&mut self, value: &Value, role: Role, object: usize, depth: usize) {
        match value {
            Value::String(text) => self.text(text, role, object, depth),
            Value::Number(number) if matches!(role, Role::Key | Role::PlainKey) => {
                self.key(&number.to_string(), Role::Other, object);
            }
            Value::Array(items) => self.array(items, role, object, depth),
            Value::Object(members) => {
                let inner = self.walked.objects.len();
                self.walked.objects.push(Object { parent: Some(object), ..Object::default() });
                self.members(members, role, inner, depth);
            }
            _ => {}
        }
    }

    fn array(&mut self, items: &[Value], role: Role, object: usize, depth: usize) {
        if let Some(members) = listed(items) {
            self.members(&members, Role::Other, object, depth);
        }
        let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
        if let Some(members) = assigned(&texts.join(" ")).filter(|_| texts.len() > 1) {
            self.members(&members, Role::Other, object, depth);
        }
        for (position, item) in items.iter().enumerate() {
            self.path.push(Segment::Index(position));
            self.value(item, role, object, depth + 1);
            self.path.pop();
        }
    }

    fn members(
        &mut self,
        members: &serde_json::Map<String, Value>,
        of: Role,
        object: usize,
        depth: usize,
    ) {
        for (name, value) in members {
            self.path.push(Segment::Key(name.clone()));
            let in_bucket = of == Role::Bucket && names_bucket(name);
            if let (true, Some(text)) = (in_bucket, value.as_str()) {
                // `{"bucket": {"name": "b"}, "object": {"key": "k"}}`: the bucket belongs to both.
                let outer = self.walked.objects[object].parent.unwrap_or(object);
                self.text(text, Role::Bucket, outer, depth + 1);
            } else {
                self.value(value, role(name), object, depth + 1);
            }
            self.path.pop();
        }
    }

    fn text(&mut self, text: &str, role: Role, object: usize, depth: usize) {
        if role == Role::Mark {
            return;
        }
        let values = if depth < DEPTH { json(text) } else { Vec::new() };
        if !values.is_empty() {
            self.texts += 1;
            for value in values {
                self.value(&value, role, object, depth + 1);
            }
            self.texts -= 1;
            return;
        }
        let named = places_in(text);
        let is_plain = S3Uri::parse(text).ok().filter(|_| self.texts == 0);
        for (place, certainty) in named.places.iter().cloned() {
            if role == Role::Bucket && place.key().is_empty() {
                self.walked.objects[object].buckets.push(place.bucket().to_owned());
                continue;
            }
            let is_pattern = place.key().ends_with('*');
            let certainty = match &is_plain {
                Some(plain) if *plain == place && !is_pattern => continue,
                Some(_) if !is_pattern => Certainty::Possible,
                _ => certainty,
            };
            self.place(place, certainty);
        }
        for name in &named.elsewhere {
            self.unseen(name);
        }
        let is_word = named.places.is_empty() && named.elsewhere.is_empty() && is_plain.is_none();
        self.walked.plain.extend(is_plain);
        if is_word {
            self.word(text, role, object, depth);
        }
    }

    /// Visits a text that names no place by itself.
    fn word(&mut self, text: &str, role: Role, object: usize, depth: usize) {
        if let Some(members) = assigned(text) {
            let inner = self.walked.objects.len();
            self.walked.objects.push(Object { parent: Some(object), ..Object::default() });
            self.texts += 1;
            self.members(&members, Role::Other, inner, depth + 1);
            self.texts -= 1;
            return;
        }
        match role {
            Role::Bucket => {
                for name in text.split([',', '\n']).map(str::trim) {
                    let (name, key) = name.split_once('/').unwrap_or((name, ""));
                    if is_bucket(name) && key.is_empty() {
                        self.walked.objects[object].buckets.push(name.to_owned());
                    } else if is_bucket(name) {
                        self.place(address::place(name, key), Certainty::Sure);
                    }
                }
            }
            Role::Table if !text.is_empty() => self.unseen(text),
            _ if shape::is_mounted(text) => self.unseen(text),
            _ => self.key(text, role, object),
        }
    }

    fn key(&mut self, text: &str, role: Role, object: usize) {
        if (text.is_empty() && role != Role::Prefix) || text.len() > 4096 {
            return;
        }
        let key = Key { path: self.path.clone(), text: text.to_owned(), role };
        self.walked.objects[object].keys.push(key);
    }

    fn place(&mut self, place: S3Uri, certainty: Certainty) {
        let entry = self.walked.places.entry(place).or_insert(certainty);
        *entry = (*entry).max(certainty);
    }

    fn unseen(&mut self, text: &str) {
        let text = text.chars().take(80).collect();
        self.walked.unseen.push(Unseen { path: self.path.clone(), text });
    }
}

/// Returns the JSON values that a text holds one after the other; none if it is not JSON.
fn json(text: &str) -> Vec<Value> {
    if !text.trim_start().starts_with(['{', '[', '"']) {
        return Vec::new();
    }
    let values = Deserializer::from_str(text).into_iter::<Value>();
    values.collect::<Result<_, _>>().unwrap_or_default()
}
