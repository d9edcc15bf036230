//! The roles of a project's stack.

use std::collections::BTreeMap;

use sidestep_core::name::PipelineName;
use sidestep_core::parse::parse;
use sidestep_deploy::iam::{Permissions, Verdict};
use sidestep_deploy::{Blueprint, Buckets, Function, LogicalId, Options, PipelineUse, synthesise};
use sidestep_local::cloud::ACCOUNT_ID;
use sidestep_local::deployment::{PLANNER, TRIGGER};
use sidestep_local::guard::{Asked, Caller};

use super::account::{place, requests, stack};
use crate::blueprint::{function, functions, uploads};
use crate::project::Project;

/// The roles with their permissions.
#[derive(Debug)]
pub(super) struct Roles(Permissions);

impl Roles {
    /// Makes the roles of a project, or says why there can be none.
    ///
    /// What only `deploy` needs to know may be missing or wrong: a pipeline that cannot be read
    /// gives no permissions, and choices of `[deploy]` do not matter here.
    pub(super) fn of(project: &Project) -> Result<Self, String> {
        let handoff = project.settings.engine.handoff;
        let blueprint = Blueprint {
            stack: stack(),
            functions: functions_of(project),
            pipelines: pipelines_of(project),
            // Buckets have the names here that the project gives them.
            buckets: Buckets::default(),
            options: Options { handoff, alarms: false, ..Options::default() },
            place: Some(place()),
        };
        let template = synthesise(&blueprint).map_err(|error| error.to_string())?;
        let permissions = Permissions::of_template(&template, &place());
        permissions.map(Self).map_err(|error| error.to_string())
    }

    /// Returns why the caller may not do what it asks for, and `None` if it may.
    pub(super) fn denies(&self, caller: &Caller, asked: &Asked) -> Option<Denial> {
        let role = role_id(caller);
        let mut decisions =
            requests(asked).into_iter().map(|request| self.0.decide(&role, &request));
        let first = decisions.next()?;
        if first.is_allowed() || decisions.any(|decision| decision.is_allowed()) {
            return None;
        }
        let by = first.by.filter(|_| first.verdict == Verdict::Denied);
        Some(by.map_or(Denial::Missing, Denial::By))
    }
}

/// Why a role does not allow a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Denial {
    /// No statement allows it.
    Missing,
    /// This statement denies it.
    By(String),
}

/// Returns the id in the template of a caller's role.
pub(super) fn role_id(caller: &Caller) -> String {
    match caller {
        Caller::Planner => "PlannerRole".to_owned(),
        Caller::Trigger => "TriggerRole".to_owned(),
        Caller::Function(name) if name == PLANNER => "PlannerRole".to_owned(),
        Caller::Function(name) if name == TRIGGER => "TriggerRole".to_owned(),
        Caller::Function(name) => LogicalId::of_function(name).with("Role"),
        Caller::Ended => String::new(),
    }
}

/// Returns a caller's role and its session, as AWS names them in a refusal.
pub(super) fn role_of(caller: &Caller) -> String {
    let session = match caller {
        Caller::Function(name) => name.as_str(),
        Caller::Planner => PLANNER,
        Caller::Trigger => TRIGGER,
        Caller::Ended => "ended",
    };
    format!("arn:aws:sts::{ACCOUNT_ID}:assumed-role/{}/{session}", role_id(caller))
}

fn functions_of(project: &Project) -> BTreeMap<String, Function> {
    let settings = &project.settings;
    // Only on the direct road does a role depend on the function's packages.
    if settings.engine.handoff.is_direct()
        && let Ok(functions) = functions(project)
    {
        return functions;
    }
    let of = |(name, settings): (&String, _)| {
        let function = function(settings);
        (name.clone(), Function { has_sdk: settings.package.is_some(), ..function })
    };
    settings.functions.iter().map(of).collect()
}

fn pipelines_of(project: &Project) -> BTreeMap<PipelineName, PipelineUse> {
    let mut pipelines = BTreeMap::new();
    for (name, settings) in &project.settings.pipelines {
        let read = project.pipeline(name).and_then(|source| Ok((source.read()?, source.name)));
        let Ok((definition, name)) = read else { continue };
        let Ok(parsed) = parse(definition.text.as_bytes(), definition.format) else { continue };
        let used = PipelineUse {
            pipeline: parsed.pipeline,
            uploads: uploads(settings),
            schedules: Vec::new(),
        };
        pipelines.insert(name, used);
    }
    pipelines
}
