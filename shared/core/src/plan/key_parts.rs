//! The parts of a step's cache key: its code, its arguments, and the content of every place that
//! they name.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cache::key::{Content, Contents, KeyParts, replace_content};
use crate::definition::expression::{Expression, Unresolved};
use crate::definition::extension::CacheScope;
use crate::definition::graph::parameters_read;
use crate::definition::{CacheConfig, LambdaStep, StepIndex};
use crate::execution::start::{Function, Uploaded};
use crate::limits::PLACES;
use crate::place::{Certainty, Found, Surroundings, find, place};
use crate::plan::draft::Draft;
use crate::plan::resolver::{Pending, Planned, Resolver, Watch};
use crate::plan::work::{Asked, Work};
use crate::uri::S3Uri;

/// The places of a step, or why its result cannot be cached.
type Places = Result<BTreeMap<S3Uri, Certainty>, String>;

impl Draft<'_> {
    /// Returns the parts of the step's cache key, or why it can have none. Asks for all contents
    /// that are missing at once.
    pub(crate) fn key_parts(
        &self,
        step: StepIndex,
        asked: Asked<'_>,
        config: &CacheConfig,
        watch: &Watch,
    ) -> Planned<Result<KeyParts, String>> {
        let arguments = asked.arguments;
        let scope = match config.scope {
            CacheScope::Deployment => None,
            CacheScope::Pipeline => Some(format!("pipeline:{}", self.start.pipeline_name)),
        };
        let lambda = match asked.work {
            Work::Lambda(lambda) => lambda,
            Work::Job(job, name) => {
                return self.job_key_parts(step, (job, name), scope, arguments, watch);
            }
        };
        let resolver = Resolver { watch: Some(watch), ..self.resolver_of(step) };
        let replaced = replaced(&resolver, arguments);
        let contents = match self.places(step, lambda, arguments)? {
            Ok(places) => contents(&resolver, places)?,
            Err(why) => Err(why),
        };
        let (arguments, contents) = match (replaced?, contents) {
            (Ok(arguments), Ok(contents)) => (arguments, contents),
            (Err(why), _) | (_, Err(why)) => return Ok(Err(why)),
        };
        let code = match &lambda.code_version {
            // Two functions may well have the same version text, so the function's name stands
            // beside it.
            Some(version) => format!("version:{}:{version}", lambda.function_arn),
            None => match self.start.functions.get(&lambda.function_arn) {
                Some(function) => function.code_digest.clone(),
                None => {
                    return Ok(Err(format!("function `{}` is not known", lambda.function_arn)));
                }
            },
        };
        Ok(Ok(KeyParts { contents, scope, ..KeyParts::lambda(&code, arguments) }))
    }

    /// Returns the places that the step's arguments and declarations name.
    fn places(&self, step: StepIndex, lambda: &LambdaStep, arguments: &Value) -> Planned<Places> {
        let uploaded = self.uploaded_for(step, arguments).map(|uploaded| &uploaded.uri);
        let function = self.start.functions.get(&lambda.function_arn);
        let has_reads = function.is_some_and(|function| !function.reads.is_empty());
        let surroundings = Surroundings { uploaded, has_reads };
        let Found { mut places, unseen } = find(arguments, surroundings);
        let declared = if let Some(expressions) = &lambda.reads {
            match self.declared(step, expressions)? {
                Ok(declared) => declared,
                Err(why) => return Ok(Err(why)),
            }
        } else {
            if let Some(unseen) = unseen.first() {
                let (argument, text) = (unseen.argument(), &unseen.text);
                return Ok(Err(format!(
                    "argument `{argument}` may name data that is not seen (`{text}`): list in `Reads` what the step reads besides its arguments, or `[]`"
                )));
            }
            let of = |function: &Function| {
                let all = function.reads.iter().chain(&function.places);
                all.map(|uri| place(uri.bucket(), uri.key())).collect()
            };
            function.map(of).unwrap_or_default()
        };
        // The content of a plain URI stands in its place.
        let uploaded = uploaded.filter(|uri| !is_plain(arguments, &uri.to_string()));
        let sure = declared.into_iter().chain(uploaded.cloned());
        places.extend(sure.map(|uri| (uri, Certainty::Sure)));
        if places.len() > PLACES {
            let count = places.len();
            return Ok(Err(format!("it names {count} places, over the limit of {PLACES}")));
        }
        Ok(Ok(places))
    }

    /// Returns the upload that started the execution, if the step takes anything of it or its
    /// arguments hold the object's name.
    fn uploaded_for(&self, step: StepIndex, arguments: &Value) -> Option<&Uploaded> {
        let uploaded = self.start.uploaded.as_ref()?;
        let read = parameters_read(self.pipeline, step);
        let name = uploaded.uri.key().rsplit('/').next().unwrap_or_default();
        let is_read = read.iter().any(|parameter| uploaded.parameters.contains(parameter));
        (is_read || holds(arguments, name)).then_some(uploaded)
    }

    /// Returns the places that `Reads` lists.
    fn declared(
        &self,
        step: StepIndex,
        expressions: &[Expression],
    ) -> Planned<Result<Vec<S3Uri>, String>> {
        let mut places = Vec::new();
        for expression in expressions {
            let value = match self.evaluate(step, expression)? {
                Ok(value) => value,
                Err(why) => return Ok(Err(format!("`Reads`: {why}"))),
            };
            let texts = match &value {
                Value::Array(items) => items.iter().collect(),
                other => vec![other],
            };
            for text in texts {
                let uri = text.as_str().and_then(|text| S3Uri::parse(text).ok());
                let Some(uri) = uri else {
                    return Ok(Err(format!(
                        "invalid value {text} in `Reads`: expected s3://BUCKET/KEY"
                    )));
                };
                places.push(place(uri.bucket(), uri.key()));
            }
        }
        Ok(Ok(places))
    }
}

