//! Random pipelines: plain data for the reference, which is written out as a definition in
//! SageMaker's JSON.

use fastrand::Rng;
use serde_json::{Value, json};
use sidestep_core::failure::FailureType;

use super::function::{Report, report};

/// A step's trigger rule, which looks at how its dependencies ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    AllSucceeded,
    AnySucceeded,
    NoneFailed,
    AllDone,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// Calls function `F{n}` with a literal, see [`super::function`].
    Lambda {
        function: usize,
        argument: u64,
        is_cached: bool,
    },
    /// Holds when the parameter `P`, or output `n` of a step, is above the threshold.
    Condition {
        of: Option<usize>,
        above: u64,
    },
    Fail,
    Callback,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ModelStep {
    pub(crate) kind: Kind,
    /// The enclosing condition, and true if the step is in its `IfSteps`.
    pub(crate) parent: Option<(usize, bool)>,
    /// Steps whose outputs this step reads.
    pub(crate) reads: Vec<usize>,
    pub(crate) depends_on: Vec<usize>,
    pub(crate) rule: Rule,
    pub(crate) may_fail: bool,
    /// Retries after any failure, this many after the first attempt.
    pub(crate) retries: Option<u32>,
    pub(crate) timeout_seconds: Option<u32>,
    /// `ExactlyOnceStart`.
    pub(crate) is_once: bool,
    /// Runs only if the parameter `W` is above this. True if an earlier result is reused otherwise.
    pub(crate) when: Option<(u64, bool)>,
}

/// A pipeline. A step waits only for steps before it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Model {
    pub(crate) steps: Vec<ModelStep>,
}

/// Functions of the simulated deployment.
pub(crate) const FUNCTIONS: usize = 5;
pub(crate) const QUEUE: &str = "https://sqs.test/000000000000/questions";

impl Model {
    pub(crate) fn random(rng: &mut Rng) -> Self {
        let most = [4, 8, 14][rng.usize(0..3)];
        let count = rng.usize(1..=most);
        let mut model = Self { steps: Vec::new() };
        for _ in 0..count {
            let step = model.random_step(rng);
            model.steps.push(step);
        }
        model
    }

    fn random_step(&self, rng: &mut Rng) -> ModelStep {
        let before = self.steps.len();
        let some = |rng: &mut Rng, wanted: &dyn Fn(&ModelStep) -> bool, most: usize| {
            let fitting: Vec<_> = (0..before).filter(|step| wanted(&self.steps[*step])).collect();
            let mut found = Vec::new();
            for _ in 0..rng.usize(0..=most) {
                if let Some(step) = rng.choice(&fitting).filter(|step| !found.contains(*step)) {
                    found.push(*step);
                }
            }
            found
        };
        let is_lambda = |step: &ModelStep| matches!(step.kind, Kind::Lambda { .. });
        let is_condition = |step: &ModelStep| matches!(step.kind, Kind::Condition { .. });
        let is_callback = |step: &ModelStep| step.kind == Kind::Callback;
        let parent = if rng.u32(0..3) == 0 {
            some(rng, &is_condition, 1).first().map(|condition| (*condition, rng.bool()))
        } else {
            None
        };
        let enclosing = self.enclosing(parent);
        let kind = match rng.u32(0..20) {
            0..=11 => Kind::Lambda {
                function: rng.usize(0..FUNCTIONS),
                argument: rng.u64(0..3),
                is_cached: rng.bool(),
            },
            12..=15 => Kind::Condition {
                of: some(rng, &|step| is_lambda(step) && step.rule == Rule::AllSucceeded, 1)
                    .first()
                    .copied(),
                above: rng.u64(0..3),
            },
            16 => Kind::Fail,
            17 | 18 => Kind::Callback,
            _ => Kind::Lambda { function: 0, argument: 0, is_cached: true },
        };
        let is_run = matches!(kind, Kind::Lambda { .. } | Kind::Callback);
        let mut reads = match kind {
            Kind::Lambda { .. } | Kind::Callback => {
                some(rng, &|step| is_lambda(step) || is_callback(step), 2)
            }
            Kind::Condition { of, .. } => of.into_iter().collect(),
            Kind::Fail => Vec::new(),
        };
        reads.retain(|step| !enclosing.contains(step));
        let mut depends_on = some(rng, &|step| step.kind != Kind::Fail, 2);
        depends_on.retain(|step| !enclosing.contains(step));
        let rules = [Rule::AllSucceeded, Rule::AnySucceeded, Rule::NoneFailed, Rule::AllDone];
        // A condition that reads nothing would fail, which is not what is tried here.
        let is_plain = rng.bool() || matches!(kind, Kind::Condition { .. });
        ModelStep {
            parent,
            reads,
            depends_on,
            rule: if is_plain { Rule::AllSucceeded } else { rules[rng.usize(0..4)] },
            may_fail: kind != Kind::Fail && rng.u32(0..6) == 0,
            retries: (is_run && rng.u32(0..3) == 0).then(|| rng.u32(0..4)),
            timeout_seconds: (is_run && rng.u32(0..5) == 0).then(|| rng.u32(5..600)),
            when: (rng.u32(0..8) == 0).then(|| (rng.u64(0..4), rng.bool() && kind != Kind::Fail)),
            is_once: rng.u32(0..5) == 0
                && matches!(kind, Kind::Lambda { function, .. } if report(function) == Report::Manifest),
            kind,
        }
    }

