//! Reports that an attempt did not make, and what an attempt may not report.

use serde_json::{Map, json};
use sidestep_core::execution::ExecutionStatus;
use sidestep_core::execution::manifest::{Artifact, Manifest, Timing};
use sidestep_core::execution::proof::{Proof, Token, request_code};
use sidestep_core::execution::start::STATE_VERSION;
use sidestep_core::plan::{Event, Report, ReportedResult};
use sidestep_core::uri::S3Uri;

use super::world::{World, succeeded};

const PAIR: &str = "
  - { Name: A, Type: Lambda, FunctionArn: f, Arguments: { k: 1 }, CacheConfig: { Enabled: true, ExpireAfter: P1D }, RetryPolicies: [{ ExceptionType: [Step.THROTTLING], MaxAttempts: 2 }] }
  - { Name: B, Type: Lambda, FunctionArn: f, Arguments: { k: 2 } }
";

fn begun() -> World {
    let mut world = World::new(PAIR);
    world.advance(&[]);
    world
}

/// Returns the token that the function of a step got.
fn token(world: &World, name: &str) -> String {
    match world.report(name, succeeded(json!({}), Vec::new())) {
        Event::Reported(Report { proof: Proof::Token(Token(token)), .. }) => token,
        other => panic!("{other:?}"),
    }
}

fn manifest(world: &World, name: &str, n: u64) -> Manifest {
    let outputs: Map<_, _> = [("n".to_owned(), json!(n))].into_iter().collect();
    Manifest::new(&token(world, name), outputs, Vec::new(), Timing::default())
}

fn report(world: &World, name: &str, manifest: Manifest) -> Report {
    let step = world.pipeline.step(world.index(name)).name.clone();
    Report::of_manifest(step, 1, manifest, None)
}

fn changes(world: &World, report: Report) -> bool {
    let plan = world.plan(&[Event::Reported(report)]);
    assert_eq!(plan.commit.is_empty(), plan.discarded.len() == 1, "{plan:?}");
    assert!(!plan.commit.is_empty() || plan.publish.is_empty(), "nothing is published: {plan:?}");
    !plan.commit.is_empty()
}

#[test]
fn what_is_read_from_a_report_makes_no_other_report() {
    let world = begun();
    let honest = manifest(&world, "A", 1);
    let forged = |forge: &dyn Fn(&mut Manifest)| {
        let mut manifest = honest.clone();
        forge(&mut manifest);
        report(&world, "A", manifest)
    };
    let elsewhere = Artifact { uri: S3Uri::new("b", "k"), bytes: 1, sha256: "0".repeat(64) };
    for (name, report) in [
        ("other outputs", forged(&|it| drop(it.outputs.insert("n".to_owned(), json!(2))))),
        ("an artifact more", forged(&|it| it.artifacts.push(elsewhere.clone()))),
        ("another time", forged(&|it| it.duration_ms += 1)),
        ("no proof", forged(&|it| it.proof = None)),
        ("the code as the token", forged(&|it| it.token = it.proof.take())),
        ("another step's result", report(&world, "B", honest.clone())),
        ("another step's token", report(&world, "A", manifest(&world, "B", 2))),
        ("another attempt", Report { attempt_count: 2, ..report(&world, "A", honest.clone()) }),
    ] {
        assert!(!changes(&world, report), "{name}");
    }
    let code = honest.proof.clone().expect("a proof");
    for proof in [Proof::Token(Token(code.clone())), Proof::Request { code, id: "r".to_owned() }] {
        assert!(!changes(&world, Report { proof, ..report(&world, "A", honest.clone()) }));
    }
    assert!(changes(&world, report(&world, "A", honest.clone())), "as it was made");
}

#[test]
fn a_report_of_an_earlier_attempt_or_execution_is_not_taken_again() {
    let mut world = begun();
    let old = manifest(&world, "A", 1);
    world.lose("A");
    assert!(!changes(&world, report(&world, "A", old.clone())), "the first attempt was given up");
    let renamed = Report { attempt_count: 2, ..report(&world, "A", old.clone()) };
    assert!(!changes(&world, renamed));

    let mut next = world.again(PAIR, "sha256:code");
    next.advance(&[]);
    assert!(next.invoked().iter().any(|name| name == "A"), "{:?}", next.invoked());
    assert!(!changes(&next, report(&next, "A", old)));
}

