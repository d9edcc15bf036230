//! Random pipelines against a reference model that knows nothing of plans.
//!
//! The model is a memo table from (code, argument, contents read) to content.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use sidestep_core::definition::StepIndex;
use sidestep_core::definition::graph::{Direction, Graph};
use sidestep_core::execution::{ExecutionStatus, Phase};
use sidestep_core::selection::{SelectionError, check_connected};

use super::world::World;

/// A pipeline of steps `S0`, `S1`...: each reads the artifacts of some before it, and one external
/// object.
#[derive(Debug, Clone)]
struct Model {
    /// For each step the earlier ones that it reads.
    reads: Vec<BTreeSet<usize>>,
    arguments: Vec<u32>,
    codes: Vec<u32>,
    /// Content of the external objects, one for each step.
    inputs: Vec<u32>,
}

/// What one run changes before the next.
#[derive(Debug, Clone)]
enum Change {
    Argument(usize),
    Code(usize),
    Input(usize),
    Nothing,
}

type Memo = BTreeMap<(usize, u32, u32, u32, Vec<u32>), u32>;

impl Model {
    /// Returns one of few contents, so that a step that runs again often yields what it yielded
    /// before.
    fn content(&self, step: usize, read: &[u32]) -> u32 {
        let own = self.arguments[step] + 3 * self.codes[step] + 5 * self.inputs[step];
        (own + read.iter().sum::<u32>()) % 3
    }

    /// Returns the steps that have to run, and adds their results to the memo table.
    fn run(&self, memo: &mut Memo) -> BTreeSet<String> {
        let mut contents: Vec<u32> = Vec::new();
        let mut ran = BTreeSet::new();
        for step in 0..self.reads.len() {
            let read: Vec<_> = self.reads[step].iter().map(|from| contents[*from]).collect();
            let key =
                (step, self.codes[step], self.arguments[step], self.inputs[step], read.clone());
            contents.push(*memo.entry(key).or_insert_with(|| {
                ran.insert(format!("S{step}"));
                self.content(step, &read)
            }));
        }
        ran
    }

    fn steps(&self) -> String {
        let step = |step: usize| {
            let reads = self.reads[step].iter().map(|from| {
                format!("i{from}: {{ Get: \"Steps.S{from}.OutputParameters['uri']\" }}, ")
            });
            format!(
                "  - {{ Name: S{step}, Type: Lambda, FunctionArn: f{step}, Arguments: {{ {} step: {step}, k: {}, ext: 's3://bucket/in{step}' }}, OutputParameters: [{{ OutputName: uri, OutputType: String }}] }}\n",
                reads.collect::<String>(),
                self.arguments[step],
            )
        };
        (0..self.reads.len()).map(step).collect()
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::Argument(step) => self.arguments[*step] += 1,
            Change::Code(step) => self.codes[*step] += 1,
            Change::Input(step) => self.inputs[*step] += 1,
            Change::Nothing => {}
        }
    }

    /// Makes a world stand where the model does.
    fn settle(&self, world: &mut World) {
        for step in 0..self.reads.len() {
            let function =
                world.start.functions.get_mut(format!("f{step}").as_str()).expect("known");
            function.code_digest = format!("sha256:code{}", self.codes[step]);
            let content = format!("sha256:input{}", self.inputs[step]);
            world.contents.insert(format!("s3://bucket/in{step}"), content);
        }
    }
}

/// Runs a world to its end; every step writes what the model says of what it read.
fn run(world: &mut World, model: &Model) {
    world.advance(&[]);
    while !world.execution.status.is_over() {
        let mut executing = world.pipeline.indexes();
        let next = executing.find(|i| world.execution.step(*i).phase == Phase::Executing);
        let step = next.expect("something runs").0;
        let name = format!("S{step}");
        let payload = world.payload(&name);
        let read = model.reads[step].iter().map(|from| {
            let uri = payload[format!("i{from}")].as_str().expect("a URI");
            world.contents[uri].trim_start_matches("sha256:").parse::<u32>().expect("a number")
        });
        let content = model.content(step, &read.collect::<Vec<_>>());
        world.write(&name, &content.to_string());
    }
    assert_eq!(world.execution.status, ExecutionStatus::Succeeded);
}

