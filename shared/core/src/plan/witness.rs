//! Publication: whether the result of a step that succeeded may be cached, and what a later hit has
//! to check.
//!
//! The embedded cloud traces what an attempt read and wrote. Without a trace, only the arguments,
//! the outputs and the attempt's own prefix show it. A place among the arguments that changed while
//! the step ran is then taken for an input that another party overwrote, unless the function is
//! declared to write it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::cache::key::CacheKey;
use crate::definition::expression::Unresolved;
use crate::execution::commit::Claim;
use crate::execution::invocation::MANIFEST_NAME;
use crate::execution::manifest::Artifact;
use crate::execution::trace::Trace;
use crate::execution::witness::{Role, View, Witness, places};
use crate::limits::{TRACED_PLACES, WITNESSES};
use crate::place::{Surroundings, find};
use crate::plan::lease::is_taken;
use crate::plan::resolver::{Pending, Planned, Resolver};
use crate::uri::S3Uri;

/// A success that is about to be published.
pub(crate) struct Success<'a> {
    pub(crate) claim: &'a Claim,
    pub(crate) prefix: &'a S3Uri,
    pub(crate) outputs: &'a Map<String, Value>,
    pub(crate) artifacts: &'a [Artifact],
    /// If true, the function reports what it leaves below the prefix, as the step SDKs do.
    pub(crate) reports_artifacts: bool,
}

/// What a cache entry keeps of a success.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    pub(crate) witnesses: Vec<Witness>,
    pub(crate) place_key: Option<CacheKey>,
    /// What the step read although its key does not tell it.
    pub(crate) uncovered: Vec<S3Uri>,
}

/// The digest of what a place holds, `None` if it is empty, or why that cannot be told.
type Found = Result<Option<String>, String>;

/// What is known of a success. Everything is asked for at once.
struct Known<'a> {
    trace: Option<&'a Trace>,
    /// The places of the key, as they were and as they are.
    inputs: Vec<(&'a S3Uri, Option<&'a str>, Found)>,
    outputs: Vec<(S3Uri, Found)>,
    /// The artifacts of earlier steps whose content is in the key.
    artifacts: BTreeSet<&'a S3Uri>,
    /// Everything below the attempt's prefix, if the function does not report it.
    listing: Option<&'a Found>,
}

/// Looks at what a step read and left behind. Returns in words why its result cannot be cached.
pub(crate) fn observe(
    resolver: &Resolver<'_>,
    success: &Success<'_>,
) -> Planned<Result<Observed, String>> {
    let known = look(resolver, success)?;
    let mut observed = Observed::default();
    let result = written_places(&known)
        .map(|written| observed.take_inputs(success, &known, &written))
        .and_then(|()| observed.take_trace(success, &known))
        .and_then(|()| observed.take_outputs(success, &known));
    Ok(result.map(|()| observed))
}

impl Observed {
    /// Takes the places of the key. If the step wrote to one of them, the result is found under the
    /// key in which places stand for themselves, and what the others held is checked beside it.
    fn take_inputs(
        &mut self,
        success: &Success<'_>,
        known: &Known<'_>,
        written: &BTreeSet<&S3Uri>,
    ) {
        if written.is_empty() {
            return;
        }
        let read = known.inputs.iter().filter(|(uri, ..)| !written.contains(uri));
        self.witnesses.extend(read.map(|(uri, then, _)| Witness {
            uri: (*uri).clone(),
            role: Role::Read,
            view: View::Content,
            digest: then.map(str::to_owned),
        }));
        self.place_key.clone_from(&success.claim.inputs.place_key);
    }

    /// Takes what the attempt read beside the places of its key, and what it wrote.
    fn take_trace(&mut self, success: &Success<'_>, known: &Known<'_>) -> Result<(), String> {
        let Some(trace) = known.trace else { return Ok(()) };
        if trace.is_incomplete {
            return Err(format!("it read and wrote more than {TRACED_PLACES} places"));
        }
        let (own, inputs) = (success.prefix, &success.claim.inputs);
        if let Some(uri) = trace.changed.iter().find(|uri| !own.covers(uri)) {
            return Err(changed(uri));
        }
        let is_other = |uri: &&S3Uri| !own.covers(uri) && !inputs.cover(uri);
        let is_beside = |(uri, _): &(&S3Uri, &_)| is_other(uri) && !known.artifacts.contains(uri);
        for (uri, digest) in trace.reads.iter().filter(is_beside) {
            if digest.is_some() {
                self.uncovered.push(uri.clone());
            }
            self.add(uri, Role::Read, View::Object, digest.clone());
        }
        for (uri, digest) in trace.listings.iter().filter(|(uri, _)| is_other(uri)) {
            if digest.is_some() {
                self.uncovered.push(uri.clone());
            }
            self.add(uri, Role::Read, View::Listing, digest.clone());
        }
        let is_reported = |uri: &S3Uri| {
            let name = own.covers(uri).then(|| &uri.key()[own.key().len()..]);
            let is_artifact = success.artifacts.iter().any(|artifact| artifact.uri == *uri);
            let is_ours = |name| name == MANIFEST_NAME || is_taken(name);
            is_artifact || name.is_some_and(|name| !success.reports_artifacts || is_ours(name))
        };
        for (uri, digest) in trace.writes.iter().filter(|(uri, _)| !is_reported(uri)) {
            self.add(uri, Role::Written, View::Object, digest.clone());
        }
        Ok(())
    }

