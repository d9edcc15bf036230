//! The functions of a host by their names and versions.

use std::sync::Arc;

use sidestep_core::name::FunctionName;

use super::Scheduler;
use crate::lambda::invocation::Function;
use crate::lambda::reference::Named;

impl Scheduler {
    /// Returns a function: the code that was registered last, or the version that is named.
    pub(in crate::lambda) fn function(&self, named: &Named) -> Option<Arc<Function>> {
        let state = self.lock();
        let entry = state.functions.get(&named.name).filter(|entry| !entry.is_gone)?;
        let newest = &entry.function;
        match &named.version {
            Some(version) if *version != newest.version => {
                state.versions.get(&(named.name.clone(), version.clone())).cloned()
            }
            _ => Some(newest.clone()),
        }
    }

    /// Returns all functions, by name.
    pub(in crate::lambda) fn functions(&self) -> Vec<Arc<Function>> {
        let state = self.lock();
        let there = state.functions.values().filter(|entry| !entry.is_gone);
        there.map(|entry| entry.function.clone()).collect()
    }

    /// Returns the newest code of a function.
    pub(in crate::lambda) fn function_named(&self, name: &FunctionName) -> Option<Arc<Function>> {
        self.function(&Named { name: name.clone(), version: None })
    }
}
