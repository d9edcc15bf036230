//! What `up` and `serve` serve: the functions and triggers of a project as its files are now.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sidestep_local::lambda::FunctionConfig;

use crate::functions;
use crate::output::error::CommandError;
use crate::project::Project;
use crate::published::digests;
use crate::triggers::{TriggerSource, triggers};

/// A project with its functions built and its definitions read.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) project: Project,
    pub(crate) functions: Vec<FunctionConfig>,
    /// Why a function cannot run on this machine, by its name.
    pub(crate) left_out: BTreeMap<String, String>,
    pub(crate) triggers: Vec<TriggerSource>,
}

impl Served {
    /// Reads a project, builds its functions and checks the definitions that have triggers.
    pub(crate) fn read(folder: Option<&Path>) -> Result<Self, CommandError> {
        let project = Project::find(folder)?;
        let names: Vec<_> = project.settings.functions.keys().cloned().collect();
        let ready = functions::prepare(&project, &names)?;
        let triggers = triggers(&project, &ready.left_out)?;
        Ok(Self { project, functions: ready.functions, left_out: ready.left_out, triggers })
    }

    /// Says which functions are left out.
    pub(crate) fn note_left_out(&self) {
        for (name, why) in &self.left_out {
            eprintln!("note: function `{name}` is left out: {why}");
        }
    }

    /// Returns in words what is different in `newer`.
    pub(crate) fn changes_to(&self, newer: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let (old, new) = (digests(&self.functions), digests(&newer.functions));
        let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
        let queues = |served: &Self, name: &str| {
            let mut functions = served.functions.iter();
            functions.find(|function| function.name.as_str() == name).map(|f| f.queues.clone())
        };
        for name in names {
            match (old.get(name), new.get(name)) {
                (Some(old), Some(new)) if old != new => changes.push(format!("function `{name}`")),
                (Some(_), Some(_)) if queues(self, name) != queues(newer, name) => {
                    changes.push(format!("queues of function `{name}`"));
                }
                (None, Some(_)) => changes.push(format!("new function `{name}`")),
                (Some(_), None) => changes.push(format!("function `{name}` is gone")),
                _ => {}
            }
        }
        let pipelines = |served: &Self| -> BTreeMap<String, Vec<TriggerSource>> {
            let mut found: BTreeMap<String, Vec<TriggerSource>> = BTreeMap::new();
            for source in &served.triggers {
                let name = source.trigger.pipeline_name.to_string();
                found.entry(name).or_default().push(source.clone());
            }
            found
        };
        let (old, new) = (pipelines(self), pipelines(newer));
        let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
        for name in names {
            match (old.get(name), new.get(name)) {
                (Some(old), Some(new)) if old != new => changes.push(format!("pipeline `{name}`")),
                (None, Some(_)) => changes.push(format!("new triggers of pipeline `{name}`")),
                (Some(_), None) => changes.push(format!("no triggers of pipeline `{name}`")),
                _ => {}
            }
        }
        changes
    }
}
