//! The tracer: which attempt a request of S3 comes from, and what each attempt read and wrote.
//!
//! Every environment of a function has an access key of its own, and SDKs in any language sign with
//! it. A signature proves nothing here, and need not: a function that hides what it reads only
//! harms its own cache.
//!
//! An environment handles one invocation after the other. What it read while it started may be part
//! of each result. So may what an earlier invocation read that its own event did not name, such as
//! a file that is kept in a global variable.
//!
//! Traces are in memory only. After a crash an attempt has none, and then the rules of AWS hold.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value;
use sidestep_admission::Credentials;
use sidestep_core::execution::inputs::Inputs;
use sidestep_core::execution::trace::Trace;
use sidestep_core::execution::witness::places;
use sidestep_core::place::{Surroundings, find};
use sidestep_core::uri::S3Uri;

use crate::peer::group_of;

/// Attempts whose traces are kept until the planner asks for them.
const ATTEMPTS: usize = 10_000;
/// Places in all traces together, some 200 bytes each.
const PLACES: usize = 1_000_000;

/// Ends the tag of an environment's second key, with which the planner in a step's process signs.
const PLANNER: &str = "planner";

/// Traces what attempts do. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tracer(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    environments: BTreeMap<String, Environment>,
    attempts: BTreeMap<String, Attempt>,
    /// The attempts, the oldest first.
    order: VecDeque<String>,
}

/// An attempt, and what its environment had read before.
#[derive(Debug, Default)]
struct Attempt {
    own: Trace,
    base: Trace,
}

impl Attempt {
    fn count(&self) -> usize {
        self.own.count() + self.base.count()
    }
}

/// An environment of a function.
#[derive(Debug, Default)]
struct Environment {
    /// The attempt that it works on, and the attempt's event.
    current: Option<(String, Bytes)>,
    /// What may be part of the results of all its invocations.
    base: Trace,
    function: String,
    /// The group of its processes.
    group: Option<i32>,
}

impl Tracer {
    /// Adds an environment of a function and returns its access key, derived from the folder's.
    ///
    /// The second key is for the planner in the process of a step. What it does is not traced.
    pub(crate) fn open(&self, root: &Credentials, function: &str) -> (Credentials, Credentials) {
        let tag = uuid::Uuid::new_v4().simple().to_string();
        let key = root.derived(&tag);
        let new = Environment { function: function.to_owned(), ..Environment::default() };
        self.0.lock().environments.insert(key.access_key_id.clone(), new);
        (key, root.derived(&(tag + PLANNER)))
    }

    /// Returns the name of the function whose environment has this key, also as its second one.
    pub(crate) fn function_of(&self, access_key: &str) -> Option<String> {
        let first = access_key.strip_suffix(PLANNER).unwrap_or(access_key);
        self.0.lock().environments.get(first).map(|environment| environment.function.clone())
    }

    /// Removes an environment. The traces of its attempts stay.
    pub(crate) fn close(&self, access_key: &str) {
        self.0.lock().environments.remove(access_key);
    }

    /// Begins an attempt in an environment. A second run of an attempt adds to its trace.
    pub(crate) fn begin(&self, access_key: &str, attempt: &str, event: &Bytes) {
        let mut state = self.0.lock();
        let Some(environment) = state.environments.get_mut(access_key) else { return };
        environment.current = Some((attempt.to_owned(), event.clone()));
        let base = environment.base.clone();
        state.make_room();
        if !state.attempts.contains_key(attempt) {
            state.order.push_back(attempt.to_owned());
        }
        state.attempts.entry(attempt.to_owned()).or_default().base.add_reads(&base);
    }

    /// Ends the attempt of an environment.
    pub(crate) fn end(&self, access_key: &str) {
        let mut state = self.0.lock();
        let State { environments, attempts, .. } = &mut *state;
        let Some(environment) = environments.get_mut(access_key) else { return };
        let Some((attempt, event)) = environment.current.take() else { return };
        let Some(attempt) = attempts.get(&attempt) else { return };
        let named = Named::of(&event);
        let mut kept = attempt.own.clone();
        kept.retain_reads(|uri| !named.has(uri));
        // What it read last is what it may have kept.
        kept.add_reads(&environment.base);
        environment.base = kept;
    }

