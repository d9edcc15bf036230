//! What a cached result read and left behind: a hit needs all of it as it was.

use serde_json::json;
use sidestep_core::execution::trace::Trace;
use sidestep_core::limits::WITNESSES;
use sidestep_core::uri::S3Uri;

use super::world::{World, decisions};

const STEP: &str = "
  - { Name: A, Type: Lambda, FunctionArn: f, Arguments: { at: 's3://site/current.txt', k: 1 },
      CacheConfig: { Enabled: true } }
";
const PLACE: &str = "s3://site/current.txt";

fn uri(text: &str) -> S3Uri {
    S3Uri::parse(text).expect("legal")
}

/// What an attempt does: reads (`r`), lists (`l`), writes (`w`) and deletes (`d`) places, and what
/// then lies there.
type Does<'a> = [(char, &'a str, &'a str)];

/// What lies there before, what the step does, what then changes, and the next decision.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a Does<'a>, (&'a str, &'a str), &'a str);

/// Runs a world's step, which does this while it runs, and returns the warnings.
fn run(world: &mut World, does: &Does<'_>, outputs: serde_json::Value) -> Vec<String> {
    let plan = world.advance(&[]);
    assert_eq!(decisions(world, &plan), ["A run"]);
    let mut trace = Trace::default();
    for (act, place, digest) in does {
        let place = uri(place);
        match act {
            'r' => trace.read(place, Some((*digest).to_owned())),
            'm' => trace.read(place, None),
            'l' => trace.list(place, Some((*digest).to_owned())),
            'w' => {
                world.contents.insert(place.to_string(), (*digest).to_owned());
                trace.write(place, Some((*digest).to_owned()));
            }
            'd' => {
                world.contents.remove(&place.to_string());
                trace.write(place, None);
            }
            // Another party writes.
            _ => drop(world.contents.insert(place.to_string(), (*digest).to_owned())),
        }
    }
    world.traces.insert(world.start.output_prefix.join("A/1/"), trace);
    let plan = world.succeed("A", outputs);
    plan.commit.warnings.into_iter().map(|warning| warning.message).collect()
}

/// Returns the decision about the step in the next execution, with the reason if it runs.
fn next(world: &World, definition: &str) -> String {
    let mut next = world.again(definition, "sha256:code");
    let plan = next.advance(&[]);
    let reason = &plan.commit.decisions[0].reason;
    match &decisions(&next, &plan)[..] {
        [hit] if hit == "A hit" => "hit".to_owned(),
        _ => reason.clone(),
    }
}

#[test]
fn a_step_that_writes_to_a_fixed_place_is_a_hit_only_while_its_own_result_is_there() {
    let other = STEP.replace("k: 1", "k: 2");
    let mut first = World::new(STEP);
    assert_eq!(run(&mut first, &[('w', PLACE, "sha256:a")], json!({})), [""; 0]);
    assert_eq!(next(&first, STEP), "hit", "a place to write to is no input");
    let mut second = first.again(&other, "sha256:code");
    run(&mut second, &[('w', PLACE, "sha256:b")], json!({}));
    assert_eq!(next(&second, &other), "hit");
    assert_eq!(next(&second, STEP), format!("`{PLACE}` that it wrote was overwritten"));
    let mut third = second.again(STEP, "sha256:code");
    run(&mut third, &[('w', PLACE, "sha256:a")], json!({}));
    assert_eq!(next(&third, STEP), "hit");
    assert_eq!(next(&third, &other), format!("`{PLACE}` that it wrote was overwritten"));
    third.contents.remove(PLACE);
    assert_eq!(next(&third, STEP), format!("`{PLACE}` that it wrote is gone"));
}

