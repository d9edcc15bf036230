//! Limits of templates and of single properties.

use serde_json::Value;

use super::problem::Problem;
use super::subject::Subject;

/// The limits of a template
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>).
const SECTIONS: [(&str, usize); 3] = [("Resources", 500), ("Parameters", 200), ("Outputs", 200)];
/// The most bytes of a template in a bucket.
pub(crate) const TEMPLATE_BYTES: usize = 1_000_000;
/// The most bytes of a rule's pattern.
const PATTERN_BYTES: usize = 2_048;
/// The most rules of a bus that an account has from the beginning.
const RULES: usize = 300;
/// The most metrics of an alarm's expression.
const METRICS: usize = 10;

/// Texts with a limit: type, property, and the most characters.
const TEXTS: [(&str, &str, usize); 7] = [
    ("AWS::Lambda::Function", "Description", 256),
    ("AWS::Lambda::Function", "Handler", 128),
    ("AWS::Events::Rule", "Description", 512),
    ("AWS::Scheduler::Schedule", "Description", 512),
    ("AWS::Scheduler::Schedule", "ScheduleExpression", 256),
    ("AWS::CloudWatch::Alarm", "AlarmDescription", 1_024),
    ("AWS::IAM::ManagedPolicy", "Description", 1_000),
];

/// Numbers with limits: type, property, the least and the most.
const NUMBERS: [(&str, &str, u64, u64); 2] = [
    ("AWS::Lambda::Function", "MemorySize", 128, 10_240),
    ("AWS::Lambda::Function", "Timeout", 1, 900),
];

const DIVIDE: &str = "divide the project into several stacks";

pub(super) fn check(subject: &Subject<'_>) -> Vec<Problem> {
    let mut problems = whole(subject);
    for (kind, property, most) in TEXTS {
        for (id, properties) in subject.of_type(kind) {
            let text = properties.get(property).and_then(|value| subject.evaluator.text(value));
            let count = text.unwrap_or_default().chars().count();
            if count > most {
                let what =
                    format!("`{property}` of `{id}` has {count} characters: AWS takes {most}");
                problems.push(Problem::error(what, "shorten it in `sidestep.toml`"));
            }
        }
    }
    for (kind, property, least, most) in NUMBERS {
        for (id, properties) in subject.of_type(kind) {
            let Some(number) = properties[property].as_u64() else { continue };
            if !(least..=most).contains(&number) {
                let what =
                    format!("`{property}` of `{id}` is {number}: expected {least} to {most}");
                problems.push(Problem::error(what, "change it in `sidestep.toml`"));
            }
        }
    }
    for (id, properties) in subject.of_type("AWS::Events::Rule") {
        let bytes = subject.evaluator.value(&properties["EventPattern"]).to_string().len();
        if bytes > PATTERN_BYTES {
            let what =
                format!("the pattern of `{id}` has {bytes} bytes: AWS takes {PATTERN_BYTES}");
            problems.push(Problem::error(what, "shorten the trigger's prefix and suffix"));
        }
    }
    for (id, properties) in subject.of_type("AWS::CloudWatch::Alarm") {
        let metrics = properties["Metrics"].as_array().into_iter().flatten();
        let count = metrics.filter(|metric| metric.get("MetricStat").is_some()).count();
        if count > METRICS {
            let what = format!("the alarm `{id}` has {count} metrics: AWS takes {METRICS}");
            problems.push(Problem::error(what, "this is a mistake in sidestep: please report it"));
        }
    }
    problems
}

fn whole(subject: &Subject<'_>) -> Vec<Problem> {
    let template = subject.evaluator.template;
    let mut problems = Vec::new();
    for (section, most) in SECTIONS {
        let count =
            template.get(section).and_then(Value::as_object).map_or(0, serde_json::Map::len);
        if count > most {
            let what = format!(
                "the template has {count} {}: CloudFormation takes {most}",
                section.to_lowercase()
            );
            problems.push(Problem::error(what, DIVIDE));
        }
    }
    let bytes = serde_json::to_string(template).map_or(0, |text| text.len());
    if bytes > TEMPLATE_BYTES {
        let what = format!("the template has {bytes} bytes: CloudFormation takes {TEMPLATE_BYTES}");
        problems.push(Problem::error(what, DIVIDE));
    }
    let rules = subject.of_type("AWS::Events::Rule").count();
    if rules > RULES {
        let what =
            format!("the stack has {rules} triggers by uploads: a new account takes {RULES}");
        problems.push(Problem::warning(
            what,
            "ask for more with Service Quotas, `Rules` of EventBridge",
        ));
    }
    problems
}