    /// Returns what an attempt has read and written so far.
    pub(crate) fn trace(&self, attempt: &str) -> Option<Trace> {
        let state = self.0.lock();
        let Attempt { own, base } = state.attempts.get(attempt)?;
        let mut trace = own.clone();
        trace.add_reads(base);
        Some(trace)
    }

    /// Records what the environment with this access key does.
    pub(crate) fn record(&self, access_key: &str, act: impl FnOnce(&mut Trace)) {
        let mut state = self.0.lock();
        let State { environments, attempts, .. } = &mut *state;
        let Some(environment) = environments.get_mut(access_key) else { return };
        let current = environment.current.as_ref();
        match current.and_then(|(attempt, _)| attempts.get_mut(attempt)) {
            Some(attempt) => act(&mut attempt.own),
            None => act(&mut environment.base),
        }
    }

    /// Says which processes an environment has.
    pub(crate) fn started(&self, access_key: &str, group: i32) {
        if let Some(environment) = self.0.lock().environments.get_mut(access_key) {
            environment.group = Some(group);
        }
    }

    /// Returns the access key of the environment that sent a request, signed with `signed_with`
    /// over a connection from `peer`.
    pub(crate) fn sender(
        &self,
        signed_with: Option<&str>,
        peer: Option<SocketAddr>,
    ) -> Option<String> {
        let groups: Vec<(i32, String)> = {
            let state = self.0.lock();
            let known = signed_with.filter(|key| state.environments.contains_key(*key));
            if known.is_some() || signed_with.is_some_and(|key| key.ends_with(PLANNER)) {
                return known.map(str::to_owned);
            }
            let environments = state.environments.iter();
            environments.filter_map(|(key, it)| Some((it.group?, key.clone()))).collect()
        };
        let ids: Vec<i32> = groups.iter().map(|(group, _)| *group).collect();
        let group = if ids.is_empty() { None } else { group_of(peer?, &ids) };
        groups.into_iter().find(|(id, _)| Some(*id) == group).map(|(_, key)| key)
    }
}

impl State {
    /// Forgets the oldest attempts while there are too many.
    fn make_room(&mut self) {
        let mut places: usize = self.attempts.values().map(Attempt::count).sum();
        while self.order.len() >= ATTEMPTS || places > PLACES {
            let Some(oldest) = self.order.pop_front() else { return };
            places -= self.attempts.remove(&oldest).map_or(0, |attempt| attempt.count());
        }
    }
}

/// What an event names.
struct Named {
    text: String,
    places: Inputs,
}

impl Named {
    fn of(event: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(event).unwrap_or_default();
        let mut found = BTreeSet::new();
        places(&value, &mut found);
        found.extend(find(&value, Surroundings::default()).places.into_keys());
        let stored = found.into_iter().map(|uri| (uri, None)).collect();
        let places = Inputs { stored, ..Inputs::default() };
        Self { text: String::from_utf8_lossy(event).into_owned(), places }
    }

    /// Returns true if the event names the object, or a folder that it lies in. A key without its
    /// bucket counts if it looks like one.
    fn has(&self, uri: &S3Uri) -> bool {
        let is_lone = |key: &str| key.contains(['/', '.']) && self.has_word(key);
        let mut folders = uri.ancestors().filter(S3Uri::is_prefix);
        self.places.cover(uri) || is_lone(uri.key()) || folders.any(|folder| is_lone(folder.key()))
    }