#[test]
fn a_request_id_proves_its_own_attempt_only() {
    let world = begun();
    let shown = |name: &str, code: String, id: &str| {
        let proof = Proof::Request { code, id: id.to_owned() };
        let honest = report(&world, name, manifest(&world, name, 1));
        changes(&world, Report { proof, ..honest })
    };
    let code = request_code(&token(&world, "A"), "r1");
    assert!(shown("A", code.clone(), "r1"));
    assert!(!shown("A", code.clone(), "r2") && !shown("B", code, "r1"));
}

/// A token in an object is known to all of its readers.
#[test]
fn a_token_in_a_manifest_counts_only_in_executions_of_its_time() {
    for state_version in [1, 2, STATE_VERSION] {
        let mut world = begun();
        world.start.state_version = state_version;
        let bare = |token: String| Manifest {
            version: 1,
            proof: None,
            token: Some(token),
            ..manifest(&world, "A", 1)
        };
        let wrong = report(&world, "A", bare("wrong".to_owned()));
        assert!(!changes(&world, wrong));
        let right = report(&world, "A", bare(token(&world, "A")));
        let plan = world.advance(&[Event::Reported(right)]);
        let said = json!(plan.commit.completions).to_string();
        if state_version < 3 {
            assert!(said.contains("Succeeded") && !plan.publish.is_empty(), "{said}");
        } else {
            assert!(said.contains("Sidestep.Report") && said.contains("step SDK"), "{said}");
            assert_eq!(plan.publish, []);
        }
        // The same of the record of a request id.
        let proof = Proof::Request { code: token(&world, "B"), id: "r".to_owned() };
        let of_b = Report { proof, ..report(&world, "B", manifest(&world, "B", 1)) };
        let plan = world.plan(&[Event::Reported(of_b)]);
        let said = json!(plan.commit.completions).to_string();
        assert_eq!(said.contains("Succeeded"), state_version < 3, "{said}");
    }
}

#[test]
fn an_artifact_outside_of_the_attempts_prefix_fails_the_step() {
    let prefix = begun().start.output_prefix.join("A/1/");
    let (bucket, inside) = (prefix.bucket().to_owned(), prefix.key().to_owned());
    for (uri, is_legal) in [
        (S3Uri::new(bucket.clone(), format!("{inside}data")), true),
        (S3Uri::new(bucket.clone(), format!("{inside}a/b")), true),
        (S3Uri::new(bucket.clone(), inside.clone()), false),
        (S3Uri::new(bucket.clone(), inside.replace("A/1/", "A/2/data")), false),
        (S3Uri::new(bucket.clone(), inside.replace("A/1/", "A/10/data")), false),
        (S3Uri::new(bucket.clone(), inside.replace("A/1/", "B/1/data")), false),
        (S3Uri::new(bucket, "inbox/data"), false),
        (S3Uri::new("other", format!("{inside}data")), false),
    ] {
        let mut world = begun();
        let artifact = Artifact { uri: uri.clone(), bytes: 1, sha256: "0".repeat(64) };
        let event = world.report("A", succeeded(json!({}), vec![artifact]));
        let plan = world.advance(&[event]);
        let said = json!(plan.commit).to_string();
        assert_eq!(said.contains("Sidestep.Artifact"), !is_legal, "{uri}: {said}");
        assert_eq!(plan.publish.is_empty(), !is_legal, "{uri}");
        let failed = world.execution.status == ExecutionStatus::Failed;
        assert!(is_legal || said.contains("is not below") || failed, "{said}");
    }
}

/// What the planner writes in the name of a function without an SDK is bound as well.
#[test]
fn a_manifest_that_the_planner_writes_holds_a_proof_and_no_token() {
    let mut world = begun();
    let large = json!({ "text": "x".repeat(9_000) });
    let event = world.report("A", ReportedResult::Returned(large));
    let plan = world.advance(&[event]);
    let [(_, written)] = plan.manifests.as_slice() else { panic!("{:?}", plan.manifests) };
    let token = token(&world, "A");
    assert!(written.is_by(&token) && !json!(written).to_string().contains(&token));
}
