//! Names: not two alike, and each as its service takes it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::problem::Problem;
use super::subject::Subject;

/// The names of one type of resource.
struct Rule {
    kind: &'static str,
    property: &'static str,
    noun: &'static str,
    /// The fewest and the most characters.
    characters: (usize, usize),
    /// The characters besides ASCII letters and digits.
    others: &'static str,
    has_capitals: bool,
}

const fn rule(
    kind: &'static str,
    property: &'static str,
    noun: &'static str,
    characters: (usize, usize),
    others: &'static str,
) -> Rule {
    Rule { kind, property, noun, characters, others, has_capitals: true }
}

/// From the documentation of each type in CloudFormation's template reference.
const RULES: [Rule; 8] = [
    rule("AWS::DynamoDB::Table", "TableName", "table", (3, 255), "_.-"),
    Rule { has_capitals: false, ..rule("AWS::S3::Bucket", "BucketName", "bucket", (3, 63), ".-") },
    rule("AWS::Lambda::Function", "FunctionName", "function", (1, 64), "-_"),
    rule("AWS::SQS::Queue", "QueueName", "queue", (1, 80), "-_"),
    rule("AWS::Logs::LogGroup", "LogGroupName", "log group", (1, 512), ".-_/#"),
    rule("AWS::CloudWatch::Alarm", "AlarmName", "alarm", (1, 255), ".-_/# :"),
    rule("AWS::Scheduler::Schedule", "Name", "schedule", (1, 64), "-_."),
    rule("AWS::Events::Rule", "Name", "rule", (1, 64), ".-_"),
];

/// What S3 reserves at the beginning and at the end of names
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>).
const BUCKET_BEGINS: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const BUCKET_ENDS: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

const SHORTER: &str = "choose a shorter `[deploy] stack`, or a shorter name in `sidestep.toml`";
const BUCKET: &str =
    "choose a shorter `[deploy] stack`, or name an existing bucket in `[deploy.buckets]`";
const OTHER: &str = "choose another name in `sidestep.toml`";

pub(super) fn check(subject: &Subject<'_>) -> Vec<Problem> {
    let mut problems = ids(subject);
    for rule in &RULES {
        let mut taken: BTreeMap<String, &String> = BTreeMap::new();
        for (id, properties) in subject.of_type(rule.kind) {
            let Some(name) = properties.get(rule.property) else { continue };
            let Some(name) = subject.evaluator.text(name) else { continue };
            problems.extend(shape(rule, id, &name));
            if let Some(other) = taken.insert(name.clone(), id) {
                problems.push(Problem::error(
                    format!("`{other}` and `{id}` would both be the {} `{name}`", rule.noun),
                    OTHER,
                ));
            }
        }
    }
    problems
}

fn shape(rule: &Rule, id: &str, name: &str) -> Option<Problem> {
    let Rule { noun, characters: (fewest, most), others, .. } = rule;
    let count = name.chars().count();
    if count < *fewest || count > *most {
        return Some(Problem::error(
            format!(
                "the {noun} `{name}` (`{id}`) has {count} characters: expected {fewest} to {most}"
            ),
            match *noun {
                _ if count < *fewest => "choose a longer `[deploy] stack`",
                "bucket" => BUCKET,
                _ => SHORTER,
            },
        ));
    }
    let is_legal = |c: char| {
        let is_letter =
            if rule.has_capitals { c.is_ascii_alphabetic() } else { c.is_ascii_lowercase() };
        is_letter || c.is_ascii_digit() || others.contains(c)
    };
    if let Some(other) = name.chars().find(|c| !is_legal(*c)) {
        let letters = if rule.has_capitals { "letters" } else { "lower case letters" };
        return Some(Problem::error(
            format!(
                "the {noun} `{name}` (`{id}`) has `{other}`: expected {letters}, digits and the characters `{others}`"
            ),
            OTHER,
        ));
    }
    if rule.has_capitals || is_bucket(name) {
        return None;
    }
    let what = format!(
        "the bucket `{name}` (`{id}`) begins, ends or goes on in a way that S3 does not take"
    );
    Some(Problem::error(what, OTHER))
}

/// Returns true if S3 takes a name that has the right characters.
fn is_bucket(name: &str) -> bool {
    let is_edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    is_edge(name.chars().next())
        && is_edge(name.chars().last())
        && !["..", ".-", "-."].iter().any(|pair| name.contains(pair))
        && !BUCKET_BEGINS.iter().any(|begin| name.starts_with(begin))
        && !BUCKET_ENDS.iter().any(|end| name.ends_with(end))
}

/// Checks the ids of resources, parameters and outputs.
fn ids(subject: &Subject<'_>) -> Vec<Problem> {
    let names = ["Resources", "Parameters", "Outputs"];
    let sections = names.iter().filter_map(|name| subject.evaluator.template.get(*name));
    let ids = sections.filter_map(Value::as_object).flat_map(|section| section.keys());
    let is_id = |id: &&String| {
        (1..=255).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    ids.filter(|id| !is_id(id))
        .map(|id| {
            let what =
                format!("`{id}` is no id of a template: expected 1 to 255 letters and digits");
            Problem::error(what, OTHER)
        })
        .collect()
}