/// Returns the arguments with content in place of each that is an S3 URI.
fn replaced(resolver: &Resolver<'_>, arguments: &Value) -> Planned<Result<Value, String>> {
    let (mut pending, mut unknown) = (None, None);
    let replaced = replace_content(arguments, &mut |uri| {
        resolver.content(uri).map_err(|why| match why {
            Unresolved::Missing(missing) => pending = Some(missing),
            Unresolved::Absent(why) => unknown = Some(why),
        })
    });
    match pending {
        Some(Pending) => Err(Pending),
        None => Ok(replaced.map_err(|()| unknown.unwrap_or_default())),
    }
}

/// Returns what the places hold. Asks for everything that is missing.
fn contents(
    resolver: &Resolver<'_>,
    places: BTreeMap<S3Uri, Certainty>,
) -> Planned<Result<Contents, String>> {
    let (mut contents, mut pending, mut unknown) = (Contents::new(), None, None);
    for (uri, certainty) in places {
        match resolver.content(&uri) {
            Ok(Content::Digest(digest)) => drop(contents.insert(uri, Some(digest))),
            Ok(Content::Nothing) if certainty == Certainty::Sure => {
                contents.insert(uri, None);
            }
            Ok(Content::Nothing) => {}
            Err(Unresolved::Missing(missing)) => pending = Some(missing),
            // What the planner may not see, the stack's functions may not read either.
            Err(Unresolved::Absent(_)) if certainty == Certainty::Possible => {}
            Err(Unresolved::Absent(why)) => unknown = Some(why),
        }
    }
    match (pending, unknown) {
        (Some(pending), _) => Err(pending),
        (None, Some(why)) => Ok(Err(why)),
        (None, None) => Ok(Ok(contents)),
    }
}

/// Returns true if `uri` is a whole text of `value`.
fn is_plain(value: &Value, uri: &str) -> bool {
    match value {
        Value::String(text) => text == uri,
        Value::Array(items) => items.iter().any(|item| is_plain(item, uri)),
        Value::Object(members) => members.values().any(|value| is_plain(value, uri)),
        _ => false,
    }
}

/// Returns true if a text of `value` holds `name`.
fn holds(value: &Value, name: &str) -> bool {
    match value {
        Value::String(text) => !name.is_empty() && text.contains(name),
        Value::Array(items) => items.iter().any(|item| holds(item, name)),
        Value::Object(members) => members.values().any(|value| holds(value, name)),
        _ => false,
    }
}