#[test]
fn what_a_step_touched_decides_about_the_next_hit() {
    let none = "no cached result";
    let cases: [Case<'_>; 11] = [
        // An argument that is only read stays an input.
        (&[(PLACE, "1")], &[('r', PLACE, "1")], ("", ""), "hit"),
        (&[(PLACE, "1")], &[('r', PLACE, "1")], (PLACE, "2"), none),
        // The function looks at a place that the arguments do not name.
        (&[], &[('r', "s3://conf/c", "1"), ('x', "s3://conf/c", "1")], ("", ""), "hit"),
        (
            &[],
            &[('r', "s3://conf/c", "1"), ('x', "s3://conf/c", "1")],
            ("s3://conf/c", "2"),
            "`s3://conf/c` that it read has changed",
        ),
        // That it holds the same as an argument covers nothing.
        (
            &[(PLACE, "sha256:1"), ("s3://conf/c", "sha256:1")],
            &[('r', PLACE, "sha256:1"), ('r', "s3://conf/c", "sha256:1")],
            ("s3://conf/c", "sha256:2"),
            "`s3://conf/c` that it read has changed",
        ),
        (
            &[],
            &[('m', "s3://conf/c", "")],
            ("s3://conf/c", "2"),
            "`s3://conf/c` that it looked for and did not find is there now",
        ),
        // It writes beside its arguments.
        (
            &[],
            &[('w', "s3://site/x", "1")],
            ("s3://site/x", "2"),
            "`s3://site/x` that it wrote was overwritten",
        ),
        (
            &[("s3://site/x", "1")],
            &[('d', "s3://site/x", "")],
            ("s3://site/x", "2"),
            "`s3://site/x` that it deleted is there again",
        ),
        // Another party writes over the place before the step ends, or its read of it is old.
        (
            &[],
            &[('w', PLACE, "1"), ('x', PLACE, "2")],
            ("", ""),
            "`s3://site/current.txt` that it wrote was overwritten",
        ),
        // It adds to what is there: the next run would add again.
        (&[(PLACE, "1")], &[('r', PLACE, "1"), ('w', PLACE, "2")], ("", ""), none),
        (&[(PLACE, "1")], &[('x', PLACE, "2")], ("", ""), none),
    ];
    for (number, (before, does, (changes, to), decision)) in cases.into_iter().enumerate() {
        let mut world = World::new(STEP);
        world.contents =
            before.iter().map(|(at, is)| ((*at).to_owned(), (*is).to_owned())).collect();
        run(&mut world, does, json!({}));
        if !changes.is_empty() {
            world.contents.insert(changes.to_owned(), to.to_owned());
        }
        assert_eq!(next(&world, STEP), decision, "case {number}");
    }
}

#[test]
fn a_read_that_the_key_does_not_cover_is_told() {
    let mut world = World::new(STEP);
    let told = run(&mut world, &[('r', "s3://conf/c", "1"), ('r', PLACE, "x")], json!({}));
    assert!(told[0].contains("changed while the step ran"), "its own input did: {told:?}");
    let mut world = World::new(STEP);
    let told = run(&mut world, &[('r', "s3://conf/c", "1")], json!({}));
    assert!(told[0].starts_with("A read s3://conf/c, which its key does not cover"), "{told:?}");
}

