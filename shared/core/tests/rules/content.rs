//! What counts as content: places in arguments, `Reads`, a function's `reads`, and uploads.

use serde_json::json;
use sidestep_core::execution::start::Uploaded;
use sidestep_core::limits::PLACES;
use sidestep_core::name::ParameterName;
use sidestep_core::uri::S3Uri;

use super::world::World;

/// Returns a pipeline with one step that has these keys.
fn step(keys: &str) -> String {
    format!("  - {{ Name: A, Type: Lambda, FunctionArn: f, {keys} }}\n")
}

fn put(world: &mut World, uri: &str, digest: &str) {
    world.contents.insert(uri.to_owned(), digest.to_owned());
}

/// Runs the step to its end, and returns the decision and its reason.
fn run(world: &mut World) -> (&'static str, String) {
    world.advance(&[]);
    let decided = world.decided("A");
    if decided.0 == "run" {
        world.succeed("A", json!({}));
    }
    decided
}

/// Asserts that the step is a hit while the content at `uri` is the same, and runs if it changes.
fn assert_counts(keys: &str, uri: &str, prepare: &dyn Fn(&mut World)) {
    let steps = step(keys);
    let mut first = World::new(&steps);
    prepare(&mut first);
    put(&mut first, uri, "sha256:one");
    assert_eq!(run(&mut first).0, "run", "{keys}");
    let mut same = first.again(&steps, "sha256:code");
    prepare(&mut same);
    let (kind, reason) = run(&mut same);
    assert_eq!(kind, "hit", "{keys}: {reason}");
    let mut changed = same.again(&steps, "sha256:code");
    prepare(&mut changed);
    put(&mut changed, uri, "sha256:two");
    assert_eq!(run(&mut changed).0, "run", "{keys}");
    let mut gone = changed.again(&steps, "sha256:code");
    prepare(&mut gone);
    gone.contents.remove(uri);
    assert_eq!(run(&mut gone).0, "run", "{keys}");
    let mut back = gone.again(&steps, "sha256:code");
    prepare(&mut back);
    put(&mut back, uri, "sha256:one");
    assert_eq!(run(&mut back).0, "hit", "{keys}");
}

#[test]
fn content_counts_wherever_the_arguments_name_it() {
    for arguments in [
        "{ x: 's3://bucket/k.csv' }",
        "{ x: 'S3://bucket/k.csv' }",
        "{ x: 's3a://bucket/k.csv' }",
        "{ x: 's3://bucket/k.csv?versionId=1' }",
        "{ x: 'arn:aws:s3:::bucket/k.csv' }",
        "{ x: 'https://bucket.s3.eu-west-1.amazonaws.com/k.csv' }",
        "{ x: '{\"uri\": \"s3://bucket/k.csv\"}' }",
        "{ x: 's3://bucket/other.csv,s3://bucket/k.csv' }",
        "{ Bucket: bucket, Key: k.csv }",
        "{ source: { bucket: bucket }, files: [{ name: k.csv }] }",
        "{ x: { 'Std:Join': { On: ' ', Values: [read, 's3://bucket/k.csv', now] } } }",
    ] {
        let keys = format!("Arguments: {arguments}");
        assert_counts(&keys, "s3://bucket/k.csv", &|_| {});
    }
    assert_counts("Arguments: { Bucket: bucket }", "s3://bucket/", &|_| {});
    assert_counts("Arguments: { x: 's3a://bucket/in/*.csv' }", "s3://bucket/in/*", &|_| {});
}

#[test]
fn declared_reads_count_as_content() {
    let uri = "s3://bucket/model.bin";
    assert_counts("Arguments: {}, Reads: ['s3://bucket/model.bin']", uri, &|_| {});
    assert_counts("Arguments: {}, Reads: ['s3://bucket/in/*.csv']", "s3://bucket/in/*", &|_| {});
    assert_counts("Arguments: {}, Reads: ['s3://bucket']", "s3://bucket/", &|_| {});
    let join = "Arguments: { m: model }, \
                Reads: [{ 'Std:Join': { Values: ['s3://bucket/', 'model.bin'] } }]";
    assert_counts(join, uri, &|_| {});
    assert_counts("Arguments: {}", uri, &|world| {
        for function in world.start.functions.values_mut() {
            function.reads = vec![S3Uri::new("bucket", "model.bin")];
        }
    });
}

#[test]
fn an_empty_list_of_reads_says_nothing_but_the_arguments() {
    let steps = step("Arguments: { key: in/k.csv, url: 'gs://b/k' }, Reads: []");
    let mut first = World::new(&steps);
    for function in first.start.functions.values_mut() {
        function.reads = vec![S3Uri::new("bucket", "model.bin")];
    }
    run(&mut first);
    let mut second = first.again(&steps, "sha256:code");
    put(&mut second, "s3://bucket/model.bin", "sha256:one");
    assert_eq!(run(&mut second).0, "hit");
}

