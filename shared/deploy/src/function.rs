//! The resources of one step function: its code's place, its role, its log, and where Lambda
//! reports its results.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sidestep_core::execution::start::READS_VARIABLE;
use sidestep_core::plan::lease::{EVENT_VARIABLE, EVENT_WITH_KEY, SDK_VARIABLE};
use sidestep_core::uri::S3Uri;

use crate::access::Access;
use crate::blueprint::{Blueprint, Code, Function};
use crate::direct::{self, is_direct};
use crate::name::LogicalId;
use crate::object::{bucket_arn, objects};
use crate::queue;
use crate::resource::{
    ARTIFACTS, Resources, allow, arn, assumed_by, document, one_or_many, reference, sub,
};

/// The pattern of an execution's id. A `*` would match `/` too, and so let a function of step `B`
/// overwrite the artifact that step `A` named `B/x`.
const EXECUTION: &str = "????????????";

/// Returns the name of the template's parameter that holds the key of a function's zip.
pub(crate) fn code_parameter(id: &LogicalId) -> String {
    id.with("Code")
}

/// Adds the resources of function `name` to `resources`.
pub(crate) fn add(
    resources: &mut Resources,
    blueprint: &Blueprint,
    name: &str,
    function: &Function,
    access: &Access,
) {
    let id = LogicalId::of_function(name);
    let (role, logs) = (id.with("Role"), id.with("Logs"));
    let in_account = format!("${{AWS::StackName}}-{name}");
    let (runtime, handler) = match &function.code {
        Code::Binary => ("provided.al2023", "bootstrap"),
        Code::Runtime { runtime, handler } => (runtime.as_str(), handler.as_str()),
    };
    let mut properties = json!({
        "FunctionName": sub(&in_account),
        "Runtime": runtime,
        "Handler": handler,
        "Architectures": [blueprint.options.architecture.name()],
        "Code": { "S3Bucket": reference("CodeBucket"), "S3Key": reference(&code_parameter(&id)) },
        "MemorySize": function.memory_mb,
        "Timeout": function.timeout_seconds,
        "Role": arn(&role),
        "LoggingConfig": { "LogGroup": reference(&logs) },
    });
    let mut variables = Map::new();
    if is_direct(blueprint, function, access) {
        variables = direct::environment(blueprint.options.handoff);
    }
    if function.renews_leases {
        variables.insert(SDK_VARIABLE.to_owned(), json!("1"));
    } else if function.gets_key {
        variables.insert(EVENT_VARIABLE.to_owned(), json!(EVENT_WITH_KEY));
    }
    if !function.reads.is_empty() {
        variables.insert(READS_VARIABLE.to_owned(), sub(reads(blueprint, function)));
    }
    let given = function.environment.iter();
    variables.extend(given.map(|(name, value)| (name.clone(), json!(value))));
    if !variables.is_empty() {
        properties["Environment"] = json!({ "Variables": variables });
    }
    if access.needs_recursion() {
        properties["RecursiveLoop"] = json!("Allow");
    }
    if blueprint.options.xray {
        properties["TracingConfig"] = json!({ "Mode": "Active" });
    }
    resources.insert(
        id.as_str().to_owned(),
        json!({ "Type": "AWS::Lambda::Function", "Properties": properties }),
    );
    resources.insert(
        logs.clone(),
        json!({
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "LogGroupName": sub(format!("/aws/lambda/{in_account}")),
                "RetentionInDays": reference("LogDays"),
            },
        }),
    );
    resources.insert(
        role,
        json!({
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": assumed_by("lambda.amazonaws.com", None),
                "Policies": [{
                    "PolicyName": "step",
                    "PolicyDocument": document(&statements(blueprint, function, access, &logs)),
                }],
            },
        }),
    );
    queue::add(resources, &id, function);
    let mut destinations = json!({ "OnFailure": { "Destination": arn("Reports") } });
    // The step SDK reports by the manifest or the commit. A second report would only cost money.
    if !function.has_sdk {
        destinations["OnSuccess"] = json!({ "Destination": arn("Reports") });
    }
    // The planner retries, so Lambda must not: a crash is then seen at once. A published version
    // needs its own copy of this.
    resources.insert(
        id.with("Reports"),
        json!({
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {
                "FunctionName": reference(id.as_str()),
                "Qualifier": "$LATEST",
                "MaximumRetryAttempts": 0,
                "MaximumEventAgeInSeconds": 3600,
                "DestinationConfig": destinations,
            },
        }),
    );
}