#[test]
fn an_artifact_of_an_earlier_step_is_covered_by_the_argument_that_names_it() {
    let outputs = "OutputParameters: [{ OutputName: uri, OutputType: String }], CacheConfig";
    let first = STEP.replace("CacheConfig", outputs);
    let chain = format!(
        "{first}  - {{ Name: B, Type: Lambda, FunctionArn: f, CacheConfig: {{ Enabled: true }},
      Arguments: {{ in: {{ Get: \"Steps.A.OutputParameters['uri']\" }} }} }}"
    );
    let mut world = World::new(&chain);
    world.advance(&[]);
    world.write("A", &"a".repeat(64));
    let artifact = uri(world.payload("B")["in"].as_str().expect("a URI"));
    let mut trace = Trace::default();
    trace.read(artifact, Some(format!("sha256:{}", "a".repeat(64))));
    world.traces.insert(world.start.output_prefix.join("B/1/"), trace);
    let plan = world.succeed("B", json!({}));
    assert_eq!(plan.commit.warnings, []);
}

#[test]
fn outputs_are_what_they_were_or_the_step_runs() {
    let out = "s3://lake/t/part-0";
    for (outputs, changes, decision) in [
        (json!({ "uri": out }), None, "`s3://lake/t/part-0` of the cached result is gone"),
        (
            json!({ "uri": out }),
            Some("2"),
            "`s3://lake/t/part-0` of the cached result was overwritten",
        ),
        (
            json!({ "all": [{ "x": out }] }),
            Some("2"),
            "`s3://lake/t/part-0` of the cached result was overwritten",
        ),
        (
            json!({ "bucket": "lake", "key": "t/part-0" }),
            None,
            "`s3://lake/t/part-0` of the cached result is gone",
        ),
        (
            json!({ "text": "wrote s3://lake/t/part-0" }),
            None,
            "`s3://lake/t/part-0` of the cached result is gone",
        ),
        (json!({ "uri": "s3://lake/later" }), Some("1"), "hit"),
    ] {
        let mut world = World::new(STEP);
        world.contents.insert(out.to_owned(), "1".to_owned());
        world.advance(&[]);
        world.succeed("A", outputs.clone());
        assert_eq!(next(&world, STEP), "hit", "{outputs}");
        match changes {
            Some(to) => drop(world.contents.insert(out.to_owned(), to.to_owned())),
            None => drop(world.contents.remove(out)),
        }
        assert_eq!(next(&world, STEP), decision, "{outputs}");
    }
    // What lies below the attempt's prefix counts although nothing names it.
    let mut world = World::new(STEP);
    world.advance(&[]);
    let left = world.start.output_prefix.join("A/1/left.csv").to_string();
    world.contents.insert(left.clone(), "1".to_owned());
    world.succeed("A", json!({}));
    assert_eq!(next(&world, STEP), "hit");
    world.contents.remove(&left);
    assert!(next(&world, STEP).ends_with("A/1/` of the cached result is gone"));
}

#[test]
fn a_result_that_cannot_be_checked_is_not_cached_and_says_why() {
    let mut world = World::new(STEP);
    let places: Vec<_> = (0..=WITNESSES).map(|number| format!("s3://conf/{number}")).collect();
    let does: Vec<_> = places.iter().map(|place| ('m', place.as_str(), "")).collect();
    let told = run(&mut world, &does[..WITNESSES], json!({}));
    assert_eq!((told.len(), world.cache.len()), (0, 1));
    let mut world = World::new(STEP);
    let told = run(&mut world, &does, json!({}));
    assert_eq!(told, ["its result is not cached: it touched 1001 places, over the limit of 1000"]);
    assert!(world.cache.is_empty());
}

#[test]
fn equal_steps_that_are_ready_at_once_run_once() {
    let twins = format!("{STEP}{}", STEP.replace("Name: A", "Name: B"));
    let mut world = World::new(&twins);
    let plan = world.advance(&[]);
    assert_eq!(decisions(&world, &plan), ["A run"]);
    let plan = world.succeed("A", json!({ "x": 1 }));
    assert_eq!(decisions(&world, &plan), ["B hit"]);
    assert!(world.execution.status.is_over());

    // If the first one fails, the other tries for itself where it still may.
    let after = twins.replace("k: 1 },", "k: 1 }, OnFailure: Continue,");
    let mut world = World::new(&after);
    world.advance(&[]);
    let plan = world.fail("A");
    assert_eq!(decisions(&world, &plan), ["B run"]);

    // A step that was forced runs, and so does one whose twin left nothing to find.
    let mut world = World::new(&twins);
    world.start.use_cache = false;
    let plan = world.advance(&[]);
    assert_eq!(decisions(&world, &plan), ["A run", "B run"]);
    let mut world = World::new(&twins);
    run(&mut world, &[('x', PLACE, "2")], json!({}));
    assert_eq!(world.invoked(), ["A", "B"]);
}
