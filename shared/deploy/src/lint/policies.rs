//! The sizes of policies: of a role's inline ones together, of each managed one, of each other.

use std::collections::BTreeMap;

use super::problem::Problem;
use super::subject::Subject;
use crate::policy::{INLINE_CHARACTERS, MANAGED_CHARACTERS, MANAGED_POLICIES, inline_sizes, size};

/// The most characters of the policy that says who may assume a role.
const TRUST_CHARACTERS: usize = 2_048;
/// The most bytes of a bucket's policy.
const BUCKET_POLICY_BYTES: usize = 20 * 1024;
/// The most bytes of a queue's policy.
const QUEUE_POLICY_BYTES: usize = 8_192;

const FEWER: &str =
    "let the function do the work of fewer steps, or let its inputs share prefixes and buckets";

pub(super) fn check(subject: &Subject<'_>) -> Vec<Problem> {
    let Subject { evaluator, .. } = subject;
    let mut problems = Vec::new();
    for (role, count) in inline_sizes(evaluator.template, evaluator) {
        over(&mut problems, &format!("the inline policies of `{role}`"), count, INLINE_CHARACTERS);
    }
    for (id, properties) in subject.of_type("AWS::IAM::Role") {
        let count = size(&properties["AssumeRolePolicyDocument"], evaluator);
        over(&mut problems, &format!("the trust policy of `{id}`"), count, TRUST_CHARACTERS);
    }
    let mut attached: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, properties) in subject.of_type("AWS::IAM::ManagedPolicy") {
        let count = size(&properties["PolicyDocument"], evaluator);
        over(&mut problems, &format!("the managed policy `{id}`"), count, MANAGED_CHARACTERS);
        for role in properties["Roles"].as_array().into_iter().flatten() {
            *attached.entry(role["Ref"].as_str().unwrap_or_default()).or_default() += 1;
        }
    }
    for (role, count) in attached {
        if count > MANAGED_POLICIES {
            let what =
                format!("`{role}` needs {count} managed policies: a role takes {MANAGED_POLICIES}");
            problems.push(Problem::error(what, FEWER));
        }
    }
    for (kind, most) in [
        ("AWS::S3::BucketPolicy", BUCKET_POLICY_BYTES),
        ("AWS::SQS::QueuePolicy", QUEUE_POLICY_BYTES),
    ] {
        for (id, properties) in subject.of_type(kind) {
            let count = size(&properties["PolicyDocument"], evaluator);
            over(&mut problems, &format!("the policy `{id}`"), count, most);
        }
    }
    problems
}

fn over(problems: &mut Vec<Problem>, what: &str, count: usize, most: usize) {
    if count > most {
        let what = format!("{what} would have {count} characters: AWS takes {most}");
        problems.push(Problem::error(what, FEWER));
    }
}
