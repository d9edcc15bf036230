//! What an account would refuse is found in the finished template: one bad project for each kind.

use serde_json::{Value, json};
use sidestep_deploy::lint::{Problem, Severity, lint, runtimes};
use sidestep_deploy::{Blueprint, Function, StackName, synthesise};
use time::Date;

use crate::fixture;

const TODAY: Date = runtimes::AS_OF;

fn problems(template: &Value) -> Vec<Problem> {
    lint(template, None, TODAY, false)
}

fn python() -> Function {
    fixture::function(fixture::python())
}

#[test]
fn the_projects_of_the_tests_are_clean() {
    for blueprint in [fixture::flights(), fixture::everything(), fixture::conditions()] {
        assert_eq!(problems(&synthesise(&blueprint).expect("a template")), []);
    }
}

#[test]
fn sixty_functions_with_an_input_each_fit() {
    let mut blueprint = fixture::flights();
    blueprint.stack = StackName::parse(&"s".repeat(25)).expect("legal");
    blueprint.functions.clear();
    blueprint.pipelines.clear();
    for number in 0..60 {
        let mut function = python();
        for kind in ["raw", "reference"] {
            let uri = format!("s3://a-bucket-with-a-rather-long-name-{number}/{kind}/of/the/team/");
            function.reads.push(uri.try_into().expect("a URI"));
        }
        blueprint.functions.insert(format!("a-function-with-a-name-{number:02}"), function);
    }
    let template = synthesise(&blueprint).expect("a template");
    assert_eq!(problems(&template), []);
    let resources = template["Resources"].as_object().expect("resources");
    let is_managed = |one: &&Value| one["Type"] == "AWS::IAM::ManagedPolicy";
    let managed: Vec<_> = resources.values().filter(is_managed).collect();
    assert!(managed.len() >= 2, "{} managed policies", managed.len());
    // No right is lost on the way.
    let text = template.to_string();
    for name in blueprint.functions.keys() {
        assert!(text.contains(&format!("-{name}:*")), "{name}");
    }
    for policy in managed {
        assert_eq!(policy["Properties"]["Roles"].as_array().map(Vec::len), Some(2), "{policy}");
    }
}

#[test]
fn each_kind_of_problem_is_named() {
    type Change = fn(&mut Blueprint);
    let cases: [(&str, Change, &str); 11] = [
        (
            "a bucket that has the artifact bucket's name",
            |one| {
                one.buckets.created.insert("artifacts".to_owned());
            },
            "would both be the bucket `flights-artifacts-",
        ),
        (
            "a bucket with a long name",
            |one| {
                one.buckets.created.insert("training-data-of-the-whole-team".to_owned());
            },
            "characters: expected 3 to 63",
        ),
        (
            "a bucket with a letter that S3 does not take",
            |one| {
                one.buckets.created.insert("Inbox_2".to_owned());
            },
            "has `I`: expected lower case letters",
        ),
        (
            "a bucket with two points",
            |one| {
                one.buckets.created.insert("a..b".to_owned());
            },
            "in a way that S3 does not take",
        ),
        (
            "a closed runtime",
            |one| {
                let code = sidestep_deploy::Code::Runtime {
                    runtime: "python3.11".to_owned(),
                    handler: "a.b".to_owned(),
                };
                one.functions.insert("old".to_owned(), fixture::function(code));
            },
            "function `flights-old` has runtime `python3.11`: AWS closed it",
        ),
        (
            "a reserved variable",
            |one| set(one, "AWS_REGION", "x"),
            "`AWS_REGION` of function `flights-report` is one that Lambda sets itself",
        ),
        ("a variable's name", |one| set(one, "MY-LEVEL", "x"), "has no name that Lambda takes"),
        ("a variable of one letter", |one| set(one, "A", "x"), "has no name that Lambda takes"),
        ("large variables", |one| set(one, "TEXT", &"x".repeat(4_090)), "bytes: Lambda takes 4096"),
        (
            "a long handler",
            |one| {
                let code = sidestep_deploy::Code::Runtime {
                    runtime: "python3.13".to_owned(),
                    handler: "a".repeat(129),
                };
                one.functions.insert("long".to_owned(), fixture::function(code));
            },
            "`Handler` of `StepLong` has 129 characters: AWS takes 128",
        ),
        (
            "a role that ten managed policies do not hold",
            |one| {
                let function = one.functions.get_mut("report").expect("the example's");
                for number in 0..900 {
                    let uri = format!("s3://bucket-{number}/a/rather/long/prefix/of/inputs/x.csv");
                    function.reads.push(uri.try_into().expect("a URI"));
                }
            },
            "managed policies: a role takes 10",
        ),
    ];
    for (case, change, expected) in cases {
        let mut blueprint = fixture::flights();
        change(&mut blueprint);
        let found = problems(&synthesise(&blueprint).expect("a template"));
        let errors = found.iter().filter(|one| one.severity == Severity::Error);
        let said: Vec<_> = errors.map(ToString::to_string).collect();
        assert!(said.iter().any(|one| one.contains(expected)), "{case}: {said:#?}");
    }
}

fn set(blueprint: &mut Blueprint, name: &str, value: &str) {
    let report = blueprint.functions.get_mut("report").expect("the example's");
    report.environment.insert(name.to_owned(), value.to_owned());
}

#[test]
fn limits_and_patterns_of_the_document_are_checked() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 6] = [
        (
            |template| {
                for number in 0..600 {
                    template["Resources"][format!("Q{number}")] =
                        json!({ "Type": "AWS::SQS::Queue", "Properties": {} });
                }
            },
            "resources: CloudFormation takes 500",
        ),
        (
            |template| {
                for number in 0..200 {
                    template["Parameters"][format!("P{number}")] = json!({ "Type": "String" });
                }
            },
            "parameters: CloudFormation takes 200",
        ),
        (
            |template| template["Metadata"] = json!("x".repeat(1_000_000)),
            "bytes: CloudFormation takes 1000000",
        ),
        (
            |template| template["Resources"]["a-b"] = json!({ "Type": "AWS::SQS::Queue" }),
            "`a-b` is no id of a template",
        ),
        (
            |template| {
                let role = &mut template["Resources"]["StepTrainRole"]["Properties"];
                let statements = role.pointer_mut("/Policies/0/PolicyDocument/Statement");
                let statement = json!({ "Sid": "Own", "Effect": "Allow", "Action": "s3:PutObject",
                    "Resource": "arn:aws:s3:::b/runs/p/*/B/*" });
                statements.and_then(Value::as_array_mut).expect("a list").push(statement);
            },
            "whose `*` also matches `/`",
        ),
        (
            |template| {
                template["Resources"]["StepTrain"]["Properties"]["MemorySize"] = json!(10_241);
            },
            "`MemorySize` of `StepTrain` is 10241: expected 128 to 10240",
        ),
    ];
    for (change, expected) in cases {
        let mut template = synthesise(&fixture::flights()).expect("a template");
        change(&mut template);
        let said: Vec<_> = problems(&template).iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|one| one.contains(expected)), "{expected}: {said:#?}");
    }
}