#[test]
fn a_step_whose_reads_are_no_uris_is_not_cached() {
    let steps = step("Arguments: {}, Reads: [{ 'Std:Join': { Values: [in, k] } }]");
    let mut world = World::new(&steps);
    let (kind, reason) = run(&mut world);
    let expected = "not cached: invalid value \"ink\" in `Reads`: expected s3://BUCKET/KEY";
    assert_eq!((kind, reason.as_str()), ("run", expected));
    assert!(world.cache.is_empty());
}

#[test]
fn a_step_that_may_read_what_is_not_seen_is_not_cached() {
    for (arguments, argument) in [
        ("{ key: in/k.csv }", "`key`"),
        ("{ source: { file: k.csv } }", "`source.file`"),
        ("{ u: 'gs://bucket/k' }", "`u`"),
        ("{ u: 'https://example.com/data.csv' }", "`u`"),
    ] {
        let mut world = World::new(&step(&format!("Arguments: {arguments}")));
        let (kind, reason) = run(&mut world);
        let is_told = reason.starts_with("not cached: argument ") && reason.contains(argument);
        assert!(kind == "run" && is_told && reason.contains("`Reads`"), "{arguments}: {reason}");
        assert!(world.cache.is_empty(), "{arguments}");
    }
}

#[test]
fn an_upload_counts_by_its_content_whatever_a_step_takes_of_it() {
    let head = "Parameters: [{ Name: P, Type: String, DefaultValue: 'word' }]\nSteps:\n";
    for arguments in [
        "{ bucket: { Get: Parameters.P } }",
        "{ key: { Get: Parameters.P } }",
        "{ x: { 'Std:Join': { Values: [a, { Get: Parameters.P }] } } }",
        "{ x: { y: [{ Get: Parameters.P }] } }",
    ] {
        let steps = format!("{head}{}", step(&format!("Arguments: {arguments}")));
        let uploaded = |world: &mut World| {
            world.start.uploaded = Some(Uploaded {
                uri: S3Uri::new("inbox", "in/k.csv"),
                version: "1".to_owned(),
                parameters: [ParameterName::parse("P").unwrap()].into(),
            });
        };
        let mut first = World::new(&steps);
        uploaded(&mut first);
        put(&mut first, "s3://inbox/in/k.csv", "sha256:one");
        assert_eq!(run(&mut first).0, "run", "{arguments}");
        let mut same = first.again(&steps, "sha256:code");
        uploaded(&mut same);
        assert_eq!(run(&mut same).0, "hit", "{arguments}");
        let mut changed = same.again(&steps, "sha256:code");
        uploaded(&mut changed);
        put(&mut changed, "s3://inbox/in/k.csv", "sha256:two");
        assert_eq!(run(&mut changed).0, "run", "{arguments}");
    }
}

#[test]
fn a_step_that_takes_nothing_of_an_upload_stays_a_hit() {
    let head = "Parameters: [{ Name: P, Type: String, DefaultValue: word }]\nSteps:\n";
    let steps = format!("{head}{}", step("Arguments: { n: 1 }"));
    let mut first = World::new(&steps);
    run(&mut first);
    let mut second = first.again(&steps, "sha256:code");
    second.start.uploaded = Some(Uploaded {
        uri: S3Uri::new("inbox", "in/k.csv"),
        version: "1".to_owned(),
        parameters: [ParameterName::parse("P").unwrap()].into(),
    });
    put(&mut second, "s3://inbox/in/k.csv", "sha256:one");
    assert_eq!(run(&mut second).0, "hit");
}

#[test]
fn what_a_function_can_tell_apart_shares_no_key() {
    let keys = [
        "Arguments: { x: 'S3://bucket/a.csv' }",
        "Arguments: { x: 's3a://bucket/a.csv' }",
        "Arguments: { x: 'S3://bucket/b.csv' }",
        "Arguments: { bucket: bucket, key: a.csv }",
        "Arguments: { bucket: bucket, key: b.csv }",
    ];
    let mut world = World::new(&step(keys[0]));
    for (number, keys) in keys.iter().enumerate() {
        let mut next = if number == 0 { world } else { world.again(&step(keys), "sha256:code") };
        for uri in ["s3://bucket/a.csv", "s3://bucket/b.csv"] {
            put(&mut next, uri, "sha256:one");
        }
        assert_eq!(run(&mut next).0, "run", "{keys}");
        world = next;
    }
    // A whole plain URI stands for its content: renaming costs no hit.
    let mut first = world.again(&step("Arguments: { x: 's3://bucket/a.csv' }"), "sha256:code");
    run(&mut first);
    let mut renamed = first.again(&step("Arguments: { x: 's3://bucket/b.csv' }"), "sha256:code");
    assert_eq!(run(&mut renamed).0, "hit");
}

#[test]
fn a_step_may_name_as_many_places_as_the_limit() {
    let of = |count: usize| {
        let keys: Vec<_> = (0..count).map(|number| format!("k{number}")).collect();
        step(&format!("Arguments: {{ bucket: bucket, keys: [{}] }}", keys.join(", ")))
    };
    assert!(!run(&mut World::new(&of(PLACES))).1.contains("not cached"));
    let (_, reason) = run(&mut World::new(&of(PLACES + 1)));
    assert_eq!(reason, "not cached: it names 1001 places, over the limit of 1000");
}