fn model() -> impl Strategy<Value = Model> {
    (2..9_usize).prop_flat_map(|count| {
        let reads: Vec<_> = (0..count)
            .map(|step| proptest::collection::btree_set(0..step.max(1), 0..=step.min(3)))
            .collect();
        (reads, Just(count)).prop_map(|(mut reads, count)| {
            reads[0].clear();
            let zeros = vec![0; count];
            Model { reads, arguments: zeros.clone(), codes: zeros.clone(), inputs: zeros }
        })
    })
}

fn changes() -> impl Strategy<Value = Vec<(u8, usize)>> {
    proptest::collection::vec((0..4_u8, 0..100_usize), 1..4)
}

fn change((kind, step): (u8, usize), model: &Model) -> Change {
    let step = step % model.reads.len();
    match kind {
        0 => Change::Argument(step),
        1 => Change::Code(step),
        2 => Change::Input(step),
        _ => Change::Nothing,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Over a history of changes, exactly those steps run whose key is new under early cut-off, and
    /// the plan made before each run agrees with the run.
    #[test]
    fn a_change_runs_exactly_the_steps_whose_key_changes(
        mut model in model(),
        changes in changes(),
    ) {
        let mut memo = Memo::new();
        let mut world = World::new(&model.steps());
        model.settle(&mut world);
        run(&mut world, &model);
        prop_assert_eq!(world.invoked().into_iter().collect::<BTreeSet<_>>(), model.run(&mut memo));
        for drawn in changes {
            model.change(&change(drawn, &model));
            let mut next = world.again(&model.steps(), "");
            model.settle(&mut next);
            let forecast = next.plan(&[]).commit;
            run(&mut next, &model);
            let ran: BTreeSet<_> = next.invoked().into_iter().collect();
            prop_assert_eq!(&ran, &model.run(&mut memo));
            prop_assert_eq!(ran.len(), next.invoked().len(), "no step runs twice");
            for decision in &forecast.decisions {
                let name = next.pipeline.step(decision.step).name.to_string();
                let will_run = decision.verdict.decision() == "Run";
                prop_assert_eq!(will_run, ran.contains(&name), "{} was planned otherwise", name);
            }
            world = next;
        }
    }

    #[test]
    fn with_equal_inputs_the_second_run_invokes_nothing(model in model()) {
        let mut first = World::new(&model.steps());
        model.settle(&mut first);
        run(&mut first, &model);
        let mut second = first.again(&model.steps(), "");
        model.settle(&mut second);
        run(&mut second, &model);
        prop_assert_eq!(second.invoked(), Vec::<String>::new());
        prop_assert_eq!(second.commits.len(), 1);
    }

    #[test]
    fn nothing_unselected_runs_and_selected_plus_reused_covers_all_that_is_needed(
        model in model(),
        chosen in proptest::collection::btree_set(0..100_usize, 1..4),
        uses_cache in any::<bool>(),
    ) {
        let mut first = World::new(&model.steps());
        model.settle(&mut first);
        run(&mut first, &model);
        let mut second = first.again(&model.steps(), "");
        model.settle(&mut second);
        second.start.use_cache = uses_cache;
        let mut selected: BTreeSet<_> =
            chosen.iter().map(|step| StepIndex(step % model.reads.len())).collect();
        // What the error names is enough to fix the selection.
        while let Err(error) = check_connected(&second.pipeline, &selected, &BTreeMap::new()) {
            let SelectionError::NotConnected { missing, .. } = error else { panic!("{error}") };
            selected.extend(missing.iter().map(|name| second.index(name.as_str())));
        }
        let names: Vec<_> = selected.iter().map(|step| format!("S{}", step.0)).collect();
        second.select(&names.iter().map(String::as_str).collect::<Vec<_>>(), Some(&first));
        run(&mut second, &model);

        let upstream = Graph::new(&second.pipeline)
            .reach(selected.iter().copied(), Direction::Upstream, usize::MAX);
        for index in second.pipeline.indexes() {
            let (decided, _) = second.decided(&format!("S{}", index.0));
            let expected = if selected.contains(&index) {
                if uses_cache { "hit" } else { "run" }
            } else if upstream.contains(&index) {
                "reused"
            } else {
                "not selected"
            };
            prop_assert_eq!(decided, expected, "S{}", index.0);
        }
    }
}
