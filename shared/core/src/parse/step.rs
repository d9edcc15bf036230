//! Reads steps: the keys that all types share.

use std::collections::BTreeSet;

use crate::definition::step_type::Caching;
use crate::definition::{CacheConfig, Step, StepIndex, StepType};
use crate::limits;
use crate::name::StepName;
use crate::parse::problem::Code;
use crate::parse::text::{Finding, Node};

use super::dependency::Site;
use super::member::cut;
use super::outline::rules_of;
use super::reader::Reader;

impl<'d> Reader<'d> {
    /// Reads all steps in outline order, and an order in which they can run. A step is `None` if it
    /// was reported.
    pub(super) fn steps(&mut self, node: Node<'d>) -> (Vec<Option<Step>>, Vec<StepIndex>) {
        if !self.array(node, "steps", usize::MAX) {
            return (Vec::new(), Vec::new());
        }
        let count = self.outline.steps.len();
        if count == 0 {
            self.report(Finding::at(node, Code::NoEffect, "the pipeline has no steps"));
        }
        if count > limits::STEPS {
            self.over_limit(node, "steps, branches included", count, limits::STEPS);
        }
        let (mut steps, mut edges) = (Vec::new(), Vec::new());
        for index in (0..count).map(StepIndex) {
            let (step, site) = self.step(index);
            steps.push(step);
            edges.push(site.waits_for);
        }
        let order = self.order(&edges);
        for (step, edges) in steps.iter().zip(&edges) {
            if let Some(step) = step {
                self.check_rejoin(step, edges);
            }
        }
        for (step, edges) in steps.iter_mut().zip(edges) {
            if let Some(step) = step {
                step.dependencies = edges.into_keys().collect();
            }
        }
        (steps, order)
    }

    fn step(&mut self, index: StepIndex) -> (Option<Step>, Site<'d>) {
        let outline = self.outline.step(index);
        let (node, step_type, parent) = (outline.node, outline.step_type, outline.parent);
        let mut site = Site::step(index, step_type);
        site.triggers = self.triggers_of(node);
        site.body = body_of(node, step_type);
        let rule = node.get("TriggerRule").and_then(Node::as_str);
        site.reads_failures = rule.is_some_and(|rule| rule != "AllSucceeded");
        let rules = rules_of(step_type);
        let is_object =
            if rules.is_open { self.any_object(node) } else { self.object(node, &rules.keys()) };
        if !is_object {
            return (None, site);
        }
        let name = self.step_name(node, index);
        let cache = self.cache_of(node, rules.caching);
        site.is_cached = cache.is_some() && rules.has_code();
        let kind = self.kind(node, &mut site);
        if let Some(list) = node.get("DependsOn") {
            self.depends_on(list, &mut site);
        }
        let display_name = self.text(node, "DisplayName", limits::DISPLAY_NAME_CHARS);
        let description = self.text(node, "Description", limits::DESCRIPTION_CHARS);
        let policies = node.get("RetryPolicies").filter(|_| rules.has_retries);
        let retry_policies = policies.map(|node| self.retry_policies(node)).unwrap_or_default();
        let timeout = node.get("TimeoutSeconds").filter(|_| rules.has_timeout);
        let timeout_seconds = timeout.and_then(|node| self.timeout_seconds(node));
        // A condition may read a value that never repeats.
        site.is_cached = false;
        let extensions = self.extensions(node, &mut site);
        self.check_trigger_rule(node, extensions.trigger_rule, &site);
        let (Some(name), Some(kind)) = (name, kind) else { return (None, site) };
        let step = Step {
            name,
            display_name,
            description,
            kind,
            parent,
            // Set when all steps are read.
            dependencies: BTreeSet::new(),
            triggers: std::mem::take(&mut site.triggers),
            cache,
            retry_policies,
            timeout_seconds,
            tags: extensions.tags,
            trigger_rule: extensions.trigger_rule,
            on_failure: extensions.on_failure,
            when: extensions.when,
            pointer: node.pointer(),
        };
        (Some(step), site)
    }

    fn step_name(&mut self, node: Node<'d>, index: StepIndex) -> Option<StepName> {
        let node = self.required(node, "Name")?;
        let text = self.string(node)?;
        if let Some(first) = self.outline.by_name.get(text).filter(|first| **first != index) {
            let first = self.outline.step(*first).node;
            let (line, column) = first.get("Name").unwrap_or(first).place();
            let message =
                format!("step `{}` is already at line {line}, column {column}", cut(text));
            self.report(Finding::at(node, Code::DuplicateName, message));
        }
        let name = StepName::parse(text).ok();
        if name.is_none() {
            let message = format!("invalid step name `{}`", cut(text));
            let finding = Finding::at(node, Code::InvalidName, message);
            self.report(finding.allowed(StepName::ALLOWED));
        }
        name
    }

    fn cache_of(&mut self, node: Node<'d>, caching: Caching) -> Option<CacheConfig> {
        match (caching, node.get("CacheConfig")) {
            (Caching::OwnOrDefault, None) => self.default_cache.clone(),
            (Caching::Refused, _) | (_, None) => None,
            (Caching::NoEffect, Some(config)) => {
                if self.cache_config(config).is_some() {
                    let message = "a Callback step is never cached: its answer comes from outside";
                    self.report(Finding::at_key(config, Code::NoEffect, message));
                }
                None
            }
            (Caching::Own | Caching::OwnOrDefault, Some(config)) => self.cache_config(config),
        }
    }
}

/// Returns the names of the steps in a ForEach step's body.
fn body_of(node: Node<'_>, step_type: Option<StepType>) -> BTreeSet<&str> {
    let arguments = node.get("Arguments").filter(|_| step_type == Some(StepType::ForEach));
    let body = arguments.and_then(|arguments| arguments.get("ForEachBody"));
    let steps = body.into_iter().flat_map(Node::elements);
    steps.filter_map(|step| step.get("Name")?.as_str()).collect()
}
