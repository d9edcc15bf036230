//! Changes to the example `flights`, and which of its steps run then.
//!
//! The table in `docs/what-if.md` is made here.

mod cases;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sidestep_core::execution::Phase;
use sidestep_core::execution::commit::Verdict;
use sidestep_core::execution::manifest::Artifact;
use sidestep_core::execution::start::Selection;
use sidestep_core::name::{ParameterName, PipelineName};
use sidestep_core::plan::Event;
use sidestep_core::selection::selector::Selector;
use sidestep_core::selection::{expand, supply};
use sidestep_core::view::explain::explain;

use self::cases::{Asked, Case, inputs, requests, surroundings};
use super::world::{World, succeeded};

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The project as it stands: definition, code, data.
#[derive(Clone, PartialEq)]
struct Project {
    definition: String,
    pipeline: &'static str,
    parameters: Vec<(&'static str, Value)>,
    /// By function; all others are as they were.
    code: BTreeMap<&'static str, &'static str>,
    memory_mb: u32,
    /// By object.
    data: BTreeMap<String, String>,
    /// Steps whose function yields something else than it did, given the same input.
    other_results: Vec<&'static str>,
    /// What a step writes whatever it reads.
    fixed_results: BTreeMap<&'static str, &'static str>,
    days: u64,
}

impl Project {
    fn new() -> Self {
        let definition = std::fs::read_to_string(file("examples/flights/pipeline.yaml"));
        let keys = ["flights/2013-01.csv.gz", "flights/2013-02.csv.gz", "weather/weather.csv.gz"];
        let data = keys.iter().map(|key| (format!("s3://inbox/{key}"), digest(key)));
        Self {
            definition: definition.expect("the example"),
            pipeline: "flights",
            parameters: Vec::new(),
            code: BTreeMap::new(),
            memory_mb: 512,
            data: data.collect(),
            other_results: Vec::new(),
            fixed_results: BTreeMap::from([("Rmse", "16.1")]),
            days: 0,
        }
    }

    fn edit(&mut self, from: &str, to: &str) {
        assert!(self.definition.contains(from), "the example has no `{from}`");
        self.definition = self.definition.replacen(from, to, 1);
    }

    /// Returns an execution of the project after `before`, not begun.
    fn execution(&self, before: Option<&World>) -> World {
        // The harness writes the head.
        let body = self.definition.replacen("Version: \"2020-12-01\"\n", "", 1).replacen(
            "CacheConfig: { Enabled: true }\n",
            "",
            1,
        );
        let mut world = match before {
            Some(before) => before.again(&body, "sha256:code"),
            None => World::new(&body),
        };
        for (name, function) in &mut world.start.functions {
            let code = self.code.get(name.as_str()).copied().unwrap_or("v1");
            function.code_digest = digest(&format!("{name} {code}"));
            function.memory_mb = self.memory_mb;
        }
        for (name, value) in &self.parameters {
            let name = ParameterName::parse(name).expect("legal");
            assert!(world.start.parameters.insert(name, value.clone()).is_some());
        }
        world.start.pipeline_name = PipelineName::parse(self.pipeline).expect("legal");
        world.now_ms += self.days * 86_400_000;
        world.contents.extend(self.data.clone());
        world
    }

    /// Runs it to its end; every function writes what follows from what it reads.
    fn run(&self, world: &mut World) {
        world.advance(&[]);
        while !world.execution.status.is_over() {
            let mut steps = world.pipeline.indexes();
            let next = steps.find(|i| world.execution.step(*i).phase == Phase::Executing);
            let name = world.pipeline.step(next.expect("something runs")).name.to_string();
            let event = self.result(world, &name);
            world.advance(&[event]);
        }
    }

    fn result(&self, world: &mut World, step: &str) -> Event {
        let mut arguments = world.payload(step).clone();
        arguments.as_object_mut().expect("an object").remove("Sidestep");
        let mut read = String::new();
        for (name, value) in arguments.as_object().expect("an object") {
            let content = value.as_str().and_then(|uri| world.contents.get(uri));
            let text = content.cloned().unwrap_or_else(|| value.to_string());
            let _ = write!(read, "{name}={text};");
        }
        if self.other_results.contains(&step) {
            read.push_str("another");
        }
        let read = self.fixed_results.get(step).map_or(read, |fixed| (*fixed).to_owned());
        let sha256 = hex::encode(Sha256::digest(read));
        let (mut outputs, mut artifacts) = (json!({}), Vec::new());
        let index = world.index(step);
        for declared in world.pipeline.step(index).outputs().to_vec() {
            let name = declared.name.as_str();
            outputs[name] = match (self.fixed_results.get(name), name) {
                (Some(fixed), _) => json!(fixed),
                (None, "Rows" | "Hours" | "Mae" | "BaselineRmse") => json!(40),
                (None, "Refused" | "Markdown") => json!("text"),
                _ => {
                    let uri = world.start.output_prefix.join(&format!("{step}/1/{name}"));
                    world.contents.insert(uri.to_string(), format!("sha256:{sha256}"));
                    artifacts.push(Artifact { uri: uri.clone(), bytes: 1, sha256: sha256.clone() });
                    json!(uri)
                }
            };
        }
        world.report(step, succeeded(outputs, artifacts))
    }
}

fn digest(text: &str) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(text)))
}

