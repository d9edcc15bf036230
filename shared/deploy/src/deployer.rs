//! The policy of the person who deploys.

use serde_json::{Value, json};

use crate::block;
use crate::blueprint::Blueprint;
use crate::object::bucket_arn;
use crate::place::{Place, write_out};
use crate::resource::{allow, one_or_many, sub};

/// Returns what the person who deploys, runs and destroys the project's stack must be allowed. It
/// fits into one managed policy.
pub fn deployer_policy(blueprint: &Blueprint) -> Value {
    let mut policy = block::deployer();
    // What only some projects need.
    let mut statements = Vec::new();
    let existing = blueprint.buckets.existing.keys();
    let arns: Vec<_> = existing.map(|name| bucket_arn(blueprint, name)).collect();
    if !arns.is_empty() {
        // The runs that this person starts read inputs, and `doctor` sends a probe.
        let objects = arns.iter().map(|arn| sub(format!("{arn}/*"))).collect();
        let actions = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"];
        statements.push(allow("Inputs", &actions, &one_or_many(objects)));
        let buckets = arns.into_iter().map(sub).collect();
        statements.push(allow("ListInputs", &["s3:ListBucket"], &one_or_many(buckets)));
    }
    if let Some(bus) = &blueprint.options.event_bus {
        let bus = format!(
            "arn:${{AWS::Partition}}:events:${{AWS::Region}}:${{AWS::AccountId}}:event-bus/{bus}"
        );
        statements.push(allow("Events", &["events:PutEvents"], &sub(bus)));
    }
    let keys: Vec<_> = blueprint.options.kms_keys.iter().map(|key| json!(key)).collect();
    if !keys.is_empty() {
        let actions = ["kms:Decrypt", "kms:GenerateDataKey"];
        statements.push(allow("Keys", &actions, &one_or_many(keys)));
    }
    if let Some(all) = policy.get_mut("Statement").and_then(Value::as_array_mut) {
        all.extend(statements);
    }
    let anywhere = Place { account_id: "*".to_owned(), region: "*".to_owned() };
    write_out(&mut policy, &blueprint.stack, Some(blueprint.place.as_ref().unwrap_or(&anywhere)));
    Value::Object(policy)
}
