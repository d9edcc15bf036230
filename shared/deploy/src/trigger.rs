//! What starts pipelines: uploads through EventBridge, and schedules. Both go to the trigger's
//! queue.
//!
//! S3's own notifications would be faster. But a bucket has one document of them with one owner,
//! whereas any number of EventBridge rules may listen to one bucket, even to one of another owner.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sidestep_core::name::PipelineName;

use crate::blueprint::{Blueprint, Upload};
use crate::name::LogicalId;
use crate::object::bucket_arn;
use crate::resource::{Resources, allow, arn, assumed_by, document, reference, sub};

/// Adds buckets, rules and schedules to `resources`.
pub(crate) fn add(resources: &mut Resources, blueprint: &Blueprint) {
    for bucket in &blueprint.buckets.created {
        resources.begin(bucket);
        add_bucket(resources, blueprint, bucket);
    }
    let mut rules = Vec::new();
    let mut has_schedule = false;
    for (name, pipeline) in &blueprint.pipelines {
        resources.begin(name.as_str());
        for (number, upload) in pipeline.uploads.iter().enumerate() {
            let id = LogicalId::numbered(name.as_str(), "Upload", number);
            rules.push(arn(id.as_str()));
            resources.insert(id.as_str().to_owned(), rule(blueprint, name, upload));
        }
        for (number, expression) in pipeline.schedules.iter().enumerate() {
            has_schedule = true;
            let id = LogicalId::numbered(name.as_str(), "Schedule", number);
            resources.insert(id.as_str().to_owned(), schedule(name, number, expression));
        }
    }
    resources.begin("the triggers");
    if !rules.is_empty() {
        resources.insert("UploadsPolicy".to_owned(), queue_policy(&rules));
    }
    if has_schedule {
        resources.insert("ScheduleRole".to_owned(), schedule_role());
    }
}

fn add_bucket(resources: &mut Resources, blueprint: &Blueprint, bucket: &str) {
    let id = LogicalId::of(bucket, "Bucket");
    resources.insert(
        id.as_str().to_owned(),
        json!({
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "RetainExceptOnCreate",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "BucketName": sub(blueprint.buckets.template_name(bucket)),
                "VersioningConfiguration": { "Status": "Enabled" },
                "BucketEncryption": { "ServerSideEncryptionConfiguration": [
                    { "ServerSideEncryptionByDefault": { "SSEAlgorithm": "AES256" } }
                ] },
                "OwnershipControls": { "Rules": [{ "ObjectOwnership": "BucketOwnerEnforced" }] },
                "PublicAccessBlockConfiguration": {
                    "BlockPublicAcls": true, "BlockPublicPolicy": true,
                    "IgnorePublicAcls": true, "RestrictPublicBuckets": true,
                },
                "NotificationConfiguration": {
                    "EventBridgeConfiguration": { "EventBridgeEnabled": true }
                },
            },
        }),
    );
    let arn = bucket_arn(blueprint, bucket);
    resources.insert(
        id.with("Policy"),
        json!({
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {
                "Bucket": reference(id.as_str()),
                "PolicyDocument": document(&[json!({
                    "Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
                    "Resource": [sub(arn.clone()), sub(format!("{arn}/*"))],
                    "Condition": { "Bool": { "aws:SecureTransport": "false" } },
                })]),
            },
        }),
    );
}

fn rule(blueprint: &Blueprint, pipeline: &PipelineName, upload: &Upload) -> Value {
    let mut detail = BTreeMap::from([(
        "bucket",
        json!({ "name": [sub(blueprint.buckets.template_name(&upload.bucket))] }),
    )]);
    if let Some(key) = key_pattern(&upload.prefix, &upload.suffix) {
        detail.insert("object", json!({ "key": [key] }));
    }
    json!({
        "Type": "AWS::Events::Rule",
        "Properties": {
            "Description": format!("Uploads that start pipeline {pipeline}"),
            "EventPattern": {
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "account": [reference("AWS::AccountId")],
                "detail": detail,
            },
            "Targets": [{ "Id": "uploads", "Arn": arn("Uploads") }],
        },
    })
}

/// Returns EventBridge's filter of keys. The trigger checks again, so the filter may let more keys
/// through, but never fewer.
fn key_pattern(prefix: &str, suffix: &str) -> Option<Value> {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('*', "\\*");
    match (prefix, suffix) {
        ("", "") => None,
        (prefix, "") => Some(json!({ "prefix": prefix })),
        ("", suffix) => Some(json!({ "suffix": suffix })),
        (prefix, suffix) => {
            Some(json!({ "wildcard": format!("{}*{}", escaped(prefix), escaped(suffix)) }))
        }
    }
}

fn schedule(pipeline: &PipelineName, number: usize, expression: &str) -> Value {
    // Scheduler fills in the time, and gives the same one if it delivers twice.
    let input = json!({ "Schedule": {
        "PipelineName": pipeline, "Number": number, "Time": "<aws.scheduler.scheduled-time>"
    } });
    json!({
        "Type": "AWS::Scheduler::Schedule",
        "Properties": {
            "Description": format!("Starts pipeline {pipeline}"),
            "ScheduleExpression": expression,
            "FlexibleTimeWindow": { "Mode": "OFF" },
            "Target": {
                "Arn": arn("Uploads"),
                "RoleArn": arn("ScheduleRole"),
                "Input": input.to_string(),
            },
        },
    })
}

fn queue_policy(rules: &[Value]) -> Value {
    let statement = json!({
        "Sid": "Uploads", "Effect": "Allow",
        "Principal": { "Service": "events.amazonaws.com" },
        "Action": "sqs:SendMessage",
        "Resource": arn("Uploads"),
        "Condition": {
            "ArnEquals": { "aws:SourceArn": rules },
            "StringEquals": { "aws:SourceAccount": reference("AWS::AccountId") },
        },
    });
    json!({
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {
            "Queues": [reference("Uploads")],
            "PolicyDocument": document(&[statement]),
        },
    })
}

fn schedule_role() -> Value {
    let group = sub(
        "arn:${AWS::Partition}:scheduler:${AWS::Region}:${AWS::AccountId}:schedule-group/default",
    );
    let condition = json!({
        "StringEquals": { "aws:SourceAccount": reference("AWS::AccountId") },
        "ArnEquals": { "aws:SourceArn": group },
    });
    json!({
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": assumed_by("scheduler.amazonaws.com", Some(condition)),
            "Policies": [{
                "PolicyName": "schedule",
                "PolicyDocument":
                    document(&[allow("Uploads", &["sqs:SendMessage"], &arn("Uploads"))]),
            }],
        },
    })
}