    /// Returns true if the text has `key` and not only as a part of a longer key.
    fn has_word(&self, key: &str) -> bool {
        let is_part = |c: char| c.is_alphanumeric() || "_-./".contains(c);
        self.text.match_indices(key).any(|(at, _)| {
            let (before, after) = (&self.text[..at], &self.text[at + key.len()..]);
            !before.ends_with(is_part) && !after.starts_with(is_part)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tracer: &Tracer, access_key: &str, key: &str) {
        tracer.record(access_key, |trace| trace.read(S3Uri::new("bucket", key), Some("1".into())));
    }

    fn reads(tracer: &Tracer, attempt: &str) -> Vec<String> {
        let trace = tracer.trace(attempt).expect("a trace");
        trace.reads.keys().map(|uri| uri.key().to_owned()).collect()
    }

    #[test]
    fn an_attempt_has_its_own_reads_and_those_that_its_environment_keeps() {
        let tracer = Tracer::default();
        let root = Credentials::default();
        let open = || tracer.open(&root, "step").0.access_key_id;
        let (one, two) = (open(), open());
        read(&tracer, &one, "init");
        tracer.begin(&one, "e/A/1", &Bytes::from_static(br#"{"key": "in/a"}"#));
        tracer.begin(&two, "e/B/1", &Bytes::from_static(b"{}"));
        read(&tracer, &one, "in/a");
        read(&tracer, &one, "global");
        read(&tracer, &two, "other");
        tracer.end(&one);
        tracer.begin(&one, "e/C/1", &Bytes::from_static(br#"{"key": "in/c"}"#));
        read(&tracer, &one, "in/c");
        tracer.close(&one);
        assert_eq!(reads(&tracer, "e/A/1"), ["global", "in/a", "init"]);
        assert_eq!(reads(&tracer, "e/B/1"), ["other"]);
        assert_eq!(reads(&tracer, "e/C/1"), ["global", "in/c", "init"], "`in/a` was A's own");
        assert_eq!(tracer.trace("e/D/1"), None, "not known");
        // A file that changed between two invocations, and that each reads, has changed in none.
        let uri = S3Uri::new("bucket", "global");
        let key = open();
        for (attempt, digest) in [("e/E/1", "1"), ("e/F/1", "2"), ("e/G/1", "2")] {
            tracer.begin(&key, attempt, &Bytes::from_static(b"{}"));
            if attempt != "e/G/1" {
                tracer.record(&key, |trace| trace.read(uri.clone(), Some(digest.to_owned())));
            }
            tracer.end(&key);
            let trace = tracer.trace(attempt).expect("a trace");
            assert_eq!((trace.reads[&uri].as_deref(), trace.changed.len()), (Some(digest), 0));
        }
        read(&tracer, "unknown", "x");
    }

    #[test]
    fn an_event_names_a_place_by_its_whole_key_and_not_by_letters_alone() {
        for (event, key, is_named) in [
            (r#"{"uri": "s3://bucket/conf"}"#, "conf", true),
            (r#"{"uri": "s3://other/conf"}"#, "conf", false),
            (r#"{"bucket": "bucket", "key": "conf"}"#, "conf", true),
            (r#"{"conf_level": "conf"}"#, "conf", false),
            (r#"{"key": "in/a.txt"}"#, "in/a.txt", true),
            (r#"{"key": "in/a.txt.bak"}"#, "in/a.txt", false),
            (r#"{"key": "main/a.txt"}"#, "in/a.txt", false),
            (r#"{"key": "in/b.txt"}"#, "in/conf.json", false),
            (r#"{"folder": "in/"}"#, "in/conf.json", true),
            (r#"{"uri": "s3://bucket/in/"}"#, "in/conf.json", true),
            (r#"{"uri": "s3://bucket/in/2024*"}"#, "in/2024-01", true),
            ("no JSON in/a.txt", "in/a.txt", true),
            ("{}", "", false),
        ] {
            let found = Named::of(event.as_bytes()).has(&S3Uri::new("bucket", key));
            assert_eq!(found, is_named, "{event} {key}");
        }
    }

    #[test]
    fn the_oldest_traces_are_forgotten() {
        let tracer = Tracer::default();
        let key = tracer.open(&Credentials::default(), "step").0.access_key_id;
        for number in 0..=ATTEMPTS {
            tracer.begin(&key, &number.to_string(), &Bytes::new());
        }
        assert_eq!((tracer.trace("0"), tracer.trace("1").is_some()), (None, true));
    }
}
