//! The cache keys of job steps, and what a hit of theirs has to check.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::cache::key::{Content, Contents, KeyParts, replace_content};
use crate::definition::expression::Unresolved;
use crate::definition::{JobStep, StepIndex};
use crate::execution::witness::{Role, View, Witness};
use crate::job::JobType;
use crate::job::answer::outputs;
use crate::job::compared::compared;
use crate::job::content::{as_input, files_digest, files_value};
use crate::limits::{PLACES, WITNESSES};
use crate::place::{Certainty, Surroundings, find};
use crate::plan::draft::Draft;
use crate::plan::resolver::{Pending, Planned, Resolver, Watch};
use crate::plan::witness::{Observed, Success, changed};
use crate::uri::S3Uri;

/// How the digest of an input's files begins.
const FILES: &str = "files:";

impl Draft<'_> {
    /// Returns the parts of a job's cache key, or why it can have none. Asks for all contents that
    /// are missing at once.
    pub(crate) fn job_key_parts(
        &self,
        step: StepIndex,
        (job, name): (&JobStep, &str),
        scope: Option<String>,
        arguments: &Value,
        watch: &Watch,
    ) -> Planned<Result<KeyParts, String>> {
        let Some(kind) = JobType::of(job.step_type) else {
            return Ok(Err(format!("results of type {} are not cached", job.step_type)));
        };
        let compared = match compared(&kind, arguments, name) {
            Ok(compared) => compared,
            Err(why) => return Ok(Err(why)),
        };
        let resolver = Resolver { watch: Some(watch), ..self.resolver_of(step) };
        let mut looking = Looking { resolver: &resolver, pending: None, unknown: None };
        let found = looking.replaced(&compared);
        let contents = looking.contents(&compared);
        match looking {
            Looking { pending: Some(pending), .. } => Err(pending),
            Looking { unknown: Some(why), .. } => Ok(Err(why)),
            _ => Ok(Ok(KeyParts { contents, scope, ..KeyParts::job(kind.step_type, found) })),
        }
    }
}

/// A look at all places of a key. What is missing or cannot be told is noted.
struct Looking<'a> {
    resolver: &'a Resolver<'a>,
    pending: Option<Pending>,
    unknown: Option<String>,
}

impl Looking<'_> {
    fn note(&mut self, why: Unresolved<Pending>) {
        match why {
            Unresolved::Missing(pending) => self.pending = Some(pending),
            Unresolved::Absent(why) => self.unknown = Some(why),
        }
    }

    /// Returns the value with content in place of inputs and of texts that are S3 URIs.
    fn replaced(&mut self, value: &Value) -> Value {
        if let Some((uri, view)) = as_input(value) {
            return match self.resolver.files(&uri) {
                Ok(files) => files_value(files, view),
                Err(why) => {
                    self.note(why);
                    Value::Null
                }
            };
        }
        match value {
            Value::Array(items) => items.iter().map(|item| self.replaced(item)).collect(),
            Value::Object(members) => {
                let mut replaced = Map::new();
                for (name, value) in members {
                    replaced.insert(name.clone(), self.replaced(value));
                }
                Value::Object(replaced)
            }
            other => {
                let found = replace_content(other, &mut |uri| self.resolver.content(uri));
                found.unwrap_or_else(|why| {
                    self.note(why);
                    Value::Null
                })
            }
        }
    }

    /// Returns what the places hold that other texts name.
    fn contents(&mut self, compared: &Value) -> Contents {
        let places = find(&without_inputs(compared), Surroundings::default()).places;
        if places.len() > PLACES {
            let count = places.len();
            self.unknown = Some(format!("it names {count} places, over the limit of {PLACES}"));
            return Contents::new();
        }
        let mut contents = Contents::new();
        for (uri, certainty) in places {
            match self.resolver.content(&uri) {
                Ok(Content::Digest(digest)) => drop(contents.insert(uri, Some(digest))),
                Ok(Content::Nothing) if certainty == Certainty::Sure => {
                    contents.insert(uri, None);
                }
                Ok(Content::Nothing) => {}
                Err(Unresolved::Absent(_)) if certainty == Certainty::Possible => {}
                Err(why) => self.note(why),
            }
        }
        contents
    }
}

/// Returns the value without inputs, whose content is looked up by itself.
fn without_inputs(value: &Value) -> Value {
    match value {
        value if as_input(value).is_some() => Value::Null,
        Value::Array(items) => items.iter().map(without_inputs).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), without_inputs(value))).collect()
        }
        other => other.clone(),
    }
}

/// Looks at what a job left behind, and whether its inputs are as they were. Returns in words why
/// its result cannot be cached.
pub(crate) fn observe_job(
    resolver: &Resolver<'_>,
    job: &JobStep,
    success: &Success<'_>,
) -> Planned<Result<Observed, String>> {
    let Some(kind) = JobType::of(job.step_type) else { return Ok(Ok(Observed::default())) };
    let places = match outputs(&kind, success.outputs) {
        Ok(places) => places.into_iter().collect::<BTreeSet<_>>(),
        Err(why) => return Ok(Err(why)),
    };
    let (mut pending, mut why_not) = (None, None);
    for (uri, then) in &success.claim.inputs.stored {
        match now(resolver, uri, then.as_deref()) {
            Ok(now) if now == *then => {}
            Ok(_) => why_not = why_not.or_else(|| Some(changed(uri))),
            Err(Unresolved::Absent(why)) => why_not = why_not.or(Some(why)),
            Err(Unresolved::Missing(missing)) => pending = Some(missing),
        }
    }
    let mut observed = Observed::default();
    for uri in places {
        match resolver.listing(&uri) {
            Err(missing) => pending = Some(missing),
            Ok(Err(why)) => {
                let text = format!("`{uri}` of its outputs cannot be checked: {why}");
                why_not = why_not.or(Some(text));
            }
            Ok(Ok(digest)) => observed.witnesses.push(Witness {
                role: Role::Output,
                view: View::Listing,
                digest: digest.clone(),
                uri,
            }),
        }
    }
    if observed.witnesses.len() > WITNESSES {
        why_not = Some(format!("it has more than {WITNESSES} outputs"));
    }
    match (pending, why_not) {
        (Some(pending), _) => Err(pending),
        (None, Some(why)) => Ok(Err(why)),
        (None, None) => Ok(Ok(observed)),
    }
}

/// Returns the digest of what a place of the key holds now, in the form of `then`.
fn now(
    resolver: &Resolver<'_>,
    uri: &S3Uri,
    then: Option<&str>,
) -> Result<Option<String>, Unresolved<Pending>> {
    if then.is_some_and(|then| then.starts_with(FILES)) {
        return Ok(Some(files_digest(&resolver.files(uri)?)));
    }
    Ok(resolver.stored_content(uri)?.into_digest())
}
