//! The request that makes a job: the step's arguments, and the few members that the service of
//! pipelines adds.

use serde_json::{Map, Value, json};

use crate::job::kind::JobType;

/// The tag by which lineage and Studio find the execution of a resource.
pub const EXECUTION_TAG: &str = "sagemaker:pipeline-execution-arn";

/// What a request holds beside the step's arguments.
#[derive(Debug, Clone, Copy)]
pub struct Additions<'a> {
    pub name: &'a str,
    pub execution_arn: &'a str,
    /// The role of jobs whose steps give none.
    pub role_arn: Option<&'a str>,
}

/// Maps whose values are strings, whatever a parameter's type is.
const TEXT_MAPS: [&str; 3] = ["HyperParameters", "StaticHyperParameters", "Environment"];
/// Lists of strings.
const TEXT_LISTS: [&str; 2] = ["ContainerArguments", "ContainerEntrypoint"];
/// The lists of ranges, whose bounds and values are strings.
const RANGES: [&str; 3] =
    ["IntegerParameterRanges", "ContinuousParameterRanges", "CategoricalParameterRanges"];

/// Returns the request for a step's resolved arguments. Every member that is not named here is
/// passed on as it is, whether this release knows it or not.
pub fn request(kind: &JobType, arguments: &Value, additions: Additions<'_>) -> Value {
    let mut body = match typed(arguments) {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    body.insert(kind.name_member.to_owned(), additions.name.into());
    if let (Some(member), Some(role_arn)) = (kind.role_member, additions.role_arn)
        && !body.contains_key(member)
    {
        body.insert(member.to_owned(), role_arn.into());
    }
    let tags = body.entry("Tags").or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(tags) = tags
        && tags.iter().all(|tag| tag["Key"] != EXECUTION_TAG)
    {
        tags.push(json!({ "Key": EXECUTION_TAG, "Value": additions.execution_arn }));
    }
    Value::Object(body)
}

/// Returns arguments without members that are `null`, and with text where the API has text.
pub fn typed(arguments: &Value) -> Value {
    let Value::Object(members) = arguments else { return arguments.clone() };
    let kept = members.iter().filter(|(_, value)| !value.is_null());
    Value::Object(kept.map(|(name, value)| (name.clone(), member(name, value))).collect())
}

fn member(name: &str, value: &Value) -> Value {
    match value {
        Value::Object(members) if TEXT_MAPS.contains(&name) => {
            let kept = members.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), text(value))).collect())
        }
        Value::Array(items) if TEXT_LISTS.contains(&name) => items.iter().map(text).collect(),
        Value::Array(items) if RANGES.contains(&name) => items.iter().map(range).collect(),
        Value::Array(items) => items.iter().map(typed).collect(),
        other => typed(other),
    }
}

fn range(range: &Value) -> Value {
    let Value::Object(members) = range else { return range.clone() };
    let bound = |(name, value): (&String, &Value)| {
        let value = match value {
            Value::Array(values) => values.iter().map(text).collect(),
            other => text(other),
        };
        (name.clone(), value)
    };
    Value::Object(members.iter().filter(|(_, value)| !value.is_null()).map(bound).collect())
}

/// Returns a scalar as text: numbers as they are written, booleans as `true` and `false`.
fn text(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::String(number.to_string()),
        Value::Bool(flag) => Value::String(flag.to_string()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::StepType;

    const ADDITIONS: Additions<'_> =
        Additions { name: "job", execution_arn: "arn:e", role_arn: Some("arn:role") };

    fn made(arguments: &Value) -> Value {
        request(&JobType::of(StepType::Training).expect("a job"), arguments, ADDITIONS)
    }

    #[test]
    fn arguments_pass_as_they_are_but_for_name_role_and_tag() {
        let tag = json!({"Key": EXECUTION_TAG, "Value": "arn:e"});
        let body =
            made(&json!({"NewMember": {"A": [1, {"B": []}], "C": {}}, "RoleArn": "arn:own"}));
        let expected = json!({"NewMember": {"A": [1, {"B": []}], "C": {}}, "RoleArn": "arn:own",
            "TrainingJobName": "job", "Tags": [tag]});
        assert_eq!(body, expected);
        let own = json!({"Key": "k", "Value": "v"});
        let body = made(&json!({"TrainingJobName": "prefix", "Tags": [own]}));
        let expected = json!({"TrainingJobName": "job", "RoleArn": "arn:role", "Tags": [own, tag]});
        assert_eq!(body, expected);
    }

    #[test]
    fn scalars_are_text_where_the_api_has_text_and_nulls_are_dropped() {
        for (given, expected) in [
            (
                json!({"HyperParameters": {"epochs": 2, "lr": 0.5, "x": true, "gone": null}}),
                json!({"HyperParameters": {"epochs": "2", "lr": "0.5", "x": "true"}}),
            ),
            (
                json!({"AppSpecification": {"ContainerArguments": ["--n", 3], "ImageUri": null}}),
                json!({"AppSpecification": {"ContainerArguments": ["--n", "3"]}}),
            ),
            (
                json!({"ResourceConfig": {"InstanceCount": 2, "Values": [1]}}),
                json!({"ResourceConfig": {"InstanceCount": 2, "Values": [1]}}),
            ),
            (
                json!({"R": {"IntegerParameterRanges": [{"Name": "n", "MinValue": 1}],
                          "CategoricalParameterRanges": [{"Name": "c", "Values": [1, "b"]}]}}),
                json!({"R": {"IntegerParameterRanges": [{"Name": "n", "MinValue": "1"}],
                          "CategoricalParameterRanges": [{"Name": "c", "Values": ["1", "b"]}]}}),
            ),
            (
                json!({"TrainingJobDefinition": {"Environment": {"A": 1}, "B": [null]}}),
                json!({"TrainingJobDefinition": {"Environment": {"A": "1"}, "B": [null]}}),
            ),
        ] {
            assert_eq!(typed(&given), expected);
        }
    }
}