/// Returns the project of the first execution, with what the case is about.
fn first(case: &Case) -> Project {
    let mut project = Project::new();
    if case.what.contains("CodeVersion") {
        project.edit("FunctionArn: report", "FunctionArn: report\n    CodeVersion: one");
    }
    if case.what.contains("P1D") {
        let config = "CacheConfig: { Enabled: true, ExpireAfter: P1D }";
        project.edit("FunctionArn: weather", &format!("FunctionArn: weather\n    {config}"));
    }
    if case.what.contains("Scope") {
        let config = "CacheConfig: { Enabled: true, Scope: Pipeline }";
        project.edit("FunctionArn: train", &format!("FunctionArn: train\n    {config}"));
    }
    if case.what.contains("levels out") {
        project.fixed_results.insert("Ingest", "the same rows");
    }
    project
}

/// Runs the example, changes it, runs it again, and returns a line of the table.
fn answer(case: &Case) -> String {
    let mut project = first(case);
    let mut before = project.execution(None);
    project.run(&mut before);
    assert_eq!(before.invoked().join(" "), "Ingest Weather Features Train Evaluate Publish Report");
    let mut asked = Asked::default();
    (case.change)(&mut project, &mut asked);
    let is_changed = project != first(case) || asked != Asked::default();
    assert_eq!(is_changed, case.what != "nothing", "{}: a row has to change something", case.what);
    if let Some((step, loss)) = asked.on_artifact {
        loss.befall(&mut before, step);
    }
    let mut world = project.execution(Some(&before));
    ask(&asked, &mut world, &before);
    project.run(&mut world);
    let mut invoked = world.invoked();
    let in_order = |name: &String| world.index(name);
    invoked.sort_by_key(in_order);
    let mut expected: Vec<_> = case.runs.split_whitespace().map(str::to_owned).collect();
    expected.sort_by_key(in_order);
    assert_eq!(invoked, expected, "{}", case.what);
    assert_eq!(world.execution.status, case.status, "{}", case.what);
    line(case, &world, &before)
}

fn ask(asked: &Asked, world: &mut World, before: &World) {
    let parse = |texts: &[&str]| -> Vec<Selector> {
        texts.iter().map(|text| Selector::parse(text).expect("a selector")).collect()
    };
    world.start.use_cache = !asked.no_cache;
    if let Some(trigger) = asked.trigger {
        trigger.clone_into(&mut world.start.trigger);
    }
    let given = asked.supply.iter().map(|(step, output, value)| {
        let outputs = serde_json::Map::from_iter([((*output).to_owned(), json!(value))]);
        ((*step).to_owned(), outputs)
    });
    let supplied = supply(&world.pipeline, &given.collect(), "ada").expect("legal");
    if !asked.select.is_empty() {
        let select = parse(&asked.select);
        let selected = expand(&world.pipeline, &select, &[], &supplied, None).expect("legal");
        let source = Some(before.start.execution_id.clone());
        world.start.selection =
            Some(Selection { selected, source, supplied, ..Selection::default() });
    }
    let force = parse(&asked.force);
    if !force.is_empty() {
        world.start.forced =
            expand(&world.pipeline, &force, &[], &BTreeMap::new(), None).expect("legal");
    }
}

/// Returns `| change | what runs and why | what does not |`.
fn line(case: &Case, world: &World, before: &World) -> String {
    let (this, against) = (world.as_earlier(), before.as_earlier());
    let (mut runs, mut others): (Vec<String>, BTreeMap<&str, Vec<String>>) = Default::default();
    for index in world.pipeline.indexes() {
        let name = world.pipeline.step(index).name.to_string();
        let decision = this.decision(index).expect("decided");
        match &decision.verdict {
            Verdict::Run(_) => {
                let because = explain(&this, index, Some(&against))
                    .because()
                    .replace(before.start.execution_id.as_str(), "1")
                    .replace(world.start.execution_id.as_str(), "2")
                    .replace(" since execution 1", "");
                runs.push(format!("**{name}**: {because}"));
            }
            Verdict::Condition(_) => runs.push(format!("{name} decides: {}", decision.reason)),
            Verdict::Failed(_) => runs.push(format!("{name} fails: {}", decision.reason)),
            other => others.entry(other.decision()).or_default().push(name),
        }
    }
    let others: Vec<_> = others
        .iter()
        .map(|(decision, names)| format!("{decision}: {}", names.join(", ")))
        .collect();
    format!("| {} | {} | {} |", case.what, runs.join("<br>"), others.join("<br>"))
}

#[test]
fn the_table_of_changes_and_what_runs_then_is_true() {
    let cases = [inputs(), surroundings(), requests()].concat();
    assert!(cases.len() >= 30);
    let rows: Vec<_> = cases.iter().map(answer).collect();
    let table =
        format!("| if you... | then runs | and does not |\n|---|---|---|\n{}\n", rows.join("\n"));
    let path = file("docs/what-if.md");
    let page = std::fs::read_to_string(&path).expect("the page");
    let begin = page.find("| if you...").expect("the page has the table");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{}{table}", &page[..begin])).expect("written");
        return;
    }
    assert!(page[begin..] == table, "docs/what-if.md is not what happens:\n{table}");
}