/// Returns the list of what a function reads besides its arguments, as text for `Fn::Sub`.
fn reads(blueprint: &Blueprint, function: &Function) -> String {
    let uri = |uri: &S3Uri| {
        let key = uri.key().replace("${", "${!");
        json!(format!("s3://{}/{key}", blueprint.buckets.template_name(uri.bucket()))).to_string()
    };
    format!("[{}]", function.reads.iter().map(uri).collect::<Vec<_>>().join(","))
}

/// Returns the statements of the function's role.
fn statements(
    blueprint: &Blueprint,
    function: &Function,
    access: &Access,
    logs: &str,
) -> Vec<Value> {
    let mut statements = vec![
        allow("Logs", &["logs:CreateLogStream", "logs:PutLogEvents"], &arn(logs)),
        allow("Reports", &["sqs:SendMessage"], &arn("Reports")),
    ];
    if !access.steps.is_empty() {
        let own = access.steps.iter().map(|(pipeline, step)| {
            sub(format!("{ARTIFACTS}/runs/{pipeline}/{EXECUTION}/{step}/*"))
        });
        // A repeated upload compares itself with the existing object, so the step reads its own.
        let actions = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"];
        statements.push(allow("Outputs", &actions, &one_or_many(own.collect())));
    }
    if access.reads_artifacts {
        statements.push(allow("Artifacts", &["s3:GetObject"], &sub(format!("{ARTIFACTS}/runs/*"))));
        let mut list = allow("ListArtifacts", &["s3:ListBucket"], &sub(ARTIFACTS));
        list["Condition"] = json!({ "StringLike": { "s3:prefix": "runs/*" } });
        statements.push(list);
    }
    if access.reads_listings {
        let listings = sub(format!("{ARTIFACTS}/batches/*"));
        statements.push(allow("Listings", &["s3:GetObject"], &listings));
    }
    if !access.reads.is_empty() {
        let objects = access.reads.iter().map(|reach| objects(blueprint, reach));
        statements.push(allow("Inputs", &["s3:GetObject"], &one_or_many(objects.collect())));
    }
    statements.extend(lists_of_inputs(blueprint, access));
    if !access.writes.is_empty() {
        let objects = access.writes.iter().map(|reach| objects(blueprint, reach));
        // On the direct road, the function itself looks at what it wrote.
        let actions: &[&str] = if is_direct(blueprint, function, access) {
            &["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
        } else {
            &["s3:AbortMultipartUpload", "s3:PutObject"]
        };
        statements.push(allow("Writes", actions, &one_or_many(objects.collect())));
    }
    if is_direct(blueprint, function, access) {
        statements.extend(direct::statements(blueprint, access));
    }
    statements.extend(queue::statement(function));
    let encrypted: &[&str] = if function.queues.is_empty() { &["s3"] } else { &["s3", "sqs"] };
    statements.extend(kms(blueprint, encrypted));
    if blueprint.options.xray {
        statements.push(xray());
    }
    statements
}

/// Returns the right to list, in each bucket, what the function reads.
///
/// Without it S3 answers 403 for an object that is absent, which is no answer about the object.
fn lists_of_inputs(blueprint: &Blueprint, access: &Access) -> Vec<Value> {
    let mut prefixes: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for reach in &access.reads {
        prefixes.entry(&reach.bucket).or_default().push(json!(reach.pattern()));
    }
    let numbered = prefixes.into_iter().enumerate();
    let lists = numbered.map(|(number, (bucket, prefixes))| {
        let bucket = sub(bucket_arn(blueprint, bucket));
        let mut list = allow(&format!("ListInputs{number}"), &["s3:ListBucket"], &bucket);
        list["Condition"] = json!({ "StringLike": { "s3:prefix": one_or_many(prefixes) } });
        list
    });
    lists.collect()
}

/// Returns the right to read and write what these services encrypt with the project's keys.
pub(crate) fn kms(blueprint: &Blueprint, services: &[&str]) -> Option<Value> {
    let keys: Vec<_> = blueprint.options.kms_keys.iter().map(|key| json!(key)).collect();
    if keys.is_empty() {
        return None;
    }
    let mut statement = allow("Keys", &["kms:Decrypt", "kms:GenerateDataKey"], &one_or_many(keys));
    let hosts = services
        .iter()
        .map(|service| sub(format!("{service}.${{AWS::Region}}.${{AWS::URLSuffix}}")));
    statement["Condition"] =
        json!({ "StringEquals": { "kms:ViaService": one_or_many(hosts.collect()) } });
    Some(statement)
}

/// Returns the right to send traces. X-Ray's actions have no resources.
pub(crate) fn xray() -> Value {
    allow("Traces", &["xray:PutTelemetryRecords", "xray:PutTraceSegments"], &json!("*"))
}