    /// Takes what the outputs name, and what lies below the attempt's prefix.
    fn take_outputs(&mut self, success: &Success<'_>, known: &Known<'_>) -> Result<(), String> {
        for (uri, content) in &known.outputs {
            match content {
                // A place that a later step writes to.
                Ok(None) => {}
                Ok(Some(digest)) => {
                    self.add(uri, Role::Output, View::Content, Some(digest.clone()));
                }
                Err(why) => return Err(format!("`{uri}` of its outputs cannot be checked: {why}")),
            }
        }
        match known.listing {
            Some(Ok(Some(digest))) => {
                let digest = Some(digest.clone());
                self.add(success.prefix, Role::Output, View::Listing, digest);
            }
            Some(Err(why)) => return Err(format!("what it wrote cannot be checked: {why}")),
            Some(Ok(None)) | None => {}
        }
        match self.witnesses.len() {
            count if count > WITNESSES => {
                Err(format!("it touched {count} places, over the limit of {WITNESSES}"))
            }
            _ => Ok(()),
        }
    }

    fn add(&mut self, uri: &S3Uri, role: Role, view: View, digest: Option<String>) {
        self.witnesses.push(Witness { uri: uri.clone(), role, view, digest });
    }
}

/// Gathers what is known of a success.
fn look<'a>(resolver: &Resolver<'a>, success: &'a Success<'_>) -> Planned<Known<'a>> {
    let mut is_pending = false;
    let mut content = |uri: &S3Uri| match resolver.stored_content(uri) {
        Ok(content) => Ok(content.into_digest()),
        Err(Unresolved::Absent(why)) => Err(why),
        Err(Unresolved::Missing(Pending)) => {
            is_pending = true;
            Ok(None)
        }
    };
    let stored = success.claim.inputs.stored.iter();
    let inputs = stored.map(|(uri, then)| (uri, then.as_deref(), content(uri))).collect();
    let outputs = outputs(success).into_iter().map(|uri| (uri.clone(), content(&uri))).collect();
    let listing = if success.reports_artifacts {
        Ok(None)
    } else {
        resolver.listing(success.prefix).map(Some)
    };
    let trace = resolver.trace(success.prefix)?;
    let artifacts = trace.map(|trace| artifacts_in_key(resolver, success, trace)).transpose()?;
    let listing = listing?;
    if is_pending {
        return Err(Pending);
    }
    Ok(Known { trace, inputs, outputs, artifacts: artifacts.unwrap_or_default(), listing })
}

/// Returns the artifacts of earlier steps that were read and whose content is in the key. They are
/// create-only.
///
/// Earlier commits, which name the artifacts, are asked for only if a read may be of one.
fn artifacts_in_key<'a>(
    resolver: &Resolver<'a>,
    success: &Success<'_>,
    trace: &Trace,
) -> Planned<BTreeSet<&'a S3Uri>> {
    let key = success.claim.cache.as_ref().map(|parts| json!(parts).to_string());
    // A digest says of which kind it is, so no other text looks like it.
    let is_in_key =
        |digest: &str| digest.contains(':') && key.as_ref().is_some_and(|key| key.contains(digest));
    let reads = &trace.reads;
    if !reads.values().flatten().any(|digest| is_in_key(digest)) {
        return Ok(BTreeSet::new());
    }
    let artifacts = resolver.artifacts()?.into_iter().filter(|artifact| {
        reads.contains_key(&artifact.uri) && is_in_key(&format!("sha256:{}", artifact.sha256))
    });
    Ok(artifacts.map(|artifact| &artifact.uri).collect())
}

/// Returns the places that the outputs name and that nothing else accounts for.
fn outputs(success: &Success<'_>) -> BTreeSet<S3Uri> {
    let mut found = BTreeSet::new();
    let outputs = Value::Object(success.outputs.clone());
    places(&outputs, &mut found);
    // Everything that begins alike is the name of no one place.
    let named = find(&outputs, Surroundings::default()).places.into_keys();
    found.extend(named.filter(|uri| !uri.key().ends_with('*') && !uri.key().is_empty()));
    found.retain(|uri| {
        let is_artifact = success.artifacts.iter().any(|artifact| artifact.uri == *uri);
        // A listing accounts for what lies below the attempt's prefix.
        !is_artifact && (success.reports_artifacts || !success.prefix.covers(uri))
    });
    found
}

/// Returns the places among the arguments that the step wrote to and did not read. Fails if an
/// input changed while the step ran.
fn written_places<'a>(known: &Known<'a>) -> Result<BTreeSet<&'a S3Uri>, String> {
    let mut written = BTreeSet::new();
    for (uri, then, now) in &known.inputs {
        if known.trace.is_some_and(|trace| trace.wrote(uri) && !has_read(trace, uri)) {
            written.insert(*uri);
            continue;
        }
        match now {
            Err(why) => return Err(why.clone()),
            Ok(now) if now.as_deref() == *then => {}
            Ok(_) => return Err(changed(uri)),
        }
        let read = known.trace.and_then(|trace| trace.reads.get(*uri));
        if read.is_some_and(|read| read.as_deref() != *then && !is_listing(*then)) {
            return Err(changed(uri));
        }
    }
    Ok(written)
}

/// Returns true if the step read the place, or anything below it.
fn has_read(trace: &Trace, uri: &S3Uri) -> bool {
    let is_at = |other: &S3Uri| other == uri || uri.as_prefix().covers(other);
    trace.reads.keys().any(is_at) || trace.listings.keys().any(is_at)
}

fn is_listing(digest: Option<&str>) -> bool {
    digest.is_some_and(|digest| digest.starts_with("listing:"))
}

pub(crate) fn changed(uri: &S3Uri) -> String {
    format!("`{uri}` changed while the step ran")
}
