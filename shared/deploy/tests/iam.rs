//! Requests are decided as IAM decides them.

use serde_json::{Value, json};
use sidestep_deploy::iam::{Permissions, PolicyError, Request, Verdict};
use sidestep_deploy::{Place, StackName, synthesise};

use crate::fixture;

const BUCKET: &str = "arn:aws:s3:::air-artifacts";

fn place() -> Place {
    Place { account_id: "123456789012".to_owned(), region: "eu-west-1".to_owned() }
}

/// Reads a template with one role, `Role`, with these statements.
fn permissions(statements: &Value, bucket_policy: &Value) -> Result<Permissions, PolicyError> {
    let document = |statements: &Value| json!({ "Version": "2012-10-17", "Statement": statements });
    let policies = json!([{ "PolicyName": "step", "PolicyDocument": document(statements) }]);
    let template = json!({ "Resources": {
        "Role": { "Type": "AWS::IAM::Role", "Properties": { "Policies": policies } },
        "Artifacts": { "Type": "AWS::S3::Bucket", "Properties": { "BucketName": "air-artifacts" } },
        "Policy": { "Type": "AWS::S3::BucketPolicy",
            "Properties": { "PolicyDocument": document(bucket_policy) } },
    } });
    Permissions::of_template(&template, &place())
}

fn allow(action: &Value, resource: &Value) -> Value {
    json!({ "Sid": "A", "Effect": "Allow", "Action": action, "Resource": resource })
}

fn deny(action: &Value, resource: &Value) -> Value {
    json!({ "Sid": "D", "Effect": "Deny", "Action": action, "Resource": resource })
}

#[test]
fn a_request_is_decided_as_aws_documents_it() {
    use Verdict::{Allowed, Denied, NotAllowed};
    let objects = json!({ "Fn::Sub": "${Artifacts.Arn}/*" });
    let (get, put) = (json!("s3:GetObject"), json!("s3:PutObject"));
    let manifests = json!({ "Fn::Sub": "${Artifacts.Arn}/runs/*/manifest.json" });
    let not_actions =
        json!({ "Effect": "Allow", "NotAction": ["s3:Delete*", "iam:*"], "Resource": "*" });
    let not_resources =
        json!({ "Effect": "Deny", "Action": "s3:*", "NotResource": [format!("{BUCKET}/runs/*")] });
    let of_bucket = |effect: &str, principal: &str| {
        json!({ "Sid": "B", "Effect": effect, "Principal": principal, "Action": "s3:GetObject",
            "Resource": format!("{BUCKET}/*") })
    };
    let none = json!([]);
    let manifest = format!("{BUCKET}/runs/p/e/S/1/manifest.json");
    let cases: Vec<(&str, Value, Value, &str, &str, Verdict)> = vec![
        (
            "nothing is allowed by itself",
            none.clone(),
            none.clone(),
            "s3:GetObject",
            &manifest,
            NotAllowed,
        ),
        (
            "an allowed action",
            json!([allow(&get, &objects)]),
            none.clone(),
            "s3:GetObject",
            &manifest,
            Allowed,
        ),
        (
            "one statement that is no list",
            allow(&get, &objects),
            none.clone(),
            "s3:GetObject",
            &manifest,
            Allowed,
        ),
        (
            "another action",
            json!([allow(&get, &objects)]),
            none.clone(),
            "s3:PutObject",
            &manifest,
            NotAllowed,
        ),
        (
            "actions have no case",
            json!([allow(&json!("S3:getobject"), &objects)]),
            none.clone(),
            "s3:GetObject",
            &manifest,
            Allowed,
        ),
        (
            "a bucket is not its objects",
            json!([allow(&json!("s3:*"), &objects)]),
            none.clone(),
            "s3:ListBucket",
            BUCKET,
            NotAllowed,
        ),
        (
            "a denial is stronger, in any order",
            json!([deny(&get, &manifests), allow(&get, &objects)]),
            none.clone(),
            "s3:GetObject",
            &manifest,
            Denied,
        ),
        (
            "and stronger afterwards",
            json!([allow(&get, &objects), deny(&get, &manifests)]),
            none.clone(),
            "s3:GetObject",
            &manifest,
            Denied,
        ),
        (
            "a denial of another action",
            json!([allow(&get, &objects), deny(&put, &manifests)]),
            none.clone(),
            "s3:GetObject",
            &manifest,
            Allowed,
        ),
        (
            "all actions but some",
            not_actions.clone(),
            none.clone(),
            "s3:GetObject",
            &manifest,
            Allowed,
        ),
        ("one of those", not_actions, none.clone(), "s3:DeleteObject", &manifest, NotAllowed),
        (
            "all resources but some are denied",
            json!([allow(&get, &objects), not_resources.clone()]),
            none.clone(),
            "s3:GetObject",
            "arn:aws:s3:::air-artifacts/definitions/d",
            Denied,
        ),
        (
            "one of those is not",
            json!([allow(&get, &objects), not_resources]),
            none.clone(),
            "s3:GetObject",
            &manifest,
            Allowed,
        ),
        (
            "the bucket allows it alone",
            none.clone(),
            json!([of_bucket("Allow", "*")]),
            "s3:GetObject",
            &manifest,
            Allowed,
        ),
        (
            "the bucket allows another",
            none,
            json!([of_bucket("Allow", "Other")]),
            "s3:GetObject",
            &manifest,
            NotAllowed,
        ),
        (
            "the bucket denies it",
            json!([allow(&get, &objects)]),
            json!([of_bucket("Deny", "*")]),
            "s3:GetObject",
            &manifest,
            Denied,
        ),
    ];
    for (name, statements, bucket_policy, action, resource, wanted) in cases {
        let permissions = permissions(&statements, &bucket_policy).expect("legal");
        let decision = permissions.decide("Role", &Request::new(action, resource));
        assert_eq!(decision.verdict, wanted, "{name}: {decision:?}");
        let other = permissions.decide("NoRole", &Request::new("sqs:SendMessage", "*"));
        assert_eq!(other.verdict, NotAllowed, "{name}");
    }
}

