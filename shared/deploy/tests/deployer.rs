//! The policy of the person who deploys allows what the command and CloudFormation call.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use sidestep_deploy::deployer::deployer_policy;
use sidestep_deploy::{StackName, synthesise};

use crate::fixture;

/// Calls whose right has another name, or that need none.
const OTHERWISE: [(&str, &str); 7] = [
    ("HeadBucket", "ListBucket"),
    ("HeadObject", "GetObject"),
    ("ListObjectVersions", "ListBucketVersions"),
    ("ListObjectsV2", "ListBucket"),
    ("DeleteObjects", "DeleteObject"),
    ("GetCallerIdentity", ""),
    ("DetectStackDrift", "DetectStackDrift"),
];

fn actions(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().expect("statements").iter();
    let actions = statements.flat_map(|one| match &one["Action"] {
        Value::Array(actions) => actions.clone(),
        action => vec![action.clone()],
    });
    actions.filter_map(|action| action.as_str().map(str::to_owned)).collect()
}

#[test]
fn it_fits_into_a_managed_policy_and_names_only_the_stacks_own() {
    let mut blueprint = fixture::everything();
    blueprint.stack = StackName::parse(&"s".repeat(25)).expect("legal");
    blueprint.options.kms_keys = vec!["arn:aws:kms:eu-west-1:123456789012:key/k".to_owned()];
    let policy = deployer_policy(&blueprint);
    let text = policy.to_string();
    assert!(!text.contains("AWS::"), "{text}");
    // A person may have ten managed policies; one is easier to hand on.
    let size = text.chars().filter(|c| !c.is_whitespace()).count();
    assert!(size <= 6_144, "{size} characters");
    for statement in policy["Statement"].as_array().expect("statements") {
        let wide = statement["Resource"] == "*";
        assert_eq!(wide, statement["Sid"] == "Unnamed", "{statement}");
    }
    for named in ["acme-lake", "event-bus/pipelines", "key/k"] {
        assert!(text.contains(named), "{named}");
    }
}

#[test]
fn every_call_of_the_command_to_an_account_is_allowed() {
    let allowed = actions(&deployer_policy(&fixture::flights()));
    let is_allowed = |call: &str| {
        allowed.iter().any(|action| {
            let name = action.split(':').nth(1).unwrap_or_default();
            name == call || name.strip_suffix('*').is_some_and(|begin| call.starts_with(begin))
        })
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../aws/src/deploy");
    let mut calls = BTreeSet::new();
    for file in std::fs::read_dir(folder).expect("the adapter's folder") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("text");
        // A request is a call without arguments on a client.
        let joined: String = text.split_whitespace().collect();
        for part in joined.split("client.").chain(joined.split("Client::new(config).")).skip(1) {
            if let Some((name, _)) = part.split_once("()") {
                let is_name =
                    name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'2');
                if is_name && name.contains('_') {
                    calls.insert(pascal(name));
                }
            }
        }
    }
    for known in ["CreateChangeSet", "DescribeTable", "GetAccountSettings", "StartMessageMoveTask"]
    {
        assert!(calls.contains(known), "{known} is not found: {calls:?}");
    }
    for call in calls {
        let named = OTHERWISE.iter().find(|(name, _)| *name == call).map_or(call.as_str(), |r| r.1);
        assert!(named.is_empty() || is_allowed(named), "`{call}` is not allowed");
    }
}

#[test]
fn every_type_of_resource_can_be_created_and_deleted() {
    let creates = [
        ("AWS::CloudWatch::Alarm", "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"),
        ("AWS::DynamoDB::Table", "dynamodb:CreateTable", "dynamodb:DeleteTable"),
        ("AWS::Events::Rule", "events:PutRule", "events:DeleteRule"),
        ("AWS::IAM::ManagedPolicy", "iam:CreatePolicy", "iam:DeletePolicy"),
        ("AWS::IAM::Policy", "iam:PutRolePolicy", "iam:DeleteRolePolicy"),
        ("AWS::IAM::Role", "iam:CreateRole", "iam:DeleteRole"),
        (
            "AWS::Lambda::EventInvokeConfig",
            "lambda:PutFunctionEventInvokeConfig",
            "lambda:DeleteFunctionEventInvokeConfig",
        ),
        (
            "AWS::Lambda::EventSourceMapping",
            "lambda:CreateEventSourceMapping",
            "lambda:DeleteEventSourceMapping",
        ),
        ("AWS::Lambda::Function", "lambda:CreateFunction", "lambda:DeleteFunction"),
        ("AWS::Lambda::Permission", "lambda:AddPermission", "lambda:RemovePermission"),
        ("AWS::Logs::LogGroup", "logs:CreateLogGroup", "logs:DeleteLogGroup"),
        ("AWS::Logs::MetricFilter", "logs:PutMetricFilter", "logs:DeleteMetricFilter"),
        ("AWS::S3::Bucket", "s3:CreateBucket", "s3:DeleteBucket"),
        ("AWS::S3::BucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"),
        ("AWS::SQS::Queue", "sqs:CreateQueue", "sqs:DeleteQueue"),
        ("AWS::SQS::QueuePolicy", "sqs:SetQueueAttributes", "sqs:SetQueueAttributes"),
        ("AWS::Scheduler::Schedule", "scheduler:CreateSchedule", "scheduler:DeleteSchedule"),
    ];
    for blueprint in [fixture::flights(), fixture::everything()] {
        let allowed = actions(&deployer_policy(&blueprint));
        let template = synthesise(&blueprint).expect("a template");
        for (id, resource) in template["Resources"].as_object().expect("resources") {
            let row = creates.iter().find(|(kind, _, _)| resource["Type"] == *kind);
            let (kind, create, delete) = row.unwrap_or_else(|| panic!("{id}: a new type"));
            assert!(allowed.contains(*create) && allowed.contains(*delete), "{kind}");
        }
    }
}

fn pascal(name: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('_').map(word).collect()
}