    /// Returns the conditions around the step at this position.
    fn enclosing(&self, mut parent: Option<(usize, bool)>) -> Vec<usize> {
        let mut found = Vec::new();
        while let Some((condition, _)) = parent {
            found.push(condition);
            parent = self.steps[condition].parent;
        }
        found
    }

    /// Returns the steps that a step waits for, besides the condition around it.
    pub(crate) fn dependencies(&self, step: usize) -> Vec<usize> {
        let ModelStep { reads, depends_on, .. } = &self.steps[step];
        let mut all: Vec<_> = reads.iter().chain(depends_on).copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Changes one literal, as an author would between two executions.
    pub(crate) fn edit(&mut self, rng: &mut Rng) {
        let step = rng.usize(0..self.steps.len());
        if let Kind::Lambda { argument, .. } = &mut self.steps[step].kind {
            *argument = rng.u64(0..3);
        }
    }

    /// Returns the definition as JSON.
    pub(crate) fn definition(&self) -> String {
        let parameter = |name: &str| json!({ "Name": name, "Type": "Integer", "DefaultValue": 1 });
        let definition = json!({
            "Version": "2020-12-01",
            "Parameters": [parameter("P"), parameter("W")],
            "Steps": self.steps_within(None),
        });
        definition.to_string()
    }

    fn steps_within(&self, parent: Option<(usize, bool)>) -> Vec<Value> {
        let within = (0..self.steps.len()).filter(|step| self.steps[*step].parent == parent);
        within.map(|step| self.step(step)).collect()
    }

    fn step(&self, index: usize) -> Value {
        let step = &self.steps[index];
        let output = |of: usize| json!({ "Get": format!("Steps.S{of}.OutputParameters['n']") });
        let mut written = json!({ "Name": format!("S{index}") });
        let mut arguments = json!({});
        let declared = json!([{ "OutputName": "n", "OutputType": "Integer" },
            { "OutputName": "uri", "OutputType": "String" }]);
        match &step.kind {
            Kind::Lambda { function, argument, is_cached } => {
                written["Type"] = json!("Lambda");
                written["FunctionArn"] = json!(format!("F{function}"));
                written["OutputParameters"] = declared;
                written["CacheConfig"] = json!({ "Enabled": is_cached });
                arguments["k"] = json!(argument);
            }
            Kind::Callback => {
                written["Type"] = json!("Callback");
                written["SqsQueueUrl"] = json!(QUEUE);
                written["OutputParameters"] = json!([declared[0]]);
                arguments["question"] = json!(index);
            }
            Kind::Fail => {
                written["Type"] = json!("Fail");
                arguments["ErrorMessage"] = json!("enough");
            }
            Kind::Condition { of, above } => {
                written["Type"] = json!("Condition");
                let left = of.map_or_else(|| json!({ "Get": "Parameters.P" }), output);
                arguments = json!({
                    "Conditions": [{ "Type": "GreaterThan", "LeftValue": left, "RightValue": above }],
                    "IfSteps": self.steps_within(Some((index, true))),
                    "ElseSteps": self.steps_within(Some((index, false))),
                });
            }
        }
        if matches!(step.kind, Kind::Lambda { .. } | Kind::Callback) {
            for of in &step.reads {
                arguments[format!("n{of}")] = output(*of);
                if matches!(self.steps[*of].kind, Kind::Lambda { .. }) {
                    let uri = format!("Steps.S{of}.OutputParameters['uri']");
                    arguments[format!("uri{of}")] = json!({ "Get": uri });
                }
            }
        }
        written["Arguments"] = arguments;
        if !step.depends_on.is_empty() {
            let names: Vec<_> = step.depends_on.iter().map(|of| format!("S{of}")).collect();
            written["DependsOn"] = json!(names);
        }
        settings(step, &mut written);
        written
    }
}

fn settings(step: &ModelStep, written: &mut Value) {
    if step.rule != Rule::AllSucceeded {
        written["TriggerRule"] = json!(format!("{:?}", step.rule));
    }
    if step.may_fail {
        written["OnFailure"] = json!("Continue");
    }
    if let Some(retries) = step.retries {
        written["RetryPolicies"] = json!([{
            "ExceptionType": [FailureType::FunctionError.as_str(), FailureType::Timeout.as_str()],
            "IntervalSeconds": 5, "BackoffRate": 1.5, "MaxAttempts": retries,
        }]);
    }
    if step.is_once {
        written["ExactlyOnceStart"] = json!(true);
    }
    if let Some(seconds) = step.timeout_seconds {
        written["TimeoutSeconds"] = json!(seconds);
    }
    if let Some((above, is_reused)) = step.when {
        let holds = json!({ "Type": "GreaterThan", "LeftValue": { "Get": "Parameters.W" },
                "RightValue": above });
        let otherwise = if is_reused { "Reuse" } else { "Skip" };
        written["When"] = json!({ "Conditions": [holds], "Else": otherwise });
    }
}

/// Returns the step's position in the model, from its name.
pub(crate) fn number(name: &str) -> usize {
    name.trim_start_matches('S').parse().unwrap_or(usize::MAX)
}