#[test]
fn a_policy_that_cannot_be_read_is_an_error() {
    let cases = [
        (json!({ "Effect": "Maybe", "Action": "s3:*", "Resource": "*" }), "invalid effect `Maybe`"),
        (json!({ "Effect": "Allow", "Resource": "*" }), "invalid element `Action`"),
        (json!({ "Effect": "Allow", "Action": "s3:*" }), "invalid element `Resource`"),
        (json!({ "Effect": "Allow", "Action": [{}], "Resource": "*" }), "invalid element `{}`"),
        (
            json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "*",
            "Condition": { "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } } }),
            "invalid condition operator `IpAddress`",
        ),
    ];
    for (statement, wanted) in cases {
        let error = permissions(&json!([statement]), &json!([])).expect_err(wanted);
        assert!(error.to_string().starts_with(wanted), "{error}");
    }
}

#[test]
fn the_roles_of_a_template_are_read_with_the_names_that_they_will_have() {
    let mut blueprint = fixture::everything();
    blueprint.stack = StackName::parse("lake").expect("legal");
    blueprint.place = Some(place());
    let template = synthesise(&blueprint).expect("a template");
    let permissions = Permissions::of_template(&template, &place()).expect("legal");
    let roles: Vec<_> = permissions.roles().collect();
    assert_eq!(
        roles,
        ["PlannerRole", "ScheduleRole", "StepWorkErRole", "SweepRole", "TriggerRole"]
    );
    let artifacts = "arn:aws:s3:::lake-artifacts-123456789012-eu-west-1";
    let table = "arn:aws:dynamodb:eu-west-1:123456789012:table/lake";
    let keyed = |action: &str, keys: &[&str]| {
        Request::new(action, table).with("dynamodb:LeadingKeys", keys)
    };
    let step = "StepWorkErRole";
    let cases: Vec<(&str, Request, Option<&str>)> = vec![
        ("PlannerRole", keyed("dynamodb:PutItem", &["E#1"]), Some("EnginePolicy.State")),
        ("PlannerRole", keyed("dynamodb:DeleteItem", &["W"]), Some("EnginePolicy.Windows")),
        ("PlannerRole", keyed("dynamodb:DeleteItem", &["E#1"]), None),
        (
            "TriggerRole",
            Request::new("s3:GetObject", "arn:aws:s3:::acme-lake/raw/x"),
            Some("EnginePolicy.Inputs"),
        ),
        (step, keyed("dynamodb:PutItem", &["E#1", "P#tables"]), Some("StepWorkErRole.Executions")),
        (step, keyed("dynamodb:PutItem", &["R#1"]), Some("StepWorkErRole.Requests")),
        (step, keyed("dynamodb:GetItem", &["R#1"]), None),
        (step, keyed("dynamodb:PutItem", &["P#others"]), None),
        (step, keyed("dynamodb:DeleteItem", &["E#1"]), None),
        (
            step,
            Request::new("s3:GetObject", format!("{artifacts}/runs/p/e/S/1/a")),
            Some("StepWorkErRole.Plans"),
        ),
        (
            step,
            Request::new("s3:PutObject", format!("{artifacts}/runs/tables/abcdefghijkl/Work1/1/a")),
            Some("StepWorkErRole.Outputs"),
        ),
        (
            step,
            Request::new("s3:PutObject", format!("{artifacts}/runs/tables/abcdefghijkl/Scan/1/a")),
            None,
        ),
        (
            step,
            Request::new(
                "lambda:InvokeFunction",
                "arn:aws:lambda:eu-west-1:123456789012:function:lake-work_er:3",
            ),
            Some("StepWorkErRole.Successors"),
        ),
        (
            step,
            Request::new(
                "lambda:InvokeFunction",
                "arn:aws:lambda:eu-west-1:123456789012:function:lake-planner",
            ),
            None,
        ),
        (
            "SweepRole",
            Request::new(
                "lambda:InvokeFunction",
                "arn:aws:lambda:eu-west-1:123456789012:function:lake-planner",
            ),
            Some("SweepRole.Planner"),
        ),
    ];
    for (role, request, wanted) in cases {
        let decision = permissions.decide(role, &request);
        assert_eq!(decision.by.as_deref(), wanted, "{role}: {request}");
        assert_eq!(decision.is_allowed(), wanted.is_some(), "{role}: {request}");
    }
    // What an insecure connection asks for is denied by the bucket to every role.
    let insecure = Request::new("s3:GetObject", format!("{artifacts}/runs/p/e/S/1/a"))
        .with("aws:SecureTransport", &["false"]);
    let decision = permissions.decide(step, &insecure);
    assert_eq!(decision.by.as_deref(), Some("ArtifactsPolicy.TlsOnly"));
    assert_eq!(decision.verdict, Verdict::Denied);
}
